/**
 * Whether a published state (SV) satisfies Kirchhoff's law with the equipment of a grid, written from the equations of
 * IEC 61970-301 in ohms and kilovolts and not from the solver: what does not add up here cannot be asked of a power flow.
 */
import {
  type ConductingEquipment,
  type GridModel,
  type Mrid,
  shuntAdmittance,
  tapChangersOf,
  tapPosition,
} from '@enerchain/model';
import type { Solution } from '../../src/grid/from-cim.ts';

type Complex = readonly [re: number, im: number];
type Transformer = Extract<ConductingEquipment, { class: 'PowerTransformer' }>;
const add = (a: Complex, b: Complex): Complex => [a[0] + b[0], a[1] + b[1]];
const sub = (a: Complex, b: Complex): Complex => [a[0] - b[0], a[1] - b[1]];
const mul = (a: Complex, b: Complex): Complex => [a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]];
const conj = (a: Complex): Complex => [a[0], -a[1]];
const inverse = (a: Complex): Complex => {
  const d = a[0] ** 2 + a[1] ** 2;
  return [a[0] / d, -a[1] / d];
};
const polar = (magnitude: number, degrees: number): Complex => [
  magnitude * Math.cos((degrees * Math.PI) / 180),
  magnitude * Math.sin((degrees * Math.PI) / 180),
];

export interface Imbalance {
  readonly nodes: readonly Mrid[];
  /** MW and Mvar that flow out of the bus into equipment, added up: 0 when it closes. */
  readonly p: number;
  readonly q: number;
}

/** Bus by bus at the published voltages; buses without one are left out. */
export function imbalances(model: GridModel, { voltages, flows }: Solution): Imbalance[] {
  const joined = busesOf(model);
  const at = (node: Mrid): Complex | undefined => {
    const state = voltages.get(node);
    return state && polar(state.v, state.angle);
  };
  const sums = new Map<Mrid, { nodes: Mrid[]; p: number; q: number; whole: boolean }>();
  for (const { mRID } of model.connectivityNodes) {
    const bus = joined(mRID);
    const sum = sums.get(bus);
    if (sum) sum.nodes.push(mRID);
    else sums.set(bus, { nodes: [mRID], p: 0, q: 0, whole: voltages.has(mRID) });
  }
  const take = (node: Mrid, power: Complex): void => {
    const sum = sums.get(joined(node))!;
    sum.p += power[0];
    sum.q += power[1];
  };
  for (const equipment of model.equipment) {
    if (equipment.inService === false) continue;
    const { terminals } = equipment;
    const volts = terminals.map(({ connectivityNode, connected }) =>
      connected === false ? undefined : at(connectivityNode),
    );
    const [first] = terminals;
    if (terminals.length > 1) {
      if (!['ACLineSegment', 'SeriesCompensator', 'EquivalentBranch', 'PowerTransformer'].includes(equipment.class)) {
        continue;
      }
      branch(equipment, volts).forEach((current, index) => {
        const voltage = volts[index];
        if (voltage) take(terminals[index]!.connectivityNode, mul(voltage, conj(current)));
      });
      continue;
    }
    if (!volts[0]) continue;
    const square = volts[0][0] ** 2 + volts[0][1] ** 2;
    const shunt = admittance(equipment);
    if (shunt) take(first!.connectivityNode, [square * shunt.g, -square * shunt.b]);
    else {
      const known = flows.get(first!.mRID);
      if (known) take(first!.connectivityNode, [known.p, known.q]);
      else if ('q' in equipment) {
        const p = 'p' in equipment ? (equipment.p ?? 0) : 0;
        take(first!.connectivityNode, [p, equipment.q ?? 0]);
      }
    }
  }
  return [...sums.values()].filter(({ whole }) => whole).map(({ nodes, p, q }) => ({ nodes, p, q }));
}

/** @returns a name for the bus of each node, as the model is switched */
export function busesOf(model: GridModel): (node: Mrid) => Mrid {
  const parent = new Map<Mrid, Mrid>();
  const root = (node: Mrid): Mrid => {
    let at = node;
    for (let up = parent.get(at); up !== undefined; up = parent.get(at)) at = up;
    return at;
  };
  for (const equipment of model.equipment) {
    if (!('normalOpen' in equipment) || equipment.class === 'GroundDisconnector') continue;
    const closed = !(equipment.open ?? equipment.normalOpen) && equipment.inService !== false;
    if (!closed || equipment.terminals.some(({ connected }) => connected === false)) continue;
    const [a, b] = equipment.terminals.map(({ connectivityNode }) => root(connectivityNode)) as [Mrid, Mrid];
    if (a !== b) parent.set(a, b);
  }
  return root;
}

