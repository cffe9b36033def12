/** The report control blocks of a device as the connector uses them: which are enabled, what each brings, what is lost. */
import type { DataSetMember, Iec61850Client, ReceivedReport, ReportGap, ReportSubscription } from '@enerchain/iec61850';
import { describeError, EnerchainError, TIME_GOOD, type TimeQuality, type UtcNanos } from '@enerchain/model';
import type { ConnectorHost } from '../../connector.ts';
import type { DeviceTypes } from './device-types.ts';
import type { Entries } from './entries.ts';
import { newsOf, type Plan, planOf, type Sink } from './mapping.ts';
import type { Observed } from './observed.ts';
import type { Coverage, DynamicDataSets, ReportBlock, Wanted } from './report-plan.ts';

export interface ReportsOptions {
  /** Best first. */
  readonly blocks: readonly ReportBlock[];
  /** All of `blocks` are wanted, also one that brings nothing more. */
  readonly all: boolean;
  readonly coverage: Coverage;
  /** What an attribute is for, whoever brings it. */
  readonly sinkOf: (reference: string) => Sink | undefined;
  readonly observed: Observed;
  readonly entries: Entries;
  readonly host: ConnectorHost;
  readonly integrityPeriod: number | undefined;
  /** Seconds. */
  readonly reserve: number;
  /** Values were lost. */
  readonly onGap: (text: string) => void;
  /** Something is other than the SCL has it. */
  readonly onDeviation: (code: string, text: string) => void;
  /** The data set of an enabled block is another one than when it was enabled: what comes cannot be understood. */
  readonly onChanged: (text: string) => void;
}

/** A block, and what has become of it in this association. */
export interface BlockState {
  readonly block: ReportBlock;
  /** With a data set of our own. */
  readonly dynamic: boolean;
  state: 'subscribed' | 'failed' | 'unused';
  instance: string | undefined;
  detail: string | undefined;
  reports: number;
  lastReport: UtcNanos | undefined;
}

const UNUSED = { state: 'unused', instance: undefined, detail: undefined, reports: 0, lastReport: undefined } as const;

/** Stands before the first entry of every buffer (IEC 61850-7-2 § 17.2.3.2). */
const OLDEST = new Uint8Array(8);

/** The entry up to which everything is handed over, gathered for one commit. */
interface Held {
  turn: number;
  entryId: Uint8Array;
}

export class Reports {
  readonly counters = { reports: 0, gaps: 0, blocks: 0, failedBlocks: 0 };
  readonly #options: ReportsOptions;
  states: BlockState[];
  /** Which instance brings a value. */
  readonly #owners = new Map<string, string>();
  readonly #held = new Map<string, Held>();

  constructor(options: ReportsOptions) {
    this.#options = options;
    this.states = options.blocks.map((block) => ({ block, dynamic: false, ...UNUSED }));
  }

  /** The association is gone: nothing is enabled, and nobody brings anything. */
  lost(): void {
    this.#owners.clear();
    this.states = this.states.filter(({ dynamic }) => !dynamic);
    for (const state of this.states) state.state = 'unused';
    this.counters.blocks = 0;
  }

  /** Whether a value comes by a report. @param reference of the attribute */
  brings(reference: string): boolean {
    return this.#owners.has(reference);
  }

  /**
   * Enables what brings something that does not come yet, best first. What cannot be had is left out and said in its state.
   * @throws what ended the association
   */
  async enable(client: Iec61850Client, types: DeviceTypes, alive: () => boolean): Promise<void> {
    for (const state of this.states) {
      if (state.state === 'subscribed') continue;
      const { block } = state;
      if (!this.#options.all && block.members && !this.#bringsMore(block.members)) {
        state.state = 'unused';
        continue;
      }
      try {
        await this.#enable(client, types, state);
        Object.assign(state, { state: 'subscribed', detail: undefined });
      } catch (error) {
        if (!alive()) throw error;
        Object.assign(state, { state: 'failed', detail: describeError(error) });
      }
    }
    this.#count();
  }

