/** The reader of RDF/XML beside one written on saxes: other code, the same statements. */
import fc from 'fast-check';
import { SaxesParser } from 'saxes';
import { describe, expect, test } from 'vitest';
import { Findings } from '../src/findings.ts';
import { CIM100, CIM100_EU, MD, RDF } from '../src/rdf/namespaces.ts';
import { readRdf } from '../src/rdf/reader.ts';
import { nodeWithin, ownStatements } from '../src/store/content.ts';
import { CimStore } from '../src/store/store.ts';

/** `subject class property kind value`; nodes without an identifier as what they consist of. */
async function ours(octets: Buffer, pieces: readonly number[] = []): Promise<{ said: string[]; codes: string[] }> {
  const store = new CimStore();
  const findings = new Findings();
  const chunks: Buffer[] = [];
  let rest = octets;
  for (const length of pieces) {
    chunks.push(rest.subarray(0, length));
    rest = rest.subarray(length);
  }
  chunks.push(rest);
  await readRdf('x.xml', chunks, store, findings);
  const inner = (description: number): string[] =>
    [...ownStatements(store, description)].map((statement) => {
      const node = nodeWithin(store, statement);
      const value =
        node === undefined ? store.value(statement) : `{${store.descriptionClass(node)} ${inner(node).join(', ')}}`;
      return `${store.property(statement)} ${node === undefined ? store.kind(statement) : 'node'} ${value}`;
    });
  const said: string[] = [];
  for (let description = 0; description < store.descriptions; description++) {
    if (store.naming(description) === 'anonymous') continue;
    const head = `${store.naming(description)} ${store.key(store.object(description))} ${store.descriptionClass(description) ?? '-'}`;
    said.push(head, ...inner(description).map((each) => `  ${each}`));
  }
  return { said, codes: findings.list.map(({ code }) => code) };
}

interface Open {
  readonly kind: 'root' | 'node' | 'property' | 'resource';
  readonly name: string;
  readonly said: string[];
  text: string;
  value?: string;
}

const PREFIXES: Readonly<Record<string, string>> = { [RDF]: 'rdf:', [MD]: 'md:', [CIM100]: '', [CIM100_EU]: '' };
const shorten = (uri: string, local: string): string => (uri in PREFIXES ? PREFIXES[uri]! : uri) + local;

/** The same by saxes, written as plainly as can be. */
function theirs(text: string): string[] | string {
  const parser = new SaxesParser({ xmlns: true });
  const stack: Open[] = [];
  const said: string[] = [];
  let failed: string | undefined;
  parser.on('error', ({ message }) => {
    failed ??= message;
  });
  const resource = (iri: string): string => {
    if (iri.startsWith('#')) return `reference ${iri.slice(1)}`;
    if (iri.startsWith('urn:uuid:')) return `reference _${iri.slice(9)}`;
    for (const namespace of [CIM100, CIM100_EU])
      if (iri.startsWith(namespace)) return `enumeration ${iri.slice(namespace.length)}`;
    return `iri ${iri}`;
  };
  parser.on('opentag', (tag) => {
    const name = shorten(tag.uri, tag.local);
    const of = (local: string): string | undefined =>
      Object.values(tag.attributes).find((each) => each.uri === RDF && each.local === local)?.value;
    const outer = stack.at(-1);
    if (!outer) stack.push({ kind: 'root', name, said, text: '' });
    else if (outer.kind === 'node') {
      const to = of('resource');
      if (to === undefined) stack.push({ kind: 'property', name, said: [], text: '' });
      else stack.push({ kind: 'resource', name, said: [], text: '', value: resource(to) });
    } else {
      const [id, about] = [of('ID'), of('about')];
      const key = id ?? (about?.startsWith('#') ? about.slice(1) : about?.replace(/^urn:uuid:/, '_'));
      const head =
        key === undefined
          ? ''
          : `${id === undefined ? 'about' : 'defined'} ${key} ${name === 'rdf:Description' ? '-' : name}`;
      stack.push({ kind: 'node', name, said: [], text: '', value: head });
    }
  });
  const take = (piece: string): void => {
    const top = stack.at(-1);
    if (top) top.text += piece;
  };
  parser.on('text', take);
  parser.on('cdata', take);
  parser.on('closetag', () => {
    const { kind, name, said: own, text: literal, value } = stack.pop()!;
    const outer = stack.at(-1);
    if (kind === 'resource') outer!.said.push(`${name} ${value}`);
    else if (kind === 'property') {
      const node = own.find((each) => each.startsWith('{'));
      outer!.said.push(node === undefined ? `${name} literal ${literal}` : `${name} node ${node}`);
    } else if (kind === 'node') {
      if (outer!.kind === 'property') outer!.said.push(`{${name} ${own.join(', ')}}`);
      else said.push(value!, ...own.map((each) => `  ${each}`));
    }
  });
  parser.write(text).close();
  return failed ?? said;
}

const PREFIX_NAMES = ['cim', 'c', 'CIM', 'x-1'];
const literal = fc
  .array(
    fc.constantFrom(
      '110',
      ' ',
      '&lt;',
      '&amp;',
      '&#252;',
      'ü😀',
      '<![CDATA[<a>&]]>',
      '<!-- c -->',
      '\n',
      "'",
      '"',
      ']]',
    ),
    { maxLength: 5 },
  )
  .map((parts) => parts.join(''));
