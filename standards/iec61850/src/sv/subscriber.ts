/**
 * A subscriber of one stream of sampled values (IEC 61850-9-2, 61869-9) as a function of samples and time: it says of each sample
 * whether it is the next, a copy or late, and of everything that is not as it should be one sentence. No I/O, no clock of its own.
 */
import { formatMac } from '@enerchain/ethernet';
import { sameOctets, spells } from '../multicast/apdu.ts';
import {
  ADDRESSES,
  appIdText,
  durationText,
  type ProblemEvent,
  type SimulationEvent,
  SimulationSide,
  StandingProblem,
} from '../multicast/supervision.ts';
import { samplesPerSecond } from './controls.ts';
import { SampleCodec, type SampleLayout } from './layout.ts';
import { SMP_MODES, SMP_SYNCH, type SvView } from './message.ts';
import { SampleCount } from './sample-count.ts';

/** What is known of a stream beforehand; what is left out is learned. */
export interface ExpectedSv {
  readonly svId: string;
  readonly datSet?: string | undefined;
  readonly confRev?: number | undefined;
  readonly appId?: number | undefined;
  /** Six octets. */
  readonly destination?: Uint8Array | undefined;
  readonly samplesPerSecond?: number | undefined;
  /** Without it samples are counted, not understood. */
  readonly layout?: SampleLayout | undefined;
}

export interface SvSubscriberOptions {
  /** LPHD.Sim: whether simulated samples are taken in place of real ones once there are some. */
  readonly simulation?: boolean;
  /** Milliseconds without a sample until the stream is silent. */
  readonly silence?: number;
  /** Nominal frequency, Hz, for a smpRate in samples a period. */
  readonly frequency?: number;
  /** Milliseconds from the moment that smpCnt says to the arrival. Watched when given, and only of globally synchronised samples: both clocks have to be right. */
  readonly maxDelay?: number;
}

/** Why samples are refused. */
export type SvProblem =
  | 'app-id'
  | 'destination'
  | 'conf-rev'
  | 'dat-set'
  /** The sample has another length than its data set. */
  | 'length'
  /** smpRate is another, or smpCnt is not below it. */
  | 'rate'
  | 'source';

export type SvEvent =
  /** Since this was told the last time, at least a second ago or never. */
  | { readonly kind: 'lost'; readonly samples: number; readonly text: string }
  | {
      readonly kind: 'jump' | 'silent' | 'resumed' | 'source-changed' | 'reconfigured' | 'synchronisation';
      readonly text: string;
    }
  | { readonly kind: 'delay'; readonly standing: boolean; readonly text: string }
  | ProblemEvent<SvProblem>
  | SimulationEvent;

export interface SvOutcome {
  /** sample: the next, perhaps behind a gap. late: one that was missing. copy: of PRP or HSR. */
  readonly kind: 'sample' | 'late' | 'copy' | 'ignored' | 'refused' | 'time';
  readonly events: readonly SvEvent[];
}

export interface SvCounters {
  samples: number;
  /** That did not come; one that came late is taken off again. */
  lost: number;
  late: number;
  copies: number;
  /** smpCnt was set to another value. */
  jumps: number;
  ignored: number;
  refused: number;
  silences: number;
}

export type SvStatus = 'waiting' | 'valid' | 'silent';

const NONE: readonly SvEvent[] = [];
const SAMPLE: SvOutcome = { kind: 'sample', events: NONE };
const LATE: SvOutcome = { kind: 'late', events: NONE };
const COPY: SvOutcome = { kind: 'copy', events: NONE };
const IGNORED: SvOutcome = { kind: 'ignored', events: NONE };
const REFUSED: SvOutcome = { kind: 'refused', events: NONE };
const NOTHING: SvOutcome = { kind: 'time', events: NONE };

/** Far more than samples are apart: what this runtime may be late by is not to be told as a fault of the stream. */
const SILENCE = 200;
/** Lost samples are told at once, then at most once a second. */
const TELL_LOST = 1000;

