/**
 * Reports that outlast an association: after each connection a free instance of the control block is found, resumed where it
 * was left, and what cannot be had any more is said.
 */
import type { DataSetMember, Iec61850Client } from './client.ts';
import type { SessionGap } from './gaps.ts';
import type { ReceivedReport, ReportGap, ReportSubscription, SubscribeOptions } from './reports.ts';

export interface KeepOptions
  extends Omit<SubscribeOptions, 'onReport' | 'onGap' | 'resumeAfter' | 'purge' | 'prepare'> {
  /** Control blocks any of which will do, the instances of one; the first that is free is taken, the one it had before first of all. */
  readonly blocks: readonly string[];
  /** @param block the instance it came from */
  readonly onReport: (report: ReceivedReport, block: string) => void;
  /** Awaited before the first report of each connection, with the members as the device has them now. */
  readonly prepare?: (members: readonly DataSetMember[], client: Iec61850Client, block: string) => Promise<void> | void;
  /**
   * Buffered: the entry to go on after when this process has not had one of the block yet, as an earlier process kept it.
   * From then on the session knows by itself what was delivered.
   */
  readonly resumeAfter?: (block: string) => Uint8Array | undefined;
  /** Members that the data set should have, `BCU1CTRL/QA1XCBR1.Pos [ST]`; others are a gap. */
  readonly members?: readonly string[];
}

export interface SubscriptionHost {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly gap: (gap: SessionGap) => void;
  readonly report: (report: ReceivedReport) => void;
  /** Blocks that other subscriptions of the session have. */
  readonly taken: (block: string) => boolean;
  readonly ended: (subscription: KeptSubscription) => void;
  /** It has lost its block within the association and wants to begin anew. */
  readonly again: () => void;
}

/** Stands before the first entry of every buffer (IEC 61850-7-2 § 17.2.3.2). */
const OLDEST = new Uint8Array(8);
/** Values of reports that may come before the block is known to be ours; a device that sends more is given up. */
const MAX_EARLY = 1_000_000;
/** Why the next instance may do what this one does not. */
const OCCUPIED: ReadonlySet<string> = new Set(['report.taken', 'access.temporarily-unavailable']);

export class KeptSubscription {
  readonly #options: KeepOptions;
  readonly #host: SubscriptionHost;
  /** The last entry that was delivered, by block. */
  readonly #entries = new Map<string, Uint8Array>();
  /** Blocks that were told to report, whether or not that was answered. */
  readonly #tried = new Set<string>();
  #current: { readonly subscription: ReportSubscription; readonly client: Iec61850Client } | undefined;
  #last: { readonly block: string; readonly members: readonly string[]; readonly confRev: number } | undefined;
  /** Since when reports may be missing; undefined before the first time. */
  #downSince: number | undefined;
  #failure: string | undefined;
  #over = false;

  constructor(options: KeepOptions, host: SubscriptionHost) {
    this.#options = options;
    this.#host = host;
  }

  /** Its first block, for messages. */
  get name(): string {
    return this.#options.blocks[0] ?? 'no block';
  }

  /** The instance that it has; undefined while it has none. */
  get block(): string | undefined {
    return this.#current?.subscription.reference;
  }

  /** As the device has them; empty before the first time. */
  get members(): readonly DataSetMember[] {
    return this.#current?.subscription.members ?? [];
  }

  /** Why it has no instance. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Asks for all values. @throws as `ReportSubscription.interrogate`; nothing is asked while it has no instance */
  async interrogate(): Promise<void> {
    await this.#current?.subscription.interrogate();
  }

  /** Ends it: the instance is left to others. */
  async end(): Promise<void> {
    this.#over = true;
    const current = this.#current;
    this.#current = undefined;
    this.#host.ended(this);
    await current?.subscription.end();
  }

