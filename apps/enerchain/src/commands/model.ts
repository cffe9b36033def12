/** `enerchain model`: what changed between two models, and models written out. */
import { randomUUID } from 'node:crypto';
import { createWriteStream, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  applyDifferences,
  type CimModel,
  diffModels,
  type ObjectChange,
  openSources,
  readModel,
  writeDifferences,
  writeFile,
  writeJsonLd,
} from '@enerchain/cim';
import { EnerchainError, type GridModel } from '@enerchain/model';
import { pointsOfSystem } from '../grid/op-list.ts';
import { opFromPoints } from '../grid/op-points.ts';
import { cimOfVersion, diffVersions, type VersionExport } from '../grid/versions.ts';
import { SystemClient } from '../system-client.ts';

const print = (text: string): void => void process.stdout.write(`${text}\n`);

export { versions } from '../grid/versions.ts';

export interface DiffOptions {
  readonly data: string;
  readonly json?: boolean;
  readonly spelling?: boolean;
  readonly difference?: string;
  readonly limit: string;
}

/**
 * Ends with status 1 when something changed, as `diff` does.
 * @throws EnerchainError `cli.option`, `cli.model`; CimError `cim.file`, `cim.write`
 */
export async function diff(before: string, after: string, options: DiffOptions): Promise<void> {
  const limit = Number(options.limit);
  if (!Number.isInteger(limit) || limit < 0) {
    throw new EnerchainError('caller', 'cli.option', `--limit is a whole number, not ${options.limit}`);
  }
  if (isVersion(before) && isVersion(after)) {
    await diffVersions(Number(before), Number(after), options);
    return;
  }
  const [old, now] = [await open([before]), await open([after])];
  const changes = diffModels(old, now, { spelling: options.spelling ?? false });
  if (options.json) for (const change of changes) print(JSON.stringify(change));
  else asText(changes, limit);
  if (options.difference !== undefined) writeAll(old, now, options.difference, options.json ?? false);
  if (changes.length > 0) process.exitCode = 1;
}

/** A number that is no file: a version that the running system keeps. */
const isVersion = (text: string): boolean => /^[1-9][0-9]{0,8}$/.test(text) && !existsSync(text);

function writeAll(before: CimModel, after: CimModel, folder: string, quiet: boolean): void {
  mkdirSync(folder, { recursive: true });
  const made = writeDifferences(before, after, { id: randomUUID, created: new Date().toISOString() });
  for (const [index, { after: header, text }] of made.entries()) {
    const name = `${basename(header.file).replace(/\.\w+$/, '')}_DIFF${made.length > 1 ? `_${index + 1}` : ''}.xml`;
    writeFileSync(join(folder, name), text);
    if (!quiet) print(`difference model: ${join(folder, name)}`);
  }
}

/** A model with its differences in force. @throws EnerchainError `cli.model` when a file of it is not whole */
async function open(paths: readonly string[]): Promise<CimModel> {
  const model = await readModel(openSources(paths));
  for (const { name, complete } of model.files) {
    if (complete) continue;
    const why = model.findings.list.find((finding) => finding.file === name && finding.severity === 'error');
    const text = `${name}${why?.line === undefined ? '' : `:${why.line}`} cannot be read whole: ${why?.text ?? 'it ends early'}`;
    throw new EnerchainError('caller', 'cli.model', text);
  }
  if (model.files.length === 0) {
    throw new EnerchainError('caller', 'cli.model', `there is no CIM file in ${paths.join(', ')}`);
  }
  applyDifferences(model);
  const [wrong] = model.findings.list.filter(({ code }) => code === 'cim.difference');
  if (wrong)
    throw new EnerchainError('caller', 'cli.model', `${wrong.file}:${wrong.line} ${wrong.object}: ${wrong.text}`);
  return model;
}

const MARKS = { added: '+', removed: '−', changed: '~' } as const;
const MAX_VALUE = 60;

