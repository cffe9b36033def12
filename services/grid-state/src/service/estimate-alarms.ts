/** Which alarms an estimate calls for (ISA-18.2): bad data, what cannot be observed, and voltages outside their band. */
import type { GridModel, Mrid, Point } from '@enerchain/model';
import type { BadData, NetworkEstimate } from '../network-estimation/network-estimate.ts';
import type { EstimateState } from '../results/estimate-json.ts';
import type { AlarmCondition } from './alarms.ts';

/** Cycles that something must stand in a row before it is worth an alarm, and be gone before it is taken back. */
const STANDS = 5;
const GONE = 10;
/** At once; what comes on top is counted in the estimate and shown there. */
const MAX_BAD = 20;
/** Band of a busbar without limits of its own: nominal voltage ± 10 % (EN 50160), and how far it must come back. */
const BAND = 0.1;
const BACK = 0.005;
const MAX_LISTED = 5;

interface Standing {
  cycles: number;
  gone: number;
  raised: boolean;
  condition: Omit<AlarmCondition, 'active'>;
}

export class EstimateAlarms {
  readonly #names: ReadonlyMap<Mrid, string>;
  readonly #busbars: readonly { readonly mRID: Mrid; readonly name: string; readonly node: Mrid }[];
  readonly #limited: ReadonlySet<Mrid>;
  readonly #standing = new Map<string, Standing>();
  readonly #outside = new Map<Mrid, 'high' | 'low'>();

