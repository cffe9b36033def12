/** `enerchain import`: a grid model read and checked; what came in, and what is wrong with it. */
import { applyDifferences, type CimModel, checkModel, type Finding, openSources, readModel } from '@enerchain/cim';
import { EnerchainError } from '@enerchain/model';

const print = (text: string): void => void process.stdout.write(`${text}\n`);

/**
 * Ends with status 1 when there are errors.
 * @throws EnerchainError `cli.option`; CimError `cim.file` when a file is not there
 */
export async function importModel(
  files: readonly string[],
  options: { check: true; limit: string; json?: boolean },
): Promise<void> {
  const limit = Number(options.limit);
  if (!Number.isInteger(limit) || limit < 0) {
    throw new EnerchainError('caller', 'cli.option', `--limit is a whole number, not ${options.limit}`);
  }
  const began = performance.now();
  const model = await readModel(openSources(files));
  applyDifferences(model);
  checkModel(model);
  const seconds = (performance.now() - began) / 1000;
  if (options.json) asLines(model);
  else asText(model, limit, seconds);
  if (model.findings.counts.error > 0) process.exitCode = 1;
}

const countsOf = ({ store }: CimModel): [name: string, count: number][] =>
  store
    .classes()
    .filter((name) => !name.startsWith('md:') && !name.startsWith('dm:'))
    .map((name) => [name, store.ofClass(name).length]);

function asLines(model: CimModel): void {
  const { version, store, findings } = model;
  for (const { name, octets, encoding, complete, header } of model.files) {
    print(JSON.stringify({ kind: 'file', name, octets, encoding, complete, header: header ?? null }));
  }
  for (const finding of findings.list) print(JSON.stringify({ kind: 'finding', ...finding }));
  const { objects, statements } = store;
  const classes = Object.fromEntries(countsOf(model));
  const { counts, byCode } = findings;
  print(JSON.stringify({ kind: 'model', version, objects, statements, classes, findings: counts, byCode }));
}

function asText(model: CimModel, limit: number, seconds: number): void {
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
  const { error, warning, note } = findings.counts;
  print(`${plural(error, 'error')}, ${plural(warning, 'warning')}, ${plural(note, 'note')}`);
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
