/**
 * What is to be said of a device beside its values, each once and again when it has changed: that it is other than its SCL,
 * that its clock cannot be believed, that it is in test, that it is slow, that reports could not be had.
 */
import { TIME_QUALITY, type TimeQuality, type UtcNanos, type Value } from '@enerchain/model';
import type { ConnectorHost } from '../../connector.ts';

const CLOCK_BAD = TIME_QUALITY.clockFailure | TIME_QUALITY.clockNotSynchronized;
/** Deviations that are kept for whoever asks. */
const MAX_DEVIATIONS = 500;
/** Of these, named in one event. */
const NAMED = 10;
/** Rounds of polling may take this many times as long as they should before it is said. */
const SLOW = 2;
/** Beh (IEC 61850-7-4 § 6.1). */
const BEHAVIOURS: readonly (string | undefined)[] = [undefined, 'on', 'blocked', 'test', 'test/blocked', 'off'];

export class DeviceWatch {
  readonly counters = { deviations: 0, clockNotSynchronized: 0, inTest: 0, slow: 0 };
  readonly #host: Pick<ConnectorHost, 'intake' | 'logger'>;
  /** By code. */
  readonly #deviations = new Map<string, Set<string>>();
  readonly #behaviours = new Map<string, number>();
  #told = '';
  #complete = false;
  #failures: readonly string[] = [];
  #toldFailures = '';
  #newest: UtcNanos | undefined;
  #round: string | undefined;

  constructor(host: Pick<ConnectorHost, 'intake' | 'logger'>) {
    this.#host = host;
  }

  /** A new association: the device may be another one than before. */
  connected(): void {
    this.#deviations.clear();
    this.counters.deviations = 0;
    this.#complete = false;
  }

  get deviations(): string[] {
    return [...this.#deviations.values()].flatMap((list) => [...list]);
  }

  /** What is wrong, for the state of the endpoint; undefined when nothing is. */
  get detail(): string | undefined {
    const { clockNotSynchronized, inTest, deviations } = this.counters;
    const parts = [
      ...(this.#failures.length > 0 ? [`no reports of ${this.#failures.join('; ')}`] : []),
      ...(clockNotSynchronized ? ['its clock is not synchronised'] : []),
      ...(inTest ? ['it is in test'] : []),
      ...(this.#round === undefined ? [] : [this.#round]),
      ...(deviations > 0 ? [`other than in its SCL: ${this.deviations[0]}${more(deviations - 1)}`] : []),
    ];
    return parts.length === 0 ? undefined : parts.join('; ');
  }

  /** Something is other than the SCL has it. Gathered until the state is complete, so that one event tells all. */
  deviates(code: string, text: string): void {
    if (this.counters.deviations >= MAX_DEVIATIONS) return;
    let list = this.#deviations.get(code);
    if (!list) {
      list = new Set();
      this.#deviations.set(code, list);
    }
    if (list.has(text)) return;
    list.add(text);
    this.counters.deviations++;
    if (this.#complete) this.#tell();
  }

  /** Everything was asked for once. */
  complete(): void {
    this.#complete = true;
    this.#tell();
  }

  #tell(): void {
    const now = [...this.#deviations].map(([code, list]) => `${code} ${[...list].join()}`).join();
    // After a cut the device is mostly the one it was.
    if (now === this.#told) return;
    this.#told = now;
    for (const [code, list] of this.#deviations) {
      const named = [...list].slice(0, NAMED).join('; ');
      const text = list.size > NAMED ? `${named} and ${list.size - NAMED} more` : named;
      this.#host.logger.warn({ code }, text);
      this.#host.intake.event('configuration', text.slice(0, 1000), code);
    }
  }

  /** @param failures blocks that could not be had, and why */
  reports(failures: readonly string[]): void {
    this.#failures = failures;
    const text = failures.join('; ');
    if (text === this.#toldFailures) return;
    this.#toldFailures = text;
    if (text === '') return;
    this.#host.logger.warn(
      { failures },
      'some reports could not be had; their values are polled where that is allowed',
    );
    this.#host.intake.event('configuration', `no reports of ${text}`.slice(0, 1000), 'edge.iec61850.reports');
  }

  /** A time stamp of the device: the newest one says how its clock is. */
  time(at: UtcNanos, quality: TimeQuality): void {
    if (this.#newest !== undefined && at < this.#newest) return;
    this.#newest = at;
    const bad = (quality & CLOCK_BAD) === 0 ? 0 : 1;
    if (bad === this.counters.clockNotSynchronized) return;
    this.counters.clockNotSynchronized = bad;
    const failure = quality & TIME_QUALITY.clockFailure;
    const text = bad
      ? `the clock of the device ${failure ? 'has failed' : 'is not synchronised'}, it says; its times are marked`
      : 'the clock of the device is synchronised again';
    this.#host.intake.event('configuration', text, 'edge.iec61850.clock');
  }

  /** @param object `BCU1CTRL/LLN0.Beh` */
  behaviour(object: string, value: Value): void {
    if (typeof value !== 'number') return;
    const before = this.#behaviours.get(object);
    this.#behaviours.set(object, value);
    this.counters.inTest = [...this.#behaviours.values()].filter((each) => each === 3 || each === 4).length;
    if (before === value || (before === undefined && value === 1)) return;
    const device = object.slice(0, object.indexOf('/'));
    this.#host.intake.event(
      'configuration',
      `${device} is ${BEHAVIOURS[value] ?? `in mode ${value}`}${before === undefined ? '' : `, it was ${BEHAVIOURS[before] ?? before}`}`,
      'edge.iec61850.behaviour',
    );
  }

  /** @param took ms @param wanted seconds */
  round(took: number, wanted: number): void {
    const slow = took > wanted * 1000 * SLOW;
    const text = slow
      ? `it is slow: reading everything takes ${(took / 1000).toFixed(1)} s instead of ${wanted} s`
      : undefined;
    if (slow && this.#round === undefined) this.#host.intake.event('configuration', text, 'edge.iec61850.slow');
    this.counters.slow = slow ? 1 : 0;
    this.#round = text;
  }
}

const more = (count: number): string => (count > 0 ? ` and ${count} more` : '');
