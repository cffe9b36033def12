/**
 * Writes what changed between two models as difference models (IEC 61970-552): for each part that changed one file, which
 * makes the part before into the part after, to the letter.
 */
import { CimError } from '../error.ts';
import type { CimModel, ModelHeader } from '../model.ts';
import { type Part, partsOf, speaksOf } from '../parts.ts';
import { ownStatements } from '../store/content.ts';
import { descriptionsOf, type WrittenNode } from '../write/nodes.ts';
import { XML_HEAD, XmlWriter } from '../write/writer.ts';
import { Side, type Values } from './diff.ts';

export interface DifferenceOptions {
  /** Identifier of the difference, where the model after has that of the model before. A UUID. */
  readonly id: () => string;
  /** Time for `md:Model.created`, ISO 8601, where the model after has none of its own. */
  readonly created: string;
}

export interface Difference {
  /** Of the part before, and after. */
  readonly before: ModelHeader;
  readonly after: ModelHeader;
  readonly text: string;
}

/**
 * Parts are the same when they are of the same profiles and authority. Parts that are only in one of the models are not
 * differences but models to send, or to send no more.
 * @throws CimError `cim.write` for models that are not CGMES 3.0, or when several parts are of the same profiles and authority
 */
export function writeDifferences(before: CimModel, after: CimModel, options: DifferenceOptions): Difference[] {
  for (const { version } of [before, after]) {
    if (version === '3.0') continue;
    throw new CimError('unsupported', 'cim.write', `only CGMES 3.0 is written, not ${version}`);
  }
  const now = byWhatTheySpeakOf(after);
  const differences: Difference[] = [];
  for (const [of, old] of byWhatTheySpeakOf(before)) {
    const part = now.get(of);
    if (!part) continue;
    const text = difference(before, old, after, part, options);
    if (text !== undefined) differences.push({ before: old.header, after: part.header, text });
  }
  return differences;
}

type Whole = Part & { readonly base: number; readonly header: ModelHeader };

function byWhatTheySpeakOf(model: CimModel): Map<string, Whole> {
  const parts = new Map<string, Whole>();
  for (const { base, header, ...part } of partsOf(model)) {
    if (base === undefined || !header) continue;
    const of = speaksOf(header);
    const other = parts.get(of);
    if (other) {
      const text = `${header.file} and ${other.header.file} are of the same profiles and authority; which one changed cannot be told`;
      throw new CimError('unsupported', 'cim.write', text);
    }
    parts.set(of, { ...part, base, header });
  }
  return parts;
}

const filesOf = ({ base, differences }: Whole, { store }: CimModel): ReadonlySet<number> =>
  new Set([base, ...differences.filter((file) => store.applied.has(file))]);

function difference(
  before: CimModel,
  old: Whole,
  after: CimModel,
  now: Whole,
  options: DifferenceOptions,
): string | undefined {
  const from = new Side(before, { spelling: true }, filesOf(old, before));
  const to = new Side(after, { spelling: true }, filesOf(now, after));
  const reverse: WrittenNode[] = [];
  const forward: WrittenNode[] = [];
  const whole = (side: Side, key: string): WrittenNode => {
    const naming = side.defines(key) ? 'defined' : 'about';
    const statements = [...side.values(key).values()].flatMap((values) => [...values.values()]);
    return { key, class: side.class(key), naming, statements };
  };
  for (const key of from.keys()) {
    if (to.has(key) && from.class(key) === to.class(key)) continue;
    const node = whole(from, key);
    // What is not defined here is not taken away here: only what is said of it is.
    reverse.push({ ...node, class: node.naming === 'defined' ? node.class : undefined, naming: 'about' });
  }
  for (const key of to.keys()) {
    if (!from.has(key) || from.class(key) !== to.class(key)) {
      forward.push(whole(to, key));
      continue;
    }
    const [was, is] = [from.values(key), to.values(key)];
    const changed = (side: ReadonlyMap<string, Values>, other: ReadonlyMap<string, Values>): number[] =>
      [...side].flatMap(([property, values]) =>
        [...values].flatMap(([content, statement]) => (other.get(property)?.has(content) ? [] : [statement])),
      );
    const [gone, come] = [changed(was, is), changed(is, was)];
    if (gone.length > 0) reverse.push({ key, class: undefined, naming: 'about', statements: gone });
    if (come.length > 0) forward.push({ key, class: undefined, naming: 'about', statements: come });
  }
  if (reverse.length === 0 && forward.length === 0) return undefined;
  const [ours, theirs] = [new XmlWriter(before), new XmlWriter(after)];
  const section = (name: string, writer: XmlWriter, nodes: readonly WrittenNode[]): string =>
    `    <dm:${name} rdf:parseType="Statements">\n${nodes.map((node) => writer.node(node, '      ')).join('')}    </dm:${name}>\n`;
  const head = theirs.node(header(after, now)).split('\n').slice(1, -2).join('\n');
  const own = now.header.id === old.header.id;
  const id = own ? options.id() : now.header.id.replace(/^_/, '');
  return `${XML_HEAD}  <dm:DifferenceModel rdf:about="urn:uuid:${id}">
${head}
${now.header.created === undefined || own ? `    <md:Model.created>${options.created}</md:Model.created>\n` : ''}    <md:Model.Supersedes rdf:resource="urn:uuid:${old.header.id.replace(/^_/, '')}" />
${section('reverseDifferences', ours, reverse)}${section('forwardDifferences', theirs, forward)}  </dm:DifferenceModel>
</rdf:RDF>
`;

  /** What the header of the part after says, without what the difference says itself. */
  function header(model: CimModel, part: Whole): WrittenNode {
    const { store } = model;
    const file = part.differences.findLast((each) => store.applied.has(each)) ?? part.base;
    for (const description of descriptionsOf(model, file)) {
      if (store.section(description) !== 'body' || !store.descriptionClass(description)?.match(/^(md|dm):/)) continue;
      const statements = [...ownStatements(store, description)].filter((statement) => {
        const property = store.property(statement);
        if (property === 'md:Model.created') return now.header.id !== old.header.id;
        return property !== 'md:Model.Supersedes';
      });
      return { key: part.header.id, class: 'md:FullModel', naming: 'about', statements };
    }
    throw new CimError('local', 'cim.header', `${part.header.file} has a header that is nowhere`);
  }
}