function admittance(equipment: ConductingEquipment): { g: number; b: number } | undefined {
  switch (equipment.class) {
    case 'LinearShuntCompensator':
    case 'NonlinearShuntCompensator':
      return shuntAdmittance(equipment);
    case 'EquivalentShunt':
      return equipment;
    default:
      return undefined;
  }
}

/** Currents (kA·√3) from each node into the branch; an open end takes none. */
function branch(equipment: ConductingEquipment, volts: readonly (Complex | undefined)[]): Complex[] {
  switch (equipment.class) {
    case 'PowerTransformer':
      return transformer(equipment, volts);
    case 'ACLineSegment': {
      const half: Complex = [(equipment.gch ?? 0) / 2, equipment.bch / 2];
      return pi([equipment.r, equipment.x], half, half, volts);
    }
    case 'SeriesCompensator':
    case 'EquivalentBranch':
      return pi([equipment.r, equipment.x], [0, 0], [0, 0], volts);
    default:
      return [];
  }
}

function pi(z: Complex, y1: Complex, y2: Complex, [v1, v2]: readonly (Complex | undefined)[]): Complex[] {
  const none: Complex = [0, 0];
  const y = inverse(z);
  if (v1 && v2) {
    const through = mul(y, sub(v1, v2));
    return [add(mul(y1, v1), through), sub(mul(y2, v2), through)];
  }
  // One end open: its charging hangs behind the series impedance.
  if (v1) return [mul(add(y1, inverse(add(z, safe(y2)))), v1), none];
  if (v2) return [none, mul(add(y2, inverse(add(z, safe(y1)))), v2)];
  return [none, none];
}
const safe = (y: Complex): Complex => (y[0] === 0 && y[1] === 0 ? [1e12, 0] : inverse(y));

/** Star of ends with their middle solved for; two ends are a star of two. All in kV at 1 : 1. */
function transformer(equipment: Transformer, volts: readonly (Complex | undefined)[]): Complex[] {
  const changers = tapChangersOf(equipment);
  const positions = changers.map((changer) => ({ changer, position: tapPosition(changer) }));
  const only = equipment.ends.length === 2 ? positions : [];
  const factor = (name: 'r' | 'x' | 'g' | 'b', end: number): number =>
    (equipment.ends.length === 2 ? only : positions.filter(({ changer }) => changer.end === end)).reduce(
      (product, { position }) => product * position[name],
      1,
    );
  // Total reactance, as a phase tap changer has it, goes to the end of the tap changer.
  const replaced = positions.find(({ position }) => position.reactance !== undefined);
  const ends = equipment.ends.map((end, index) => {
    const own = replaced && equipment.ends.length === 2;
    const x = own ? (index === replaced.changer.end ? replaced.position.reactance! : 0) : end.x * factor('x', index);
    const ratio = positions
      .filter(({ changer }) => changer.end === index)
      .reduce<Complex>((product, { position }) => mul(product, polar(position.ratio, position.angle)), [1, 0]);
    return {
      z: [end.r * factor('r', index), x] as Complex,
      y: [end.g * factor('g', index), end.b * factor('b', index)] as Complex,
      ratio,
      ratedU: end.ratedU,
    };
  });
  // Behind the tap changer of end i: u_i = v_i / ratio_i; at the middle u_i − z_i·i_i = ratedU_i·m, Σ ratedU_i·i_i = 0.
  const inner = ends.map(({ ratio }, index) => {
    const v = volts[index];
    return v && mul(v, inverse(ratio));
  });
  if (ends.length === 2) {
    const [a, b] = ends as [(typeof ends)[0], (typeof ends)[0]];
    const turns = a.ratedU / b.ratedU;
    const z = add(a.z, mul([turns * turns, 0], b.z));
    const other = inner[1] && mul([turns, 0], inner[1]);
    const through: Complex = inner[0] && other ? mul(inverse(z), sub(inner[0], other)) : [0, 0];
    return [
      inner[0] ? mul(add(through, mul(a.y, inner[0])), inverse(conj(a.ratio))) : [0, 0],
      inner[1] ? mul(sub(mul(b.y, inner[1]), mul([turns, 0], through)), inverse(conj(b.ratio))) : [0, 0],
    ];
  }
  const live = ends.map((end, index) => ({ end, u: inner[index] })).filter(({ u }) => u);
  let above: Complex = [0, 0];
  let below: Complex = [0, 0];
  for (const { end, u } of live) {
    const y = inverse(end.z);
    above = add(above, mul([end.ratedU, 0], mul(y, u!)));
    below = add(below, mul([end.ratedU ** 2, 0], y));
  }
  const middle = mul(above, inverse(below));
  return ends.map((end, index) => {
    const u = inner[index];
    if (!u) return [0, 0];
    const series = mul(inverse(end.z), sub(u, mul([end.ratedU, 0], middle)));
    return mul(add(series, mul(end.y, u)), inverse(conj(end.ratio)));
  });
}
