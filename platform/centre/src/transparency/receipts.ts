/** Receipts of a running centre: the records are found, put together, and checked before they leave. */
import { type AttestationResult, decodeResult, isGood } from '@enerchain/attestation';
import { type Clock, type Mrid, toMillis, type UtcNanos } from '@enerchain/model';
import { parseCertificate } from '@enerchain/pki';
import {
  type AnchorFile,
  buildReceipt,
  isNeighbour,
  type LoggedBatch,
  ReceiptVerifier,
  readAnchor,
  type Verdict,
} from '@enerchain/provenance';
import { coseParse1, decodeCbor, holderOf } from '@enerchain/trust';
import type { IngestLog } from '../log/log.ts';
import type { Historian, LiveState, PointDirectory } from '../ports.ts';
import { ReceiptError } from './error.ts';
import { type Found, RecordFinder } from './find.ts';
import type { TransparencyKeeper } from './keeper.ts';
import type { WitnessRounds } from './witnesses.ts';

export interface ReceiptDeskOptions {
  readonly keeper: TransparencyKeeper;
  readonly rounds: WitnessRounds;
  readonly log: IngestLog;
  readonly points: PointDirectory;
  readonly live: LiveState;
  /** Knows the source times of old observations; asked for those alone. */
  readonly historian: Pick<Historian, 'lastBefore'> | undefined;
  readonly clock: Clock;
  /** Certificate (DER) by its thumbprint. */
  readonly certificateOf: (kid: Uint8Array) => Uint8Array | undefined;
  /** Present certificate of a source. */
  readonly certificateOfSource: (name: string) => Uint8Array | undefined;
  readonly anchor: () => AnchorFile;
}

export interface MadeReceipt {
  readonly bytes: Uint8Array;
  readonly verdict: Verdict;
}

/** Results that one receipt may carry between its first and its last. */
const MOST_RESULTS = 64;
const MOST_NEIGHBOURS = 3;
/** Results looked at for neighbours. */
const NEIGHBOURS_AMONG = 64;
/** How long a record may take into the tree, ms. */
const REACH_MILLIS = 5_000;
const MILLISECOND = 1_000_000n;

/** A result of attestation in the log. */
interface Logged {
  readonly logged: LoggedBatch;
  readonly result: AttestationResult;
  /** Certificate of the verifier. */
  readonly kid: Uint8Array;
  /** Of the centre, on its own chain. */
  readonly own: boolean;
}

export class ReceiptDesk {
  readonly #options: ReceiptDeskOptions;
  readonly #finder: RecordFinder;
  #verifier: { readonly anchor: string; readonly verifier: ReceiptVerifier } | undefined;

  constructor(options: ReceiptDeskOptions) {
    this.#options = options;
    this.#finder = new RecordFinder(options.log, options.keeper.index);
  }

  /**
   * The receipt of the last observation of a point at or before a time.
   * @param at absent: the newest
   * @throws ReceiptError `receipt.point`, `receipt.not-found`, `receipt.gone` (caller), `receipt.log` (environment)
   */
  async make(point: Mrid, at?: UtcNanos): Promise<MadeReceipt> {
    const { keeper, rounds, points } = this.#options;
    const info = points.get(point);
    if (!info) throw new ReceiptError('receipt.point', `no source announces a point ${point}`);
    const { trouble } = keeper.log;
    if (trouble) throw new ReceiptError('receipt.log', `no receipts are made: ${trouble.text}`);
    const found = await this.#find(info.source, point, at);
    const { record } = found;
    await keeper.reached(record.index + 1, AbortSignal.timeout(REACH_MILLIS));
    const { source } = record.batch.header;
    const site = await keeper.sites.inForce(source, record.index);
    const attestation = await this.#bracket(source, found);
    const neighbours = await this.#neighbours(source, found, attestation);
    const last = Math.max(record.index, ...[...attestation, ...neighbours].map(({ index }) => index));
    const note = await rounds.noteOver(last);
    if (note === undefined) {
      throw new ReceiptError('receipt.log', `record ${last} of the log is not under a checkpoint yet; try again`);
    }
    const { observation, sourceTime } = found;
    const bytes = buildReceipt(
      { point, value: record, observation, sourceTime, site, attestation, neighbours, note },
      {
        inclusion: (index, size) => keeper.log.inclusion(index, size),
        certificateOf: this.#options.certificateOf,
        certificateOfWitness: this.#options.certificateOfSource,
      },
    );
    return { bytes, verdict: this.#check(bytes) };
  }

  async #find(source: string, point: Mrid, at: UtcNanos | undefined): Promise<Found> {
    const { live, historian, log } = this.#options;
    const newest = live.get(point);
    // People and browsers give milliseconds.
    const until = at !== undefined && at % MILLISECOND === 0n ? at + MILLISECOND - 1n : at;
    if (newest && (until === undefined || newest.sourceTime <= until)) {
      const found = await this.#finder.within(newest.offset, point, newest.sourceTime, newest.sourceTime);
      if (found) return found;
      if (newest.offset < log.bounds().first) throw gone(newest.offset);
    }
    if (until === undefined) throw new ReceiptError('receipt.not-found', 'there is no value of this point yet');
    const exact = await historian?.lastBefore(point, until).catch(() => undefined);
    const found = await this.#finder.observation(source, point, until, exact?.time);
    if (found) return found;
    throw new ReceiptError(
      'receipt.not-found',
      exact
        ? 'the value is in the history, but the record that proves it was dropped from the log or lies too far back'
        : 'no value of this point was found at or before that time; give the time of a value that is in the history',
    );
  }