const iri = fc.oneof(
  fc.constantFrom('a', 'b', 'ü', '1f-2').map((key) => `#_${key}`),
  fc.constantFrom(
    'urn:uuid:1f-2',
    `${CIM100}UnitSymbol.V`,
    `${CIM100_EU}LimitKind.patl`,
    'http://x.example/y',
    '',
    'urn:uuid:',
  ),
);
const { property } = fc.letrec<{ property: string; node: string }>((tie) => ({
  property: fc
    .tuple(
      fc.constantFrom('A.b', 'A.c', 'Terminal.phases'),
      fc.constantFrom(...PREFIX_NAMES),
      fc.boolean(),
      fc.oneof(
        { maxDepth: 3 },
        literal.map((text) => ({ text })),
        iri.map((to) => ({ to })),
        tie('node').map((inner) => ({ inner })),
      ),
    )
    .map(([name, prefix, declare, what]) => {
      const tag = `${prefix}:${name}`;
      const namespace = declare ? ` xmlns:${prefix}="${CIM100}"` : '';
      if ('to' in what) return `<${tag} rdf:resource="${what.to}"${namespace}/>`;
      return `<${tag}${namespace}>${'text' in what ? what.text : ` ${what.inner}\n`}</${tag}>`;
    }),
  node: fc
    .tuple(fc.constantFrom('Location', 'StreetAddress'), fc.array(tie('property'), { maxLength: 3 }))
    .map(([name, properties]) => `<cim:${name}>${properties.join('')}</cim:${name}>`),
}));
const object = fc
  .tuple(
    fc.constantFrom('cim:Line', 'c:Breaker', 'rdf:Description', 'eu:BoundaryPoint', 'md:FullModel'),
    fc.constantFrom('rdf:ID="_', 'rdf:about="#_', "rdf:about='urn:uuid:"),
    fc.constantFrom('a', 'b', 'c', 'd'),
    fc.array(property, { maxLength: 4 }),
  )
  .map(
    ([tag, naming, key, properties]) =>
      `<${tag} ${naming}${key}${naming.includes("'") ? "'" : '"'}>\n${properties.join('\n')}</${tag}>`,
  );
const document = fc
  .array(object, { maxLength: 5 })
  .map(
    (objects) =>
      `<?xml version="1.0"?>\n<rdf:RDF xmlns:rdf="${RDF}" xmlns:eu="${CIM100_EU}" xmlns:md="${MD}" ${PREFIX_NAMES.map((name) => `xmlns:${name}="${CIM100}"`).join(' ')}>\n${objects.join('\n')}\n</rdf:RDF>`,
  );

describe('RDF/XML beside a reader on saxes', () => {
  test('generated exchanges, cut anywhere on their way: the same objects, properties, kinds and values in the same order', async () => {
    await fc.assert(
      fc.asyncProperty(document, fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 20 }), async (text, pieces) => {
        const expected = theirs(text);
        expect(expected).toBeInstanceOf(Array);
        expect((await ours(Buffer.from(text), pieces)).said).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });

  test('changed at random: what saxes takes and what is CIM is read alike, what it refuses is refused', async () => {
    const edit = fc.tuple(
      fc.nat(),
      fc.constantFrom('<', '>', '&', '"', '/', ':', 'x', '', '<!--', ']]>'),
      fc.nat({ max: 3 }),
    );
    let [refused, alike] = [0, 0];
    await fc.assert(
      fc.asyncProperty(document, fc.array(edit, { minLength: 1, maxLength: 2 }), async (whole, edits) => {
        let text = whole;
        for (const [at, put, out] of edits) {
          const place = at % text.length;
          text = text.slice(0, place) + put + text.slice(place + out);
        }
        // saxes has an opinion on the names of instructions, and takes blanks off the names of namespaces.
        if (!text.isWellFormed() || /<!DOCTYPE|<\?[^\s?]*:|=["']\s/.test(text)) return;
        const expected = theirs(text);
        const { said, codes } = await ours(Buffer.from(text));
        if (typeof expected === 'string') {
          refused++;
          expect(
            codes.some((code) => /^(xml|rdf)\./.test(code)),
            `saxes: ${expected}`,
          ).toBe(true);
        } else if (codes.length === 0) {
          alike++;
          expect(said).toEqual(expected);
        }
      }),
      { numRuns: 800 },
    );
    expect(refused).toBeGreaterThan(50);
    expect(alike).toBeGreaterThan(50);
  });

  test('cut off at any octet: what is in the store is what came before, and one error says where it ended', async () => {
    await fc.assert(
      fc.asyncProperty(document, fc.nat(), async (text, at) => {
        const octets = Buffer.from(text);
        const length = at % octets.length;
        const { said, codes } = await ours(octets.subarray(0, length));
        expect(codes.filter((code) => code.startsWith('xml.'))).toHaveLength(1);
        const whole = (await ours(octets)).said;
        // The last object may be half there.
        const heads = said.filter((each) => !each.startsWith(' '));
        expect(whole.filter((each) => !each.startsWith(' ')).slice(0, heads.length)).toEqual(heads);
        const complete = said.slice(
          0,
          said.findLastIndex((each) => !each.startsWith(' ')),
        );
        expect(whole.slice(0, complete.length)).toEqual(complete);
      }),
      { numRuns: 300 },
    );
  });
});
