/** `GET /services/grid-state/estimate`: what is measured beside what is estimated, and what contradicts it. */
import { type HttpResponse, json, problem } from '@enerchain/service';
import { type EstimateState, estimateJson } from '../results/estimate-json.ts';
import type { ApiState } from './api.ts';

const number = { type: 'number' } as const;
const nullable = { type: ['number', 'null'] } as const;
const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;
const list = (properties: Record<string, object>) => ({ type: 'array', items: { type: 'object', properties } });

/** OpenAPI 3.1 path items, by path below the prefix of the service. */
export const ESTIMATE_OPENAPI = {
  '/estimate': {
    get: {
      tags: ['services'],
      summary: 'The state estimation as last made: measured beside estimated values, and bad data',
      responses: {
        200: {
          description:
            'kV, degrees, MW, Mvar and A, powers into the equipment; residuals are measured less estimated, normalised ones in their own standard deviations',
          content: {
            'application/json': {
              schema: {
                type: 'object',
                properties: {
                  at: text,
                  observable: { ...flag, description: 'every energised island is' },
                  estimated: {
                    ...flag,
                    description: 'every energised island has an estimate; others show the power flow',
                  },
                  unobservable: { type: 'array', items: text, description: 'nodes whose voltage is not determined' },
                  restore: list({ kind: text, node: text, terminal: text, equipment: text }),
                  j: { ...number, description: 'sum of squared residuals by their variances' },
                  degreesOfFreedom: number,
                  islands: list({ index: number, estimated: flag, observable: flag, method: text, iterations: number }),
                  badData: list({
                    points: { type: 'array', items: text },
                    normalizedResidual: number,
                    error: number,
                    alternatives: { type: 'array', items: text },
                  }),
                  measurements: list({
                    point: text,
                    equipment: text,
                    terminal: text,
                    kind: { enum: ['voltage', 'angle', 'p', 'q', 'current'] },
                    measured: number,
                    sigma: number,
                    estimated: nullable,
                    residual: nullable,
                    normalizedResidual: nullable,
                    suspect: flag,
                    critical: flag,
                    unused: { ...text, description: 'why it takes no part' },
                  }),
                  buses: list({
                    nodes: { type: 'array', items: text },
                    voltage: nullable,
                    angle: nullable,
                    sigmaVoltage: nullable,
                    sigmaAngle: nullable,
                  }),
                },
              },
            },
          },
        },
        503: { description: 'nothing has been estimated yet' },
      },
    },
  },
} as const;

export function answerEstimate(method: string, live: EstimateState | undefined, state: ApiState): HttpResponse {
  if (method !== 'GET') return problem(405, `${method} is not possible here; only GET is.`);
  if (state.unusable) return problem(503, `The grid cannot be calculated: ${state.unusable}.`);
  if (!live) return problem(503, 'Nothing has been estimated yet; the log is still being read.');
  return json(200, { at: state.solvedAt, ...estimateJson(live) });
}
