/** Versions of the grid that a running system keeps: listed, compared, written as CGMES. */
import { randomUUID } from 'node:crypto';
import type { CimModel } from '@enerchain/cim';
import { buildNetwork, solvePowerFlow } from '@enerchain/grid-state';
import { EnerchainError, type GridModel } from '@enerchain/model';
import { SystemClient } from '../system-client.ts';
import { positionsOf } from './open-case.ts';
import { gridToCim } from './to-cim.ts';

interface GridVersion {
  readonly version: number;
  readonly at: string;
  readonly by: string;
  readonly name: string;
  readonly nodes: number;
  readonly equipment: number;
  readonly supersedes?: number;
  readonly headers: readonly {
    readonly id: string;
    readonly profiles: readonly string[];
    readonly created?: string;
    readonly scenarioTime?: string;
    readonly modelingAuthoritySet?: string;
    readonly supersedes: readonly string[];
  }[];
}

interface GridChange {
  readonly change: 'added' | 'removed' | 'changed';
  readonly mRID: string;
  readonly class: string;
  readonly name?: string;
  readonly properties: readonly { readonly property: string; readonly before?: unknown; readonly after?: unknown }[];
}

const print = (text: string): void => void process.stdout.write(`${text}\n`);

export async function versions(options: { data: string; json?: boolean; limit: string }): Promise<void> {
  const query = new URLSearchParams({ limit: options.limit });
  const { items } = await SystemClient.find(options.data).request<{ items: GridVersion[] }>(
    'GET',
    `/grid/versions?${query}`,
  );
  if (options.json) {
    for (const item of items) print(JSON.stringify(item));
    return;
  }
  if (items.length === 0) print('no grid model has been put in force yet');
  for (const { version, at, by, name, nodes, equipment, headers } of items) {
    print(`${String(version).padStart(4)}  ${at}  ${name}: ${nodes} nodes, ${equipment} pieces of equipment, by ${by}`);
    for (const { id, profiles, created, scenarioTime, supersedes } of headers) {
      const more = [
        ...(created === undefined ? [] : [`created ${created}`]),
        ...(scenarioTime === undefined ? [] : [`for ${scenarioTime}`]),
        ...(supersedes.length === 0 ? [] : [`supersedes ${supersedes.join(', ')}`]),
      ];
      print(`        ${profiles.join('+') || '?'} ${id}${more.length === 0 ? '' : `, ${more.join(', ')}`}`);
    }
  }
}

const MARKS = { added: '+', removed: '−', changed: '~' } as const;
const said = (value: unknown): string => (value === undefined ? 'nothing' : JSON.stringify(value)).slice(0, 60);

/** Ends with status 1 when something changed. */
export async function diffVersions(from: number, to: number, options: { data: string; json?: boolean }): Promise<void> {
  const { changes } = await SystemClient.find(options.data).request<{ changes: GridChange[] }>(
    'GET',
    `/grid/diff?from=${from}&to=${to}`,
  );
  for (const each of changes) {
    if (options.json) {
      print(JSON.stringify(each));
      continue;
    }
    const { change, class: className, name, mRID, properties } = each;
    print(`${MARKS[change]} ${className} ${name === undefined ? '' : `'${name}' `}(${mRID})`);
    for (const { property, before, after } of properties) print(`    ${property}: ${said(before)} → ${said(after)}`);
  }
  if (changes.length === 0 && !options.json) print('the versions are the same grid');
  if (changes.length > 0) process.exitCode = 1;
}

export interface VersionExport {
  readonly data: string;
  /** Modelling authority. */
  readonly authority: string;
  /** With buses and the state that the power flow has (TP, SV). */
  readonly solve?: boolean;
}

/**
 * A version of the grid as CGMES 3.0.
 * @throws EnerchainError `grid.none` when there is no such version, `cli.model` when it is to be solved and has no solution
 */
export async function cimOfVersion(version: number, { data, authority, solve }: VersionExport): Promise<CimModel> {
  const grid = await SystemClient.find(data).request<GridModel>('GET', `/grid?version=${version}`);
  const created = new Date().toISOString();
  const scenarioTime = grid.headers?.findLast((header) => header.scenarioTime !== undefined)?.scenarioTime ?? created;
  const options = { authority, created, scenarioTime, id: randomUUID };
  if (!solve) return gridToCim(grid, options);
  const solution = solvePowerFlow(buildNetwork(grid, positionsOf(grid)));
  if (solution.converged) return gridToCim(grid, { ...options, solution });
  const why = solution.islands.find(({ failure }) => failure !== undefined)?.failure;
  throw new EnerchainError('caller', 'cli.model', `version ${version} has no power flow: ${why}; nothing was written`);
}
