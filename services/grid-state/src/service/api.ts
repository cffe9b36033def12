/** What the service answers over HTTP, below `/api/v1/services/grid-state`. */
import type { GridModel } from '@enerchain/model';
import { type HttpResponse, json, problem } from '@enerchain/service';
import type { PowerFlowResult } from '../power-flow.ts';
import type { InputCoverage } from './inputs.ts';
import { pointOf } from './outputs.ts';

/** Below `/api/v1`. */
export const PREFIX = '/services/grid-state';

export interface ApiState {
  readonly model: GridModel | undefined;
  /** Why the grid of the centre cannot be calculated. */
  readonly unusable: string | undefined;
  readonly result: PowerFlowResult | undefined;
  readonly coverage: InputCoverage | undefined;
  readonly solveMillis: number;
  /** ISO 8601. */
  readonly solvedAt: string | undefined;
  /** Seconds that the log runs ahead of what has been read of it. */
  readonly behind: number;
}

const number = { type: 'number' } as const;
const nullable = { type: ['number', 'null'] } as const;
const text = { type: 'string' } as const;
const list = (properties: Record<string, object>) => ({ type: 'array', items: { type: 'object', properties } });

/** OpenAPI 3.1 path items, by path below the prefix. */
export const OPENAPI = {
  '/solution': {
    get: {
      tags: ['services'],
      summary: 'The power flow as last calculated',
      responses: {
        200: {
          description: 'voltages in kV and degrees, powers in MW and Mvar, currents in A, loading in %',
          content: {
            'application/json': {
              schema: {
                type: 'object',
                properties: {
                  grid: { type: 'object', properties: { mRID: text, name: text, version: number } },
                  at: text,
                  converged: { type: 'boolean' },
                  iterations: number,
                  maxMismatch: { ...number, description: 'MVA' },
                  solveMillis: number,
                  losses: nullable,
                  behind: { ...number, description: 'seconds behind the log' },
                  coverage: { type: 'object' },
                  islands: list({
                    index: number,
                    energised: { type: 'boolean' },
                    sources: { type: 'array' },
                    busbars: { type: 'array' },
                  }),
                  busbars: list({ point: text, name: text, island: number, voltage: nullable, angle: nullable }),
                  buses: list({ nodes: { type: 'array' }, nominalVoltage: number, voltage: nullable, angle: nullable }),
                  branches: list({ equipment: text, point: text, name: text, loading: nullable, losses: nullable }),
                },
              },
            },
          },
        },
        503: { description: 'nothing has been calculated yet' },
      },
    },
  },
} as const;

/** @param path below the prefix */
export function answer(path: string, method: string, state: ApiState): HttpResponse {
  if (path !== '' && path !== '/solution') {
    return problem(
      404,
      `There is nothing at ${method} ${PREFIX}${path}; try ${PREFIX}/solution or ${PREFIX}/estimate.`,
    );
  }
  if (method !== 'GET') return problem(405, `${method} is not possible here; only GET is.`);
  if (state.unusable) return problem(503, `The grid cannot be calculated: ${state.unusable}.`);
  if (!state.model) return problem(503, 'There is no grid model yet; an engineer imports one.');
  if (!state.result) return problem(503, 'Nothing has been calculated yet; the log is still being read.');
  return json(200, solutionJson(state.model, state.result, state));
}

/** A solution as it is answered. */
export function solutionJson(model: GridModel, result: PowerFlowResult, state: ApiState) {
  const nodes: string[][] = result.buses.map(() => []);
  for (const [node, bus] of result.busOfNode) nodes[bus]!.push(node);
  const names = new Map(model.equipment.map(({ mRID, name }) => [mRID, name]));
  const busbars = model.equipment.flatMap((equipment) => {
    if (equipment.class !== 'BusbarSection') return [];
    const { mRID, name } = equipment;
    const bus = result.buses[result.busOfNode.get(equipment.terminals[0]!.connectivityNode) ?? -1];
    if (!bus) return [];
    const energised = result.islands[bus.island]?.energised ?? false;
    const point = pointOf(`equipment=${mRID} voltage`);
    return [{ equipment: mRID, point, name, node: equipment.terminals[0]!.connectivityNode, energised, ...bus }];
  });
  return {
    grid: { mRID: model.mRID, name: model.name, version: model.version },
    at: state.solvedAt,
    converged: result.converged,
    iterations: result.iterations,
    maxMismatch: Number.isFinite(result.maxMismatch) ? result.maxMismatch : null,
    solveMillis: state.solveMillis,
    losses: result.losses,
    behind: state.behind,
    coverage: state.coverage,
    islands: result.islands.map((island) => ({
      ...island,
      maxMismatch: Number.isFinite(island.maxMismatch) ? island.maxMismatch : null,
      sources: island.sources.map((mRID) => names.get(mRID) ?? mRID),
      busbars: busbars.filter((busbar) => busbar.island === island.index).map(({ name }) => name),
    })),
    busbars,
    buses: result.buses.map((bus) => ({ ...bus, nodes: nodes[bus.index] })),
    branches: result.branches.map((branch) => ({
      ...branch,
      point: pointOf(`equipment=${branch.equipment} loading`),
    })),
  };
}
