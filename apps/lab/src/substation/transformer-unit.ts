/** The unit of transformer T2: automatic voltage regulation (ATCC, YLTC), monitoring, differential protection (PDIF). */
import type { ControlHandler, ControlRequest, GooseControl, IedModel, Subscription } from '@enerchain/iec61850';
import type { LabBay, LabStation } from '../grid/lab-grid.ts';
import { read } from '../rtu/readings.ts';
import type { GridSimulation } from '../simulation/simulation.ts';
import type { Switchgear } from '../simulation/switchgear.ts';
import type { Wiring } from './bay-unit.ts';
import { DisturbanceRecorder } from './disturbance-recorder.ts';
import { codeOfData, Ied, type IedOptions } from './ied.ts';
import { Inputs } from './inputs.ts';
import { Stage } from './protection.ts';
import { operated, started } from './relay.ts';
import { bool, whole } from './values.ts';

export interface TransformerUnitOptions extends Omit<IedOptions, 'onChange'> {
  /** Keeps a fault record. */
  readonly keep: (name: string, files: { readonly cfg: string; readonly dat: string }) => void;
  readonly model: IedModel;
  readonly subscriptions: readonly Subscription<GooseControl>[];
  readonly simulation: GridSimulation;
  readonly switchgear: Switchgear;
  /** Its bays on both sides. */
  readonly high: LabBay;
  readonly low: LabBay;
  readonly lowStation: LabStation;
  readonly wiring: Wiring;
}

/** °C at which the winding alarms and trips (IEC 60076-7: no loading beyond 140). */
const HOT = { alarm: 118, trip: 140 };
/** Share of the through current by which a differential may be off: the tap changer moves the ratio. */
const RESTRAINT = 0.3;
const STOP = 0;
const LOWER = 1;
const HIGHER = 2;

export class TransformerUnit {
  readonly ied: Ied;
  readonly inputs: Inputs;
  readonly #options: TransformerUnitOptions;
  readonly #differential: Stage;
  readonly #recorder: DisturbanceRecorder;
  #operations = 0;
  #last: number;
  #blocked = false;

