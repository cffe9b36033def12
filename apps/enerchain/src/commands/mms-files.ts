/** `enerchain mms files`: what a device keeps in files, fault records above all. */
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { COMTRADE_PARTS, type ComtradeRecord, type FileEntry, type Iec61850Client } from '@enerchain/iec61850';
import { EnerchainError } from '@enerchain/model';
import { connected, type MmsOptions, print, remark } from '../iec61850/connected.ts';

export interface FilesOptions extends MmsOptions {
  readonly output?: string;
  readonly recursive?: boolean;
  readonly records?: boolean;
  readonly delete?: boolean;
  readonly put?: string;
}

/** Lists a folder or its fault records; fetches, brings or deletes a file; fetches the files of a record. */
export async function files(at: string, name: string | undefined, options: FilesOptions): Promise<void> {
  await connected(at, options, (client) => untilStopped((signal) => one(client, name, options, signal)));
}

async function one(
  client: Iec61850Client,
  name: string | undefined,
  options: FilesOptions,
  signal: AbortSignal,
): Promise<void> {
  const isFolder = name === undefined || /[/\\]$/.test(name);
  if (options.records) {
    const found = await client.files.records(isFolder ? name : folderOf(name), { signal });
    if (isFolder) for (const record of found) printRecord(record, options);
    else await fetchRecord(client, name, found, options, signal);
  } else if (isFolder) {
    const { recursive = false } = options;
    for (const entry of await client.files.list(name, { recursive, signal })) {
      if (options.json) print(JSON.stringify(entry));
      else print(`${entry.name}  ${entry.size}  ${timeOf(entry)}`);
    }
  } else if (options.put !== undefined) {
    const content = await readFile(options.put);
    await client.files.put(name, content);
    if (options.json) print(JSON.stringify({ name, path: options.put, octets: content.length }));
    else print(`${options.put}: ${content.length} octets in ${name}`);
  } else if (options.delete) {
    await client.files.delete(name);
    print(options.json ? JSON.stringify({ name, deleted: true }) : `${name}: deleted`);
  } else await fetchOne(client, name, options.output ?? baseOf(name), options, signal);
}

/** A download that is interrupted leaves nothing half behind. */
async function untilStopped(action: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const controller = new AbortController();
  const stop = (): void => controller.abort(new EnerchainError('caller', 'mms.stopped', 'stopped'));
  process.once('SIGINT', stop).once('SIGTERM', stop);
  try {
    await action(controller.signal);
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}

function printRecord({ name, parts, complete }: ComtradeRecord<FileEntry>, { json }: FilesOptions): void {
  const have = COMTRADE_PARTS.filter((part) => parts[part]);
  if (json) print(JSON.stringify({ record: name, complete, parts }));
  else print(`${name}  ${have.join(' ')}${complete ? '' : '  (incomplete)'}`);
}

/** Every file of a record into the folder that is named, else into this one. */
async function fetchRecord(
  client: Iec61850Client,
  name: string,
  records: readonly ComtradeRecord<FileEntry>[],
  options: FilesOptions,
  signal: AbortSignal,
): Promise<void> {
  const wanted = name.replace(/\.[A-Za-z]{3}$/, '').toLowerCase();
  const record = records.find((one) => one.name.toLowerCase() === wanted);
  if (!record) throw new EnerchainError('caller', 'mms.record', `the device has no fault record ${name}`);
  if (!record.complete) remark(`${record.name} has no .cfg with a .dat; what there is is fetched`);
  for (const part of COMTRADE_PARTS) {
    const entry = record.parts[part];
    if (entry) await fetchOne(client, entry.name, join(options.output ?? '.', baseOf(entry.name)), options, signal);
  }
}

/** Never over a file that is there; one that did not come whole is taken away again. */
async function fetchOne(
  client: Iec61850Client,
  name: string,
  path: string,
  { json }: FilesOptions,
  signal: AbortSignal,
): Promise<void> {
  const out = createWriteStream(path, { flags: 'wx' });
  await once(out, 'open').catch((cause: NodeJS.ErrnoException) => {
    const why = cause.code === 'EEXIST' ? 'is there already' : `cannot be written: ${cause.message}`;
    throw new EnerchainError('caller', 'mms.output', `${path} ${why}; ${name} was not fetched`, { cause });
  });
  let octets = 0;
  try {
    for await (const chunk of client.files.read(name, { signal })) {
      octets += chunk.length;
      if (!out.write(chunk)) await once(out, 'drain');
    }
    out.end();
    await once(out, 'close');
  } catch (error) {
    out.destroy();
    await rm(path, { force: true });
    throw error;
  }
  if (json) print(JSON.stringify({ name, path, octets }));
  else print(`${name}: ${octets} octets in ${path}`);
}

const baseOf = (name: string): string => name.split(/[/\\]/).at(-1)!;
const folderOf = (name: string): string | undefined => /^(.*[/\\])[^/\\]*$/.exec(name)?.[1];
const timeOf = ({ modified, lastModified }: FileEntry): string =>
  modified === undefined ? (lastModified ?? '') : new Date(modified).toISOString();
