/**
 * Reads SCL (IEC 61850-6) as it comes, piece by piece, into records that the tables of `schema/` describe. What the
 * tables do not know is passed over: elements of other namespaces silently, those of SCL with a finding.
 */
import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import {
  type Attributes,
  Findings,
  Utf8Gate,
  XmlError,
  type XmlHandler,
  type XmlLimits,
  XmlScanner,
} from '@enerchain/xml';
import { Iec61850Error } from '../error.ts';
import { Namespaces, type QualifiedName, SCL_NAMESPACE, textOf } from './namespaces.ts';
import type { Attribute, ElementSpec, XmlNode } from './schema/element.ts';
import { SCL, type Scl } from './schema/scl.ts';

export interface SclReadOptions {
  /** For findings. */
  readonly name?: string;
  /** Findings are added here; default a list of its own. */
  readonly findings?: Findings;
  /** Private sections whose content is kept. Default: the 104 addresses of IEC 61850-80-1. */
  readonly keepPrivate?: (type: string) => boolean;
  readonly limits?: XmlLimits & {
    /** Elements of one file. Default 20 million. */
    readonly elements?: number;
  };
}

export interface SclFile {
  /** Undefined when the file is no SCL; the findings say why. */
  readonly scl: Scl | undefined;
  readonly findings: Findings;
}

/** The `type` of Private sections that IEC 61850-80-1 puts 104 addresses into. */
export const IEC104_PRIVATE = 'IEC_60870_5_104';

/** @throws Iec61850Error `scl.file` (environment) when the file cannot be read; whatever it holds is told by findings */
export async function readSclFile(path: string, options: SclReadOptions = {}): Promise<SclFile> {
  const reader = new SclReader({ name: basename(path), ...options });
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
      if (!reader.write(chunk)) break;
    }
  } catch (cause) {
    throw new Iec61850Error('environment', 'scl.file', `${path} cannot be read`, { cause });
  }
  return reader.finish();
}

/** Reads a text or its octets. Never throws for what it holds. */
export function readScl(content: string | Uint8Array, options: SclReadOptions = {}): SclFile {
  const reader = new SclReader(options);
  reader.write(typeof content === 'string' ? Buffer.from(content) : content);
  return reader.finish();
}

/** A record as it grows. */
interface Draft {
  [key: string]: unknown;
  type?: unknown;
  text?: unknown;
  nodes?: unknown;
}

interface Compiled {
  readonly spec: ElementSpec<unknown>;
  readonly keys: readonly string[];
  readonly attributes: readonly Attribute<unknown>[];
  readonly indexOf: ReadonlyMap<string, number>;
  readonly children: ReadonlyMap<
    string,
    { readonly key: string; readonly many: boolean; readonly spec: () => ElementSpec<unknown> }
  >;
  readonly childKeys: readonly (readonly [key: string, many: boolean])[];
}

interface Frame {
  readonly table: Compiled | undefined;
  /** The record, or the draft of an XmlNode. */
  readonly record: Draft;
  text: string;
}

const NONE: readonly never[] = Object.freeze([]);
const MAX_ELEMENTS = 20_000_000;
const POOLED_LENGTH = 40;
const MAX_POOL = 200_000;

const compiled = new Map<ElementSpec<unknown>, Compiled>();

function compile(spec: ElementSpec<unknown>): Compiled {
  const known = compiled.get(spec);
  if (known) return known;
  const keys = Object.keys(spec.attributes);
  const table: Compiled = {
    spec,
    keys,
    attributes: Object.values(spec.attributes),
    indexOf: new Map(keys.map((key, index) => [key, index])),
    children: new Map(
      Object.entries(spec.children).map(([key, child]) => [
        child.spec().tag,
        { key, many: child.many, spec: child.spec },
      ]),
    ),
    childKeys: Object.entries(spec.children).map(([key, { many }]) => [key, many] as const),
  };
  compiled.set(spec, table);
  return table;
}

