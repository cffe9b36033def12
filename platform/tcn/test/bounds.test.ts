import { DEVELOPMENT_POLICY } from '@enerchain/attestation';
import { describe, expect, it } from 'vitest';
import { EvidenceStore } from '../src/engine/evidence-store.ts';
import { Bucket } from '../src/engine/limits.ts';
import { Registry } from '../src/engine/registry.ts';
import { assess, KNOWN_NOTHING, type Known, type Standing, StandingTable, TCN_LIMITS } from '../src/index.ts';

const statement = (over: Partial<Standing>): Standing => ({
  kind: 'result',
  issuer: 'a',
  node: 'd',
  sequence: 1,
  bytes: new Uint8Array(1),
  adverse: true,
  takenAt: 0,
  ...over,
});

describe('memory is bounded', () => {
  it('nodes: neighbours and those in quarantine stay', () => {
    const clock = { now: () => 0n, monotonic: () => 0 };
    const registry = new Registry({ policy: () => DEVELOPMENT_POLICY, clock }, ['n1', 'n2']);
    registry.convict(registry.of('bad'), 'operator', 'for the test');
    for (let i = 0; i < TCN_LIMITS.nodes + 500; i++) registry.of(`node-${i}`);
    expect(registry.all()).toHaveLength(TCN_LIMITS.nodes);
    for (const name of ['n1', 'n2', 'bad']) expect(registry.find(name)).toBeDefined();
  });

  it('what stands: the oldest that says nothing bad goes first, orders go last', () => {
    const table = new StandingTable();
    table.put(statement({ kind: 'release', issuer: '', node: 'x' }));
    table.put(statement({ node: 'bad' }));
    for (let i = 0; i < TCN_LIMITS.standing + 100; i++) table.put(statement({ node: `n${i}`, adverse: false }));
    expect(table.size).toBe(TCN_LIMITS.standing);
    expect(table.get('result', 'a', 'bad')).toBeDefined();
    expect(table.get('release', '', 'x')).toBeDefined();
  });

  it('evidence: the oldest octets go first', () => {
    const store = new EvidenceStore(1000);
    for (let i = 0; i < 20; i++) store.put(String(i), new Uint8Array(100));
    expect(store.bytes).toBeLessThanOrEqual(1000);
    expect(store.get('0')).toBeUndefined();
    expect(store.get('19')).toBeDefined();
  });

  it('a bucket gives what was agreed, and no more', () => {
    const bucket = new Bucket({ perSecond: 10, burst: 5 }, 0);
    expect(Array.from({ length: 7 }, () => bucket.take(0)).filter(Boolean)).toHaveLength(5);
    expect(bucket.wait(0)).toBe(100);
    expect(bucket.take(100)).toBe(true);
    expect(bucket.take(100)).toBe(false);
  });
});

describe('what stands', () => {
  it('only a newer statement replaces; two nodes with the same have the same hash', () => {
    const [one, other] = [new StandingTable(), new StandingTable()];
    const all = [statement({}), statement({ issuer: 'b' }), statement({ kind: 'silence', sequence: 3 })];
    for (const each of all) one.put(each);
    for (const each of [...all].reverse()) other.put(each);
    expect(other.digest()).toEqual(one.digest());
    expect(one.put(statement({ sequence: 1 }))).toBe(false);
    expect(one.put(statement({ sequence: 2 }))).toBe(true);
    expect(other.digest()).not.toEqual(one.digest());
    expect(one.missingIn(other.summary()).map(({ sequence }) => sequence)).toEqual([2]);
    expect(other.missingIn(one.summary())).toEqual([]);
  });
});

describe('the ladder', () => {
  const result = {
    node: 'd',
    verifier: 'a',
    tier: 'tpm' as const,
    status: 'affirming' as const,
    vector: {},
    reasons: [],
    binding: new Uint8Array(32),
    evidence: new Uint8Array(32),
    policy: 'p',
    issuedAt: 0n,
    validUntil: 1n,
    sequence: 1,
    boot: '1',
  };
  const own = { result, until: 1000 };
  const conviction = { by: 'own evidence' as const, reason: 'runs something else', released: false };
  const rows: [string, Partial<Known>, string, string, boolean][] = [
    ['nothing is known', {}, 'none', 'none', false],
    ['fresh and good', { own }, 'affirming', 'none', true],
    ['missed once', { own, missingSince: 1 }, 'affirming', 'observe', true],
    ['run out', { own: { result, until: 5 }, missingSince: 1 }, 'none', 'alarm', false],
    [
      'findings',
      { own: { result: { ...result, status: 'warning', reasons: ['?'] }, until: 1000 } },
      'warning',
      'alarm',
      false,
    ],
    ['one answer is unsound', { own, unsound: 1 }, 'affirming', 'observe', true],
    ['two are', { own, unsound: 2 }, 'none', 'alarm', false],
    ['four are', { own, unsound: 4 }, 'none', 'restrict', false],
    ['isolated', { own, isolated: true, missedBy: ['a', 'b'] }, 'none', 'restrict', false],
    ['caught lying', { own, contradicted: 'it lied' }, 'affirming', 'alarm', true],
    ['bad', { own, conviction }, 'contraindicated', 'quarantine', false],
    ['bad, released', { own, conviction: { ...conviction, released: true } }, 'contraindicated', 'quarantine', false],
  ];
  it.each(rows)('%s', (_, known, status, reaction, good) => {
    const found = assess({ ...KNOWN_NOTHING, neighbour: true, ...known }, DEVELOPMENT_POLICY, 10);
    expect([found.status, found.reaction, found.goodUntil !== undefined]).toEqual([status, reaction, good]);
  });

  it('a policy caps what is done by itself, and without one nothing is', () => {
    const known: Known = { ...KNOWN_NOTHING, neighbour: true, own, conviction };
    const capped = assess(known, { ...DEVELOPMENT_POLICY, reaction: 'alarm' }, 10);
    expect([capped.status, capped.reaction]).toEqual(['contraindicated', 'alarm']);
    const none = assess(known, undefined, 10);
    expect([none.status, none.reaction]).toEqual(['none', 'none']);
  });
});
