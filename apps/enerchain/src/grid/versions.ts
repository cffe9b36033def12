/** Versions of the grid that a running system keeps: listed, compared. */
import { SystemClient } from '../system-client.ts';

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
