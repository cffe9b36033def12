/**
 * Paths drawn at random, judged here and by openssl: the two have to agree on every one. PKI_DIFFERENTIAL_COUNT draws more than
 * the usual few, PKI_DIFFERENTIAL_SEED others.
 */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, it } from 'vitest';
import * as der from '../src/der-writer.ts';
import {
  type ExtensionSet,
  type GeneralName,
  nameOf,
  OID,
  PkiError,
  type Subtree,
  toPem,
  validatePath,
} from '../src/index.ts';
import { DURING, type IssueOptions, issue, type Party } from './authority.ts';

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
const dir = mkdtempSync(join(tmpdir(), 'enerchain-differential-'));
afterAll(() => rmSync(dir, { recursive: true }));

/** Mulberry32: the same paths in every run. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const TREES: readonly Subtree[] = [
  { kind: 'dns', value: 'nord.example' },
  { kind: 'dns', value: 'sued.example' },
  { kind: 'ip', address: Uint8Array.of(10, 0, 0, 0), mask: Uint8Array.of(255, 0, 0, 0) },
  { kind: 'email', value: 'nord.example' },
  { kind: 'uri', value: '.nord.example' },
];
const NAMES: readonly GeneralName[] = [
  { kind: 'dns', value: 'rtu.nord.example' },
  { kind: 'dns', value: 'rtu.sued.example' },
  { kind: 'ip', value: '10.1.1.1' },
  { kind: 'ip', value: '192.0.2.1' },
  { kind: 'email', value: 'ops@nord.example' },
  { kind: 'uri', value: 'https://a.nord.example/x' },
];

interface Drawn {
  readonly leaf: Party;
  readonly between: readonly Party[];
  readonly root: Party;
  /** What was done to it, for the message. */
  readonly story: string;
}

/** A root, up to three authorities and an end entity, each of them with something wrong now and then. */
async function draw(seed: number): Promise<Drawn> {
  const next = random(seed);
  const chance = (p: number) => next() < p;
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]!;
  const story: string[] = [];
  const depth = Math.floor(next() * 4);
  const parties: Party[] = [];
  for (let level = 0; level <= depth + 1; level++) {
    const above = parties.at(-1);
    const isLeaf = level === depth + 1;
    const tell = (what: string) => {
      story.push(`${isLeaf ? 'leaf' : `level ${level}`}: ${what}`);
      return true;
    };
    const odd = (p: number, what: string) => chance(p) && tell(what);
    const extensions: { -readonly [K in keyof ExtensionSet]: ExtensionSet[K] } = {};
    if (isLeaf) {
      extensions.basicConstraints = { ca: false };
      extensions.keyUsage = ['digitalSignature'];
      if (chance(0.7)) extensions.subjectAltName = [pick(NAMES), ...(chance(0.3) ? [pick(NAMES)] : [])];
      if (chance(0.5)) extensions.extKeyUsage = odd(0.3, 'for servers') ? [OID.serverAuth] : [OID.clientAuth];
    } else {
      extensions.basicConstraints = odd(0.06, 'no authority')
        ? { ca: false }
        : chance(0.5)
          ? { ca: true, pathLength: Math.floor(next() * 4) }
          : { ca: true };
      extensions.keyUsage =
        extensions.basicConstraints.ca && !odd(0.06, 'may not sign certificates')
          ? ['keyCertSign', 'cRLSign']
          : ['digitalSignature'];
      if (!extensions.keyUsage.includes('keyCertSign') && extensions.basicConstraints.ca) {
        // openssl -x509_strict refuses a path length without keyCertSign as malformed; that is another matter.
        extensions.basicConstraints = { ca: true };
      }
      if (level > 0 && odd(0.1, 'restricted to servers')) extensions.extKeyUsage = [OID.serverAuth];
      if (odd(0.2, 'name constraints')) {
        const permitted = chance(0.6) ? [pick(TREES)] : [];
        const excluded = permitted.length === 0 || chance(0.3) ? [pick(TREES)] : [];
        extensions.nameConstraints = { permitted, excluded };
      }
    }
    if (above && odd(0.04, 'key identifier of another')) extensions.authorityKeyIdentifier = new Uint8Array(20);
    const options: IssueOptions = {
      extensions,
      ...(odd(0.05, 'ended') ? { notAfter: new Date('2026-03-01T00:00:00Z') } : {}),
      ...(odd(0.04, 'not begun') ? { notBefore: new Date('2026-09-01T00:00:00Z') } : {}),
      ...(odd(0.06, 'a critical extension')
        ? { otherExtensions: [{ oid: '1.3.6.1.4.1.99999.9', critical: true, value: der.nullValue() }] }
        : {}),
      // Self-issued: bears the name of the one above.
      ...(above && !isLeaf && odd(0.15, 'self-issued') ? { subject: above.certificate.subject } : {}),
    };
    const signer =
      above && odd(0.04, 'signed by somebody else')
        ? { ...above, signer: (await issue('x', undefined)).signer }
        : above;
    parties.push(
      await issue(`level ${level}`, signer, {
        subject: nameOf({ commonName: isLeaf ? 'leaf' : `level ${level}` }),
        ...options,
      }),
    );
  }
  return {
    root: parties[0]!,
    between: parties.slice(1, -1),
    leaf: parties.at(-1)!,
    story: story.join(', ') || 'nothing',
  };
}

function ours({ leaf, between, root }: Drawn): string {
  try {
    validatePath(leaf.certificate, {
      anchors: [root.certificate],
      intermediates: between.map(({ certificate }) => certificate),
      at: DURING,
      purpose: OID.clientAuth,
    });
    return 'accepted';
  } catch (error) {
    if (!(error instanceof PkiError)) throw error;
    return error.message;
  }
}

async function theirs(seed: number, { leaf, between, root }: Drawn): Promise<string> {
  const write = (name: string, parties: readonly Party[]) => {
    const file = join(dir, `${seed}-${name}.pem`);
    writeFileSync(file, parties.map(({ certificate }) => toPem('CERTIFICATE', certificate.der)).join(''));
    return file;
  };
  const untrusted = between.length > 0 ? ['-untrusted', write('between', between)] : [];
  const at = ['-attime', String(DURING.getTime() / 1000)];
  const args = [
    'verify',
    '-x509_strict',
    '-purpose',
    'sslclient',
    ...at,
    '-CAfile',
    write('root', [root]),
    ...untrusted,
  ];
  return promisify(execFile)('openssl', [...args, write('leaf', [leaf])]).then(
    () => 'accepted',
    (error: { stderr: string }) => error.stderr.split('\n').find((line) => line.includes('error ')) ?? 'refused',
  );
}

it.skipIf(!hasOpenssl)(
  'paths at random are accepted and refused as openssl does (skipped where openssl is not installed)',
  async () => {
    const first = Number(process.env.PKI_DIFFERENTIAL_SEED ?? 1);
    const count = Number(process.env.PKI_DIFFERENTIAL_COUNT ?? 80);
    let accepted = 0;
    const disagreements: string[] = [];
    for (let seed = first; seed < first + count; seed++) {
      const drawn = await draw(seed);
      const [here, there] = [ours(drawn), await theirs(seed, drawn)];
      if (here === 'accepted') accepted++;
      if ((here === 'accepted') !== (there === 'accepted')) {
        disagreements.push(`seed ${seed} (${drawn.story}): here ${here}; openssl ${there}`);
      }
    }
    expect(disagreements).toEqual([]);
    // Neither side may have got away with one answer for all.
    expect(accepted).toBeGreaterThan(count / 5);
    expect(accepted).toBeLessThan((count * 4) / 5);
  },
  120_000,
);
