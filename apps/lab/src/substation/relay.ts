/** The protection of a bay unit: its stages (PTOC, PTUV), trip (PTRC), breaker failure (RBRF), and what others ask of it. */
import type { Clock } from '@enerchain/transport';
import { DisturbanceRecorder } from './disturbance-recorder.ts';
import type { Ied } from './ied.ts';
import type { Inputs } from './inputs.ts';
import { BreakerFailure, Stage } from './protection.ts';
import type { SwitchControl } from './switch-control.ts';
import { bool, whole } from './values.ts';

/** A trip command stands at least so long, ms. */
const TRIP = 150;
/** Current below which a breaker has interrupted, A. */
const NOTHING = 5;
/** No stage of undervoltage works without a voltage to look at: V. */
const LIVE = 1000;
/** FaultDirectionKind: not reckoned here. */
const UNKNOWN_DIRECTION = whole(0);

export interface ProtectionPorts {
  readonly clock: Clock;
  readonly inputs: Inputs;
  /** A */
  readonly current: () => number;
  /** V, line to line, of the busbar. */
  readonly voltage: () => number;
  readonly breaker: SwitchControl;
  readonly onStart: (started: boolean) => void;
  readonly onTrip: () => void;
  /** Keeps a fault record. */
  readonly keep: (name: string, files: { readonly cfg: string; readonly dat: string }) => void;
}

interface ProtectionFunction {
  /** `PROT/PTOC1`. */
  readonly at: string;
  readonly stage: Stage;
}

export class Protection {
  readonly #ied: Ied;
  readonly #ports: ProtectionPorts;
  readonly #overcurrent: readonly ProtectionFunction[];
  readonly #undervoltage: readonly ProtectionFunction[];
  readonly #failure: BreakerFailure | undefined;
  readonly #recorder: DisturbanceRecorder | undefined;
  /** Others want it open, by GOOSE. */
  #asked = false;
  #tripping = false;
  #cancel: (() => void) | undefined;