  /** The association it had is gone. @param heardAt when the device was last heard, milliseconds since 1970 */
  lost(heardAt: number): void {
    if (!this.#current) return;
    this.#current = undefined;
    this.#downSince = heardAt;
  }

  /** Finds an instance and enables it. @returns false when there is none; `failure` says why */
  async begin(client: Iec61850Client): Promise<boolean> {
    this.#failure = undefined;
    for (const block of this.#candidates()) {
      if (this.#over) return true;
      try {
        await this.#beginAt(client, block);
        return true;
      } catch (error) {
        const { code, message } = error as { code?: string; message?: string };
        this.#failure = message ?? String(error);
        if (!OCCUPIED.has(code ?? '')) return false;
      }
    }
    this.#failure ??= 'all instances are in use by this session';
    return false;
  }

  /** The one it had, then those of which an entry is known, then the others. */
  #candidates(): string[] {
    const { blocks, resumeAfter } = this.#options;
    const rank = (block: string): number =>
      block === this.#last?.block ? 0 : this.#entries.has(block) || resumeAfter?.(block) ? 1 : 2;
    return blocks.filter((block) => !this.#host.taken(block)).sort((a, b) => rank(a) - rank(b));
  }

  async #beginAt(client: Iec61850Client, block: string): Promise<void> {
    const {
      blocks: _blocks,
      members: _members,
      confRev: _confRev,
      resumeAfter,
      prepare,
      onReport,
      ...options
    } = this.#options;
    const buffered = block.includes('.BR.');
    // One that was enabled, or might have been, and gave nothing yet may have sent what never arrived: from its oldest, nothing
    // comes twice.
    const first = this.#tried.has(block) ? OLDEST : undefined;
    const entry = buffered ? (this.#entries.get(block) ?? resumeAfter?.(block) ?? first) : undefined;
    let unknown = false;
    // What may be missing is said before what comes after it.
    let early: ReceivedReport[] | undefined = [];
    let values = 0;
    const deliver = (report: ReceivedReport): void => {
      onReport(report, block);
      // Only now: what was not taken over comes again.
      if (buffered && report.entryId) this.#entries.set(block, report.entryId);
      this.#host.report(report);
      this.#revision(block, report.confRev);
    };
    const subscription = await client.subscribe(block, {
      ...options,
      ...(entry ? { resumeAfter: entry } : {}),
      prepare: async (members) => {
        await prepare?.(members, client, block);
        this.#tried.add(block);
      },
      onReport: (report) => {
        if (!early) {
          deliver(report);
          return;
        }
        values += report.members.length;
        if (values <= MAX_EARLY) early.push(report);
        else client.abort();
      },
      onGap: (gap, text) => {
        if (gap === 'entry-unknown') unknown = true;
        else this.#told(block, gap, text);
      },
    });
    if (this.#over) {
      await subscription.end();
      return;
    }
    this.#current = { subscription, client };
    this.#compare(subscription, block, { buffered, unknown, resumed: entry !== undefined });
    const waited = early;
    early = undefined;
    for (const report of waited) deliver(report);
  }

  #told(block: string, kind: ReportGap, text: string): void {
    if (kind === 'buffer-overflow' || kind === 'sequence') this.#host.gap({ kind, block, text });
    else if (kind === 'configuration') void this.#renew(block, text);
  }

  /** The reports do not fit the data set any more: it was changed while the block was enabled. Told once, and begun anew. */
  async #renew(block: string, text: string): Promise<void> {
    const current = this.#current;
    if (current?.subscription.reference !== block) return;
    this.#current = undefined;
    this.#downSince = this.#host.now();
    this.#host.gap({ kind: 'data-set', block, expected: this.#last?.members ?? [], actual: [], text });
    // A device that does not let it go will say so when it is begun anew.
    await current.subscription.end().catch(() => {});
    this.#host.again();
  }

  /** What is not as it was, or as it should be. */
  #compare(
    { members: now, confRev }: ReportSubscription,
    block: string,
    how: { readonly buffered: boolean; readonly unknown: boolean; readonly resumed: boolean },
  ): void {
    const before = this.#last;
    const members = now.map(({ reference, fc }) => `${reference} [${fc}]`);
    const from = this.#downSince;
    const to = this.#host.now();
    this.#downSince = undefined;
    this.#last = { block, members, confRev };
    const expected = before?.members ?? this.#options.members;
    if (expected && expected.join() !== members.join()) {
      const text = `${block}: the data set has ${members.length} members that are not the ${expected.length} expected`;
      this.#host.gap({ kind: 'data-set', block, expected, actual: members, text });
    }
    const revision = before?.block === block ? before.confRev : this.#options.confRev;
    // With a data set of our own choosing the device counts on by itself.
    if (revision !== undefined && revision !== confRev && this.#options.dataSet === undefined)
      this.#changed(block, revision, confRev);
    if (how.unknown) {
      const text = `${block}: the device does not know the entry to go on after; it was restarted, or has lost it`;
      this.#host.gap({ kind: 'entry-unknown', block, from: from ?? to, to, text });
    }
    if (from === undefined) return;
    if (how.buffered && before && before.block !== block) {
      const text = `${block} is had instead of ${before.block}: what that one has buffered cannot be had`;
      this.#host.gap({ kind: 'other-instance', block, before: before.block, from, to, text });
    } else if (!how.buffered || !(how.resumed || how.unknown)) {
      this.#host.gap({ kind: 'unreported', block, from, to, text: `${block}: no reports for ${seconds(from, to)}` });
    }
  }

  /** The block tells with each report what it is at. */
  #revision(block: string, confRev: number | undefined): void {
    if (confRev === undefined || this.#last?.block !== block || this.#last.confRev === confRev) return;
    const expected = this.#last.confRev;
    this.#last = { ...this.#last, confRev };
    this.#changed(block, expected, confRev);
  }

  #changed(block: string, expected: number, actual: number): void {
    const text = `${block} has configuration ${actual}, not ${expected}`;
    this.#host.gap({ kind: 'configuration', block, expected, actual, text });
  }
}

export const seconds = (from: number, to: number): string => `${Math.max(0, Math.round((to - from) / 100) / 10)} s`;
