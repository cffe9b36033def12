/** An outage in a sentence. Pure. */
import type { ContingencyJson, ContingencyLimitJson } from '../../api/grid-state.ts';
import { fixed } from '../../format/number.ts';

export interface Worst {
  readonly text: string;
  /** Value over its limit; undefined for what has none. */
  readonly share: number | undefined;
}

/** The gravest thing that an outage does. */
export function worstOf({ converged, limits, islanded }: ContingencyJson): Worst {
  if (!converged) return { text: 'the power flow finds no solution', share: undefined };
  const [worst] = [...limits].sort((a, b) => excess(b) - excess(a));
  if (worst) return { text: sentence(worst), share: worst.kind === 'overload' ? shareOf(worst) : undefined };
  const lost = islanded?.loadLostMW ?? 0;
  return { text: lost > 0 ? 'load without supply' : 'nothing beyond its limits', share: undefined };
}

const shareOf = ({ value, limit, loading }: ContingencyLimitJson): number =>
  typeof loading === 'number' ? loading / 100 : limit > 0 ? value / limit : 0;
/** How far beyond its limit, as a share of it. */
const excess = (of: ContingencyLimitJson): number =>
  of.kind === 'overload' ? shareOf(of) - 1 : of.limit > 0 ? Math.abs(of.value - of.limit) / of.limit : 0;

function sentence(of: ContingencyLimitJson): string {
  const { kind, name, value, limit } = of;
  if (kind === 'overload') return `${name} at ${fixed(100 * shareOf(of), 0)} % of its limit`;
  return `${name} at ${fixed(value, 2)} kV, ${kind === 'voltageLow' ? 'below' : 'above'} ${fixed(limit, 2)} kV`;
}