  constructor(ied: Ied, ports: ProtectionPorts) {
    this.#ied = ied;
    this.#ports = ports;
    this.#overcurrent = this.#functions('PTOC', 'over');
    this.#undervoltage = this.#functions('PTUV', 'under');
    if (ied.has('PROT/RBRF1.OpEx')) {
      this.#failure = new BreakerFailure({
        clock: ports.clock,
        delay: () => ied.setting('PROT/RBRF1.FailTmms.setVal'),
        failed: () => ports.breaker.position !== 'off' || ports.current() > NOTHING,
        onChange: (failure) => {
          this.#tell();
          if (failure.internal && !failure.external) this.#open();
        },
      });
    }
    if (ied.has('PROT/RDRE1.FltNum')) {
      this.#recorder = new DisturbanceRecorder({
        clock: ports.clock,
        station: 'Brunnfeld',
        device: ied.name,
        flags: [
          ...this.#stages.flatMap(({ at }) => [`${at.slice(5)}.Str`, `${at.slice(5)}.Op`]),
          ...['PTRC1.Tr', 'RBRF1.OpEx', 'Q0 closed'],
        ],
        onRecord: (name, files) => {
          ports.keep(name, files);
          this.#tellRecorder(true);
        },
      });
      this.#tellRecorder(false);
    }
    this.#tell();
  }

  get #stages(): readonly ProtectionFunction[] {
    return [...(this.#overcurrent ?? []), ...(this.#undervoltage ?? [])];
  }

  scan(): void {
    const { current, voltage, inputs, breaker } = this.#ports;
    // Reverse blocking: a fault that a feeder sees is not on the busbar. Without hearing all of them nobody can know.
    const blocking = inputs.has('block');
    const [, instantaneous] = this.#overcurrent;
    if (blocking) instantaneous?.stage.block(!inputs.heard('block') || inputs.any('block'));
    const amperes = current();
    for (const { stage } of this.#overcurrent) stage.see(amperes);
    const volts = voltage();
    for (const { stage } of this.#undervoltage) stage.see(volts > LIVE ? volts : Number.POSITIVE_INFINITY);
    // A breaker that has failed stays closed: then it is enough that the others have interrupted.
    if (amperes <= NOTHING && (breaker.position === 'off' || this.#failure?.external)) this.#failure?.reset();
    const asked = inputs.any('trip');
    if (asked && !this.#asked) this.trip();
    this.#asked = asked;
    this.#note();
  }

  /** Opens the breaker, whoever wants it. */
  trip(): void {
    const { clock, onTrip } = this.#ports;
    if (!this.#tripping) {
      this.#tripping = true;
      onTrip();
    }
    this.#open();
    this.#cancel?.();
    this.#cancel = clock.schedule(TRIP, () => {
      this.#cancel = undefined;
      this.#tripping = this.#overcurrent.some(({ stage }) => stage.operated) || this.#asked;
      this.#tell();
    });
    this.#tell();
  }

  stop(): void {
    for (const { stage } of this.#stages) stage.stop();
    this.#failure?.stop();
    this.#recorder?.stop();
    this.#cancel?.();
  }

  #functions(lnClass: 'PTOC' | 'PTUV', when: 'over' | 'under'): ProtectionFunction[] {
    return [...this.#ied.nodes(lnClass)].map(({ at }) => ({
      at,
      stage: new Stage({
        clock: this.#ports.clock,
        pickUp: () => this.#ied.setting(`${at}.StrVal.setMag.f`),
        delay: () => this.#ied.setting(`${at}.OpDlTmms.setVal`),
        when,
        onChange: (stage) => {
          this.#ports.onStart(this.#overcurrent.some((each) => each.stage.started));
          // Undervoltage is told; overcurrent trips.
          if (stage.operated && when === 'over') this.trip();
          if (!stage.operated && this.#cancel === undefined) this.#tripping = this.#asked;
          this.#tell();
        },
      }),
    }));
  }

  #open(): void {
    // A device in test or blocked decides, and the process does not feel it.
    if (!this.#ied.behaviour('PROT').endsWith('blocked')) {
      this.#ports.breaker.trip();
      this.#failure?.tripped();
    }
  }

  /** For the record. */
  #note(): void {
    const { current, voltage, breaker } = this.#ports;
    const started = this.#overcurrent.some(({ stage }) => stage.started);
    const flags = this.#stages.flatMap(({ stage }) => [stage.started, stage.operated]);
    this.#recorder?.note(
      {
        amperes: current(),
        volts: voltage(),
        flags: [...flags, this.#tripping, this.#failure?.external ?? false, breaker.position === 'on'],
      },
      started,
      this.#tripping,
    );
  }

  #tellRecorder(made: boolean): void {
    this.#ied.put('PROT/RDRE1.RcdMade', { stVal: bool(made) });
    this.#ied.put('PROT/RDRE1.FltNum', { stVal: whole(this.#recorder?.number ?? 0) });
  }

  #tell(): void {
    for (const { at, stage } of this.#stages) {
      this.#ied.put(`${at}.Str`, started(stage.started));
      this.#ied.put(`${at}.Op`, operated(stage.operated));
      if (this.#ied.has(`${at}.Blk`)) this.#ied.put(`${at}.Blk`, { stVal: bool(stage.blocked) });
    }
    const some = (this.#overcurrent ?? []).some(({ stage }) => stage.started);
    if (this.#ied.has('PROT/PTRC1.Str')) this.#ied.put('PROT/PTRC1.Str', started(some));
    this.#ied.put('PROT/PTRC1.Tr', { general: bool(this.#tripping) });
    if (this.#recorder) this.#note();
    if (!this.#failure) return;
    this.#ied.put('PROT/RBRF1.Str', started(this.#failure.started));
    this.#ied.put('PROT/RBRF1.OpIn', { general: bool(this.#failure.internal) });
    this.#ied.put('PROT/RBRF1.OpEx', { general: bool(this.#failure.external) });
  }
}

/** All three phases alike, as the simulated grid is balanced. */
export const started = (value: boolean) => ({ general: bool(value), dirGeneral: UNKNOWN_DIRECTION });
export const operated = (value: boolean) => ({ general: bool(value) });