export class SvSubscriber {
  readonly svId: string;
  readonly #subject: string;
  readonly #id: Uint8Array;
  readonly #silence: number;
  readonly #frequency: number;
  readonly #maxDelay: number | undefined;
  readonly #side: SimulationSide;
  readonly #problem: StandingProblem<SvProblem>;
  readonly #count: SampleCount;
  readonly #codec: SampleCodec | undefined;
  #expected: ExpectedSv;
  readonly #configured: boolean;
  readonly #source = new Uint8Array(6);
  #hasSource = false;
  #status: SvStatus = 'waiting';
  #smpSynch = -1;
  #at = 0;
  #untold = 0;
  #toldAt = Number.NEGATIVE_INFINITY;
  #late = false;
  #pending: SvEvent[] = [];
  readonly #tell = (event: SvEvent): void => void this.#pending.push(event);
  readonly counters: SvCounters = {
    samples: 0,
    lost: 0,
    late: 0,
    copies: 0,
    jumps: 0,
    ignored: 0,
    refused: 0,
    silences: 0,
  };
  /** Of the last sample that `decode` read, in the units of the layout's channels. */
  readonly values: Float64Array;
  /** The words of their qualities; `sampleQuality` reads one. */
  readonly qualities: Uint32Array;
  /** Milliseconds from the moment smpCnt says to the arrival, of the last sample; undefined when it is not watched. */
  delay: number | undefined;

  /** @param at monotonic milliseconds now */
  constructor(
    expected: ExpectedSv,
    { simulation = false, silence = SILENCE, frequency = 50, maxDelay }: SvSubscriberOptions = {},
    at = 0,
  ) {
    this.svId = expected.svId;
    this.#subject = `SV ${expected.svId}`;
    this.#id = Buffer.from(expected.svId, 'latin1');
    this.#expected = expected;
    this.#configured = expected.confRev !== undefined;
    this.#silence = silence;
    this.#frequency = frequency;
    this.#maxDelay = maxDelay;
    this.#side = new SimulationSide(this.#subject, simulation);
    this.#problem = new StandingProblem(this.#subject);
    this.#count = new SampleCount(expected.samplesPerSecond);
    this.#codec = expected.layout && new SampleCodec(expected.layout);
    this.values = new Float64Array(expected.layout?.channels.length ?? 0);
    this.qualities = new Uint32Array(expected.layout?.channels.length ?? 0);
    this.#at = at;
  }

