/** What the trust keeper remembers over a restart, as JSON; instants and octets as text. */
import type { LogFiles } from '../log/files.ts';
import type { KeptNode } from './node-state.ts';

const VERSION = 1;
const INSTANTS = new Set(['at', 'since', 'until', 'from', 'to', 'issuedAt', 'validUntil']);
const OCTETS = new Set(['binding', 'evidence']);

export interface KeptTrust {
  /** Offset of the log up to which results are in here. */
  readonly next: number;
  readonly nodes: readonly KeptNode[];
}

export async function writeTrust(
  files: LogFiles,
  path: string,
  log: string,
  { next, nodes }: KeptTrust,
): Promise<void> {
  const text = JSON.stringify({ version: VERSION, log, next, nodes }, (_key, value) => {
    if (typeof value === 'bigint') return String(value);
    return value;
  });
  await files.writeAll(path, Buffer.from(text));
}

/** @returns undefined when there is none, or it belongs to another log, or cannot be read: then the log says it all */
export async function readTrust(files: LogFiles, path: string, log: string): Promise<KeptTrust | undefined> {
  try {
    const text = (await files.readAll(path))?.toString('utf8');
    if (!text) return undefined;
    const json = JSON.parse(text, (key, value) => {
      if (INSTANTS.has(key) && typeof value === 'string') return BigInt(value);
      // Buffers write themselves as {type: 'Buffer', data: […]}.
      if (OCTETS.has(key) && value !== null && typeof value === 'object') return Buffer.from(octetsOf(value));
      return value;
    });
    if (json.version !== VERSION || json.log !== log) return undefined;
    return { next: json.next, nodes: json.nodes };
  } catch {
    return undefined;
  }
}

const octetsOf = (value: { data?: number[] } & Record<string, number>): number[] =>
  value.data ?? (Object.values(value) as number[]);
