/** Regulating controls, and what they say to those who take part in them. */
import { type Mrid, REGULATION_MODES, type RegulatingControl } from '@enerchain/model';
import type { Nodes } from './nodes.ts';
import type { Solution } from './solution.ts';
import type { CimSource } from './source.ts';

const MODES: readonly string[] = REGULATION_MODES;

/** Power of ten of the unit in which the grid model has the quantity: kV, MW, Mvar, A. */
const OWN_POWER: Partial<Record<RegulatingControl['mode'], number>> = {
  voltage: 3,
  reactivePower: 6,
  activePower: 6,
  currentFlow: 0,
};
const POWERS: Readonly<Record<string, number>> = { none: 0, k: 3, M: 6, G: 9, m: -3, micro: -6 };

export class Controls {
  readonly list: RegulatingControl[] = [];
  readonly #source: CimSource;
  readonly #byObject = new Map<number, RegulatingControl>();

  constructor(source: CimSource, nodes: Nodes) {
    this.#source = source;
    const { store } = source;
    for (const name of ['RegulatingControl', 'TapChangerControl'] as const) {
      for (const object of store.ofClass(name)) {
        const control = this.#control(object, name, nodes);
        if (typeof control === 'string') {
          source.assume(object, `${control}; what takes part in it holds nothing`);
          continue;
        }
        this.list.push(control);
        this.#byObject.set(object, control);
      }
    }
  }

  /** @returns the control that equipment takes part in, and whether it does so now */
  of(object: number, kind: 'RegulatingCondEq' | 'TapChanger'): { regulatingControl?: Mrid; controlEnabled?: boolean } {
    const { store } = this.#source;
    const property = kind === 'TapChanger' ? 'TapChanger.TapChangerControl' : 'RegulatingCondEq.RegulatingControl';
    const owner = store.reference(object, property);
    const control = owner === undefined ? undefined : this.#byObject.get(owner);
    if (!control) return {};
    return {
      regulatingControl: control.mRID,
      controlEnabled: store.boolean(object, `${kind}.controlEnabled`) ?? false,
    };
  }

  get(mRID: Mrid | undefined): RegulatingControl | undefined {
    return mRID === undefined ? undefined : this.list.find((control) => control.mRID === mRID);
  }

  /**
   * A control that acts in steps leaves a voltage within its deadband alone: where the solution has one there, that is what
   * is held.
   */
  settle({ voltages }: Solution, nodeOf: ReadonlyMap<Mrid, Mrid>): void {
    for (const [object, control] of this.#byObject) {
      const { mode, discrete, targetDeadband = 0, targetValue } = control;
      const solved = voltages.get(nodeOf.get(control.terminal) ?? '')?.v;
      if (mode !== 'voltage' || !discrete || solved === undefined || solved === targetValue) continue;
      if (Math.abs(solved - targetValue) > targetDeadband / 2) continue;
      const at = this.list.indexOf(control);
      if (at >= 0) this.list[at] = { ...control, targetValue: solved };
      this.#source.find('note', 'grid.assumed', object, `${solved} kV is within its deadband and is what is held`);
    }
  }

  /** Takes out the controls of terminals that are not in the grid. @returns mRIDs that are gone */
  prune(): ReadonlySet<Mrid> {
    const gone = new Set<Mrid>();
    for (const [object, { mRID }] of this.#byObject) {
      if (this.#source.keeps(this.#source.store.reference(object, 'RegulatingControl.Terminal'))) continue;
      gone.add(mRID);
      this.#source.assume(object, 'its terminal is not in the grid; what takes part in it holds nothing');
    }
    if (gone.size > 0) this.list.splice(0, this.list.length, ...this.list.filter(({ mRID }) => !gone.has(mRID)));
    return gone;
  }

  #control(object: number, name: 'RegulatingControl' | 'TapChangerControl', nodes: Nodes): RegulatingControl | string {
    const source = this.#source;
    const { store } = source;
    const mode = source.kind(object, 'RegulatingControl.mode');
    if (mode === undefined || !MODES.includes(mode)) return `its mode is ${mode ?? 'missing'}`;
    const own = mode as RegulatingControl['mode'];
    const terminal = store.reference(object, 'RegulatingControl.Terminal');
    if (terminal === undefined || nodes.at(terminal) === undefined) return 'the terminal it looks at has no node';
    const target = store.number(object, 'RegulatingControl.targetValue');
    if (target === undefined) return 'it has no target';
    const multiplier = source.kind(object, 'RegulatingControl.targetValueUnitMultiplier');
    const given = multiplier === undefined ? undefined : POWERS[multiplier];
    const ours = OWN_POWER[own] ?? 0;
    const factor = given === undefined ? 1 : 10 ** (given - ours);
    const deadband = store.number(object, 'RegulatingControl.targetDeadband');
    if (!Number.isFinite(target * factor) || !Number.isFinite((deadband ?? 0) * factor)) {
      return 'its target is beyond all bounds';
    }
    return {
      class: name,
      ...source.head(object),
      mode: own,
      terminal: source.mrid(terminal),
      enabled: store.boolean(object, 'RegulatingControl.enabled') ?? false,
      discrete: store.boolean(object, 'RegulatingControl.discrete') ?? false,
      targetValue: scaled(target, factor),
      ...(deadband === undefined || deadband < 0 ? {} : { targetDeadband: scaled(deadband, factor) }),
    };
  }
}

/** Without the last digits that a power of ten adds. */
const scaled = (value: number, factor: number): number =>
  factor === 1 ? value : Number((value * factor).toPrecision(12));