  get status(): SvStatus {
    return this.#status;
  }
  get problem(): { readonly problem: SvProblem; readonly text: string } | undefined {
    return this.#problem.current;
  }
  get expected(): ExpectedSv {
    return this.#expected;
  }
  /** 0 none, 1 local, 2 global, 5 … 254 a local clock; -1 before the first sample. */
  get smpSynch(): number {
    return this.#smpSynch;
  }
  /** Samples in a second; undefined until it is known. */
  get samplesPerSecond(): number | undefined {
    return this.#count.rate;
  }
  /** Of the newest sample; -1 before the first. */
  get smpCnt(): number {
    return this.#count.last;
  }
  /** When `expire` has something to do, monotonic milliseconds. */
  get deadline(): number {
    if (this.#status === 'silent') return Number.POSITIVE_INFINITY;
    const silent = this.#at + this.#silence;
    return this.#untold > 0 ? Math.min(silent, this.#toldAt + TELL_LOST) : silent;
  }

  /** Whether the ASDU the view stands at is of this stream. */
  isFor(view: SvView): boolean {
    const { length } = this.#id;
    return view.svIdEnd - view.svIdAt === length && sameOctets(view.bytes, view.svIdAt, this.#id, 0, length);
  }

  /** LPHD.Sim has changed (7-2 § 7.8). */
  setSimulation(on: boolean): SvOutcome {
    const event = this.#side.turn(on);
    if (!event) return NOTHING;
    this.#anew();
    return { kind: 'time', events: [event] };
  }

  /** Another publisher, or the first again: nothing of the one before counts. */
  #anew(): void {
    this.#count.reset();
    this.#hasSource = false;
    this.#status = 'waiting';
    this.#smpSynch = -1;
  }

  /**
   * An ASDU for which `isFor` is true, in a whole frame: both addresses stand at its beginning, unless it begins with APPID.
   * @param at when it came, monotonic milliseconds @param wall the same by the wall clock, ms since 1970, for the delay
   */
  receive(view: SvView, at: number, wall?: number): SvOutcome {
    const { simulated } = view;
    if (!this.#side.settled(simulated)) {
      const before = this.#side.simulated;
      if (!this.#side.takes(simulated, at, this.#silence, this.#tell)) {
        this.counters.ignored++;
        return this.#finish(IGNORED);
      }
      if (before !== this.#side.simulated) this.#anew();
    }
    const wrong = this.#wrong(view);
    if (wrong) return this.#refuse(at, wrong[0], wrong[1]);
    if (view.smpRate >= 0) this.#rate(view);
    const before = this.#count.last;
    const placement = this.#count.place(view.smpCnt, at);
    if (placement === 'beyond')
      return this.#refuse(at, 'rate', `smpCnt ${view.smpCnt} with ${this.#count.rate} samples a second`);
    if (this.#problem.stands) this.#problem.solve(at, this.#tell);
    if (placement === 'copy') {
      this.counters.copies++;
      return this.#finish(COPY);
    }
    if (placement === 'late') {
      this.counters.lost--;
      this.counters.late++;
      if (this.#untold > 0) this.#untold--;
      return this.#finish(LATE);
    }
    this.counters.samples++;
    if (this.#status !== 'valid' || view.smpSynch !== this.#smpSynch || !this.#hasSource) this.#changed(view, at);
    if (placement === 'ahead' && this.#count.missing > 0) this.#lose(this.#count.missing);
    else if (placement === 'jump') {
      this.counters.jumps++;
      this.#tell({
        kind: 'jump',
        text: `${this.#subject}: smpCnt went from ${before} to ${view.smpCnt}, and the samples between are not due`,
      });
    }
    this.#at = at;
    if (this.#untold > 0 && at - this.#toldAt >= TELL_LOST) this.#tellLost(at);
    if (this.#maxDelay !== undefined && wall !== undefined) this.#watchDelay(view, wall, this.#maxDelay);
    return this.#finish(SAMPLE);
  }

  /** Reads the sample the view stands at into `values` and `qualities`. @returns false when the layout is not known */
  decode(view: SvView): boolean {
    if (!this.#codec) return false;
    this.#codec.read(view.bytes, view.sampleAt, this.values, this.qualities);
    return true;
  }

  /** @param at monotonic milliseconds; nothing happens before `deadline` */
  expire(at: number): SvOutcome {
    if (at < this.deadline) return NOTHING;
    if (this.#untold > 0) this.#tellLost(at);
    if (at - this.#at >= this.#silence && this.#status !== 'silent') {
      const text = this.#status === 'waiting' ? 'nothing has come yet' : `nothing for ${durationText(at - this.#at)}`;
      this.#status = 'silent';
      this.counters.silences++;
      this.#tell({ kind: 'silent', text: `${this.#subject}: ${text}` });
    }
    return this.#finish(NOTHING);
  }

  #finish(constant: SvOutcome): SvOutcome {
    if (this.#pending.length === 0) return constant;
    const events = this.#pending;
    this.#pending = [];
    return { kind: constant.kind, events };
  }

  #refuse(at: number, problem: SvProblem, text: string): SvOutcome {
    this.counters.refused++;
    this.#problem.refuse(at, problem, text, this.#tell);
    return this.#finish(REFUSED);
  }

  #lose(missing: number): void {
    this.counters.lost += missing;
    this.#untold += missing;
  }

  #tellLost(at: number): void {
    const samples = this.#untold;
    this.#untold = 0;
    this.#toldAt = at;
    const text = `${samples} ${samples === 1 ? 'sample' : 'samples'} lost before smpCnt ${this.#count.last}`;
    this.#tell({ kind: 'lost', samples, text: `${this.#subject}: ${text}` });
  }

  /** What seldom changes did. */
  #changed(view: SvView, at: number): void {
    if (this.#status === 'silent' && this.#smpSynch >= 0) {
      this.#tell({
        kind: 'resumed',
        text: `${this.#subject}: samples come again after ${durationText(at - this.#at)}`,
      });
    }
    this.#status = 'valid';
    if (view.start >= ADDRESSES && !this.#hasSource) {
      this.#source.set(view.bytes.subarray(6, 12));
      this.#hasSource = true;
    }
    if (view.smpSynch === this.#smpSynch) return;
    const [from, to] = [this.#smpSynch, view.smpSynch];
    this.#smpSynch = to;
    if (from >= 0)
      this.#tell({
        kind: 'synchronisation',
        text: `${this.#subject}: the clock of its samples is ${synchText(to)}, was ${synchText(from)}`,
      });
  }

  #wrong(view: SvView): readonly [SvProblem, string] | undefined {
    const { appId, destination, confRev, datSet, layout } = this.#expected;
    const { bytes, start } = view;
    if (appId !== undefined && view.appId !== appId)
      return ['app-id', `APPID ${appIdText(view.appId)}, not ${appIdText(appId)}`];
    if (start >= ADDRESSES) {
      if (destination && !sameOctets(bytes, 0, destination, 0, 6))
        return ['destination', `sent to ${formatMac(bytes)}, not ${formatMac(destination)}`];
      if (this.#hasSource && !sameOctets(bytes, 6, this.#source, 0, 6)) {
        if (this.#status === 'valid')
          return ['source', `${formatMac(bytes, 6)} sends it as well, while ${formatMac(this.#source)} does`];
        const text = `it comes from ${formatMac(bytes, 6)} now, no longer from ${formatMac(this.#source)}`;
        this.#tell({ kind: 'source-changed', text: `${this.#subject}: ${text}` });
        this.#count.reset();
        this.#hasSource = false;
      }
    }
    if (view.confRev !== confRev) {
      if (this.#configured) return ['conf-rev', `confRev ${view.confRev}, not ${confRev}`];
      if (confRev !== undefined)
        this.#tell({ kind: 'reconfigured', text: `${this.#subject}: confRev ${view.confRev} after ${confRev}` });
      this.#expected = { ...this.#expected, confRev: view.confRev };
    }
    if (datSet !== undefined && view.datSetAt > 0 && !spells(bytes, view.datSetAt, view.datSetEnd, datSet))
      return ['dat-set', `data set ${view.datSet}, not ${datSet}`];
    const octets = view.sampleEnd - view.sampleAt;
    if (layout && octets !== layout.octets)
      return ['length', `a sample of ${octets} octets, the data set has ${layout.octets}`];
    if (view.smpRate >= 0 && this.#expected.samplesPerSecond !== undefined && view.smpMod >= 0) {
      const rate = this.#rateOf(view);
      if (rate !== undefined && rate !== this.#expected.samplesPerSecond)
        return ['rate', `${rate} samples a second, not ${this.#expected.samplesPerSecond}`];
    }
    return undefined;
  }

  /** Samples in a second as the message says, which without smpMod counts in periods (9-2 § 8.5). */
  #rateOf(view: SvView): number | undefined {
    return samplesPerSecond(
      SMP_MODES[view.smpMod < 0 ? 0 : view.smpMod] ?? 'SmpPerPeriod',
      view.smpRate,
      this.#frequency,
    );
  }

  #rate(view: SvView): void {
    if (this.#count.rate !== undefined) return;
    const rate = this.#rateOf(view);
    if (rate !== undefined && rate <= 65_536 && view.smpMod >= 0) this.#count.rate = rate;
  }

  #watchDelay({ smpCnt, smpSynch }: SvView, wall: number, maxDelay: number): void {
    const { rate } = this.#count;
    if (rate === undefined || smpSynch !== SMP_SYNCH.global) return;
    // Both are within a second of which nobody says which it is: the shorter way counts.
    const delay = (((((wall % 1000) - (smpCnt * 1000) / rate + 1500) % 1000) + 1000) % 1000) - 500;
    this.delay = delay;
    const late = Math.abs(delay) > maxDelay;
    if (late === this.#late) return;
    this.#late = late;
    const text = late ? `samples come ${delay.toFixed(1)} ms after their time` : 'samples come in time again';
    this.#tell({ kind: 'delay', standing: late, text: `${this.#subject}: ${text}` });
  }
}

const synchText = (smpSynch: number): string =>
  smpSynch === SMP_SYNCH.none
    ? 'not synchronised'
    : smpSynch === SMP_SYNCH.local
      ? 'synchronised locally'
      : smpSynch === SMP_SYNCH.global
        ? 'synchronised globally'
        : `synchronised with clock ${smpSynch}`;
