/**
 * `POST /services/grid-state/what-if`: the power flow with some switches, taps and set-points as somebody would have
 * them, everything else as it is live at this moment. Nothing is stored, published or commanded: the answer is all that
 * is left of it.
 */
import {
  type ConductingEquipment,
  EnerchainError,
  type GridModel,
  type Mrid,
  Mrid as MridSchema,
  tapChangersOf,
  validator,
} from '@enerchain/model';
import { type HttpRequest, type HttpResponse, json, problem } from '@enerchain/service';
import Type from 'typebox';
import { type Injections, type PowerFlowResult, solvePowerFlow } from '../power-flow.ts';
import { busbarZone } from '../topology/busbar-zone.ts';
import { buildNetwork, type SwitchAndTapState } from '../topology/network.ts';
import { type ApiState, solutionJson } from './api.ts';

/** Octets of a body: some thousand changes. */
const MAX_BODY = 256 * 1024;
const MAX_CHANGES = 2000;
/** MW or Mvar, and kV, beyond which a figure is a slip of the pen. */
const MAX_POWER = 100_000;
const MAX_VOLTAGE = 2_000;

const some = { maxProperties: MAX_CHANGES };
const Power = Type.Number({ minimum: -MAX_POWER, maximum: MAX_POWER });
const WhatIfBody = Type.Object(
  {
    switches: Type.Optional(Type.Record(MridSchema, Type.Boolean({ description: 'closed' }), some)),
    taps: Type.Optional(Type.Record(MridSchema, Type.Integer({ description: 'step' }), some)),
    powers: Type.Optional(
      Type.Record(
        MridSchema,
        Type.Object({ p: Power, q: Power }, { additionalProperties: false, description: 'MW, Mvar drawn' }),
        some,
      ),
    ),
    voltages: Type.Optional(
      Type.Record(
        MridSchema,
        Type.Number({ exclusiveMinimum: 0, maximum: MAX_VOLTAGE, description: 'kV held by a source' }),
        some,
      ),
    ),
    outages: Type.Optional(
      Type.Array(MridSchema, {
        maxItems: MAX_CHANGES,
        description: 'equipment taken out; a busbar with what its protection takes along',
      }),
    ),
  },
  { additionalProperties: false },
);
export type WhatIfBody = Type.Static<typeof WhatIfBody>;
const bodies = validator(WhatIfBody);

/** What the grid is tried on: the inputs of the live calculation, and what it came to. */
export interface WhatIfBase {
  readonly model: GridModel;
  readonly state: SwitchAndTapState;
  readonly injections: Injections;
  readonly last: PowerFlowResult | undefined;
}

/** One thing that is tried, beside how it is live. */
export interface Change {
  readonly equipment: Mrid;
  readonly name: string;
  readonly kind: 'switch' | 'tap' | 'power' | 'voltage' | 'outage';
  readonly live: boolean | number | Power | null;
  readonly tried: boolean | number | Power;
}
interface Power {
  readonly p: number;
  readonly q: number;
}

/** OpenAPI 3.1 path items, by path below the prefix of the service. */
export const WHAT_IF_OPENAPI = {
  '/what-if': {
    post: {
      tags: ['services'],
      summary:
        'The power flow with some switches, taps and set-points otherwise; nothing is stored and nothing commanded',
      requestBody: { required: true, content: { 'application/json': { schema: WhatIfBody } } },
      responses: {
        200: {
          description:
            'as /solution; buses, busbars and branches with their `live` values beside them, and the `changes` that were tried; `out`: everything that is taken out',
        },
        400: { description: 'the body is not valid, or names what the grid does not have' },
        413: { description: `more than ${MAX_BODY} octets` },
        503: { description: 'there is no grid to calculate yet' },
      },
    },
  },
} as const;

