/**
 * The disturbance recorder of a unit (RDRE): what flowed and what protection did around a trip, as a COMTRADE record. The
 * simulated grid knows magnitudes; waves of them are what a recorder would have sampled.
 */
import type { Clock } from '@enerchain/transport';
import { type ComtradeRecord, comtrade } from './comtrade.ts';

/** From one change to the next. */
export interface Recorded {
  /** A and V (line to line), r.m.s. */
  readonly amperes: number;
  readonly volts: number;
  /** In the order of their names. */
  readonly flags: readonly boolean[];
}

interface Known {
  readonly at: number;
  readonly state: Recorded;
}

export interface RecorderPorts {
  readonly clock: Clock;
  readonly station: string;
  readonly device: string;
  readonly flags: readonly string[];
  /** A record is complete. */
  readonly onRecord: (name: string, files: { readonly cfg: string; readonly dat: string }) => void;
}

/** ms before what began it, after the last change that followed it, and at most. */
const BEFORE = 100;
const AFTER = 150;
const LONGEST = 3_000;
/** Samples per second: 20 a period. */
const RATE = 1000;
const FREQUENCY = 50;
const PHASES = ['A', 'B', 'C'] as const;

export class DisturbanceRecorder {
  readonly #ports: RecorderPorts;
  #history: Known[] = [];
  /** Wall clock when protection started. */
  #trigger: number | undefined;
  #tripped = false;
  #cancel: (() => void) | undefined;
  #number = 0;

  constructor(ports: RecorderPorts) {
    this.#ports = ports;
  }

  get number(): number {
    return this.#number;
  }

  /** How things are now. @param started protection has started @param tripped and has tripped: only then it is kept */
  note(state: Recorded, started: boolean, tripped: boolean): void {
    const now = this.#ports.clock.now();
    const last = this.#history.at(-1)?.state;
    const changed =
      !last ||
      Math.abs(last.amperes - state.amperes) > 0.01 * Math.max(1, last.amperes) ||
      Math.abs(last.volts - state.volts) > 10 ||
      state.flags.some((flag, index) => flag !== last.flags[index]);
    if (changed) {
      this.#history.push({ at: now, state });
      // Before anything has happened only what was last is of interest.
      if (this.#trigger === undefined && this.#history.length > 2) this.#history.shift();
    }
    if (started || tripped) this.#trigger ??= now;
    if (this.#trigger === undefined) return;
    this.#tripped ||= tripped;
    if (!changed && this.#cancel) return;
    this.#cancel?.();
    const left = Math.max(0, this.#trigger + LONGEST - now);
    const delay = started || tripped ? left : Math.min(AFTER, left);
    this.#cancel = this.#ports.clock.schedule(delay, () => this.#end());
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #end(): void {
    this.#cancel = undefined;
    const trigger = this.#trigger!;
    const history = this.#history;
    this.#history = history.slice(-1);
    const tripped = this.#tripped;
    this.#tripped = false;
    this.#trigger = undefined;
    // It started, and somebody else has cleared the fault.
    if (!tripped) return;
    this.#number++;
    const { device, onRecord } = this.#ports;
    const stamp = new Date(trigger).toISOString().replace(/[-:]/g, '').slice(0, 15);
    const name = `${device}_${String(this.#number).padStart(4, '0')}_${stamp}`;
    onRecord(name, comtrade(this.#record(history, trigger, this.#ports.clock.now())));
  }

  #record(history: readonly Known[], trigger: number, end: number): ComtradeRecord {
    const { station, device, flags } = this.#ports;
    const start = trigger - BEFORE;
    const states = Array.from({ length: Math.ceil(((end - start) * RATE) / 1000) }, (_, sample) => {
      const at = start + (sample * 1000) / RATE;
      return (history.findLast((each) => each.at <= at) ?? history[0]!).state;
    });
    const wave = (of: (state: Recorded) => number, phase: number): number[] =>
      states.map(
        (state, sample) => Math.SQRT2 * of(state) * Math.sin(2 * Math.PI * ((FREQUENCY * sample) / RATE - phase / 3)),
      );
    return {
      station,
      device,
      frequency: FREQUENCY,
      rate: RATE,
      start,
      trigger,
      analogs: [
        ...PHASES.map((phase, index) => ({
          name: `I${phase}`,
          phase,
          unit: 'A',
          values: wave(({ amperes }) => amperes, index),
        })),
        ...PHASES.map((phase, index) => ({
          name: `U${phase}`,
          phase,
          unit: 'V',
          values: wave(({ volts }) => volts / Math.sqrt(3), index),
        })),
      ],
      digitals: flags.map((name, index) => ({ name, values: states.map((state) => state.flags[index] ?? false) })),
    };
  }
}
