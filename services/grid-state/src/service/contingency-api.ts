/** `GET /services/grid-state/contingencies`: what each single outage would do, as last calculated. */
import { type HttpResponse, json, problem } from '@enerchain/service';
import type { ApiState } from './api.ts';
import type { ContingencyState } from './live-contingencies.ts';

/** Outages and branches in one answer. */
const MOST = 500;

const number = { type: 'number' } as const;
const text = { type: 'string' } as const;
const equipment = { type: 'object', description: 'equipment, name and class' } as const;
const list = (properties: Record<string, object>) => ({ type: 'array', items: { type: 'object', properties } });
const report = {
  outage: equipment,
  severity: {
    type: ['number', 'null'],
    description: '% beyond limits: the worst overload and the worst voltage together; null: no solution',
  },
  converged: { type: 'boolean' },
  failure: text,
  islanded: { type: 'object', description: 'buses, loadLostMW and generationLostMW' },
  // No deeper: what a service announces may be nested sixteen times at most.
  limits: {
    type: 'array',
    description: 'equipment, name, kind, value, limit, loading and before of each, the worst first',
  },
  more: { ...number, description: 'broken limits that are not listed' },
};

/** OpenAPI 3.1 path items, by path below the prefix of the service. */
export const CONTINGENCY_OPENAPI = {
  '/contingencies': {
    get: {
      tags: ['services'],
      summary: 'What each single outage would do to the grid as it is',
      responses: {
        200: {
          description: 'overloads in A, voltages in kV, loadings in %; the worst first',
          content: {
            'application/json': {
              schema: {
                type: 'object',
                properties: {
                  at: text,
                  tookMillis: number,
                  screened: { ...number, description: 'outages that were looked at' },
                  solved: { ...number, description: 'those of them that got a power flow of their own' },
                  violations: list(report),
                  violated: { ...number, description: 'outages that break limits, listed or not' },
                  loadLost: list(report),
                  losingLoad: number,
                  loadings: list({ equipment: text, name: text, before: number, worst: number, outage: equipment }),
                  notes: { type: 'array', items: text },
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

/** @param at ISO 8601, when the state was taken that was analysed */
export function answerContingencies(
  method: string,
  { unusable, model }: ApiState,
  state: ContingencyState | undefined,
  at: string | undefined,
  failure: string | undefined,
): HttpResponse {
  if (method !== 'GET') return problem(405, `${method} is not possible here; only GET is.`);
  if (unusable) return problem(503, `The grid cannot be calculated: ${unusable}.`);
  if (!model) return problem(503, 'There is no grid model yet; an engineer imports one.');
  if (!state) {
    return problem(
      503,
      failure ? `The outages could not be calculated: ${failure}.` : 'No outage has been calculated yet.',
    );
  }
  const { violations, loadLost, loadings, outages, solved, notes } = state.result;
  return json(200, {
    at,
    tookMillis: state.took,
    screened: outages,
    solved,
    violated: violations.length,
    violations: violations.slice(0, MOST),
    losingLoad: loadLost.length,
    loadLost: loadLost.slice(0, MOST),
    loadings: loadings.slice(0, MOST),
    notes,
    ...(failure ? { failure } : {}),
  });
}
