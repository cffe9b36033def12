/** A switch of a bay as its unit has it: position and counters (XCBR, XSWI), its control (CSWI), its interlocking (CILO). */
import type { AddCause, ControlHandler, ControlRequest } from '@enerchain/iec61850';
import type { Mrid } from '@enerchain/model';
import type { Clock } from '@enerchain/transport';
import type { GridSimulation } from '../simulation/simulation.ts';
import type { Switchgear } from '../simulation/switchgear.ts';
import type { Ied } from './ied.ts';
import type { Release } from './interlocking.ts';
import { bool, type Position, position, whole } from './values.ts';

/** A breaker that can open, close and open again (CBOperatingCapabilityKind). */
const OPEN_CLOSE_OPEN = 4;
/** Categories of those who stand in front of the device. */
const ON_SITE: ReadonlySet<string> = new Set(['bay-control', 'maintenance', 'process', 'automatic-bay']);
/** How long OpOpn and OpCls stand, ms. */
const PULSE = 100;

export interface SwitchPorts {
  readonly simulation: GridSimulation;
  readonly switchgear: Switchgear;
  readonly clock: Clock;
  readonly ied: () => Ied;
  readonly local: () => boolean;
  readonly release: () => Release;
}

export class SwitchControl {
  /** `Q0`. */
  readonly code: string;
  readonly equipment: Mrid;
  /** `CTRL/Q0XCBR1`. */
  readonly #apparatus: string;
  readonly #ports: SwitchPorts;
  /** BlkOpn, BlkCls. */
  readonly #blocks = new Map<string, boolean>();
  #operations = 0;
  /** OpOpn or OpCls stands. */
  #pulsing = false;
  #last: boolean;
  /** Protection has opened it while it was being commanded. */
  #tripped = false;

  constructor(code: string, kind: 'XCBR' | 'XSWI', equipment: Mrid, ports: SwitchPorts) {
    this.code = code;
    this.equipment = equipment;
    this.#apparatus = `CTRL/${code}${kind}1`;
    this.#ports = ports;
    this.#last = ports.simulation.isClosed(equipment);
  }

  get position(): Position {
    const { simulation, switchgear } = this.#ports;
    if (switchgear.isMoving(this.equipment)) return 'intermediate';
    return simulation.isClosed(this.equipment) ? 'on' : 'off';
  }

  scan(): void {
    const { ied: of, local } = this.#ports;
    const ied = of();
    const now = this.position;
    if (now !== 'intermediate' && this.#last !== (now === 'on')) {
      this.#last = now === 'on';
      this.#operations++;
    }
    const stVal = position(now);
    const control = `CTRL/${this.code}CSWI1`;
    ied.put(`${this.#apparatus}.Pos`, { stVal });
    ied.put(`${control}.Pos`, { stVal });
    ied.put(`${this.#apparatus}.OpCnt`, { stVal: whole(this.#operations) });
    if (ied.has(`${this.#apparatus}.CBOpCap`)) ied.put(`${this.#apparatus}.CBOpCap`, { stVal: whole(OPEN_CLOSE_OPEN) });
    for (const node of [this.#apparatus, control])
      for (const name of ['Loc', 'LocKey']) ied.put(`${node}.${name}`, { stVal: bool(local()) });
    for (const name of ['BlkOpn', 'BlkCls']) ied.put(`${this.#apparatus}.${name}`, { stVal: this.#blocked(name) });
    for (const name of ['OpOpn', 'OpCls']) if (!this.#pulsing) ied.put(`${control}.${name}`, { general: bool(false) });
    const { open, close } = this.#ports.release();
    ied.put(`CTRL/${this.code}CILO1.EnaOpn`, { stVal: bool(open) });
    ied.put(`CTRL/${this.code}CILO1.EnaCls`, { stVal: bool(close) });
  }

  /** By protection: not asked whether it may. */
  trip(): void {
    this.#tripped = true;
    void this.#ports.switchgear.move(this.equipment, false, this);
  }

  /** Handlers of its controllable objects. */
  controls(): Record<string, ControlHandler> {
    return {
      [`CTRL/${this.code}CSWI1.Pos`]: {
        check: (request) => this.#objection(request),
        operate: (request) => this.#operate(request),
      },
      [`${this.#apparatus}.BlkOpn`]: this.#blocking('BlkOpn'),
      [`${this.#apparatus}.BlkCls`]: this.#blocking('BlkCls'),
    };
  }

  #blocked(name: string) {
    return bool(this.#blocks.get(name) ?? false);
  }

  #blocking(name: string): ControlHandler {
    return {
      check: (request) => this.#authority(request),
      operate: ({ ctlVal }) => {
        this.#blocks.set(name, ctlVal.value === true);
        this.scan();
        return undefined;
      },
    };
  }

  /** Mode and authority, as for every command to the bay. */
  #authority({ test, origin }: ControlRequest): AddCause | undefined {
    const behaviour = this.#ports.ied().behaviour('CTRL');
    // IEC 61850-7-4 Annex A: a device in test takes test commands only, one that is not takes none of them.
    if (behaviour === 'off' || behaviour.startsWith('test') !== test) return 'blocked-by-mode';
    if (this.#ports.local() && !ON_SITE.has(origin.category)) return 'blocked-by-switching-hierarchy';
    return undefined;
  }

  #objection(request: ControlRequest): AddCause | undefined {
    const refused = this.#authority(request);
    if (refused) return refused;
    const close = request.ctlVal.value === true;
    const now = this.position;
    if (now === 'intermediate') return 'command-already-in-execution';
    if (now === (close ? 'on' : 'off')) return 'position-reached';
    if (this.#blocks.get(close ? 'BlkCls' : 'BlkOpn')) return 'blocked-by-process';
    const { open: mayOpen, close: mayClose } = this.#ports.release();
    if (request.interlockCheck && !(close ? mayClose : mayOpen)) return 'blocked-by-interlocking';
    return undefined;
  }

  async #operate(request: ControlRequest): Promise<AddCause | undefined> {
    const { switchgear, clock, ied: of } = this.#ports;
    const close = request.ctlVal.value === true;
    const behaviour = of().behaviour('CTRL');
    this.#tripped = false;
    this.#pulse(close ? 'OpCls' : 'OpOpn');
    // Blocked: everything is done but what the process would feel.
    if (behaviour.endsWith('blocked')) return undefined;
    await switchgear.move(this.equipment, close, this);
    if (this.position === (close ? 'on' : 'off')) return undefined;
    if (this.#tripped) return 'abortion-by-trip';
    await new Promise<void>((wake) => void clock.schedule(PULSE, wake));
    return this.position === (close ? 'on' : 'off') ? undefined : 'time-limit-over';
  }

  #pulse(name: 'OpOpn' | 'OpCls'): void {
    const object = `CTRL/${this.code}CSWI1.${name}`;
    this.#pulsing = true;
    this.#ports.ied().put(object, { general: bool(true) });
    this.#ports.clock.schedule(PULSE, () => {
      this.#pulsing = false;
      this.#ports.ied().put(object, { general: bool(false) });
    });
  }
}
