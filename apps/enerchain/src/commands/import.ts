/** `enerchain import`: a grid model read, checked, and put in force in a running system. */
import { writeFileSync } from 'node:fs';
import {
  applyDifferences,
  type CimModel,
  checkModel,
  checkShacl,
  type Finding,
  type Findings,
  openShapes,
  openSources,
  readModel,
  type ShaclReport,
} from '@enerchain/cim';
import { EnerchainError, isControl } from '@enerchain/model';
import { type Conversion, gridFromCim } from '../grid/from-cim.ts';
import { pointListOf } from '../grid/op-list.ts';
import { pointsFromCim } from '../grid/op-points.ts';
import { nameOf } from '../grid/open-case.ts';
import { SystemClient } from '../system-client.ts';

const print = (text: string): void => void process.stdout.write(`${text}\n`);

export interface ImportOptions {
  readonly data: string;
  readonly limit: string;
  readonly frequency: string;
  readonly name?: string;
  readonly check?: boolean;
  /** Turtle files with shapes, or folders of them. */
  readonly shacl?: readonly string[];
  /** Where a point list of the measurements and controls (OP) goes. */
  readonly points?: string;
  readonly partial?: boolean;
  readonly json?: boolean;
}

/**
 * Ends with status 1 when there are errors or the grid is not stored.
 * @throws EnerchainError `cli.option`, and what the system says; CimError `cim.file` when a file is not there
 */
export async function importModel(files: readonly string[], options: ImportOptions): Promise<void> {
  const limit = Number(options.limit);
  const frequency = Number(options.frequency);
  if (!Number.isInteger(limit) || limit < 0) {
    throw new EnerchainError('caller', 'cli.option', `--limit is a whole number, not ${options.limit}`);
  }
  if (!(frequency > 0 && frequency < 1_000)) {
    throw new EnerchainError('caller', 'cli.option', `--frequency is a number of Hz, not ${options.frequency}`);
  }
  const shapes = options.shacl ? openShapes(options.shacl) : [];
  const began = performance.now();
  const model = await readModel(openSources(files));
  applyDifferences(model);
  checkModel(model);
  const name = (options.name ?? nameOf(model)).slice(0, 200);
  const conversion = gridFromCim(model, { name, frequency });
  const seconds = (performance.now() - began) / 1000;
  const reports: ShaclReport[] = [];
  for (const each of shapes) {
    const [report] = await checkShacl(model, [each]);
    reports.push(report!);
    if (options.json) print(JSON.stringify({ kind: 'shapes', ...report }));
  }
  if (options.json) asLines(model, conversion);
  else asText(model, conversion, { limit, seconds, reports });
  offerPoints(model, options, limit);
  if (model.findings.counts.error > 0) {
    if (!options.check) say(options, { stored: false, why: 'a model with errors is not put in force' });
    process.exitCode = 1;
  } else if (!options.check) await store(conversion, options);
}

/** Measurements and controls of the files, for whoever wants them as points; nothing is bound by itself. */
function offerPoints(model: CimModel, { points: file, json }: ImportOptions, limit: number): void {
  const { points, findings } = pointsFromCim(model);
  if (file !== undefined) writeFileSync(file, pointListOf(points));
  if (points.length === 0 && findings.list.length === 0 && file === undefined) return;
  if (json) {
    for (const finding of findings.list) print(JSON.stringify({ kind: 'finding', ...finding }));
    print(JSON.stringify({ kind: 'points', count: points.length, ...(file === undefined ? {} : { file }) }));
    return;
  }
  print('');
  tell(model, findings, limit);
  const controls = points.filter(isControl).length;
  const what = `${plural(points.length - controls, 'measurement')} and ${plural(controls, 'control')} of OP`;
  print(
    file === undefined
      ? `${what} can become points: --points <file> writes a list to which addresses are added`
      : `${what} are in ${file}; add the columns of the addresses and name it in a site file`,
  );
}

async function store(conversion: Conversion, options: ImportOptions): Promise<void> {
  const { grid, leftOut, derived } = conversion;
  const size = { nodes: grid.connectivityNodes.length, equipment: grid.equipment.length, derived };
  if (leftOut.length > 0 && !options.partial) {
    say(options, {
      stored: false,
      ...size,
      leftOut,
      why: 'it would be another grid without these; --partial stores it so',
    });
    process.exitCode = 1;
    return;
  }
  const client = SystemClient.find(options.data);
  const { version, changed } = await client.request<{ version: number; changed: boolean }>('PUT', '/grid', grid);
  say(options, { stored: true, version, changed, ...size, leftOut });
}

interface Outcome {
  readonly stored: boolean;
  readonly why?: string;
  readonly version?: number;
  readonly changed?: boolean;
  readonly nodes?: number;
  readonly equipment?: number;
  readonly derived?: number;
  readonly leftOut?: Conversion['leftOut'];
}

