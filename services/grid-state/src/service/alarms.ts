/** Which alarms a solution calls for (ISA-18.2): each with a stable key, raised once and taken back once. */
import type { Mrid } from '@enerchain/model';
import type { PowerFlowResult } from '../power-flow.ts';

export interface AlarmCondition {
  readonly key: string;
  readonly priority: 1 | 2 | 3 | 4;
  readonly message: string;
  readonly active: boolean;
  readonly consequence?: string;
  readonly action?: string;
}

/** % at which a branch is overloaded, and below which it no longer is. */
const OVERLOAD = 100;
const RELIEVED = 97;
/** Solutions that must fail in a row before it is worth an alarm. */
const FAILURES = 3;

export class SolutionAlarms {
  readonly #overloaded = new Set<Mrid>();
  #failures = 0;
  #notConverged = false;

  /** @returns the conditions that have begun or ended with this solution */
  check(result: PowerFlowResult): AlarmCondition[] {
    const changed: AlarmCondition[] = [];
    this.#failures = result.converged ? 0 : this.#failures + 1;
    if (this.#failures >= FAILURES && !this.#notConverged) {
      this.#notConverged = true;
      const failed = result.islands.find((island) => !island.converged);
      const worst = failed?.largestMismatches[0];
      const where = worst
        ? ` Largest mismatch ${worst.p.toFixed(2)} MW, ${worst.q.toFixed(2)} Mvar at node ${worst.node}.`
        : '';
      changed.push({
        key: 'grid-state/not-converged',
        priority: 2,
        message: `The power flow has no solution: ${failed?.failure ?? 'unknown reason'}.${where}`,
        active: true,
        consequence: 'Calculated voltages and loadings are missing.',
        action: 'Check the measurements and switch positions around the place named.',
      });
    } else if (this.#failures === 0 && this.#notConverged) {
      this.#notConverged = false;
      changed.push({
        key: 'grid-state/not-converged',
        priority: 2,
        message: 'The power flow has a solution again.',
        active: false,
      });
    }
    for (const { equipment, name, loading } of result.branches) {
      if (loading === null) continue;
      const stands = this.#overloaded.has(equipment);
      if (stands ? loading >= RELIEVED : loading <= OVERLOAD) continue;
      if (stands) this.#overloaded.delete(equipment);
      else this.#overloaded.add(equipment);
      changed.push({
        key: `grid-state/overload/${equipment}`,
        priority: 2,
        message: `${name} is calculated to be loaded with ${loading.toFixed(0)} % of what it may carry.`,
        active: !stands,
        ...(stands
          ? {}
          : {
              consequence: 'It grows hotter than it may; protection may trip.',
              action: 'Move load to a neighbouring feeder or curtail.',
            }),
      });
    }
    return changed;
  }
}