/** @param base what is live now; undefined when there is no grid that can be calculated */
export function answerWhatIf(request: HttpRequest, base: WhatIfBase | undefined, state: ApiState): HttpResponse {
  if (request.method !== 'POST') return problem(405, `${request.method} is not possible here; only POST is.`);
  if (!base) return problem(503, `The grid cannot be calculated: ${state.unusable ?? 'there is no model yet'}.`);
  const octets = request.body ?? new Uint8Array();
  if (octets.length > MAX_BODY) {
    return problem(
      413,
      `A body of ${octets.length} octets is too long; ${MAX_BODY} are possible. Nothing was calculated.`,
    );
  }
  try {
    const body = bodyOf(octets);
    const changes = changesOf(body, base);
    const before = performance.now();
    const out = lostWith(body, base);
    const result = solveWhatIf(body, base, out);
    const solved = { ...state, solveMillis: performance.now() - before };
    const solution = withLive(solutionJson(base.model, result, solved), base.last);
    return json(200, { ...solution, changes, out: [...out] });
  } catch (error) {
    if (error instanceof EnerchainError && error.fault === 'caller') return problem(400, `${error.message}.`);
    throw error;
  }
}

function bodyOf(octets: Uint8Array): WhatIfBody {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(octets));
  } catch (cause) {
    throw new EnerchainError('caller', 'grid-state.what-if', 'what is to be tried is no JSON; nothing was calculated', {
      cause,
    });
  }
  return bodies.parse(parsed, 'what is to be tried');
}

/** What the outages take out: with a busbar everything that its protection takes along, as in the analysis of outages. */
function lostWith({ outages = [], switches }: WhatIfBody, base: WhatIfBase): ReadonlySet<Mrid> {
  const out = new Set(outages);
  const busbars = base.model.equipment.filter((each) => each.class === 'BusbarSection');
  const faulty = busbars.filter(({ mRID }) => out.has(mRID));
  if (faulty.length === 0) return out;
  const { topology } = buildNetwork(base.model, { switches: over(base.state.switches, switches) });
  const { nodeIndex, nodes } = topology.grid;
  const nodeOf = (busbar: (typeof busbars)[number]) => nodeIndex.get(busbar.terminals[0]!.connectivityNode)!;
  const barNodes = new Set(busbars.map(nodeOf));
  const lost = new Set<Mrid>();
  for (const busbar of faulty) {
    const node = nodeOf(busbar);
    const zone = busbarZone(topology, node, (other) => other !== node && barNodes.has(other));
    const whole = () => nodes.flatMap((_, at) => (topology.busOfNode[at] === topology.busOfNode[node] ? [at] : []));
    for (const at of zone ?? whole()) lost.add(nodes[at]!);
  }
  for (const { mRID, terminals } of base.model.equipment)
    if (terminals.some(({ connectivityNode }) => lost.has(connectivityNode))) out.add(mRID);
  return out;
}

/** The last grid with something taken out, by the grid that it was taken out of: a screen asks again every few seconds. */
const reduced = new WeakMap<GridModel, { readonly key: string; readonly model: GridModel }>();

/** A grid without some of its equipment is another grid, with its own topologies. */
function modelWithout(model: GridModel, out: ReadonlySet<Mrid>): GridModel {
  const key = [...out].sort().join(' ');
  const known = reduced.get(model);
  if (known?.key === key) return known.model;
  const without = (equipment: ConductingEquipment): ConductingEquipment =>
    out.has(equipment.mRID) ? { ...equipment, inService: false } : equipment;
  const made = { ...model, equipment: model.equipment.map(without) };
  reduced.set(model, { key, model: made });
  return made;
}

/**
 * Solves the live grid with the changes.
 * @param out what is taken out
 * @throws EnerchainError (caller) when the model's references lead nowhere
 */
export function solveWhatIf(body: WhatIfBody, base: WhatIfBase, out: ReadonlySet<Mrid>): PowerFlowResult {
  const model = out.size ? modelWithout(base.model, out) : base.model;
  const network = buildNetwork(model, {
    switches: over(base.state.switches, body.switches),
    taps: over(base.state.taps, body.taps),
  });
  const injections: Injections = {
    powers: over(base.injections.powers, body.powers),
    voltages: over(base.injections.voltages, body.voltages),
  };
  const options = base.last && out.size === 0 ? { start: base.last } : {};
  return solvePowerFlow(network, injections, options);
}

const over = <T>(live: ReadonlyMap<Mrid, T> | undefined, tried: Readonly<Record<Mrid, T>> = {}): Map<Mrid, T> =>
  new Map([...(live ?? []), ...Object.entries(tried)]);

