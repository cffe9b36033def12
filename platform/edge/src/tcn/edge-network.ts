/**
 * The gateway as a node of the Trusted Core Network. It attests its neighbours and judges by itself, with or without the
 * centre; it tells the centre what it sees, and acts on what is found where it stands: commands stop, values go on, and
 * essential functions stay in reach (`CommandGate` never asks for them).
 */
import type { NodeTrust, ProcessAttester } from '@enerchain/attestation';
import { type Clock, describeError, EnerchainError, pointMatcher, type SourceEvent } from '@enerchain/model';
import { TCN_METHODS, type TcnEvent, type TcnSettings, TcnStation, tcnReportValue } from '@enerchain/tcn';
import { type CborValue, type Identity, isName } from '@enerchain/trust';
import type { Logger } from 'pino';
import type { MayCommand } from '../uplink/gate.ts';

export interface EdgeNetworkOptions {
  readonly identity: Identity;
  readonly attester: ProcessAttester;
  readonly settings: TcnSettings;
  readonly dataDir: string;
  readonly software: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly writeSourceEvents: (events: readonly SourceEvent[]) => Promise<void>;
  /** Asks the centre; rejects while it is not connected. */
  readonly request: (method: string, params: CborValue) => Promise<CborValue>;
  readonly isConnected: () => boolean;
}

/** The centre is told this often, and soon after something has changed; milliseconds. */
const TELL = 5_000;
const SOON = 250;
/** Reactions at which no command goes through a node. */
const STOPS: ReadonlySet<string> = new Set(['restrict', 'quarantine']);
/** The centre, as nodes name it. */
const CENTRE = 'centre';

/** Requests of the centre that `answer` answers. */
export const EDGE_NETWORK_METHODS = [TCN_METHODS.order, TCN_METHODS.evidence, TCN_METHODS.attest] as const;

export class EdgeNetwork {
  readonly #options: EdgeNetworkOptions;
  readonly #station: TcnStation;
  readonly #reactions = new Map<string, string>();
  #timer: NodeJS.Timeout | undefined;
  #soon: NodeJS.Timeout | undefined;
  #telling = false;

