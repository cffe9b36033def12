/** What a network node of the lab is told to do wrong: one small file per node, written by the lab, read by the node. */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const MISCHIEFS = ['attester-stopped', 'quote-replayed', 'device-cloned', 'network-partition'] as const;
export type Mischief = (typeof MISCHIEFS)[number];

const fileOf = (dataDir: string, node: string): string => join(dataDir, 'sites', `${node}.fault`);

/** @param until milliseconds since the Unix epoch */
export function orderMischief(dataDir: string, node: string, kind: Mischief, until: number): void {
  const file = fileOf(dataDir, node);
  writeFileSync(`${file}.new`, JSON.stringify({ ...readMischief(file), [kind]: until }));
  renameSync(`${file}.new`, file);
}

export const forgetMischief = (dataDir: string, node: string): void => rmSync(fileOf(dataDir, node), { force: true });

/** What is to be done wrong at this moment. @param file `<node>.fault` */
export function mischiefNow(file: string): ReadonlySet<Mischief> {
  const now = Date.now();
  const orders = readMischief(file);
  return new Set(MISCHIEFS.filter((kind) => (orders[kind] ?? 0) > now));
}

function readMischief(file: string): Partial<Record<Mischief, number>> {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Partial<Record<Mischief, number>>;
  } catch {
    return {};
  }
}
