/**
 * Carries commands out as a bay controller does: refuses what cannot be, moves what can, and says when the movement is
 * over. Knows the grid, but nothing of the protocol.
 */
import type { Mrid } from '@enerchain/model';
import type { LabStation } from '../grid/lab-grid.ts';
import type { GridSimulation } from '../simulation/simulation.ts';
import type { Switchgear } from '../simulation/switchgear.ts';
import type { ControlPoint } from './point-list.ts';

export interface ControlsHost {
  readonly simulation: GridSimulation;
  readonly switchgear: Switchgear;
  /** Something in the grid is different now. */
  changed(): void;
  isLocal(): boolean;
}

export type ControlVerdict =
  | { readonly ok: true; readonly done?: Promise<void> }
  | { readonly ok: false; readonly reason: string };

const refuse = (reason: string): ControlVerdict => ({ ok: false, reason });
const DONE: ControlVerdict = { ok: true };

export class Controls {
  readonly #host: ControlsHost;
  readonly #station: LabStation;
  constructor(station: LabStation, host: ControlsHost) {
    this.#station = station;
    this.#host = host;
  }

  /** Whether the command could be carried out now; `execute` does it. @param value as in the command */
  operate(control: ControlPoint, value: number, execute: boolean): ControlVerdict {
    const { simulation, switchgear } = this.#host;
    if (this.#host.isLocal()) return refuse('the station is in local control');
    const { action } = control;
    switch (action.do) {
      case 'switch':
        if (value !== 1 && value !== 2) return refuse(`${value} is neither 1 (open) nor 2 (close)`);
        if (switchgear.isMoving(action.switch)) return refuse('the switch is moving');
        return execute ? this.moveSwitch(action.switch, value === 2) : DONE;
      case 'tap': {
        if (value !== 1 && value !== 2) return refuse(`${value} is neither 1 (lower) nor 2 (higher)`);
        if (switchgear.isMoving(action.transformer)) return refuse('the tap changer is moving');
        const transformer = this.#station.bays.find((bay) => bay.transformer?.mRID === action.transformer)?.transformer;
        if (!transformer) return refuse('there is no such transformer');
        const direction = value === 2 ? 'higher' : 'lower';
        if (!simulation.canMoveTap(transformer, direction)) return refuse('the tap changer is at its end');
        if (!execute) return DONE;
        // Who steps by hand does not want the regulator to step back.
        simulation.setRegulated(action.transformer, false);
        this.#host.changed();
        return { ok: true, done: switchgear.moveTap(transformer, direction, this) };
      }
      case 'regulate':
        if (execute) {
          simulation.setRegulated(action.transformer, value === 1);
          this.#host.changed();
        }
        return DONE;
      case 'setPoint':
        if (!Number.isFinite(value)) return refuse('the set-point is no number');
        // A short float does not hit a decimal bound exactly.
        if (value < (control.minimum ?? -1e9) - 1e-6 || value > (control.maximum ?? 1e9) + 1e-6) {
          return refuse(`${value} MW is outside ${control.minimum} to ${control.maximum} MW`);
        }
        if (execute) {
          simulation.setSetPoint(action.converter, value);
          this.#host.changed();
        }
        return DONE;
      default:
        return action satisfies never;
    }
  }

  /** Moves a switch, by command or by protection. */
  moveSwitch(mRID: Mrid, closed: boolean): ControlVerdict {
    if (this.#host.simulation.isClosed(mRID) === closed) return DONE;
    return { ok: true, done: this.#host.switchgear.move(mRID, closed, this) };
  }
}
