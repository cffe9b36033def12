/** What a client is told and what it tells; shared by the single and the redundant client. */

import type { Clock, Connect, SecurityEvent, TlsSettings } from '@enerchain/transport';
import type { Asdu } from '../codec/asdu.ts';
import type { Cp56Time } from '../codec/time.ts';
import type { Iec104Error } from '../errors.ts';
import type { Receipt } from '../session/connection.ts';
import type { ConnectionCounters } from '../session/counters.ts';
import type { Parameters } from '../spec/parameters.ts';
import type { ReconnectOptions } from './backoff.ts';
import type { CommandMode } from './command-machine.ts';
import type { ExchangeCounters } from './exchanges.ts';

/**
 * - `disconnected`: no connection; another attempt follows unless `reconnect` is false
 * - `connecting`: an attempt is under way
 * - `connected`: connected, data transfer not started (standby, or STARTDT is not confirmed yet)
 * - `started`: data transfer runs
 * - `closed`: `close` was called
 */
export type ClientState = 'disconnected' | 'connecting' | 'connected' | 'started' | 'closed';

export interface Iec104ClientOptions {
  readonly host?: string;
  /** Default 2404 (19998 with TLS). */
  readonly port?: number;
  /** TLS as IEC 62351-3 wants it; without, plain TCP. */
  readonly tls?: TlsSettings;
  /** Makes the connection instead of TCP or TLS to host and port. */
  readonly transport?: Connect;
  readonly parameters?: Partial<Parameters>;
  /** Originator address in requests, 0 to 255. Default 0. */
  readonly originator?: number;
  /** Back-off between attempts; false = a single attempt. */
  readonly reconnect?: ReconnectOptions | false;
  /** `manual`: the station is told that an ASDU arrived only once its receipt is released. Default `automatic`. */
  readonly acknowledge?: 'automatic' | 'manual';
  /** Zone of the station's clock, for clock synchronisation and commands with a time tag. Default UTC. */
  readonly zone?: string;
  /** false: stay in standby after connecting until `startTransfer`. Default true. */
  readonly startTransfer?: boolean;
  readonly clock?: Clock;
  readonly random?: () => number;
  readonly onAsdu?: (asdu: Asdu, receipt: Receipt) => void;
  readonly onState?: (state: ClientState, reason?: string) => void;
  /** An ASDU could not be read and was dropped. */
  readonly onMalformed?: (error: Iec104Error) => void;
  /** What TLS has to report, from the catalogue `SECURITY_EVENTS`. */
  readonly onSecurityEvent?: (event: SecurityEvent) => void;
}

/** What a client has done since it was made, over all its connections. */
export interface ClientCounters extends ConnectionCounters {
  /** Attempts to connect. */
  connects: number;
  /** Attempts that failed. */
  connectFailures: number;
  /** Connections that ended with an error or that the station closed. */
  disconnects: number;
  /** Application requests: commands, interrogations and the others. */
  requests: ExchangeCounters;
}

export interface CommandRequest {
  readonly ca: number;
  readonly ioa: number;
  /** 45 to 51, or 58 to 64 with a time tag. */
  readonly typeId: number;
  /** See `commandElement`: raw int16 for normalised set-points. */
  readonly value: number;
  /** QU 0 to 31 or QL 0 to 127. Default 0. */
  readonly qualifier?: number;
  /** Default `direct`. */
  readonly mode?: CommandMode;
  /** Time tag for the types that have one. Default: the client's clock when each step is sent. */
  readonly time?: Cp56Time;
  /** Sends with the T bit: the station must not act. */
  readonly test?: boolean;
  /** Seconds: for each confirmation (default 10), and for the termination (default 10; 0 = not waited for). */
  readonly timeouts?: { readonly actcon?: number; readonly actterm?: number };
}

export interface RequestOptions {
  /** Seconds for the confirmation or answer. Default 10. */
  readonly actcon?: number;
  /** Interrogations: seconds without a value after which the termination is not waited for. Default 60. */
  readonly actterm?: number;
  /** Broadcast interrogations: seconds of silence after the last termination. Default 2. */
  readonly quiet?: number;
}