  #count(): void {
    this.counters.blocks = this.states.filter(({ state }) => state === 'subscribed').length;
    this.counters.failedBlocks = this.states.filter(({ state }) => state === 'failed').length;
  }

  #bringsMore(members: readonly string[]): boolean {
    const { coverage } = this.#options;
    return members.some((member) => coverage.of(member).some(({ reference }) => !this.#owners.has(reference)));
  }

  /** The first instance that no other client has. */
  async #enable(client: Iec61850Client, types: DeviceTypes, state: BlockState): Promise<void> {
    const { entries } = this.#options;
    const { reference, instances } = state.block;
    // The instance that it had before first: its buffer is where the other one's entries are.
    const known = instances.filter((instance) => entries.get(instance));
    let refused: unknown;
    for (const instance of [...known, ...instances.filter((one) => !known.includes(one))]) {
      try {
        await this.#subscribe(client, types, state, instance);
        return;
      } catch (error) {
        refused = error;
        if (!isTaken(error)) throw error;
      }
    }
    throw refused ?? new EnerchainError('caller', 'edge.iec61850.reports', `${reference} has no instance`);
  }

  async #subscribe(
    client: Iec61850Client,
    types: DeviceTypes,
    state: BlockState,
    instance: string,
    dataSet?: string,
  ): Promise<void> {
    const { entries, integrityPeriod, reserve, onGap, onDeviation, onChanged } = this.#options;
    const known = entries.get(instance);
    // Without an entry an earlier run may have been killed before it kept one: what the device has sent to it is asked for again.
    const resumeAfter = known ?? (instance.includes('.BR.') ? OLDEST : undefined);
    const { confRev, members } = state.block;
    const plans = new Map<string, Plan>();
    let ready = false;
    const gap = (kind: ReportGap, text: string): void => {
      if (kind === 'entry-unknown' && !known) return;
      if (kind !== 'configuration') {
        this.counters.gaps++;
        onGap(text);
      } else if (ready) onChanged(text);
      else onDeviation('edge.iec61850.confRev', `${text}; what the device has counts`);
    };
    const subscribing = client.subscribe(instance, {
      // What comes as soon as the block is enabled is then understood at once.
      prepare: (there) => this.#plan(types, instance, there, plans),
      onReport: (report) => this.#take(state, instance, report, plans),
      onGap: gap,
      reserve,
      ...(dataSet === undefined ? {} : { dataSet }),
      ...(confRev === undefined || dataSet !== undefined ? {} : { confRev }),
      ...(integrityPeriod === undefined ? {} : { integrityPeriod }),
      ...(resumeAfter === undefined ? {} : { resumeAfter }),
    });
    const subscription = await subscribing.catch((error) => {
      for (const [reference, owner] of this.#owners) if (owner === instance) this.#owners.delete(reference);
      throw error;
    });
    state.instance = instance;
    ready = true;
    if (dataSet === undefined && members) this.#compare(instance, subscription, members);
  }

  /** What each value of a report is for follows from the device's own types: they count where the SCL differs. */
  async #plan(
    types: DeviceTypes,
    instance: string,
    members: readonly DataSetMember[],
    plans: Map<string, Plan>,
  ): Promise<void> {
    const { sinkOf, host, onDeviation } = this.#options;
    const owned = new Set<string>();
    const all = new Map<string, Plan>();
    for (const { reference, fc } of members) {
      const key = `${reference} ${fc}`;
      if (fc === undefined || all.has(key)) continue;
      try {
        const plan = planOf(await types.of(reference, fc), reference, sinkOf);
        if (plan.every((sink) => sink === undefined)) host.intake.unknown(key, () => `${reference} [${fc}]`);
        all.set(key, plan);
      } catch (error) {
        // One member that cannot be understood is no reason to leave the others.
        if (!(error instanceof EnerchainError)) throw error;
        onDeviation(error.code, error.message);
      }
    }
    // A value that another block brings already is not taken twice, nor quality and time of an object that has none here.
    for (const { object, part } of sinksOf(all)) {
      const reference = `${object}.${part}`;
      const owner = this.#owners.get(reference);
      if (part === 'q' || part === 't' || (owner !== undefined && owner !== instance)) continue;
      this.#owners.set(reference, instance);
      owned.add(reference).add(object);
    }
    for (const [key, plan] of all) {
      plans.set(
        key,
        plan.map((sink) => {
          if (!sink) return undefined;
          const { object, part } = sink;
          return owned.has(part === 'q' || part === 't' ? object : `${object}.${part}`) ? sink : undefined;
        }),
      );
    }
  }

  #compare(instance: string, { members }: ReportSubscription, expected: readonly string[]): void {
    const there = new Set(members.map(({ reference, fc }) => `${reference} ${fc}`));
    const missing = expected.filter((member) => !there.has(member));
    const more = [...there].filter((member) => !expected.includes(member));
    if (missing.length === 0 && more.length === 0) return;
    const told = (what: string, list: readonly string[]): string =>
      list.length === 0
        ? ''
        : `; ${what} ${list.slice(0, 5).join(', ')}${list.length > 5 ? ` and ${list.length - 5} more` : ''}`;
    this.#options.onDeviation(
      'edge.iec61850.dataSet',
      `the data set of ${instance} is not that of the SCL${told('it has not', missing)}${told('it has besides', more)}`,
    );
  }

  #take(state: BlockState, instance: string, report: ReceivedReport, plans: ReadonlyMap<string, Plan>): void {
    const { host, observed, entries } = this.#options;
    const receiveTime = host.clock.now();
    state.reports++;
    state.lastReport = receiveTime;
    this.counters.reports++;
    // When the device made the report: for values without a time of their own.
    const at: { readonly time: UtcNanos; readonly quality: TimeQuality } | undefined =
      report.timeOfEntry === undefined
        ? undefined
        : { time: BigInt(Math.round(report.timeOfEntry)) * 1_000_000n, quality: TIME_GOOD };
    for (const [object, news] of newsOf(report.members, plans)) observed.take('report', object, news, receiveTime, at);
    const { entryId } = report;
    if (!entryId || !instance.includes('.BR.')) return;
    // What is on disk is not asked for again. One receipt stands for all that one commit takes along.
    const held = this.#held.get(instance);
    if (held && held.turn === host.intake.turn) {
      held.entryId = entryId;
      return;
    }
    const next: Held = { turn: host.intake.turn, entryId };
    this.#held.set(instance, next);
    host.intake.hold({ release: () => entries.set(instance, next.entryId) });
  }

  /**
   * Gives instances without use data sets of our own with what comes by no other; they end with the association.
   * @throws what ended the association
   */
  async enableDynamic(
    client: Iec61850Client,
    types: DeviceTypes,
    wanted: readonly { readonly reference: string; readonly fc: Wanted['fc'] }[],
    { max, maxMembers }: DynamicDataSets,
    alive: () => boolean,
  ): Promise<void> {
    const spare = this.#spareInstances();
    for (let made = 0; made < max && made * maxMembers < wanted.length && spare.length > 0; made++) {
      const name = `@enerchain${made + 1}`;
      try {
        await client.createDataSet(name, wanted.slice(made * maxMembers, (made + 1) * maxMembers));
        await this.#enableSpare(client, types, spare, name);
      } catch (error) {
        if (!alive()) throw error;
        this.#options.onDeviation(
          'edge.iec61850.dynamic',
          `a data set of our own could not be had: ${describeError(error)}; its values are polled`,
        );
        return;
      }
    }
    this.#count();
  }

  /** Unbuffered ones, since our data sets do not outlive the association. */
  #spareInstances(): string[] {
    const used = new Set(this.states.flatMap(({ state, instance }) => (state === 'subscribed' ? [instance] : [])));
    return this.#options.blocks
      .flatMap(({ reference, instances }) => (reference.includes('.RP.') ? instances : []))
      .filter((instance) => !used.has(instance));
  }

  async #enableSpare(client: Iec61850Client, types: DeviceTypes, spare: string[], dataSet: string): Promise<void> {
    for (;;) {
      const instance = spare.shift();
      if (instance === undefined)
        throw new EnerchainError('peer', 'report.taken', 'no unbuffered report control block is free');
      const state: BlockState = {
        block: { reference: instance, instances: [instance], confRev: undefined, dataSet, members: undefined },
        dynamic: true,
        ...UNUSED,
      };
      try {
        await this.#subscribe(client, types, state, instance, dataSet);
        this.states.push(Object.assign(state, { state: 'subscribed' as const }));
        return;
      } catch (error) {
        if (!isTaken(error)) throw error;
      }
    }
  }
}

/** Another client has it. */
const isTaken = (error: unknown): boolean => {
  const { code } = error as { code?: string };
  return code === 'report.taken' || code === 'access.temporarily-unavailable';
};

function* sinksOf(plans: ReadonlyMap<string, Plan>): Generator<Sink> {
  for (const plan of plans.values()) for (const sink of plan) if (sink) yield sink;
}
