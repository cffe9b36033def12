/** A chunk of outages; runs in a thread or beside its caller, see `batch/pool.ts`. */
import { ContingencyAnalysis } from './analysis.ts';
import type { ContingencyChunk, ContingencyPart, ContingencySetup } from './run.ts';

export function open({ input, options }: ContingencySetup): (chunk: ContingencyChunk) => ContingencyPart {
  const analysis = new ContingencyAnalysis(input, options);
  return ({ first, outages }) => {
    analysis.forgetWorst();
    const results = outages.map((outage, i) => analysis.analyse(outage, first + i));
    const { before, worst, worstOutage } = analysis.loadings;
    // Columns of its own: they may be handed over to another thread.
    return { results, before: before.slice(), worst, worstOutage: worstOutage.slice() };
  };
}
