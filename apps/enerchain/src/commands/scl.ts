/** `enerchain scl check | tree | diff | extract`: what an SCL file says, what is wrong with it, what changed since. */
import { writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import {
  checkScl,
  compareFacts,
  configuredValue,
  extractIed,
  factsOf,
  leaves,
  readSclFile,
  type Scl,
  type SclCheck,
  sclText,
  validateByXsd,
} from '@enerchain/iec61850';
import { EnerchainError } from '@enerchain/model';

const print = (text: string): void => void process.stdout.write(`${text}\n`);

export interface SclOptions {
  readonly json?: boolean;
  /** tree: only this IED. */
  readonly ied?: string;
  /** tree: attributes too, not data objects only. */
  readonly attributes?: boolean;
  /** check: the schema's outermost file, SCL.xsd. */
  readonly xsd?: string;
}

export interface ExtractOptions {
  readonly ied: string;
  readonly out?: string;
}

/** Ends with status 1 when a file has errors. */
export async function sclCheck(files: readonly string[], options: SclOptions): Promise<void> {
  for (const file of files) {
    const { scl, findings } = await readSclFile(file);
    const check = scl && checkScl(scl, findings, basename(file));
    if (options.xsd !== undefined) await validateByXsd(file, options.xsd, findings);
    const { counts, list } = findings;
    if (counts.error > 0) process.exitCode = 1;
    if (options.json) {
      for (const finding of list) print(JSON.stringify(finding));
      continue;
    }
    for (const { severity, code, text, line } of list) print(`${file}:${line ?? 1}  ${severity}  ${text}  (${code})`);
    untold(findings);
    const devices = [...(check?.models.values() ?? [])].flatMap((model) => model.devices);
    const what = scl
      ? `SCL ${scl.version}${scl.revision}${scl.release ?? ''}: ${scl.ieds.length} IEDs, ${devices.length} logical devices, ${devices.reduce((sum, { nodes }) => sum + nodes.length, 0)} logical nodes`
      : 'no SCL';
    print(`${file}: ${what}; ${counts.error} errors, ${counts.warning} warnings`);
  }
}

/** One line a data object, or with `attributes` one an attribute; with `json` each with its full reference. */
export async function sclTree(file: string, options: SclOptions): Promise<void> {
  const { models } = await opened(file);
  if (options.ied !== undefined && !models.has(options.ied)) {
    throw new EnerchainError(
      'caller',
      'scl.ied',
      `${file} has no IED ${options.ied}; it has ${[...models.keys()].join(', ') || 'none'}`,
    );
  }
  for (const { ied, devices } of models.values()) {
    if (options.ied !== undefined && ied.name !== options.ied) continue;
    if (!options.json) print(`${ied.name}${ied.desc ? `  ${ied.desc}` : ''}`);
    for (const device of devices) {
      if (!options.json) print(`  ${device.name}`);
      for (const node of device.nodes) {
        if (!options.json)
          print(
            `    ${node.name}${node.ln.desc ? `  ${node.ln.desc}` : ''}${node.type ? '' : `  (type ${node.ln.lnType} is missing)`}`,
          );
        for (const object of node.type?.objects ?? []) {
          const reference = `${device.name}/${node.name}.${object.name}`;
          if (!options.attributes) {
            if (options.json) print(JSON.stringify({ reference, cdc: object.cdc, line: node.ln.line }));
            else print(`      ${object.name}  ${object.cdc}`);
            continue;
          }
          if (!options.json) print(`      ${object.name}  ${object.cdc}`);
          for (const { names, attribute } of leaves(object, undefined, [object.name])) {
            const value = configuredValue(node, names);
            const { fc, bType, enumType } = attribute;
            if (options.json) {
              const full = `${device.name}/${node.name}.${names.join('.')}`;
              print(
                JSON.stringify({
                  reference: full,
                  fc,
                  bType,
                  ...(enumType ? { enum: enumType.id } : {}),
                  ...(value === undefined ? {} : { value }),
                }),
              );
            } else
              print(
                `        ${names.slice(1).join('.')}  [${fc}]  ${enumType?.id ?? bType}${value === undefined ? '' : ` = ${value}`}`,
              );
          }
        }
      }
    }
  }
}

/** Ends with status 1 when there is a difference. */
export async function sclDiff(before: string, after: string, options: SclOptions): Promise<void> {
  const [one, two] = [await opened(before), await opened(after)];
  const changes = compareFacts(factsOf(one.scl, one.types), factsOf(two.scl, two.types));
  for (const change of changes) {
    if (options.json) print(JSON.stringify(change));
    else if (change.before === undefined) print(`+ ${change.about}  ${change.after}`);
    else if (change.after === undefined) print(`- ${change.about}  ${change.before}`);
    else print(`~ ${change.about}\n    was  ${change.before}\n    is   ${change.after}`);
  }
  if (changes.length > 0) process.exitCode = 1;
  if (!options.json) print(changes.length === 0 ? 'no difference' : `${changes.length} differences`);
}

/** On stdout, or into a file that is not there yet. Private sections come along. */
export async function sclExtract(file: string, { ied, out }: ExtractOptions): Promise<void> {
  const { scl, findings } = await readSclFile(file, { keepPrivate: () => true });
  if (!scl) throw new EnerchainError('peer', 'scl.file', `${file}: ${findings.list[0]?.text ?? 'is no SCL'}`);
  const text = sclText(extractIed(scl, ied));
  if (out === undefined) process.stdout.write(text);
  else writeNew(out, text);
}

function writeNew(path: string, text: string): void {
  try {
    writeFileSync(path, text, { flag: 'wx' });
  } catch (cause) {
    throw new EnerchainError('environment', 'cli.file', `${path} cannot be written; nothing is written over`, {
      cause,
    });
  }
}

/** A file with its models. @throws EnerchainError when it is no SCL */
export async function opened(file: string): Promise<SclCheck & { readonly scl: Scl }> {
  const { scl, findings } = await readSclFile(file);
  if (scl) return { ...checkScl(scl, findings), scl };
  throw new EnerchainError('peer', 'scl.file', `${file}: ${findings.list[0]?.text ?? 'is no SCL'}`);
}

function untold({ counts, list }: SclCheck['findings']): void {
  const more = counts.error + counts.warning + counts.note - list.length;
  if (more > 0) print(`… and ${more} more of the same kinds`);
}