/** One file. `write` its octets until there are no more (or it answers false), then `finish`. */
export class SclReader implements XmlHandler {
  readonly #name: string | undefined;
  readonly #findings: Findings;
  readonly #keep: (type: string) => boolean;
  readonly #maxElements: number;
  readonly #scanner: XmlScanner;
  readonly #gate: Utf8Gate;
  readonly #namespaces: Namespaces;
  readonly #frames: Frame[] = [];
  readonly #pool = new Map<string, string>();
  /** Elements below one that is passed over. */
  #skipped = 0;
  #depth = 0;
  #elements = 0;
  #failed = false;
  #scl: Scl | undefined;

  constructor(options: SclReadOptions = {}) {
    this.#name = options.name;
    this.#findings = options.findings ?? new Findings();
    this.#keep = options.keepPrivate ?? ((type) => type === IEC104_PRIVATE);
    this.#maxElements = options.limits?.elements ?? MAX_ELEMENTS;
    this.#scanner = new XmlScanner(this, options.limits);
    this.#namespaces = new Namespaces(this.#scanner.names);
    this.#gate = new Utf8Gate(
      (utf8) => this.#scanner.write(utf8),
      () => this.#scanner.line,
    );
  }

  /** @returns false when the file turned out to be no SCL: the rest need not be read */
  write(chunk: Uint8Array): boolean {
    this.#guarded(() => this.#gate.write(chunk));
    return !this.#failed;
  }

  finish(): SclFile {
    this.#guarded(() => {
      this.#gate.finish();
      this.#scanner.finish();
    });
    return { scl: this.#failed ? undefined : this.#scl, findings: this.#findings };
  }

  #guarded(action: () => void): void {
    if (this.#failed) return;
    try {
      action();
    } catch (error) {
      if (!(error instanceof XmlError) || error.fault === 'local') throw error;
      this.#failed = true;
      this.#tell('error', error.code, error.message, error.line);
    }
  }

  #tell(severity: 'error' | 'warning', code: string, text: string, line: number | undefined): void {
    this.#findings.add({
      severity,
      code,
      text,
      ...(this.#name === undefined ? {} : { file: this.#name }),
      ...(line === undefined ? {} : { line }),
    });
  }

  open(name: number, attributes: Attributes, line: number): void {
    const depth = this.#depth++;
    if (++this.#elements > this.#maxElements) {
      throw new XmlError('peer', 'scl.limit', `the file has more than ${this.#maxElements} elements`, { line });
    }
    this.#namespaces.enter(attributes, depth);
    if (this.#skipped > 0) {
      this.#skipped++;
      return;
    }
    const qualified = this.#namespaces.element(name);
    const parent = this.#frames.at(-1);
    if (!parent) {
      if (qualified.local !== 'SCL') {
        throw new XmlError('peer', 'scl.root', `the outermost element is <${qualified.local}>, not <SCL>`, { line });
      }
      if (qualified.namespace !== SCL_NAMESPACE) {
        const is = qualified.namespace === '' ? 'no namespace' : `the namespace ${qualified.namespace}`;
        this.#tell('warning', 'scl.namespace', `SCL stands in ${is}; read as ${SCL_NAMESPACE}`, line);
      }
      this.#scl = this.#begin(compile(SCL), attributes, line) as unknown as Scl;
      return;
    }
    if (!parent.table || (parent.table.spec.anything && !parent.table.children.has(qualified.local))) {
      this.#keepNode(parent, qualified, attributes, line);
      return;
    }
    const child = this.#isScl(qualified) ? parent.table.children.get(qualified.local) : undefined;
    if (!child) {
      if (this.#isScl(qualified)) {
        const where = `<${qualified.local}> within <${parent.table.spec.tag}>`;
        this.#tell('warning', 'scl.element', `${where} is not of SCL as this reader knows it; passed over`, line);
      }
      this.#skipped = 1;
      return;
    }
    const record = this.#begin(compile(child.spec()), attributes, line);
    const there = parent.record[child.key];
    if (child.many) {
      if (there === NONE) parent.record[child.key] = [record];
      else (there as unknown[]).push(record);
    } else if (there === undefined) parent.record[child.key] = record;
    else
      this.#tell(
        'error',
        'scl.twice',
        `<${parent.table.spec.tag}> has a second <${qualified.local}>; the first counts`,
        line,
      );
  }

  /** A file without a namespace is read as SCL throughout. */
  #isScl({ namespace }: QualifiedName): boolean {
    return namespace === SCL_NAMESPACE || namespace === '';
  }

  #begin(table: Compiled, attributes: Attributes, line: number): Draft {
    const { keys, indexOf, spec } = table;
    const record: Draft = { line };
    for (let index = 0; index < keys.length; index++) record[keys[index]!] = undefined;
    for (let index = 0; index < attributes.count; index++) {
      const name = this.#scanner.names.text(attributes.name(index));
      const at = indexOf.get(name);
      if (at !== undefined) {
        const type = table.attributes[at]!.type;
        const text = this.#pooled(textOf(attributes, index));
        const value = type.parse(text);
        if (value === undefined) {
          this.#tell('error', 'scl.value', `${name}="${shortened(text)}" of <${spec.tag}> is not ${type.what}`, line);
        }
        record[name] = value;
      } else if (!name.includes(':') && name !== 'xmlns') {
        this.#tell(
          'warning',
          'scl.attribute',
          `<${spec.tag}> has an attribute ${name}, which is not of SCL as this reader knows it`,
          line,
        );
      }
    }
    for (let index = 0; index < keys.length; index++) {
      const key = keys[index]!;
      if (record[key] !== undefined) continue;
      const { required, fallback } = table.attributes[index]!;
      record[key] = fallback;
      if (required) this.#tell('error', 'scl.required', `<${spec.tag}> has no ${key}`, line);
    }
    for (const [key, many] of table.childKeys) record[key] = many ? NONE : undefined;
    if (spec.text) record.text = '';
    if (spec.anything) record.nodes = NONE;
    this.#frames.push({ table, record, text: '' });
    return record;
  }

  /** Content of a Private section that is wanted, or of Services. */
  #keepNode(parent: Frame, { namespace, local }: QualifiedName, attributes: Attributes, line: number): void {
    if (parent.table?.spec.tag === 'Private' && !this.#keep(parent.record.type as string)) {
      this.#skipped = 1;
      return;
    }
    const values: Record<string, string> = Object.create(null);
    for (let index = 0; index < attributes.count; index++) {
      const name = this.#scanner.names.text(attributes.name(index));
      if (name !== 'xmlns' && !name.startsWith('xmlns:'))
        values[name.slice(name.indexOf(':') + 1)] = this.#pooled(textOf(attributes, index));
    }
    const node: Draft = { line, namespace, name: local, attributes: values, nodes: NONE, text: '' };
    if (parent.record.nodes === NONE) parent.record.nodes = [node];
    else (parent.record.nodes as XmlNode[]).push(node as unknown as XmlNode);
    this.#frames.push({ table: undefined, record: node, text: '' });
  }

  close(): void {
    this.#depth--;
    this.#namespaces.leave(this.#depth);
    if (this.#skipped > 0) {
      this.#skipped--;
      return;
    }
    const { table, record, text } = this.#frames.pop()!;
    if (!table || table.spec.text) record.text = this.#pooled(text.trim());
  }

  text(bytes: Uint8Array, start: number, end: number): void {
    if (this.#skipped > 0) return;
    const frame = this.#frames.at(-1);
    if (!frame || (frame.table && !frame.table.spec.text)) return;
    frame.text += Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8', start, end);
  }

  /** A file of a million attributes has a few thousand different values. */
  #pooled(text: string): string {
    if (text.length > POOLED_LENGTH) return text;
    const known = this.#pool.get(text);
    if (known !== undefined) return known;
    if (this.#pool.size < MAX_POOL) this.#pool.set(text, text);
    return text;
  }
}

const shortened = (text: string): string => (text.length > 40 ? `${text.slice(0, 40)}…` : text);