  constructor(options: EdgeNetworkOptions) {
    this.#options = options;
    const { attester, identity, settings, dataDir, software, clock, logger } = options;
    this.#station = new TcnStation({
      identity,
      attester: {
        evidence: async (bindings, since) => (await attester.attester).evidence(bindings, since),
        onChange: (listener) => attester.onChange(listener),
      },
      settings,
      dataDir,
      software,
      clock,
      onEvent: (event) => this.#happened(event),
      onChange: (changed) => this.#changed(changed),
      onNotice: (text) => logger.warn({ network: true }, text),
    });
  }

  /** Never rejects: a network that cannot run is a matter of its own, and the gateway goes on. */
  async start(): Promise<void> {
    try {
      await this.#station.start();
      const { address } = this.#station;
      this.#options.logger.info(
        { address, neighbours: this.#station.node.neighbours },
        'node of the Trusted Core Network',
      );
    } catch (error) {
      const detail = `the Trusted Core Network does not run here: ${describeError(error)}`;
      this.#options.logger.error(detail);
      this.#security('tcn.failed', detail);
    }
    this.#timer = setInterval(() => void this.#tell(), TELL);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    clearTimeout(this.#soon);
    await this.#station.close();
  }

  renewed(identity: Identity): void {
    this.#station.renewed(identity);
  }

  /** The link to the centre stands: it hears at once, and may have a newer bundle. */
  connected(): void {
    this.#tellSoon();
  }

  /** Answers a request of the centre. @throws EnerchainError (fault peer) */
  answer(method: string, params: CborValue): CborValue {
    const { node } = this.#station;
    switch (method) {
      case TCN_METHODS.order:
        return node.order(bytesOf(params));
      case TCN_METHODS.evidence:
        return node.evidence(bytesOf(params)) ?? null;
      default:
        if (params !== null && (typeof params !== 'string' || !isName(params))) throw refused('names no neighbour');
        node.attestNow(params ?? undefined);
        return null;
    }
  }

  /** What this gateway has found itself about the nodes on the way of a command: the centre, and this gateway. */
  readonly mayCommand: MayCommand = ({ point }, endpoint) => {
    const { node, base } = this.#station;
    if (base.policy && pointMatcher(base.policy.essential)(point, endpoint)) return { ok: true };
    for (const name of [node.name, CENTRE]) {
      const found = node.get(name);
      if (found && STOPS.has(found.reaction)) {
        const what = found.reaction === 'quarantine' ? 'in quarantine' : 'restricted to the monitoring direction';
        return { ok: false, reason: `${name === node.name ? 'this gateway' : name} is ${what}: ${found.reason}` };
      }
    }
    return { ok: true };
  };

  /** For the report to the centre. */
  get counters(): Record<string, number> {
    const { node } = this.#station;
    const all = node.all();
    return {
      'tcn.neighbours': node.neighbours.length,
      'tcn.connected': node.connected.length,
      'tcn.good': all.filter(({ trustedUntil }) => trustedUntil !== undefined).length,
      'tcn.quarantined': all.filter(({ reaction }) => reaction === 'quarantine').length,
      ...Object.fromEntries(Object.entries(node.counters).map(([name, value]) => [`tcn.${name}`, value])),
    };
  }

  #happened({ kind, code, node, text }: TcnEvent): void {
    const { logger } = this.#options;
    if (kind === 'security') {
      logger.warn({ code, node }, text);
      if (code !== 'tcn.notice' && code !== 'tcn.unsound') this.#security(code, `${node}: ${text}`);
    } else logger.info({ code, node }, text);
  }

  /** Steps on the ladder go onto the chain; what is only a pause in answering does not. */
  #changed(changed: readonly NodeTrust[]): void {
    for (const { node, reaction, status, reason } of changed) {
      const before = this.#reactions.get(node) ?? 'none';
      this.#reactions.set(node, reaction);
      const weight = (step: string) => (STOPS.has(step) ? 2 : step === 'alarm' ? 1 : 0);
      if (weight(before) === weight(reaction)) continue;
      const code = weight(reaction) === 0 ? 'tcn.readmitted' : `tcn.${reaction}`;
      this.#security(code, `${node}: ${reaction}, ${status}: ${reason}`);
    }
    this.#tellSoon();
  }

  #security(code: string, detail: string): void {
    const at = String(this.#options.clock.now());
    void this.#options.writeSourceEvents([
      { kind: 'security', at, code: code.slice(0, 100), detail: detail.slice(0, 1000) },
    ]);
  }

  #tellSoon(): void {
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined;
      void this.#tell();
    }, SOON);
  }

  async #tell(): Promise<void> {
    const { request, isConnected, logger } = this.#options;
    if (this.#telling || !isConnected()) return;
    this.#telling = true;
    try {
      const bundle = await request(TCN_METHODS.gossip, tcnReportValue(this.#station.report()));
      const { held } = this.#station.base;
      if (bundle instanceof Uint8Array && !(held && Buffer.compare(held.hash, bundle) === 0)) {
        const answer = await request(TCN_METHODS.bundle, null);
        const [bytes, signer] = Array.isArray(answer) ? (answer as CborValue[]) : [];
        if (bytes instanceof Uint8Array && signer instanceof Uint8Array) this.#station.takeBundle(bytes, signer);
      }
    } catch (error) {
      logger.debug({ error: describeError(error) }, 'the centre was not told of the network');
    } finally {
      this.#telling = false;
    }
  }
}

const refused = (what: string) => new EnerchainError('peer', 'edge.tcn.request', `a request about the network ${what}`);

function bytesOf(params: CborValue): Uint8Array {
  if (params instanceof Uint8Array) return params;
  throw refused('has no octets');
}
