/**
 * The station bus: GOOSE between the IEDs as the SCD has it, on a LAN in memory, which may have an uplink to a network
 * interface. What an IED hears is its input, and how well it hears stands in its LGOS.
 */
import { type LinkLayer, type MemoryLan, memoryLan } from '@enerchain/ethernet';
import {
  configuredValue,
  expectedOf,
  type GooseControl,
  type GoosePublishing,
  type GooseSubscriber,
  gooseControls,
  localAddress,
  publicationOf,
  publishGoose,
  type Subscription,
  subscribeGoose,
  subscriptionsOf,
} from '@enerchain/iec61850';
import type { Data } from '@enerchain/mms';
import type { Clock } from '@enerchain/transport';
import { type Ied, missing } from './ied.ts';
import type { Inputs } from './inputs.ts';
import type { Substation } from './scd.ts';
import { bool, whole } from './values.ts';

/** TimeQuality: synchronised to the station, 10 bits of the fraction. */
const TIME_QUALITY = 10;

export interface StationBusOptions {
  readonly scd: Substation;
  readonly clock: Clock;
  /** Losses and delays, for tests. */
  readonly carry?: (frame: Uint8Array, from: string, to: string) => readonly number[];
  /** Everything on the bus goes out here as well, and what comes from there is on the bus. */
  readonly uplink?: LinkLayer;
}

export class StationBus {
  readonly #options: StationBusOptions;
  readonly #lan: MemoryLan;
  readonly #controls: readonly GooseControl[];
  readonly #subscriptions = new Map<string, readonly Subscription<GooseControl>[]>();
  readonly #links: LinkLayer[] = [];
  readonly #stops: (() => void)[] = [];

  /** @throws EnerchainError (local) when the SCD leaves something open */
  constructor(options: StationBusOptions) {
    const { scd, clock, carry, uplink } = options;
    const tell = (text: string): never => {
      throw missing(text);
    };
    this.#options = options;
    this.#lan = memoryLan({
      clock: {
        now: () => BigInt(Math.floor(clock.now())) * 1_000_000n,
        schedule: (delay, callback) => clock.schedule(delay, callback),
      },
      ...(carry === undefined ? {} : { carry }),
    });
    this.#controls = gooseControls(scd.scl, scd.models, tell);
    for (const [name, model] of scd.models)
      this.#subscriptions.set(name, subscriptionsOf(this.#controls, 'GOOSE', model, tell));
    if (uplink) this.#bridge(uplink);
  }

  /** What an IED listens to. */
  subscriptionsOf(ied: string): readonly Subscription<GooseControl>[] {
    return this.#subscriptions.get(ied) ?? [];
  }

  /** Publishes what the SCD has an IED publish. @returns to be told each update of the IED's values */
  publish(ied: Ied): (reference: string, values: Readonly<Record<string, Data>>) => void {
    const { clock } = this.#options;
    const link = this.#station(ied.name);
    const publishings = this.#controls
      .filter((control) => control.ied === ied.name)
      .map((control): GoosePublishing => {
        const values = control.members?.map(({ reference, fc }) => ied.server.value(reference, fc));
        const publishing = publishGoose(link, clock, publicationOf(control), {
          source: localAddress(ied.name),
          timeQuality: TIME_QUALITY,
          ...(values === undefined ? {} : { values }),
        });
        this.#stops.push(() => publishing.stop());
        return publishing;
      });
    return (reference, values) => {
      for (const publishing of publishings) publishing.update(reference, values);
    };
  }

  /** @param heard an input of the IED is different now */
  listen(ied: Ied, inputs: Inputs, heard: () => void): void {
    const subscriptions = this.subscriptionsOf(ied.name);
    const supervisions = new Map(
      [...ied.nodes('LGOS')].map(({ at, node }) => [configuredValue(node, ['GoCBRef', 'setSrcRef']), at]),
    );
    const take = (subscriber: GooseSubscriber): void => {
      const at = supervisions.get(subscriber.gocbRef.replace('$GO$', '.'));
      if (at !== undefined) supervise(ied, at, subscriber);
      if (inputs.take(subscriber)) heard();
    };
    const listening = subscribeGoose(this.#station(ied.name), this.#options.clock, {
      expected: subscriptions.map(({ control }) => expectedOf(control)),
      onState: take,
      onEvent: (_event, subscriber) => {
        if (subscriber) take(subscriber);
      },
    });
    for (const subscriber of listening.subscribers.values()) take(subscriber);
    this.#stops.push(() => listening.stop());
  }

  /** One more station that hears everything. */
  tap(name: string): LinkLayer {
    return this.#station(name);
  }

  async close(): Promise<void> {
    for (const stop of this.#stops) stop();
    await Promise.all(this.#links.map((link) => link.close()));
  }

  #station(name: string): LinkLayer {
    const known = this.#links.find((link) => link.name === name);
    if (known) return known;
    const link = this.#lan.station(name);
    this.#links.push(link);
    return link;
  }

  #bridge(uplink: LinkLayer): void {
    const port = this.#station(uplink.name);
    this.#stops.push(port.listen((frame) => uplink.send(frame)));
    this.#stops.push(uplink.listen((frame) => port.send(frame)));
    this.#links.push(uplink);
  }
}

/** LGOS (IEC 61850-7-4 § 6.3): is it heard, and with which numbers. */
function supervise(ied: Ied, at: string, { status, state, expected, problem }: GooseSubscriber): void {
  ied.put(`${at}.St`, { stVal: bool(status === 'valid') });
  ied.put(`${at}.NdsCom`, { stVal: bool(problem?.problem === 'needs-commissioning') });
  ied.put(`${at}.SimSt`, { stVal: bool(state?.simulated ?? false) });
  ied.put(`${at}.LastStNum`, { stVal: whole(state?.stNum ?? 0) });
  ied.put(`${at}.ConfRevNum`, { stVal: whole(expected.confRev ?? 0) });
}
