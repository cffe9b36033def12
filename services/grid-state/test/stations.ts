/** Grids of substations as large as one likes, node by node. */
import type { ConductingEquipment, GridModel } from '@enerchain/model';
import { breaker, line, load, model, source } from './model-grid.ts';

/**
 * Stations in a ring, each with two busbars, a coupler, and bays that can lie on either.
 * @param across further lines, from station to station @param sources stations with an infeed
 */
export function stations(
  count: number,
  across: readonly (readonly [number, number])[],
  sources: readonly number[],
): GridModel {
  const nodes: Record<string, number> = {};
  const list: ConductingEquipment[] = [];
  const bay = (name: string, station: number): string => {
    nodes[`${name}.l`] = 110;
    nodes[`${name}.b`] = 110;
    list.push(
      breaker(`${name}.1`, `${station}.A`, `${name}.b`),
      breaker(`${name}.2`, `${station}.B`, `${name}.b`, true),
      breaker(`${name}.q`, `${name}.b`, `${name}.l`),
    );
    return `${name}.l`;
  };
  for (let s = 0; s < count; s++) {
    nodes[`${s}.A`] = 110;
    nodes[`${s}.B`] = 110;
    list.push(breaker(`${s}.k`, `${s}.A`, `${s}.B`, s % 2 === 0));
    list.push(load(`${s}.load`, bay(`${s}.z`, s), 1, 0.3));
  }
  const pairs = [...Array.from({ length: count }, (_, s) => [s, (s + 1) % count] as const), ...across];
  pairs.forEach(([a, b], k) => {
    if (a === b) return;
    list.push(line(`L${k}`, bay(`L${k}a`, a), bay(`L${k}b`, b), 0.5, 2, 1e-5));
  });
  for (const s of sources) list.push(source(`${s}.A`, 112, `source ${s}`));
  return model(nodes, list);
}
