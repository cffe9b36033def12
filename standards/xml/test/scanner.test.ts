import fc from 'fast-check';
import { SaxesParser } from 'saxes';
import { describe, expect, test } from 'vitest';
import { Utf8Gate } from '../src/encoding.ts';
import { XmlError } from '../src/error.ts';
import { XmlScanner } from '../src/scanner.ts';

type Event = readonly ['open', string, Record<string, string>] | readonly ['close', string] | readonly ['text', string];

function merge(events: readonly Event[]): Event[] {
  const merged: Event[] = [];
  for (const event of events) {
    const last = merged.at(-1);
    if (event[0] === 'text' && last?.[0] === 'text') merged[merged.length - 1] = ['text', last[1] + event[1]];
    else merged.push(event);
  }
  return merged.filter((event) => event[0] !== 'text' || event[1] !== '');
}

/** What our scanner says of octets that come in pieces of these lengths. */
function ours(octets: Buffer, pieces: readonly number[] = []): Event[] | string {
  const events: Event[] = [];
  const text = (bytes: Uint8Array, from: number, to: number): string =>
    Buffer.from(bytes.subarray(from, to)).toString('utf8');
  const scanner: XmlScanner = new XmlScanner({
    open(name, attributes) {
      const all: Record<string, string> = Object.create(null);
      for (let index = 0; index < attributes.count; index++) {
        all[scanner.names.text(attributes.name(index))] = text(
          attributes.bytes(index),
          attributes.start(index),
          attributes.end(index),
        );
      }
      events.push(['open', scanner.names.text(name), all]);
    },
    close: (name) => void events.push(['close', scanner.names.text(name)]),
    text: (bytes, from, to) => void events.push(['text', text(bytes, from, to)]),
  });
  const gate = new Utf8Gate(
    (chunk) => scanner.write(chunk),
    () => scanner.lastLine,
  );
  try {
    let at = 0;
    for (const length of pieces) {
      gate.write(octets.subarray(at, at + length));
      at += length;
    }
    gate.write(octets.subarray(at));
    gate.finish();
    scanner.finish();
    return merge(events);
  } catch (error) {
    if (error instanceof XmlError && error.code.startsWith('xml.')) return error.code;
    throw error;
  }
}

function saxes(text: string): Event[] | string {
  const events: Event[] = [];
  const parser = new SaxesParser({ xmlns: false, position: false });
  let failed: string | undefined;
  let depth = 0;
  parser.on('error', (error) => {
    failed ??= error.message;
  });
  parser.on('opentag', (tag) => {
    depth++;
    events.push(['open', tag.name, Object.assign(Object.create(null), tag.attributes)]);
  });
  parser.on('closetag', (tag) => {
    depth--;
    events.push(['close', tag.name]);
  });
  const take = (piece: string): void => {
    if (depth > 0) events.push(['text', piece]);
  };
  parser.on('text', take);
  parser.on('cdata', take);
  parser.write(text).close();
  return failed ?? merge(events);
}

const name = fc.constantFrom('a', 'b', 'cim:Line', 'é', 'x-1', '_', 'rdf:ID', '名');
const data = fc.oneof(
  fc.constantFrom(
    '&lt;',
    '&amp;',
    '&#65;',
    '&#x1F600;',
    '\r\n',
    '\r',
    '\n',
    ' ',
    '\t',
    ']]',
    ']',
    '>',
    'ä',
    '😀',
    '"',
    "'",
  ),
  fc.string({ unit: fc.constantFrom('a', '0', '.', ' ', '-'), maxLength: 6 }),
);
const words = fc.array(data, { maxLength: 6 }).map((parts) => parts.join(''));
const attribute = fc.tuple(name, fc.constantFrom('=', ' = ', '=\n'), words).map(([key, equals, value]) => {
  return ` ${key}${equals}"${value.replaceAll('"', '&quot;')}"`;
});
const { element } = fc.letrec<{ element: string; node: string }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 4 },
    words.map((text) => text.replaceAll(']]>', ']]&gt;')),
    fc.constantFrom('<!-- a - b -->', '<![CDATA[<&]] >\r\n]]>', '<?pi some?>', '<!---->'),
    tie('element'),
  ),
  element: fc
    .tuple(name, fc.array(attribute, { maxLength: 3 }), fc.array(tie('node'), { maxLength: 4 }), fc.boolean())
    .map(([tag, attributes, children, short]) =>
      short && children.length === 0
        ? `<${tag}${attributes.join('')}/>`
        : `<${tag}${attributes.join('')}>${children.join('')}</${tag} >`,
    ),
}));
const file = fc
  .tuple(
    fc.constantFrom('', '<?xml version="1.0" encoding="utf-8"?>\n', '<!-- c -->', '<?xml version="1.0"?>'),
    element,
  )
  .map((parts) => parts.join(''));