/** @throws EnerchainError (caller) for what the grid does not have, or what it cannot do */
function changesOf(body: WhatIfBody, base: WhatIfBase): Change[] {
  const byMrid = new Map(base.model.equipment.map((equipment) => [equipment.mRID, equipment]));
  const known = (mRID: Mrid) => {
    const equipment = byMrid.get(mRID);
    if (!equipment) fail(`the grid has no equipment ${mRID}`);
    return equipment!;
  };
  // By the mRID of a tap changer, or by that of a transformer for its first one.
  const changers = new Map(
    base.model.equipment.flatMap((equipment) => {
      if (equipment.class !== 'PowerTransformer') return [];
      const [first, ...others] = tapChangersOf(equipment);
      if (!first) return [];
      const all = [first, ...others].map((changer) => [changer.mRID, { equipment, changer }] as const);
      return [...all, [equipment.mRID, { equipment, changer: first }] as const];
    }),
  );
  const changes: Change[] = [];
  for (const [mRID, tried] of Object.entries(body.switches ?? {})) {
    const equipment = known(mRID);
    if (!('normalOpen' in equipment)) return fail(`'${equipment.name}' is no switch`);
    const live = base.state.switches?.get(mRID) ?? !(equipment.open ?? equipment.normalOpen);
    changes.push({ equipment: mRID, name: equipment.name, kind: 'switch', live, tried });
  }
  for (const [mRID, tried] of Object.entries(body.taps ?? {})) {
    const { equipment, changer } = changers.get(mRID) ?? { equipment: known(mRID), changer: undefined };
    if (!changer) return fail(`'${equipment.name}' has no tap changer`);
    if (tried < changer.lowStep || tried > changer.highStep) {
      return fail(`step ${tried} of '${equipment.name}' is not between ${changer.lowStep} and ${changer.highStep}`);
    }
    const live = base.state.taps?.get(mRID) ?? changer.step ?? changer.normalStep;
    changes.push({ equipment: equipment.mRID, name: equipment.name, kind: 'tap', live, tried });
  }
  for (const [mRID, tried] of Object.entries(body.powers ?? {})) {
    const equipment = known(mRID);
    const nominal = drawn(equipment);
    if (!nominal) return fail(`'${equipment.name}' is nothing whose power could be set`);
    const live = base.injections.powers?.get(mRID) ?? nominal;
    changes.push({ equipment: mRID, name: equipment.name, kind: 'power', live, tried });
  }
  for (const [mRID, tried] of Object.entries(body.voltages ?? {})) {
    const equipment = known(mRID);
    if (equipment.class !== 'ExternalNetworkInjection') return fail(`'${equipment.name}' holds no voltage`);
    const live = base.injections.voltages?.get(mRID) ?? equipment.voltage;
    changes.push({ equipment: mRID, name: equipment.name, kind: 'voltage', live, tried });
  }
  for (const mRID of new Set(body.outages)) {
    const equipment = known(mRID);
    changes.push({ equipment: mRID, name: equipment.name, kind: 'outage', live: false, tried: true });
  }
  return changes;
}

/** MW and Mvar that something draws where nothing is measured; undefined for what has no power of its own. */
function drawn(equipment: ConductingEquipment): Power | undefined {
  if (equipment.class === 'PowerElectronicsConnection') return { p: 0, q: 0 };
  return 'p' in equipment && 'q' in equipment ? { p: equipment.p ?? 0, q: equipment.q ?? 0 } : undefined;
}

function fail(what: string): never {
  throw new EnerchainError('caller', 'grid-state.what-if', `${what}; nothing was calculated`);
}

type SolutionJson = ReturnType<typeof solutionJson>;

/** The values of the live solution beside those that were tried, by node and by equipment: buses are numbered anew. */
function withLive(solution: SolutionJson, last: PowerFlowResult | undefined) {
  const branches = new Map(last?.branches.map((branch) => [branch.equipment, branch]));
  const liveAt = (node: Mrid | undefined) => {
    const bus = last?.buses[last.busOfNode.get(node ?? '') ?? -1];
    return bus ? { voltage: bus.voltage, angle: bus.angle } : null;
  };
  return {
    ...solution,
    busbars: solution.busbars.map((busbar) => ({ ...busbar, live: liveAt(busbar.node) })),
    buses: solution.buses.map((bus) => ({ ...bus, live: liveAt(bus.nodes?.[0]) })),
    branches: solution.branches.map((branch) => {
      const live = branches.get(branch.equipment);
      return {
        ...branch,
        live: live ? { loading: live.loading, from: live.from, to: live.to, energised: live.energised } : null,
      };
    }),
  };
}