  constructor(model: GridModel) {
    this.#names = new Map(
      [...model.connectivityNodes, ...model.equipment].map((each: { mRID: Mrid; name: string }) => [
        each.mRID,
        each.name,
      ]),
    );
    this.#busbars = model.equipment.flatMap(({ class: kind, mRID, name, terminals }) =>
      kind === 'BusbarSection' ? [{ mRID, name, node: terminals[0]!.connectivityNode }] : [],
    );
    this.#limited = new Set(
      (model.operationalLimitSets ?? []).flatMap((set) =>
        set.limits.some((limit) => limit.class === 'VoltageLimit') ? [set.equipment ?? set.terminal ?? ''] : [],
      ),
    );
  }

  /**
   * @param pointOf what is known of a point
   * @returns the conditions that have begun or ended with this estimate
   */
  check({ estimate, implausible }: EstimateState, pointOf: (mRID: Mrid) => Point | undefined): AlarmCondition[] {
    const now = new Map<string, Omit<AlarmCondition, 'active'>>();
    for (const bad of estimate.badData.slice(0, MAX_BAD)) {
      const condition = this.#badData(bad, estimate, pointOf);
      if (condition) now.set(condition.key, condition);
    }
    for (const { point, kind, value } of implausible.slice(0, MAX_BAD)) {
      const key = `grid-state/bad-data/${point}`;
      const reads = `${pointOf(point)?.name ?? point} reads ${value.toFixed(2)} ${UNITS[kind]}`;
      now.set(key, { key, priority: 3, message: `${reads}, which no instrument in order would show.`, ...CHECK });
    }
    if (!estimate.observable) {
      const condition = this.#unobservable(estimate);
      now.set(condition.key, condition);
    }
    for (const violation of estimate.result.violations) {
      if (violation.kind === 'overload') continue;
      const key = `grid-state/voltage/${violation.equipment}/${violation.kind}`;
      now.set(key, {
        key,
        priority: 2,
        message: `${violation.name} is estimated at ${violation.value.toFixed(2)} kV, beyond its limit '${violation.limit}' of ${violation.bound.toFixed(2)} kV.`,
        ...VOLTAGE_ADVICE,
      });
    }
    return [...this.#settle(now), ...this.#bands(estimate)];
  }

  #badData(
    bad: BadData,
    estimate: NetworkEstimate,
    pointOf: (mRID: Mrid) => Point | undefined,
  ): Omit<AlarmCondition, 'active'> | undefined {
    const [first] = bad.points;
    if (first !== undefined) {
      const measured = estimate.measurements.find(({ point }) => point === first);
      const unit = UNITS[measured?.kind ?? 'p'];
      const names = [...bad.points, ...bad.alternatives].map((point) => pointOf(point)?.name ?? point);
      const [name, ...others] = names;
      const or = others.length === 0 ? '' : ` Or else: ${listed(others)}.`;
      return {
        key: `grid-state/bad-data/${first}`,
        priority: 3,
        message: `${name} reads ${measured?.value.toFixed(2) ?? '?'} ${unit}, about ${Math.abs(bad.error).toFixed(2)} ${unit} off from what all other measurements say.${or}`,
        ...CHECK,
      };
    }
    if (!bad.zeroInjection) return undefined;
    const { node, power } = bad.zeroInjection;
    return {
      key: `grid-state/bad-data/${node}/${power}`,
      priority: 3,
      message: `At ${this.#names.get(node) ?? node} ${bad.error.toFixed(2)} ${power === 'p' ? 'MW' : 'Mvar'} seem to be injected where the model has nothing.`,
      consequence: 'The model lacks something, or a switch position is wrong.',
      action: 'Compare the model and the switch positions with what is there.',
    };
  }

  #unobservable(estimate: NetworkEstimate): Omit<AlarmCondition, 'active'> {
    const name = (mRID: Mrid | undefined): string => this.#names.get(mRID ?? '') ?? mRID ?? '?';
    const dark = new Set(estimate.unobservable);
    const busbars = this.#busbars.filter(({ node }) => dark.has(node)).map((busbar) => busbar.name);
    const where = busbars.length > 0 ? listed(busbars) : `${dark.size} nodes`;
    const restore = estimate.restore.map(({ kind, node, equipment }) =>
      kind === 'voltage' ? `voltage at ${name(node)}` : `${kind} of ${name(equipment)}`,
    );
    return {
      key: 'grid-state/unobservable',
      priority: 3,
      message: `The measurements do not determine the state of ${where}.`,
      consequence: 'The power flow from given powers stands in; it knows nothing of errors.',
      action:
        restore.length > 0 ? `Have measured: ${listed(restore)}.` : 'Bring back the measurements that are missing.',
    };
  }

  /** Raises what has stood long enough, and takes back what has been gone long enough. */
  #settle(now: ReadonlyMap<string, Omit<AlarmCondition, 'active'>>): AlarmCondition[] {
    const changed: AlarmCondition[] = [];
    for (const [key, condition] of now) {
      const standing = this.#standing.get(key) ?? { cycles: 0, gone: 0, raised: false, condition };
      standing.cycles += 1;
      standing.gone = 0;
      standing.condition = condition;
      this.#standing.set(key, standing);
      if (standing.cycles < STANDS || standing.raised) continue;
      standing.raised = true;
      changed.push({ ...condition, active: true });
    }
    for (const [key, standing] of this.#standing) {
      if (now.has(key)) continue;
      standing.cycles = 0;
      standing.gone += 1;
      if (standing.raised && standing.gone < GONE) continue;
      this.#standing.delete(key);
      if (!standing.raised) continue;
      const { priority } = standing.condition;
      changed.push({ key, priority, message: 'It is no longer so.', active: false });
    }
    return changed;
  }

  #bands({ result }: NetworkEstimate): AlarmCondition[] {
    const changed: AlarmCondition[] = [];
    for (const { mRID, name, node } of this.#busbars) {
      if (this.#limited.has(mRID)) continue;
      const bus = result.buses[result.busOfNode.get(node) ?? -1];
      if (!bus || bus.voltage === null) continue;
      const deviation = bus.voltage / bus.nominalVoltage - 1;
      const stood = this.#outside.get(mRID);
      const limit = stood ? BAND - BACK : BAND;
      const stands = Math.abs(deviation) > limit ? (deviation > 0 ? 'high' : 'low') : undefined;
      if (stands === stood) continue;
      const key = (side: string): string => `grid-state/voltage/${mRID}/${side}`;
      const is = `${name} is estimated at ${bus.voltage.toFixed(2)} kV`;
      if (stood) {
        this.#outside.delete(mRID);
        changed.push({ key: key(stood), priority: 2, message: `${is}.`, active: false });
      }
      if (stands) {
        this.#outside.set(mRID, stands);
        const band = `${(100 * BAND).toFixed(0)} % around ${bus.nominalVoltage} kV`;
        changed.push({
          key: key(stands),
          priority: 2,
          message: `${is}, outside ${band}.`,
          active: true,
          ...VOLTAGE_ADVICE,
        });
      }
    }
    return changed;
  }
}

const UNITS = { voltage: 'kV', angle: '°', p: 'MW', q: 'Mvar', current: 'A' } as const;
const CHECK = {
  consequence: 'The value is left out of the estimate; whoever looks at it alone is misled.',
  action: 'Check the instrument, its scaling and its wiring.',
} as const;
const VOLTAGE_ADVICE = {
  consequence: 'Customers may be outside EN 50160; equipment may be damaged or trip.',
  action: 'Move the tap changer, or look upstream.',
} as const;

const listed = (list: readonly string[]): string =>
  `${list.slice(0, MAX_LISTED).join(', ')}${list.length > MAX_LISTED ? ` and ${list.length - MAX_LISTED} more` : ''}`;
