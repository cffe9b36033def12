import { describe, expect, it } from 'vitest';
import { ApiError } from '../src/api/client.ts';
import type { CertificateJson, NodeTrustJson, TrustJson, TrustLinkJson } from '../src/api/trust.ts';
import { clock, stamp } from '../src/format/time.ts';
import { TrustBook } from '../src/live/trust.ts';
import { ValueStore } from '../src/live/values.ts';
import { CELL, layoutTrust, RING, type TrustMap } from '../src/pages/trust/layout.ts';
import {
  chainSentence,
  detailRows,
  receiptName,
  trustWord,
  verifyCommand,
  withLocalTimes,
} from '../src/provenance/words.ts';
import { certificateLines, longWords } from '../src/trust/certificates.ts';
import { byAttention, commandHindrance, countTrust, freshness, shownTrust, stateOf } from '../src/trust/state.ts';
import { asSentence, claimTier, claimWords, countSentence, policySentence, untilWords } from '../src/trust/words.ts';
import { FixtureTrust, POLICY } from './fixture/trust.ts';

const NOW = new Date('2026-11-26T12:00:00Z');
const after = (seconds: number): string => new Date(NOW.getTime() + seconds * 1000).toISOString();

const node = (name: string, more: Partial<NodeTrustJson> = {}): NodeTrustJson => ({
  node: name,
  role: 'edge',
  tier: 'tpm',
  status: 'affirming',
  trustedUntil: after(20),
  reaction: 'none',
  reason: '',
  since: after(-60),
  neighbours: [],
  keyOrigin: 'tpm',
  fresh: true,
  ...more,
});
const software = { tier: 'software', status: 'warning' } as const;

describe('the state of a node', () => {
  it('is good only while a result stands', () => {
    expect(stateOf(node('a'), NOW)).toBe('attested');
    expect(stateOf(node('a'), new Date(NOW.getTime() + 20_000))).toBe('ranOut');
    expect(stateOf(node('a', { trustedUntil: null, status: 'none', fresh: false }), NOW)).toBe('unknown');
  });
  it('never calls software as good as a chip', () => {
    expect(stateOf(node('a', software), NOW)).toBe('software');
    expect(stateOf(node('a', { tier: 'software' }), NOW)).toBe('software');
    expect(stateOf(node('a', { status: 'warning' }), NOW)).toBe('warned');
  });
  it('lets what is bad outweigh what is fresh', () => {
    expect(stateOf(node('a', { status: 'contraindicated' }), NOW)).toBe('failed');
    expect(stateOf(node('a', { reaction: 'quarantine' }), NOW)).toBe('quarantined');
    expect(stateOf(node('a', { status: 'contraindicated', reaction: 'quarantine' }), NOW)).toBe('quarantined');
  });
  it('does not count what carries no term as good', () => {
    expect(stateOf(node('a', { trustedUntil: null, fresh: false, reaction: 'restrict' }), NOW)).toBe('warned');
    expect(stateOf(node('a', { trustedUntil: null }), NOW)).toBe('warned');
    expect(countTrust([node('a', { trustedUntil: null })], NOW).good).toBe(0);
    expect(countTrust([node('a', { status: 'warning' })], NOW)).toMatchObject({ good: 1, software: 0 });
  });

  const mixed = [
    node('n10', software),
    node('n2'),
    node('bad', { status: 'contraindicated' }),
    node('shut', { reaction: 'quarantine' }),
    node('old', { trustedUntil: after(-5) }),
  ];
  it('is counted, and said with the bad ones first', () => {
    expect(countTrust(mixed, NOW)).toEqual({ all: 5, good: 2, software: 1, bad: 2, open: 1 });
    expect(countSentence(countTrust(mixed, NOW))).toBe(
      '2 failed or shut out · 2 of 5 attested, 1 of them by software alone · 1 not known to be good',
    );
    expect(countSentence(countTrust([node('a', software)], NOW))).toBe('1 of 1 attested, by software alone');
  });
  it('gives the order of the list, numbers in names as numbers, a pending release above its like', () => {
    expect(byAttention(mixed, NOW).map((each) => each.node)).toEqual(['shut', 'bad', 'old', 'n2', 'n10']);
    const asked = node('z', {
      reaction: 'quarantine',
      release: { id: '1', requestedBy: 'op1', reason: 'repaired', at: after(-5) },
    });
    expect(byAttention([...mixed, asked], NOW)[0]!.node).toBe('z');
  });
  it('shows a missed round before the result runs out', () => {
    expect(freshness(node('a', { trustedUntil: after(30) }), POLICY, NOW)).toEqual({ share: 1, late: false });
    expect(freshness(node('a', { trustedUntil: after(11) }), POLICY, NOW)?.late).toBe(false);
    expect(freshness(node('a', { trustedUntil: after(9) }), POLICY, NOW)).toEqual({ share: 0.3, late: true });
    expect(freshness(node('a', { trustedUntil: after(-3) }), POLICY, NOW)?.share).toBe(0);
    expect(freshness(node('a', { trustedUntil: null }), POLICY, NOW)).toBeUndefined();
  });
  it('says why no command passes', () => {
    const tpm = { commandTier: 'tpm' } as const;
    expect(commandHindrance(node('a'), tpm, NOW)).toBeUndefined();
    expect(commandHindrance(node('a', software), POLICY, NOW)).toBeUndefined();
    expect(commandHindrance(node('a', software), tpm, NOW)).toMatch(/asks for a TPM/);
    expect(commandHindrance(node('a', { reaction: 'restrict' }), tpm, NOW)).toMatch(/stopped/);
    expect(commandHindrance(node('a', { trustedUntil: after(-1) }), tpm, NOW)).toMatch(/no fresh good result/);
    expect(commandHindrance(node('a'), null, NOW)).toMatch(/no policy/);
  });
  it('says the term in words', () => {
    expect([untilWords(24_400), untilWords(-200_000), untilWords(undefined)]).toEqual([
      '24 s left',
      'ran out 3 min ago',
      'not now',
    ]);
    expect(policySentence(null)).toMatch(/nothing counts as trusted/);
  });
});

