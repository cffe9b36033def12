/** Operational limits, and the permanent current of each equipment among them. */
import type { Mrid, OperationalLimitSet } from '@enerchain/model';
import type { CimSource } from './source.ts';

type Limit = OperationalLimitSet['limits'][number];

const CLASSES: readonly Limit['class'][] = ['CurrentLimit', 'ApparentPowerLimit', 'ActivePowerLimit', 'VoltageLimit'];
const KINDS: readonly string[] = [
  'patl',
  'patlt',
  'tatl',
  'tc',
  'tct',
  'highVoltage',
  'lowVoltage',
  'operationalVoltageLimit',
  'alarmVoltage',
  'warningVoltage',
  'stability',
] satisfies Limit['kind'][];

export class Limits {
  readonly #source: CimSource;
  readonly #sets = new Map<number, Limit[]>();
  readonly #ratedCurrent = new Map<number, number>();

  constructor(source: CimSource) {
    this.#source = source;
    const { store } = source;
    for (const name of CLASSES) {
      for (const object of store.ofClass(name)) {
        const set = store.reference(object, 'OperationalLimit.OperationalLimitSet');
        const limit = this.#limit(object, name);
        if (set === undefined || !limit) continue;
        const list = this.#sets.get(set);
        if (list) list.push(limit);
        else this.#sets.set(set, [limit]);
        if (name !== 'CurrentLimit' || limit.kind !== 'patl' || limit.direction === 'low' || limit.value <= 0) continue;
        const equipment = this.#equipment(set);
        if (equipment === undefined) continue;
        this.#ratedCurrent.set(equipment, Math.min(limit.value, this.#ratedCurrent.get(equipment) ?? limit.value));
      }
    }
  }

  /** A: the smallest permanent limit of the equipment, at either end. */
  ratedCurrent(equipment: number): { ratedCurrent?: number } {
    const ratedCurrent = this.#ratedCurrent.get(equipment);
    return ratedCurrent === undefined ? {} : { ratedCurrent };
  }

  /** Sets of what is in the grid. */
  sets(terminals: ReadonlySet<Mrid>, equipment: ReadonlySet<Mrid>): OperationalLimitSet[] {
    const source = this.#source;
    const found: OperationalLimitSet[] = [];
    for (const [object, limits] of this.#sets) {
      const terminal = source.store.reference(object, 'OperationalLimitSet.Terminal');
      const owner = source.store.reference(object, 'OperationalLimitSet.Equipment');
      const at = terminal === undefined ? undefined : source.mrid(terminal);
      const of = owner === undefined ? undefined : source.mrid(owner);
      const own = at !== undefined && terminals.has(at) ? { terminal: at } : {};
      const whole = of !== undefined && equipment.has(of) ? { equipment: of } : {};
      if (at === undefined ? of === undefined || !equipment.has(of) : !terminals.has(at)) continue;
      found.push({ ...source.head(object), ...own, ...whole, limits });
    }
    return found;
  }

  #equipment(set: number): number | undefined {
    const { store } = this.#source;
    const terminal = store.reference(set, 'OperationalLimitSet.Terminal');
    return (
      store.reference(set, 'OperationalLimitSet.Equipment') ??
      (terminal === undefined ? undefined : store.reference(terminal, 'Terminal.ConductingEquipment'))
    );
  }

  #limit(object: number, name: Limit['class']): Limit | undefined {
    const source = this.#source;
    const { store } = source;
    const value = store.number(object, `${name}.value`) ?? store.number(object, `${name}.normalValue`);
    const type = store.reference(object, 'OperationalLimit.OperationalLimitType');
    if (value === undefined || type === undefined) return undefined;
    const kind =
      source.kind(type, 'OperationalLimitType.kind') ?? source.kind(type, 'OperationalLimitType.limitType') ?? '';
    if (!KINDS.includes(kind)) {
      source.assume(object, `it is not taken over: the kind of limit is ${kind || 'missing'}`);
      return undefined;
    }
    const direction = source.kind(type, 'OperationalLimitType.direction');
    const duration = store.number(type, 'OperationalLimitType.acceptableDuration');
    const forGood = store.boolean(type, 'OperationalLimitType.isInfiniteDuration') ?? kind === 'patl';
    return {
      ...source.head(object),
      class: name,
      kind: kind as Limit['kind'],
      direction: direction === 'high' || direction === 'low' ? direction : 'absoluteValue',
      value,
      ...(duration === undefined || duration < 0 || forGood ? {} : { acceptableDuration: duration }),
    };
  }
}
