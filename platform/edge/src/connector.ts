/**
 * The port between the edge and a protocol. A connector lives in a folder of its own under `connectors/` and is the
 * only place that knows both its protocol and the model. What it hears goes into its `Intake`; what it is told comes
 * as an `Order`; how it fares it says in `health`. It never waits for the disk and never keeps what it has handed over.
 */
import type {
  Clock,
  CommandOrder,
  CommandStep,
  InspectionQuestion,
  InspectionView,
  InspectionViewAsk,
  SourceEvent,
  TimeQuality,
  UtcNanos,
  Value,
} from '@enerchain/model';
import type { Logger } from 'pino';
import type { DeviceInspection } from './connectors/iec61850/inspection.ts';
import type { BoundPoint } from './site/site.ts';

/** Something to be confirmed to the device once everything handed over before it is durable. */
export interface Receipt {
  release(): void;
}

/**
 * Where the observations of one endpoint go. Allocation-free per observation; the time stamps are the connector's to
 * make, because it may share them between the values of one frame.
 */
export interface Intake {
  /**
   * One observation.
   * @param cause index into `CAUSES`
   */
  add(
    point: BoundPoint,
    value: Value,
    quality: number,
    sourceTime: UtcNanos,
    timeQuality: TimeQuality,
    receiveTime: UtcNanos,
    cause: number,
  ): void;
  /** Released once everything added so far is committed to disk; at once when it already is. */
  hold(receipt: Receipt): void;
  /** Changes when receipts held so far have been taken along by a batch: a cumulative receipt need be held once per turn. */
  readonly turn: number;
  /** The device is about to wait for our acknowledgement: commit now rather than when the batch is full. */
  commitSoon(): void;
  /** The connection stands; what the device sends from here on belongs to a new connection. */
  connected(): void;
  /** The present state of the device is complete (end of its interrogation): gaps that were open end here. */
  synchronized(): void;
  /** The connection is gone. @param reason one sentence */
  lost(reason: string): void;
  /** The device said that its own buffer overflowed, and so lost events before `at`. */
  overflowed(at: UtcNanos, detail: string): void;
  /** Something arrived for an address that is not bound: counted, and reported once per address. */
  unknown(key: number | string, address: () => string): void;
  /** A value that could not be used: counted and logged now and then. */
  malformed(detail: string): void;
  /** Onto the chain, as part of the source's history. */
  event(kind: SourceEvent['kind'], detail?: string, code?: string): void;
}

export interface ConnectorHost {
  readonly intake: Intake;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Folder of the gateway's data: what a connector must not forget lies in a folder of its own below. */
  readonly data: string;
  /** Folder of the site file; relative paths of certificates start there. */
  readonly folder: string;
  /** Name of this edge. */
  readonly source: string;
}

/** A command that has passed signature, freshness and local policy. */
export interface Order {
  readonly command: CommandOrder;
  readonly point: BoundPoint;
}

/** Called for every step, in order; the last one is one of `FINAL_STEPS`, or `selected` for a select. */
export type ReportStep = (step: CommandStep, reason?: string) => void;

export type EndpointState = 'up' | 'down' | 'connecting' | 'disabled';

export interface Health {
  readonly state: EndpointState;
  /** Since when, as nanoseconds since the Unix epoch. */
  readonly since: UtcNanos;
  readonly detail?: string;
  readonly counters: Readonly<Record<string, number>>;
}

/** Looks into a device for a person; changes nothing. */
export interface Inspector {
  /** @throws EnerchainError (environment) while the device is not connected and has to be asked */
  view<A extends InspectionViewAsk>(question: Extract<InspectionQuestion, { ask: A }>): Promise<InspectionView<A>>;
  /**
   * A file in pieces, as the device gives it; closed there when the caller stops.
   * @param limit octets after which it ends with an error
   */
  file(name: string, limit: number): AsyncIterable<Uint8Array>;
}

export interface Connector {
  /** Where the protocol lets a device tell what it is. */
  readonly inspector?: Inspector;
  start(): void;
  /** Carries an order out, once; never repeats it. Resolves when nothing more will be reported. */
  operate(order: Order, report: ReportStep): Promise<void>;
  health(): Health;
  /** Closes the connection in an orderly way; nothing is handed over afterwards. */
  stop(): Promise<void>;
  /** What a person may look at in the device, for protocols whose devices describe themselves. */
  readonly inspect?: DeviceInspection;
}