describe('the claims of a result', () => {
  it('fall into the tiers of AR4SI, negative ones mirrored', () => {
    const tiers = [0, 1, -1, 2, 31, 32, 95, 96, 127, -2, -32, -33, -96, -97, -128].map(claimTier);
    expect(tiers).toEqual([
      ...['none', 'none', 'none', 'affirming', 'affirming', 'warning', 'warning', 'contraindicated', 'contraindicated'],
      ...['affirming', 'affirming', 'warning', 'warning', 'contraindicated', 'contraindicated'],
    ]);
  });
  it('are said in words, also those that nobody knows', () => {
    expect(claimWords('executables', 2).text).toBe('only approved programs have been loaded, at start and since');
    expect(claimWords('executables', 96)).toMatchObject({ title: 'Programs', tier: 'contraindicated' });
    expect(claimWords('hardware', 99).text).toBe('the signature of the evidence does not hold');
    expect(claimWords('executables', 32, 'software').text).toBe(
      'only approved programs have been loaded, as far as software can tell',
    );
    expect(claimWords('executables', 32, 'tpm').text).toMatch(/some with weaknesses/);
    expect(claimWords('somethingNew', 40)).toEqual({
      title: 'somethingNew',
      tier: 'warning',
      text: 'good, with a warning',
    });
  });
});

describe('a reason as a sentence', () => {
  it('begins with a capital, but never changes a name', () => {
    expect(asSentence('everything is as it must be')).toBe('Everything is as it must be.');
    expect(asSentence('centre found it')).toBe('centre found it.');
    expect(asSentence('anna put it into quarantine')).toBe('anna put it into quarantine.');
    expect(asSentence('edge-nord is silent.')).toBe('edge-nord is silent.');
    expect(asSentence('/opt/main.ts differs')).toBe('/opt/main.ts differs.');
  });
});

