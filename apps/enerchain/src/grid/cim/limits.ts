/** Operational limits, and the permanent current of each equipment among them. */
import { OPERATIONAL_LIMIT_CLASSES, OPERATIONAL_LIMIT_KINDS, type OperationalLimitSet } from '@enerchain/model';
import type { CimSource } from './source.ts';

type Limit = OperationalLimitSet['limits'][number];

const KINDS: readonly string[] = OPERATIONAL_LIMIT_KINDS;

export class Limits {
  readonly #source: CimSource;
  readonly #sets = new Map<number, Limit[]>();
  readonly #ratedCurrent = new Map<number, number>();

  constructor(source: CimSource) {
    this.#source = source;
    const { store } = source;
    for (const name of OPERATIONAL_LIMIT_CLASSES) {
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
  sets(): OperationalLimitSet[] {
    const source = this.#source;
    const found: OperationalLimitSet[] = [];
    for (const [object, limits] of this.#sets) {
      const terminal = source.store.reference(object, 'OperationalLimitSet.Terminal');
      const equipment = source.store.reference(object, 'OperationalLimitSet.Equipment');
      if (!source.keeps(terminal ?? equipment)) continue;
      found.push({
        ...source.head(object),
        ...(terminal === undefined ? {} : { terminal: source.mrid(terminal) }),
        ...(equipment !== undefined && source.keeps(equipment) ? { equipment: source.mrid(equipment) } : {}),
        limits,
      });
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