  /** Results of one verifier, from the last before the value to the first that came behind it. */
  async #bracket(source: string, { record, receiveTime }: Found): Promise<LoggedBatch[]> {
    let older = false;
    const before: { logged: LoggedBatch; verifier: string; sequence: number }[] = [];
    for (const index of this.#finder.results(source, record.index - 1, -1)) {
      const result = await this.#resultAt(index);
      if (!result?.own) continue;
      before.unshift({ ...result, ...result.result });
      older = result.result.issuedAt <= receiveTime && result.result.status !== 'none';
      if (older || before.length >= MOST_RESULTS / 2) break;
    }
    const [first] = before;
    if (!first || !older) return [];
    const results = before.filter(({ verifier }) => verifier === first.verifier).map(({ logged }) => logged);
    for (const index of this.#finder.results(source, record.index + 1, 1)) {
      const result = await this.#resultAt(index);
      if (!result || result.result.verifier !== first.verifier) continue;
      results.push(result.logged);
      const telling = isGood(result.result) || result.result.status !== 'none';
      if ((telling && result.result.issuedAt >= receiveTime) || results.length >= MOST_RESULTS) break;
    }
    return results;
  }

  /** The newest results of neighbours between those of the bracket, one of each. */
  async #neighbours(source: string, { record }: Found, bracket: readonly LoggedBatch[]): Promise<LoggedBatch[]> {
    const found = new Map<string, LoggedBatch>();
    const used = new Set(bracket.map(({ index }) => index));
    let looked = 0;
    for (const index of this.#finder.results(source, bracket.at(-1)?.index ?? record.index, -1)) {
      if (++looked > NEIGHBOURS_AMONG || found.size >= MOST_NEIGHBOURS) break;
      const result = used.has(index) ? undefined : await this.#resultAt(index);
      if (result && this.#isWord(result, source) && !found.has(result.result.verifier)) {
        found.set(result.result.verifier, result.logged);
      }
    }
    return [...found.values()];
  }

  /** A word of a neighbour that its certificate allows; another one would break the receipt. */
  #isWord({ own, kid, result }: Pick<Logged, 'own' | 'kid' | 'result'>, source: string): boolean {
    const certificate = own ? undefined : parseCertificate(this.#options.certificateOf(kid)!);
    if (!certificate || !isNeighbour(holderOf(certificate), source)) return false;
    const at = toMillis(result.issuedAt);
    return certificate.notBefore.getTime() <= at && at <= certificate.notAfter.getTime();
  }

  async #resultAt(index: number): Promise<Logged | undefined> {
    const logged = await this.#finder.record(index);
    if (!logged) return undefined;
    try {
      const record = decodeCbor(logged.batch.columns[0]!) as { result: Uint8Array };
      const { payload, kid } = coseParse1(record.result);
      const result = decodeResult(payload);
      // Without its verifier's certificate it would be of no use to anybody.
      if (!this.#options.certificateOf(kid)) return undefined;
      return {
        logged,
        result,
        kid,
        own: result.verifier === logged.batch.header.source && result.verifier === 'centre',
      };
    } catch {
      return undefined;
    }
  }

  /** Against our own anchor, as anybody else would. */
  #check(bytes: Uint8Array): Verdict {
    const file = this.#options.anchor();
    const anchor = JSON.stringify(file);
    if (this.#verifier?.anchor !== anchor) {
      this.#verifier = { anchor, verifier: new ReceiptVerifier(readAnchor(file), { remember: 1024 }) };
    }
    return this.#verifier.verifier.verify(bytes);
  }
}

const gone = (record: number) =>
  new ReceiptError('receipt.gone', `record ${record}, which holds the value, was dropped from the log by retention`);