describe('the drawing of the network', () => {
  const { nodes, links } = new FixtureTrust(() => {}).all();
  const places = (map: TrustMap) => new Map(map.nodes.map((each) => [each.node, each]));
  /** Points along a path of M, H, Q and C, as the browser would draw them. */
  const along = (path: string): [number, number][] => {
    const numbers = (text: string) => text.trim().split(/[ ,]+/).map(Number);
    const found: [number, number][] = [];
    let at: [number, number] = [0, 0];
    for (const [, letter, rest] of path.matchAll(/([MHQC])([^MHQC]*)/g)) {
      const n = numbers(rest!);
      const points: [number, number][] =
        letter === 'H' ? [[n[0]!, at[1]]] : Array.from({ length: n.length / 2 }, (_, i) => [n[2 * i]!, n[2 * i + 1]!]);
      if (letter !== 'M') {
        const control = [at, ...points];
        for (let t = 0; t <= 1; t += 0.02) {
          let level = control;
          while (level.length > 1)
            level = level
              .slice(1)
              .map((p, i) => [level[i]![0] + (p[0] - level[i]![0]) * t, level[i]![1] + (p[1] - level[i]![1]) * t]);
          found.push(level[0]!);
        }
      }
      at = points.at(-1)!;
    }
    return found;
  };

  it('is the same for the same network, in whatever order it was told', () => {
    const once = layoutTrust(nodes, links, 560);
    const again = layoutTrust([...nodes].reverse(), [...links].reverse(), 560);
    expect(new Map(again.nodes.map((n) => [n.node, n]))).toEqual(places(once));
    expect([...again.links].map(({ path }) => path).sort()).toEqual([...once.links].map(({ path }) => path).sort());
  });
  it('has the centre above the network nodes and these above the gateways', () => {
    const at = places(layoutTrust(nodes, links, 560));
    const ys = (role: string) => nodes.filter((each) => each.role === role).map((each) => at.get(each.node)!.y);
    expect(Math.max(...ys('centre'))).toBeLessThan(Math.min(...ys('network')));
    expect(Math.max(...ys('network'))).toBeLessThan(Math.min(...ys('edge')));
    expect(at.get('centre')!.x).toBeLessThan(at.get('grid-state')!.x);
  });
  it('keeps names apart and inside at every width', () => {
    for (const width of [300, 480, 700, 1200]) {
      const map = layoutTrust(nodes, links, width);
      for (const a of map.nodes) {
        expect(a.x).toBeGreaterThanOrEqual(CELL.width / 2 - 1);
        expect(a.x).toBeLessThanOrEqual(width - CELL.width / 2 + 1);
        for (const b of map.nodes)
          if (a !== b) expect(Math.abs(a.x - b.x) >= CELL.width - 1 || Math.abs(a.y - b.y) >= CELL.height).toBe(true);
      }
      expect(map.links).toHaveLength(links.length);
    }
  });
  it('leads no link through a node that it does not touch', () => {
    const map = layoutTrust(nodes, links, 640);
    for (const link of map.links)
      for (const [x, y] of along(link.path))
        for (const each of map.nodes)
          if (each.node !== link.a && each.node !== link.b)
            expect(Math.hypot(each.x - x, each.y - y), `${link.a} – ${link.b} at ${each.node}`).toBeGreaterThan(RING);
  });
  it('fills the height that it is given', () => {
    const low = layoutTrust(nodes, links, 640, 0);
    expect(layoutTrust(nodes, links, 640, low.height + 100).height).toBeCloseTo(low.height + 100, 0);
    expect(layoutTrust(nodes, links, 640, 100).height).toBe(low.height);
  });
  it('draws a thousand nodes as glyphs without names', () => {
    const many = Array.from({ length: 1000 }, (_, i) => ({ node: `n${i}`, role: 'network' as const }));
    const ring: TrustLinkJson[] = many.map(({ node: a }, i) => ({ a, b: `n${(i + 1) % 1000}`, state: 'attested' }));
    const map = layoutTrust([{ node: 'centre', role: 'centre' }, ...many], ring, 700);
    expect(map.nodes).toHaveLength(1001);
    expect(new Set(map.nodes.map(({ x, y }) => `${x} ${y}`)).size).toBe(1001);
    expect(map.nodes.filter(({ compact }) => compact)).toHaveLength(1000);
  });
  it('links two that attest each other once, in the worse of their states', () => {
    const both: TrustLinkJson[] = [
      { a: 'a', b: 'b', state: 'attested' },
      { a: 'b', b: 'a', state: 'silent' },
      { a: 'a', b: 'b', state: 'unknown' },
    ];
    expect(layoutTrust([node('a'), node('b')], both, 500).links.map(({ state }) => state)).toEqual(['silent']);
  });
  it('leaves out links to nodes that nobody knows, and is empty for nobody', () => {
    expect(layoutTrust([], links, 500)).toMatchObject({ nodes: [], links: [], height: 0 });
    expect(layoutTrust([node('a')], [{ a: 'a', b: 'ghost', state: 'attested' }], 500).links).toEqual([]);
  });
});

