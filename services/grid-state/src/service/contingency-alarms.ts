/**
 * Alarms for outages that would break limits: one per outage, the gravest ones only, and one for all the others together, so
 * that a strained grid does not bury the operator. Each is raised once and taken back once.
 */
import type { BrokenLimit } from '../contingency/report.ts';
import type { NetworkContingencies, NetworkOutageReport } from '../network-contingencies.ts';
import type { AlarmCondition } from './alarms.ts';

/** Outages with an alarm of their own. */
const MOST = 10;
/** Severity (% beyond a limit) from which an outage is worth an alarm; it is taken back when nothing is broken any more. */
const WORTH = 1;
const PREFIX = 'grid-state/contingency';

export class ContingencyAlarms {
  /** Outages whose alarm stands, and the name that it has. */
  readonly #standing = new Map<string, string>();
  #others = false;

  /** @returns the conditions that have begun or ended with this analysis */
  check({ violations }: NetworkContingencies): AlarmCondition[] {
    const broken = new Map(violations.map((report) => [report.outage.equipment, report]));
    const changed: AlarmCondition[] = [];
    for (const [equipment, name] of this.#standing) {
      if (broken.has(equipment)) continue;
      this.#standing.delete(equipment);
      changed.push({ key: `${PREFIX}/${equipment}`, priority: 3, message: `${name} may fail again.`, active: false });
    }
    const worth = violations.filter(({ severity }) => severity === null || severity >= WORTH);
    for (const report of worth) {
      const { equipment, name } = report.outage;
      if (this.#standing.has(equipment) || this.#standing.size >= MOST) continue;
      this.#standing.set(equipment, name);
      changed.push({ key: `${PREFIX}/${equipment}`, ...raised(report) });
    }
    const others = worth.filter(({ outage }) => !this.#standing.has(outage.equipment)).length;
    if (others > 0 === this.#others) return changed;
    this.#others = others > 0;
    changed.push(
      this.#others
        ? {
            key: `${PREFIX}/others`,
            priority: 3,
            message: `${others} more single outages would break limits.`,
            active: true,
            consequence: 'The grid does not bear the loss of a single piece of equipment at many places.',
            action: 'See the table of contingencies.',
          }
        : { key: `${PREFIX}/others`, priority: 3, message: 'No other outage would break limits.', active: false },
    );
    return changed;
  }
}

function raised({
  outage: { name },
  converged,
  limits,
  more,
  islanded,
}: NetworkOutageReport): Omit<AlarmCondition, 'key'> {
  const lost = islanded && islanded.loadLostMW > 0 ? ` ${islanded.loadLostMW.toFixed(1)} MW would have no supply.` : '';
  if (!converged) {
    return {
      priority: 2,
      message: `If ${name} fails, the power flow has no solution.${lost}`,
      active: true,
      consequence: 'The voltage may collapse.',
      action: 'Relieve the area around it before it fails.',
    };
  }
  const [worst] = limits;
  const rest = limits.length - 1 + more;
  const others = rest > 0 ? `, and ${rest} more ${rest === 1 ? 'limit is' : 'limits are'} broken` : '';
  return {
    priority: 3,
    message: `If ${name} fails, ${worst ? phrase(worst) : 'a limit is broken'}${others}.${lost}`,
    active: true,
    consequence: 'One more fault is not borne.',
    action: 'Move load, change the topology, or accept the risk knowingly.',
  };
}

function phrase({ name, kind, value, limit, loading }: BrokenLimit): string {
  if (kind === 'overload') return `${name} is loaded with ${loading.toFixed(0)} % of what it may carry`;
  const way = kind === 'voltageHigh' ? 'rises to' : 'falls to';
  return `the voltage at ${name} ${way} ${value.toFixed(1)} kV (limit ${limit.toFixed(1)} kV)`;
}
