/**
 * Validation by the XML schema of IEC 61850-6, where the user has it (the standard's code components are not ours to
 * hand on). libxml2 does it, as WebAssembly: the package `xmllint-wasm`, optional and loaded when it is asked for.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Findings } from '@enerchain/xml';
import { Iec61850Error } from '../error.ts';

/** What of the package is used. */
interface Validator {
  validateXML(options: object): Promise<{
    readonly valid: boolean;
    readonly errors: readonly {
      readonly message: string;
      readonly loc: { readonly fileName: string; readonly lineNumber: number } | null;
    }[];
  }>;
}

/** Not literal in `import`: it may be missing. */
const PACKAGE = 'xmllint-wasm';
/** 64 KiB each: 32 MiB to begin with, 2 GiB at most. */
const PAGES = { initialMemoryPages: 512, maxMemoryPages: 32_768 };

/**
 * Adds what the schema says against the file to `findings`, as errors `scl.xsd` with their lines.
 * @param xsd the schema's outermost file (SCL.xsd); what it includes lies beside it
 * @throws Iec61850Error `scl.file`, `scl.xsd.missing` (environment), `scl.xsd.schema` (caller) when the schema is none
 */
export async function validateByXsd(file: string, xsd: string, findings: Findings): Promise<void> {
  const { validateXML } = await load();
  const folder = dirname(xsd);
  const [content, schema] = [read(file), read(xsd)];
  const included = readdirSync(folder)
    .filter((name) => name.endsWith('.xsd') && name !== basename(xsd))
    .map((name) => ({ fileName: name, contents: read(join(folder, name)) }));
  const name = basename(file);
  // The names that are told are of the validator's own file system; these two cannot be taken for options or each other.
  const checked = await validateXML({
    xml: { fileName: 'checked.xml', contents: content },
    schema: { fileName: basename(xsd), contents: schema },
    preload: included,
    ...PAGES,
  }).catch((cause) => {
    throw new Iec61850Error('caller', 'scl.xsd.schema', `${xsd} cannot be used as a schema`, { cause });
  });
  for (const { message, loc } of checked.errors) {
    if (loc && loc.fileName !== 'checked.xml') {
      const text = `${loc.fileName}:${loc.lineNumber} ${message}`;
      throw new Iec61850Error('caller', 'scl.xsd.schema', `${xsd} cannot be used as a schema: ${text}`);
    }
    // '… fails to validate' sums up what the others say.
    if (!loc) continue;
    const text = plain(message);
    findings.add({ severity: 'error', code: 'scl.xsd', text, file: name, line: loc.lineNumber });
  }
}

async function load(): Promise<Validator> {
  try {
    const loaded = (await import(PACKAGE)) as { default?: Validator } & Validator;
    return loaded.default ?? loaded;
  } catch (cause) {
    const text =
      'validation by a schema takes the package xmllint-wasm 5.3.0, which is optional and not installed here; npm install brings it unless it is told to leave optional ones out';
    throw new Iec61850Error('environment', 'scl.xsd.missing', text, { cause });
  }
}

function read(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new Iec61850Error('environment', 'scl.file', `${path} cannot be read`, { cause });
  }
}

/** 'element IED: Schemas validity error : Element '{http://…}IED': …' without what everybody knows. */
const plain = (message: string): string =>
  message.replace(/^element [^:]+: Schemas (?:validity|parser) error : /, '').replaceAll(/\{http[^}]*\}/g, '');