describe('certificates', () => {
  const certificate = (
    name: string,
    hours: [number, number],
    more: Partial<CertificateJson> = {},
  ): CertificateJson => ({
    name,
    role: 'edge',
    use: 'identity',
    fingerprint: `${name} ${hours[0]}`,
    notBefore: after(hours[0] * 3600),
    notAfter: after(hours[1] * 3600),
    keyOrigin: 'file',
    revoked: false,
    ...more,
  });
  it('stand in the order in which they need somebody', () => {
    const lines = certificateLines(
      [
        certificate('revoked', [-1, 71], { revoked: true }),
        certificate('good', [-1, 71]),
        certificate('renewed', [-60, 12]),
        certificate('renewed', [-1, 71]),
        certificate('ending', [-60, 12]),
        certificate('ended', [-80, -8]),
      ],
      NOW,
    );
    expect(lines.map(({ certificate: { name }, state }) => `${name} ${state}`)).toEqual([
      'ended expired',
      'ending ending',
      'good valid',
      'renewed valid',
      'renewed replaced',
      'revoked revoked',
    ]);
  });
  it('warn when less than a third is left, not before', () => {
    expect(certificateLines([certificate('a', [-48, 24.1])], NOW)[0]!.state).toBe('valid');
    expect(certificateLines([certificate('a', [-48, 23.9])], NOW)[0]!.state).toBe('ending');
  });
  it('end in words as coarse as they are far', () => {
    const day = 86_400_000;
    expect([2.5 * day, 25.3 * day, 700 * day, 3649 * day].map(longWords)).toEqual([
      '2 d 12 h',
      '25 d',
      '700 d',
      '9 years',
    ]);
  });
  it('are not renewed by one for another use, nor by one that was revoked', () => {
    const ending = certificate('a', [-60, 12]);
    expect(certificateLines([ending, certificate('a', [-1, 71], { use: 'log' })], NOW)[0]!.state).toBe('ending');
    expect(certificateLines([ending, certificate('a', [-1, 71], { revoked: true })], NOW)[0]!.state).toBe('ending');
  });
});

describe('where a value comes from', () => {
  it('is said in one sentence, as strong as its weakest link', () => {
    const step = (kind: 'device' | 'signature' | 'log' | 'witnesses', state: 'ok' | 'weak' | 'bad' | 'missing') => ({
      kind,
      state,
    });
    expect(chainSentence([step('device', 'ok'), step('log', 'ok')])).toBe('Every link of the chain holds.');
    expect(chainSentence([step('device', 'weak'), step('signature', 'weak'), step('witnesses', 'missing')])).toBe(
      'The chain holds, weakly at the last metre to the device and the signature; still to come: the witnesses.',
    );
    expect(chainSentence([step('device', 'weak'), step('signature', 'bad')])).toBe(
      'The chain is broken at the signature.',
    );
    expect(chainSentence([])).toMatch(/Nothing is known/);
  });
  it('says what is awaited, each once, and tells times as the room does', () => {
    const steps = [
      { kind: 'software', state: 'missing' },
      { kind: 'signature', state: 'weak' },
      { kind: 'signature', state: 'weak' },
    ] as const;
    expect(chainSentence(steps)).toBe(
      'The chain holds, weakly at the signature; still to come: the next result about its source.',
    );
    const at = new Date(NOW.getTime() - 1500);
    expect(withLocalTimes(`seen at ${at.toISOString().replace('Z', '123456Z')}, and ${NOW.toISOString()}.`, NOW)).toBe(
      `seen at ${stamp(at, NOW)}, and ${clock(NOW)}.`,
    );
  });
  it('names the receipt so that every file system takes it, and the command that checks it', () => {
    const name = receiptName('T2 Wirkleistung, 20-kV-Seite (Süd)/"x"', NOW);
    expect(name).toBe('receipt-t2-wirkleistung-20-kv-seite-sud-x-20261126T120000Z.cbor');
    expect(receiptName('…', NOW)).toBe('receipt-point-20261126T120000Z.cbor');
    expect(receiptName('x'.repeat(300), NOW).length).toBeLessThan(100);
    expect(verifyCommand(name)).toBe(`npx enerchain verify ${name} --anchor enerchain-anchor.json`);
  });
  it('keeps quiet beside an attested value only', () => {
    expect([trustWord('attested'), trustWord(undefined)]).toEqual([undefined, undefined]);
    expect([trustWord('provisional'), trustWord('distrusted')]).toEqual(['provisional', 'distrusted']);
  });
  it('lists plain details and leaves the rest to the receipt', () => {
    expect(detailRows({ keyOrigin: 'tpm', index: 7, deep: { a: 1 }, none: null, names: ['a', 'b'] })).toEqual([
      ['key origin', 'tpm'],
      ['index', '7'],
      ['names', 'a, b'],
    ]);
  });
});

