/** A bay unit: measures its bay, moves its switches, protects what it feeds. What it has follows from its part of the SCD. */
import type { ControlHandler, GooseControl, IedModel, Subscription } from '@enerchain/iec61850';
import type { Mrid } from '@enerchain/model';
import type { LabBay, LabStation } from '../grid/lab-grid.ts';
import type { GridSimulation } from '../simulation/simulation.ts';
import type { Switchgear } from '../simulation/switchgear.ts';
import { Ied, type IedOptions } from './ied.ts';
import { Inputs } from './inputs.ts';
import { INTERLOCKING } from './interlocking.ts';
import { flowOf, measure } from './measuring.ts';
import { Protection } from './relay.ts';
import { SwitchControl } from './switch-control.ts';
import { bool, type Position } from './values.ts';

/** What is wired to a unit, from and to the RTU of its part of the substation. */
export interface Wiring {
  /** A flag of the RTU: `local`, `door`, `J11/spring`. */
  flag(name: string): boolean;
  contact(name: string, raised: boolean): void;
}

export interface UnitOptions extends Omit<IedOptions, 'onChange'> {
  /** Keeps a fault record. */
  readonly keep: (name: string, files: { readonly cfg: string; readonly dat: string }) => void;
  readonly model: IedModel;
  readonly subscriptions: readonly Subscription<GooseControl>[];
  readonly simulation: GridSimulation;
  readonly switchgear: Switchgear;
  readonly station: LabStation;
  readonly bay: LabBay;
  readonly wiring: Wiring;
  /** Of a bay without a unit, by its code. */
  readonly wired: (bay: string) => Position;
  /** Where a logical node stands: `CTRL/Q0XCBR1`. */
  readonly equipmentOf: (node: string) => Mrid | undefined;
}

/** Behind a breaker that is fed by nobody there is at most this share of the nominal voltage. */
const DEAD = 0.1;
/** Indications of every bay unit by their place in its GGIO; what the RTU knows by the same contact. */
const INDICATIONS: readonly (string | undefined)[] = [undefined, 'auxiliary', 'spring', 'tripCircuit'];
/** Those of the station, at the unit of the bus coupler. */
const STATION_ALARMS: readonly (string | undefined)[] = ['door', 'local', 'auxiliary'];

export class BayUnit {
  readonly ied: Ied;
  readonly inputs: Inputs;
  readonly bay: LabBay;
  readonly station: LabStation;
  readonly #options: UnitOptions;
  readonly #switches: readonly SwitchControl[];
  readonly #protection: Protection;

  constructor(options: UnitOptions) {
    const { model, simulation, switchgear, station, bay, clock, equipmentOf } = options;
    this.#options = options;
    this.bay = bay;
    this.station = station;
    this.inputs = new Inputs(options.subscriptions);
    const nodes = model.devices.find(({ inst }) => inst === 'CTRL')?.nodes ?? [];
    this.#switches = nodes.flatMap(({ name, ln }) => {
      const { lnClass, prefix } = ln;
      if (lnClass !== 'XCBR' && lnClass !== 'XSWI') return [];
      const equipment = equipmentOf(`CTRL/${name}`);
      if (equipment === undefined) return [];
      return new SwitchControl(prefix, lnClass, equipment, {
        simulation,
        switchgear,
        clock,
        ied: () => this.ied,
        local: () => this.#local,
        release: () => this.#release(prefix),
      });
    });
    const controls: Record<string, ControlHandler> = {};
    for (const each of this.#switches) Object.assign(controls, each.controls());
    this.ied = new Ied(model, controls, { ...options, onChange: () => this.scan() });
    this.#protection = new Protection(this.ied, {
      clock,
      inputs: this.inputs,
      current: () => flowOf(simulation, bay)?.i ?? 0,
      voltage: () => (simulation.voltage(station.busbar.node) ?? 0) * 1000,
      breaker: this.#switches.find(({ code }) => code === 'Q0')!,
      onStart: (started) => options.wiring.contact(`${bay.code}/start`, started),
      onTrip: () => options.wiring.contact(`${bay.code}/trip`, true),
      keep: options.keep,
    });
  }

  /** What people call it. */
  get label(): string {
    return `Brunnfeld ${this.bay.code} bay unit`;
  }

  /** Looks at everything: what has changed is told, what is beyond its limits starts. */
  scan(): void {
    const { wiring, bay, station, simulation } = this.#options;
    this.ied.put('CTRL/LLN0.Loc', { stVal: bool(this.#local) });
    this.ied.put('CTRL/LLN0.LocKey', { stVal: bool(this.#local) });
    for (const each of this.#switches) each.scan();
    const station8 = this.ied.has('LD0/GGIO1.Ind8');
    (station8 ? STATION_ALARMS : INDICATIONS).forEach((flag, index) => {
      if (flag === undefined) return;
      const name = station8 || flag === 'auxiliary' ? flag : `${bay.code}/${flag}`;
      this.ied.put(`LD0/GGIO1.Ind${index + 1}`, { stVal: bool(wiring.flag(name)) });
    });
    measure(this.ied, simulation, station, bay);
    this.#protection.scan();
  }

  /** What it hears from others has changed. */
  heard(): void {
    for (const each of this.#switches) each.scan();
    this.#protection.scan();
  }

  /** Protection outside of it opens the breaker. */
  trip(): void {
    this.#protection.trip();
  }

  stop(): void {
    this.#protection.stop();
  }

  get #local(): boolean {
    return this.#options.wiring.flag('local');
  }

  #release(code: string) {
    const { bay, simulation, wired } = this.#options;
    const rule = INTERLOCKING[bay.code]?.[code];
    const behind = bay.switches[0]!.terminals[1]!.connectivityNode;
    const voltage = simulation.voltage(behind) ?? 0;
    return (
      rule?.({
        position: (name) => this.#switches.find((each) => each.code === name)?.position ?? 'bad',
        input: (name) => this.inputs.position(name),
        wired,
        dead: voltage < DEAD * bay.nominalVoltage,
      }) ?? { open: true, close: true }
    );
  }
}