  constructor(options: TransformerUnitOptions) {
    const { model, simulation, clock, high } = options;
    this.#options = options;
    this.inputs = new Inputs(options.subscriptions);
    this.#last = simulation.tap(high.transformer!.mRID);
    this.ied = new Ied(model, this.#controls(), { ...options, onChange: () => this.scan() });
    this.#differential = new Stage({
      clock,
      pickUp: () => this.ied.setting('PROT/PDIF1.StrVal.setMag.f'),
      delay: () => this.ied.setting('PROT/PDIF1.OpDlTmms.setVal'),
      when: 'over',
      onChange: () => this.#tellProtection(),
    });
    this.#recorder = new DisturbanceRecorder({
      clock,
      station: 'Brunnfeld',
      device: this.ied.name,
      flags: ['PDIF1.Str', 'PDIF1.Op', 'PTRC1.Tr'],
      onRecord: (name, files) => {
        options.keep(name, files);
        this.#tellRecorder(true);
      },
    });
    this.#tellRecorder(false);
    this.ied.put('CTRL/ATCC1.TapOpErr', { stVal: bool(false) });
    this.#tellProtection();
  }

  get label(): string {
    return `Brunnfeld ${this.#options.high.name} transformer unit`;
  }

  scan(): void {
    const { ied } = this;
    const { simulation, switchgear, high, low, lowStation, wiring } = this.#options;
    const { mRID, ratioTapChanger } = high.transformer!;
    const local = bool(wiring.flag('local'));
    for (const node of ['LLN0', 'ATCC1', 'YLTC1'])
      for (const name of ['Loc', 'LocKey']) ied.put(`CTRL/${node}.${name}`, { stVal: local });
    const tap = simulation.tap(mRID);
    if (tap !== this.#last) {
      this.#operations += Math.abs(tap - this.#last);
      this.#last = tap;
    }
    const step = { 'valWTr.posVal': whole(tap), 'valWTr.transInd': bool(switchgear.isMoving(mRID)) };
    ied.put('CTRL/ATCC1.TapChg', step);
    ied.put('CTRL/YLTC1.TapChg', step);
    ied.put('CTRL/YLTC1.OpCnt', { stVal: whole(this.#operations) });
    ied.put('CTRL/YLTC1.EndPosR', { stVal: bool(!simulation.canMoveTap(high.transformer!, 'higher')) });
    ied.put('CTRL/YLTC1.EndPosL', { stVal: bool(!simulation.canMoveTap(high.transformer!, 'lower')) });
    ied.put('CTRL/ATCC1.Auto', { stVal: bool(simulation.isRegulated(mRID)) });
    ied.put('CTRL/ATCC1.LTCBlk', { stVal: bool(this.#blocked) });
    ied.put('CTRL/ATCC1.HiTapPos', { stVal: whole(ratioTapChanger!.highStep) });
    ied.put('CTRL/ATCC1.LoTapPos', { stVal: whole(ratioTapChanger!.lowStep) });
    const volts = simulation.voltage(lowStation.busbar.node);
    const load = simulation.flow(low.terminal!);
    ied.measure('CTRL/ATCC1.CtlV', (volts ?? 0) * 1000, volts === null ? 'invalid' : 'good');
    ied.measure('CTRL/ATCC1.LodA', load?.i ?? 0, load ? 'good' : 'invalid');
    simulation.setRegulation(mRID, {
      target: ied.setting('CTRL/ATCC1.BndCtr.setMag.f') / 1000,
      // The band reaches from below its centre to above it.
      deadBand: ied.setting('CTRL/ATCC1.BndWid.setMag.f') / 2000,
      delay: ied.setting('CTRL/ATCC1.CtlDlTmms.setVal') / 1000,
      blocked: this.#blocked,
    });
    this.#monitor();
    this.#differential.see(this.#difference());
    this.#note();
  }

  heard(): void {
    this.scan();
  }

  stop(): void {
    this.#differential.stop();
    this.#recorder.stop();
  }

  #monitor(): void {
    const { ied } = this;
    const { simulation, high, wiring } = this.#options;
    const { value, quality } = read(
      { of: 'windingTemperature', terminal: high.terminal!, ratedCurrent: high.ratedCurrent! },
      simulation,
      { flag: () => false, position: () => 0, ledgerCounter: 0 },
    );
    const validity = quality === 0 ? 'good' : 'invalid';
    ied.measure('MON/STMP1.Tmp', value, validity);
    ied.put('MON/STMP1.Alm', { stVal: bool(value >= HOT.alarm) });
    ied.put('MON/STMP1.Trip', { stVal: bool(value >= HOT.trip) });
    ied.sample('MON/TTMP1.TmpSv', value, validity);
    const buchholz = bool(wiring.flag(`${high.code}/buchholz`));
    ied.put('MON/SIML1.GasInsAlm', { stVal: buchholz });
    ied.put('MON/SIML1.InsAlm', { stVal: buchholz });
    // Fans run when it is warm.
    ied.put('MON/CCGR1.CECtl', { stVal: bool(value >= 75) });
    ied.put('MON/CCGR1.PmpAlm', { stVal: bool(wiring.flag(`${high.code}/cooling`)) });
  }

  /** A of the 110 kV side, less what the through current explains. */
  #difference(): number {
    const { simulation, high, low } = this.#options;
    const [one, two] = [simulation.faultCurrent(high.terminal!), simulation.faultCurrent(low.terminal!)];
    if (!one || !two) return 0;
    const ratio = low.nominalVoltage / high.nominalVoltage;
    const other = { re: two.re * ratio, im: two.im * ratio };
    const difference = Math.hypot(one.re + other.re, one.im + other.im);
    const through = (Math.hypot(one.re, one.im) + Math.hypot(other.re, other.im)) / 2;
    return difference > RESTRAINT * through ? difference : 0;
  }

  #tellProtection(): void {
    const { started: start, operated: trip } = this.#differential ?? { started: false, operated: false };
    this.ied.put('PROT/PDIF1.Str', started(start));
    this.ied.put('PROT/PDIF1.Op', operated(trip));
    this.ied.put('PROT/PTRC1.Str', started(start));
    this.ied.put('PROT/PTRC1.Tr', { general: bool(trip) });
    if (this.#recorder) this.#note();
  }

  #tellRecorder(made: boolean): void {
    this.ied.put('PROT/RDRE1.RcdMade', { stVal: bool(made) });
    this.ied.put('PROT/RDRE1.FltNum', { stVal: whole(this.#recorder.number) });
  }

  /** For the record: the 110 kV side. */
  #note(): void {
    const { simulation, high } = this.#options;
    const { started: start, operated: trip } = this.#differential;
    const volts = (simulation.voltage(high.switches[0]!.terminals[1]!.connectivityNode) ?? 0) * 1000;
    const amperes = simulation.flow(high.terminal!)?.i ?? 0;
    this.#recorder.note({ amperes, volts, flags: [start, trip, trip] }, start, trip);
  }

  #controls(): Record<string, ControlHandler> {
    const { simulation, switchgear, high, wiring } = this.#options;
    const transformer = high.transformer!;
    const authority = ({ test, origin }: ControlRequest) => {
      const behaviour = this.ied.behaviour('CTRL');
      if (behaviour === 'off' || behaviour.startsWith('test') !== test) return 'blocked-by-mode';
      return wiring.flag('local') && origin.category !== 'bay-control' ? 'blocked-by-switching-hierarchy' : undefined;
    };
    const silent = (): boolean => this.ied.behaviour('CTRL').endsWith('blocked');
    return {
      'CTRL/ATCC1.TapChg': {
        check: (request) => {
          const refused = authority(request);
          if (refused) return refused;
          const code = codeOfData(request.ctlVal);
          if (code === STOP) return undefined;
          if (code !== LOWER && code !== HIGHER) return 'inconsistent-parameters';
          if (this.#blocked) return 'blocked-by-process';
          if (switchgear.isMoving(transformer.mRID)) return 'command-already-in-execution';
          return simulation.canMoveTap(transformer, code === HIGHER ? 'higher' : 'lower') ? undefined : 'step-limit';
        },
        operate: async ({ ctlVal }) => {
          const code = codeOfData(ctlVal);
          if (code === STOP || silent()) return undefined;
          // Who steps by hand does not want the regulator to step back.
          simulation.setRegulated(transformer.mRID, false);
          this.scan();
          await switchgear.moveTap(transformer, code === HIGHER ? 'higher' : 'lower', this);
          return undefined;
        },
      },
      'CTRL/ATCC1.Auto': {
        check: authority,
        operate: ({ ctlVal }) => {
          if (!silent()) simulation.setRegulated(transformer.mRID, ctlVal.value === true);
          this.scan();
          return undefined;
        },
      },
      'CTRL/ATCC1.LTCBlk': {
        check: authority,
        operate: ({ ctlVal }) => {
          if (!silent()) this.#blocked = ctlVal.value === true;
          this.scan();
          return undefined;
        },
      },
    };
  }
}