function asText(changes: readonly ObjectChange[], limit: number): void {
  if (changes.length === 0) print('the models say the same');
  const told = new Map<string, number>();
  for (const { change, class: name, classBefore, name: label, mRID, properties, file, line } of changes) {
    const kind = `${change} ${name}`;
    const count = (told.get(kind) ?? 0) + 1;
    told.set(kind, count);
    if (count > limit) continue;
    const became = classBefore === undefined ? '' : `, a ${classBefore} before`;
    print(`${MARKS[change]} ${name} ${label === undefined ? '' : `'${label}' `}(${mRID})${became}  ${file}:${line}`);
    if (change !== 'changed') continue;
    for (const { property, before, after } of properties) {
      print(`    ${property}: ${short(before)} → ${short(after)}`);
    }
  }
  for (const [kind, count] of told) if (count > limit) print(`… and ${count - limit} more: ${kind}`);
  const of = (change: ObjectChange['change']): number => changes.filter((each) => each.change === change).length;
  if (changes.length > 0) print(`${of('added')} added, ${of('removed')} removed, ${of('changed')} changed`);
}

function short(values: readonly string[]): string {
  if (values.length === 0) return 'nothing';
  const text = values.join(', ').replace(/^→ /, '');
  return text.length <= MAX_VALUE ? text : `${text.slice(0, MAX_VALUE - 1)}…`;
}

export interface ExportOptions extends VersionExport {
  readonly format: string;
  readonly out: string;
}

const FORMATS = {
  cgmes: { write: writeFile, extension: 'xml' },
  jsonld: { write: writeJsonLd, extension: 'jsonld' },
} as const;

/**
 * Writes every full model among the files with the differences that change it, one file for one; or a version of the grid
 * that the running system keeps.
 * @throws EnerchainError `cli.option`, `cli.model`; CimError `cim.file`, `cim.write`
 */
export async function exportModel(files: readonly string[], options: ExportOptions): Promise<void> {
  const { format, out } = options;
  if (!Object.hasOwn(FORMATS, format)) {
    throw new EnerchainError('caller', 'cli.option', `--format is ${Object.keys(FORMATS).join(' or ')}, not ${format}`);
  }
  const { write, extension } = FORMATS[format as keyof typeof FORMATS];
  const [first, ...more] = files;
  const version = more.length === 0 && first !== undefined && isVersion(first) ? Number(first) : undefined;
  if (options.solve && version === undefined) {
    const say = '--solve goes with the number of a version of the running system: files are written as they are';
    throw new EnerchainError('caller', 'cli.option', say);
  }
  const model = version === undefined ? await open(files) : await cimOfVersion(version, options);
  mkdirSync(out, { recursive: true });
  const names = new Set<string>();
  for (const [index, { name, header }] of model.files.entries()) {
    if (header?.kind === 'difference') continue;
    const stem = basename(name).replace(/\.\w+$/, '');
    let own = `${stem}.${extension}`;
    for (let again = 2; names.has(own); again++) own = `${stem}_${again}.${extension}`;
    names.add(own);
    const path = join(out, own);
    // A file that is read is not to be written over: another name or another folder.
    await pipeline(Readable.from(write(model, index)), createWriteStream(path, { flags: 'wx' })).catch((cause) => {
      if (cause.code !== 'EEXIST') throw cause;
      throw new EnerchainError('caller', 'cli.file', `${path} is there already; nothing is written over`, { cause });
    });
    print(`${header?.profiles.join('+') ?? '?'}  ${path}`);
  }
}

/**
 * The points of the running system as a file of the Operation profile.
 * @throws EnerchainError what the system says
 */
export async function exportPoints(options: { data: string; out: string; authority: string }): Promise<void> {
  const client = SystemClient.find(options.data);
  const points = await pointsOfSystem(client);
  const grid = await client.request<GridModel>('GET', '/grid').catch((error: unknown) => {
    if (error instanceof EnerchainError && error.fault === 'caller') return undefined;
    throw error;
  });
  const now = new Date().toISOString();
  const header = { id: randomUUID(), created: now, scenarioTime: now, modelingAuthoritySet: options.authority };
  const dependentOn = (grid?.headers ?? []).map(({ id }) => id);
  const { model, leftOut } = opFromPoints(points, { ...header, dependentOn }, grid);
  writeFileSync(options.out, [...writeFile(model, 0)].join(''));
  print(`${points.length - leftOut.length} of ${points.length} points are in ${options.out}`);
  const reasons = new Map<string, string[]>();
  for (const { name, why } of leftOut) reasons.set(why, [...(reasons.get(why) ?? []), name]);
  for (const [why, names] of reasons) {
    print(`  left out: ${names.length}, '${names[0]}'${names.length > 1 ? ' the first' : ''}: ${why}`);
  }
}
