/**
 * What a verifier remembers of the logs of a boot: the TCG event log of the firmware, replayed once, and the IMA list of
 * the kernel, which grows and is replayed as it comes. A log proves nothing by itself: it must lead to the quoted PCRs.
 */
import { type ImaEntry, ImaReplay, initialPcr, parseEventLog, readImaBinary, replayEventLog } from '@enerchain/tpm2';
import type { LogPart } from '../evidence.ts';
import type { Expectation, ReferenceSnapshot } from '../reference/values.ts';

export const IMA_PCR = 10;
/** Sentences about one list. */
const MOST_DEVIATIONS = 1000;

export interface ImaDeviation {
  readonly name: string;
  readonly digest: Uint8Array;
  readonly expectation: Expectation | undefined;
  /** It was open for writing while it was measured. */
  readonly violation: boolean;
}

export class BootLogs {
  /** Names the boot that the logs belong to. */
  readonly boot: string;
  #eventBytes = 0;
  #replayed: ReadonlyMap<number, Uint8Array> | undefined;
  #mismatches = 0;
  #ima = new ImaReplay();
  #imaBytes = 0;
  #entries: ImaEntry[] = [];
  #snapshot: ReferenceSnapshot | undefined;
  #judged = 0;
  #deviations: ImaDeviation[] = [];

  constructor(boot: string) {
    this.boot = boot;
  }

  get eventBytes(): number {
    return this.#eventBytes;
  }

  get imaBytes(): number {
    return this.#imaBytes;
  }

  get imaEntries(): number {
    return this.#entries.length;
  }

  /**
   * @param pcrs quoted values, SHA-256
   * @returns what is wrong with the event log; undefined when it leads to the quoted values, or there is none
   * @throws Tpm2Error (fault peer) when it cannot be read
   */
  events(part: LogPart | undefined, pcrs: ReadonlyMap<number, Uint8Array>): string | undefined {
    if (part && part.bytes.length > 0 && part.from === 0) {
      const replay = replayEventLog(parseEventLog(part.bytes));
      this.#replayed = replay.pcrs.find(({ hash }) => hash === 'sha256')?.values;
      this.#mismatches = replay.mismatches.length;
      this.#eventBytes = part.bytes.length;
      if (!this.#replayed) return 'the event log has no SHA-256 digests';
    }
    if (!this.#replayed) return undefined;
    if (this.#mismatches > 0) return `${this.#mismatches} events are not what their digests say`;
    for (const [pcr, value] of pcrs) {
      // The log of the firmware speaks of the boot; what is extended later has lists of its own.
      if (pcr > 7) continue;
      const led = this.#replayed.get(pcr) ?? initialPcr('sha256', pcr);
      if (Buffer.compare(led, value) !== 0) {
        return `the event log does not lead to the value of PCR ${pcr}: it was cut short, extended or changed`;
      }
    }
    return undefined;
  }

  /**
   * Takes new entries over, up to the one that leads to the quoted value: the list may have grown since the quote.
   * @returns what is wrong; `gap` when it begins later than what is known
   */
  ima(
    part: LogPart | undefined,
    quoted: Uint8Array,
  ): { readonly kind: 'gap' | 'forged'; readonly text: string } | undefined {
    if (!part) return { kind: 'gap', text: 'there is no IMA list' };
    if (part.from > this.#imaBytes) return { kind: 'gap', text: 'the IMA list begins later than what is known of it' };
    const bytes = part.bytes.subarray(this.#imaBytes - part.from);
    const current = () => this.#ima.pcrs[0]?.values.get(IMA_PCR) ?? initialPcr('sha256', IMA_PCR);
    if (Buffer.compare(current(), quoted) === 0) return undefined;
    let consumed = 0;
    for (const entry of readImaBinary(bytes).entries) {
      this.#ima.extend(entry);
      this.#entries.push(entry);
      consumed += entrySize(entry);
      if (Buffer.compare(current(), quoted) !== 0) continue;
      this.#imaBytes += consumed;
      if (this.#ima.mismatches.length === 0) return undefined;
      return {
        kind: 'forged',
        text: `${this.#ima.mismatches.length} entries of the IMA list are not what their digests say`,
      };
    }
    // What was replayed leads nowhere: the next list is followed from its beginning, or nothing good could ever come again.
    this.#ima = new ImaReplay();
    this.#imaBytes = 0;
    this.#entries = [];
    this.#snapshot = undefined;
    return {
      kind: 'forged',
      text: `the IMA list does not lead to the value of PCR ${IMA_PCR}: it was cut short or changed`,
    };
  }

  /** Files in the IMA list that are not as the reference values say. */
  judge(node: string, snapshot: ReferenceSnapshot): readonly ImaDeviation[] {
    if (this.#snapshot !== snapshot) {
      this.#snapshot = snapshot;
      this.#judged = 0;
      this.#deviations = [];
    }
    for (; this.#judged < this.#entries.length; this.#judged++) {
      const { name, file, violation, buffer } = this.#entries[this.#judged] as ImaEntry;
      if (buffer || name === 'boot_aggregate' || this.#deviations.length >= MOST_DEVIATIONS) continue;
      const expectation = snapshot.check(node, `ima:${name}`, file.digest);
      if (!violation && expectation.verdict === 'known') continue;
      this.#deviations.push({ name, digest: file.digest, expectation: violation ? undefined : expectation, violation });
    }
    return this.#deviations;
  }
}

/** Octets of an entry in the binary list with SHA-1 template digests. */
function entrySize({ template, templateData }: ImaEntry): number {
  const head = 4 + 20 + 4 + template.length;
  return template === 'ima' ? head + templateData.length : head + 4 + templateData.length;
}