function say({ json }: { json?: boolean }, outcome: Outcome): void {
  if (json) {
    print(JSON.stringify({ kind: 'stored', ...outcome }));
    return;
  }
  const { stored, why, version, changed, nodes, equipment, derived, leftOut = [] } = outcome;
  print('');
  for (const { count, class: name, reason, example } of leftOut) {
    print(`  left out: ${count} ${name}, '${example}'${count > 1 ? ' the first' : ''}: ${reason}`);
  }
  if (derived) print(`  ${plural(derived, 'identifier')} that are no UUIDs got one that follows from them`);
  if (!stored) print(`not stored: ${why}`);
  else if (changed) print(`in force as version ${version}: ${nodes} nodes, ${equipment} pieces of equipment`);
  else print(`version ${version} is this grid already`);
}

const countsOf = ({ store }: CimModel): [name: string, count: number][] =>
  store
    .classes()
    .filter((name) => !name.startsWith('md:') && !name.startsWith('dm:'))
    .map((name) => [name, store.ofClass(name).length]);

function asLines(model: CimModel, conversion: Conversion): void {
  const { version, store, findings } = model;
  for (const { name, octets, encoding, complete, header } of model.files) {
    print(JSON.stringify({ kind: 'file', name, octets, encoding, complete, header: header ?? null }));
  }
  for (const finding of [...findings.list, ...conversion.findings.list]) {
    print(JSON.stringify({ kind: 'finding', ...finding }));
  }
  const { objects, statements } = store;
  const classes = Object.fromEntries(countsOf(model));
  const { counts, byCode } = findings;
  print(JSON.stringify({ kind: 'model', version, objects, statements, classes, findings: counts, byCode }));
}

function asText(
  model: CimModel,
  conversion: Conversion,
  { limit, seconds, reports }: { limit: number; seconds: number; reports: readonly ShaclReport[] },
): void {
  const { files, store, findings } = model;
  const octets = files.reduce((sum, file) => sum + file.octets, 0);
  print(
    `CGMES ${model.version}: ${files.length} files, ${(octets / 1e6).toFixed(1)} MB, ${store.objects} objects, ` +
      `${store.statements} statements, read and checked in ${seconds.toFixed(1)} s`,
  );
  print('');
  for (const { name, header, complete } of files) {
    const profiles = header ? `${header.profiles.join('+') || '?'}${header.kind === 'difference' ? ' Δ' : ''}` : '?';
    const by = header
      ? `, ${header.modelingAuthoritySet ?? 'no authority'}, for ${header.scenarioTime ?? 'no time'}`
      : '';
    print(`  ${profiles.padEnd(10)} ${name}${by}${complete ? '' : ', NOT WHOLE'}`);
  }
  print('');
  for (const row of rows(countsOf(model).map(([name, count]) => `${name} ${count}`))) print(`  ${row}`);
  print('');
  for (const { shapes, files: of, results, statements, seconds: took } of reports) {
    const what = of.length === 0 ? 'no file of this profile' : `${results} findings in ${statements} statements`;
    print(`  ${shapes}: ${what}, ${took.toFixed(1)} s`);
  }
  if (reports.length > 0) print('');
  const { error, warning, note } = findings.counts;
  print(`${plural(error, 'error')}, ${plural(warning, 'warning')}, ${plural(note, 'note')}`);
  tell(model, findings, limit);
  if (Object.keys(conversion.findings.byCode).length === 0) return;
  print('as a grid of the platform:');
  tell(model, conversion.findings, limit);
}

/** Some findings of each code. */
function tell(model: CimModel, findings: Findings, limit: number): void {
  for (const [code, count] of Object.entries(findings.byCode)) {
    const some = findings.list.filter((finding) => finding.code === code).slice(0, limit);
    for (const finding of some) print(`  ${sentence(model, finding)}`);
    if (count > some.length) print(`  … and ${count - some.length} more of ${code}`);
  }
}

/** `error eq.xml:12 ACLineSegment 'North' (_1f…): r is missing [cim.required]` */
function sentence({ store }: CimModel, { severity, code, text, file, line, object, class: name }: Finding): string {
  const place = file === undefined ? '' : ` ${file}${line === undefined ? '' : `:${line}`}`;
  const found = object === undefined ? undefined : store.find(object);
  const label = found === undefined ? undefined : store.text(found, 'IdentifiedObject.name');
  const what =
    object === undefined ? '' : ` ${name ?? 'object'}${label === undefined ? '' : ` '${label}'`} (${object})`;
  return `${severity.padEnd(7)}${place}${what}: ${text} [${code}]`;
}

const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`;

/** Words side by side in rows of a hundred columns. */
function rows(words: readonly string[]): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length + 2 <= 100) lines[lines.length - 1] = `${last}, ${word}`;
    else lines.push(word);
  }
  return lines;
}
