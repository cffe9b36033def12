/** What came out of a trial, by node, terminal and equipment, each value beside the one that is live. Pure. */
import type { FlowJson, WhatIfJson } from '../api/grid-state.ts';
import type { GridModel } from '../api/types.ts';

/** A value of the trial and the live one; null where there is none. */
export interface Pair {
  readonly tried: number | null;
  readonly live: number | null;
}
export interface FlowPair {
  readonly tried: FlowJson | null;
  readonly live: FlowJson | null;
}

export class Outcome {
  readonly answer: WhatIfJson;
  /** kV by connectivity node. */
  readonly #voltages = new Map<string, Pair>();
  /** By terminal, and by equipment as seen from its first terminal. */
  readonly #flows = new Map<string, FlowPair>();
  /** % by equipment. */
  readonly #loadings = new Map<string, Pair>();

  constructor(answer: WhatIfJson, model: GridModel) {
    this.answer = answer;
    for (const { nodes, voltage, live } of answer.buses)
      for (const node of nodes) this.#voltages.set(node, { tried: voltage, live: live?.voltage ?? null });
    const terminals = new Map(model.equipment.map((each) => [each.mRID, each.terminals]));
    for (const { equipment, loading, from, to, live } of answer.branches) {
      this.#loadings.set(equipment, { tried: loading, live: live?.loading ?? null });
      const [first, second] = terminals.get(equipment) ?? [];
      const near = { tried: from, live: live?.from ?? null };
      this.#flows.set(equipment, near);
      if (first) this.#flows.set(first.mRID, near);
      if (second) this.#flows.set(second.mRID, { tried: to, live: live?.to ?? null });
    }
  }

  voltage(node: string): Pair | undefined {
    return this.#voltages.get(node);
  }

  flow(terminalOrEquipment: string): FlowPair | undefined {
    return this.#flows.get(terminalOrEquipment);
  }

  loading(equipment: string): Pair | undefined {
    return this.#loadings.get(equipment);
  }
}

export interface Finding {
  readonly equipment: string;
  readonly name: string;
  readonly text: string;
  readonly tone: 'p1-text' | 'p2-text' | 'dim';
}

/** % of nominal voltage within which it should be (EN 50160), and % of the rating that is the most. */
const BAND = 10;
const FULL = 100;

/** What the trial would break or leave dark, the gravest first, and what it would heal. */
export function findingsOf({ answer }: Outcome, names: ReadonlyMap<string, string>): Finding[] {
  const findings: (Finding & { rank: number })[] = [];
  const add = (rank: number, equipment: string, name: string, text: string, tone: Finding['tone']) =>
    findings.push({ rank, equipment, name, text, tone });
  for (const { failure, energised, converged } of answer.islands) {
    if (energised && !converged)
      add(-1e6, '', 'No solution', failure ?? 'the power flow found none in an island', 'p1-text');
  }
  for (const { equipment, name, loading, live } of answer.branches) {
    const before = live?.loading ?? null;
    if (loading !== null && loading > FULL) {
      add(-loading, equipment, name, `loading ${loading.toFixed(0)} %${was(before, '%', 0)}`, 'p2-text');
    } else if (before !== null && before > FULL && loading !== null) {
      add(500, equipment, name, `no longer overloaded: ${loading.toFixed(0)} %${was(before, '%', 0)}`, 'dim');
    }
  }
  for (const { nodes, nominalVoltage, voltage, live } of answer.buses) {
    const node = nodes.find((each) => names.has(each));
    if (node === undefined) continue;
    const name = names.get(node)!;
    const before = live?.voltage ?? null;
    if (voltage === null && before !== null) add(-300, node, name, 'without voltage', 'p2-text');
    else if (voltage !== null && before === null)
      add(400, node, name, `has voltage again: ${voltage.toFixed(2)} kV`, 'dim');
    if (voltage === null) continue;
    const away = (voltage / nominalVoltage - 1) * 100;
    if (Math.abs(away) > BAND) {
      const text = `${voltage.toFixed(2)} kV, ${Math.abs(away).toFixed(1)} % ${away > 0 ? 'above' : 'below'} nominal`;
      add(-200 - Math.abs(away), node, name, `${text}${was(before, 'kV', 2)}`, 'p2-text');
    }
  }
  return findings.sort((a, b) => a.rank - b.rank).map(({ rank: _, ...finding }) => finding);
}

const was = (before: number | null, unit: string, digits: number): string =>
  before === null ? '' : ` (live ${before.toFixed(digits)} ${unit})`;