/** Places where something is put in, taken out or doubled. */
const edits = fc.array(
  fc.tuple(
    fc.nat(),
    fc.constantFrom(
      '<',
      '>',
      '&',
      '"',
      '/',
      ']]>',
      '--',
      '<!',
      '<?xml ?>',
      '\u0001',
      '\uffff',
      '</a>',
      ' ',
      '=',
      'é',
      '&x;',
      '',
    ),
    fc.nat({ max: 3 }),
  ),
  { maxLength: 3 },
);

describe('the XML scanner beside saxes', () => {
  test('well-formed files, cut anywhere, give the same tags, attributes and text', () => {
    fc.assert(
      fc.property(file, fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 40 }), (text, pieces) => {
        const octets = Buffer.from(text, 'utf8');
        const theirs = saxes(text);
        const mine = ours(octets, pieces);
        if (typeof theirs === 'string') expect(typeof mine).toBe('string');
        else expect(mine).toEqual(theirs);
      }),
      { numRuns: 1_500 },
    );
  });

  test('files changed at random are taken by both or by neither, and understood alike', () => {
    let refused = 0;
    fc.assert(
      fc.property(
        file,
        edits,
        fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 10 }),
        (whole, changes, pieces) => {
          let text = whole;
          for (const [at, put, out] of changes) {
            const place = at % (text.length + 1);
            text = text.slice(0, place) + put + text.slice(place + out);
          }
          if (!text.isWellFormed() || text.includes('<!DOCTYPE')) return;
          const theirs = saxes(text);
          const mine = ours(Buffer.from(text, 'utf8'), pieces);
          // saxes is given characters and asks nothing of the name of their encoding.
          if (mine === 'xml.encoding') return;
          if (typeof theirs === 'string') {
            refused++;
            expect(typeof mine, `saxes: ${theirs}`).toBe('string');
          } else expect(mine).toEqual(theirs);
        },
      ),
      { numRuns: 3_000 },
    );
    expect(refused).toBeGreaterThan(100);
  });

  test('any octets whatever end in events or an error with a code', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (octets) => {
        const bytes = Buffer.concat([Buffer.from('<a>'), octets]);
        expect(ours(bytes)).toBeDefined();
      }),
      { numRuns: 1_000 },
    );
  });

  test('every limit holds', () => {
    expect(ours(Buffer.from('<a>'.repeat(65)))).toBe('xml.limit');
    expect(ours(Buffer.from(`<a ${'x'.repeat(2_000)}="1"/>`))).toBe('xml.limit');
    expect(ours(Buffer.from(`<a b="${'x'.repeat(2 << 20)}`))).toBe('xml.limit');
    expect(ours(Buffer.from(`<a ${Array.from({ length: 300 }, (_, i) => `b${i}="1"`).join(' ')}/>`))).toBe('xml.limit');
  });
});

describe('encodings', () => {
  const text = '<?xml version="1.0" encoding="utf-16"?><a b="ä">😀 Ü</a>';
  const events = [
    ['open', 'a', Object.assign(Object.create(null), { b: 'ä' })],
    ['text', '😀 Ü'],
    ['close', 'a'],
  ];

  test('UTF-16 either way, with and without its mark', () => {
    const little = Buffer.from(text, 'utf16le');
    const big = Buffer.from(little).swap16();
    for (const octets of [
      little,
      big,
      Buffer.concat([Buffer.from([0xff, 0xfe]), little]),
      Buffer.concat([Buffer.from([0xfe, 0xff]), big]),
    ]) {
      expect(ours(octets, [1, 2, 3, 200, 51])).toEqual(events);
    }
  });

  test('UTF-8 with a mark; windows-1252 that says so', () => {
    expect(ours(Buffer.from('\ufeff<a b="ä">😀 Ü</a>'))).toEqual(events);
    const latin = Buffer.from('<?xml version="1.0" encoding="windows-1252"?><a>ä</a>', 'latin1');
    expect(ours(latin)).toEqual([
      ['open', 'a', Object.create(null)],
      ['text', 'ä'],
      ['close', 'a'],
    ]);
  });

  test('windows-1252 that says UTF-8, a broken sequence at the end, an encoding nobody reads', () => {
    expect(ours(Buffer.from('<?xml version="1.0" encoding="utf-8"?><a>ä</a>', 'latin1'))).toBe('xml.encoding');
    expect(ours(Buffer.from([0x3c, 0x61, 0x2f, 0x3e, 0xe2, 0x82]))).toBe('xml.encoding');
    expect(ours(Buffer.from('<?xml version="1.0" encoding="EBCDIC-CP-BE"?><a/>'))).toBe('xml.encoding');
  });
});