describe('trust of a value on the screen', () => {
  it('falls with its gateway and is its own otherwise', () => {
    expect(shownTrust('attested', 'failed')).toBe('distrusted');
    expect(shownTrust(undefined, 'quarantined')).toBe('distrusted');
    expect(shownTrust('provisional', 'ranOut')).toBe('provisional');
    expect(shownTrust('distrusted', undefined)).toBe('distrusted');
  });
  it('travels with the value, and to a tab that joins', () => {
    const store = new ValueStore((callback) => callback());
    const base = { v: 1, q: 0, t: 1, tq: 0, r: 1, s: 'edge-nord' };
    store.apply([
      { ...base, p: 'a', o: 1, trust: 'distrusted' },
      { ...base, p: 'b', o: 2 },
    ]);
    expect([store.get('a')!.trust, store.get('b')!.trust]).toEqual(['distrusted', undefined]);
    const other = new ValueStore((callback) => callback());
    other.apply(store.snapshot());
    expect([other.get('a')!.trust, other.get('b')!.trust]).toEqual(['distrusted', undefined]);
    store.apply([{ ...base, p: 'a', o: 3, trust: 'attested' }]);
    expect(store.get('a')!.trust).toBe('attested');
  });
});

describe('the book of trust', () => {
  const all = (...nodes: NodeTrustJson[]): TrustJson => ({ policy: POLICY, nodes, links: [] });
  it('does not let an answer that was on its way overtake the stream', async () => {
    const book = new TrustBook();
    let give!: (answer: TrustJson) => void;
    const fetching = book.refetch(() => new Promise((done) => (give = done)));
    book.apply([node('a', { status: 'contraindicated' })]);
    give(all(node('a'), node('b')));
    await fetching;
    expect(book.node('a')!.status).toBe('contraindicated');
    expect(book.known()!.nodes).toHaveLength(2);
  });
  it('tells a renewed term from a change', async () => {
    const book = new TrustBook();
    await book.refetch(async () => all(node('a')));
    expect(book.apply([node('a', { trustedUntil: after(60) })])).toBe(false);
    expect(book.node('a')!.trustedUntil).toBe(after(60));
    expect(book.apply([node('a', { reaction: 'alarm' })])).toBe(true);
    expect(book.apply([node('new')])).toBe(true);
  });
  it('lets the later of two questions win', async () => {
    const book = new TrustBook();
    let give!: (answer: TrustJson) => void;
    const early = book.refetch(() => new Promise((done) => (give = done)));
    await book.refetch(async () => all(node('a', { status: 'contraindicated' })));
    give(all(node('a')));
    await early;
    expect(book.node('a')!.status).toBe('contraindicated');
  });
  it('keeps what it has when the centre does not answer, and says when there never was anything', async () => {
    const book = new TrustBook();
    const failing = (status: number) => async () => {
      throw new ApiError(status, 'No.');
    };
    await book.refetch(failing(500));
    expect(book.view()).toBeInstanceOf(ApiError);
    await book.refetch(failing(404));
    expect(book.view()).toBeNull();
    await book.refetch(async () => all(node('a')));
    await book.refetch(failing(500));
    expect(book.known()!.nodes).toHaveLength(1);
  });
});
