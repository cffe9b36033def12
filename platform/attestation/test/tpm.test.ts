import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { certificateFromPem } from '@enerchain/pki';
import { type Attest, templateDigest } from '@enerchain/tpm2';
import { DevelopmentCa, type Holder, type Identity, requestFor } from '@enerchain/trust';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type Attester,
  type Claims,
  decodeEvidence,
  encodeClaims,
  encodeEvidence,
  isGood,
  MeasurementList,
  type Measurements,
  PRODUCTION_POLICY,
  TpmAttester,
  TpmList,
  type TpmProof,
  type Verifier,
} from '../src/index.ts';
import { akCertificate, SoftTpm } from './soft-tpm.ts';
import { attest, challenge, component, digest, SITE, SOFTWARE, START, World } from './world.ts';

let world: World;
let verifier: Verifier;
let identity: Identity;
const BOOT = [0, 1, 2, 3, 4, 5, 6, 7];

interface Node {
  readonly tpm: SoftTpm;
  readonly dir: string;
  certificate: Uint8Array | undefined;
  readonly logs: { events?: string; ima?: string };
  list: TpmList;
  attester: Attester;
  readonly troubles: unknown[];
  add(...components: ReturnType<typeof component>[]): Promise<void>;
  /** The process is started anew. */
  start(): Promise<void>;
}

async function node(tpm = new SoftTpm(), holder: Holder = { name: 'edge-nord', role: 'edge' }): Promise<Node> {
  const made: Node = {
    tpm,
    dir: mkdtempSync(join(world.dir, 'node-')),
    certificate: await akCertificate(world, holder, tpm.publicKey),
    logs: {},
    troubles: [],
    list: undefined as never,
    attester: undefined as never,
    async add(...components) {
      made.list.list.append({ kind: 'more', at: START, components });
      await made.list.settled();
    },
    async start() {
      made.list = await TpmList.open({ tpm, dir: made.dir, onTrouble: (error) => made.troubles.push(error) });
      made.list.list.append({ kind: 'start', at: START, components: [...SOFTWARE, SITE] });
      const measurements: Measurements = {
        list: made.list.list,
        rescan: async () => undefined,
        onChange: () => () => undefined,
      };
      made.attester = new TpmAttester({
        identity: () => identity,
        tpm,
        ak: tpm.ak,
        measurements,
        list: made.list,
        akCertificate: () => made.certificate,
        logs: made.logs,
        clock: world.clock,
      });
    },
  };
  await made.start();
  return made;
}

/** What is booted, as an authority vouches for it. */
const firmware = (tpm: SoftTpm) => BOOT.map((pcr) => ({ pcr, digest: tpm.pcrs.get(pcr) as Uint8Array }));

beforeAll(async () => {
  world = await World.open();
  identity = await world.identity({ name: 'edge-nord', role: 'edge' });
  world.policy = PRODUCTION_POLICY;
  await world.vouch(SOFTWARE, { registers: firmware(new SoftTpm()) });
  await world.vouch([SITE], { node: 'edge-nord', id: 'site' });
});
afterAll(() => {
  world.close();
  rmSync(world.dir, { recursive: true, force: true });
});
beforeEach(() => {
  verifier = world.verifier();
});

describe('an attester with a TPM', () => {
  it('is affirmed when boot, software and configuration are as the manifests say', async () => {
    const { attester } = await node();
    expect(await attest(verifier, attester)).toMatchObject({
      tier: 'tpm',
      status: 'affirming',
      reasons: [],
      vector: { instanceIdentity: 2, hardware: 2, executables: 2, configuration: 2 },
      policy: 'production-1',
    });
  });

  it('shows a changed file, and cannot take it back', async () => {
    const made = await node();
    expect((await attest(verifier, made.attester)).status).toBe('affirming');
    await made.add(component('platform/edge/src/edge.ts', 'with a back door'));
    const result = await attest(verifier, made.attester);
    expect(result).toMatchObject({ status: 'contraindicated', vector: { executables: 96, hardware: 2 } });
    // The attacker forgets the record, and the register does not.
    const { records } = made.list.list;
    const honest = new MeasurementList(made.list.list.id, []);
    honest.append({ kind: 'start', at: START, components: [...SOFTWARE, SITE] });
    Object.defineProperty(made.list.list, 'records', { value: records.slice(0, 1) });
    Object.defineProperty(made.list.list, 'head', { value: honest.head });
    const lied = await attest(world.verifier(), made.attester);
    expect(lied.reasons).toEqual([
      'the measurement list does not lead to the value of PCR 13: it was cut short, extended or changed',
    ]);
    expect(lied.vector.executables).toBe(99);
  });

  it('goes on with its list when the process is started anew, and begins anew with the machine', async () => {
    const made = await node();
    const first = await attest(verifier, made.attester);
    const id = made.list.list.id;
    await made.start();
    expect(made.list.list.id).toBe(id);
    expect(made.list.list.records).toHaveLength(2);
    const second = await attest(verifier, made.attester);
    expect(second.status).toBe('affirming');
    expect(second.boot).not.toBe(first.boot);
    // A verifier that was not there before sees only digests of what is over.
    expect((await attest(world.verifier(), made.attester)).status).toBe('affirming');
    made.tpm.boot();
    await made.start();
    expect(made.list.list.id).not.toBe(id);
    expect((await attest(verifier, made.attester)).status).toBe('affirming');
    expect(made.troubles).toEqual([]);
  });

  it('survives a power failure between writing a record down and extending it', async () => {
    const made = await node();
    await made.list.settled();
    const file = join(made.dir, 'measured-since-boot.json');
    const kept = JSON.parse(readFileSync(file, 'utf8'));
    kept.records.push('ab'.repeat(32));
    writeFileSync(file, JSON.stringify(kept));
    await made.start();
    expect((await attest(verifier, made.attester)).status).toBe('affirming');
    expect(made.list.list.records).toHaveLength(3);
  });

  it('is not good again before a boot when its file was lost or changed', async () => {
    const made = await node();
    await made.list.settled();
    writeFileSync(join(made.dir, 'measured-since-boot.json'), '{}');
    await made.start();
    expect(made.troubles).toHaveLength(1);
    expect((await attest(verifier, made.attester)).vector.executables).toBe(99);
    made.tpm.boot();
    await made.start();
    expect((await attest(verifier, made.attester)).status).toBe('affirming');
  });

  it('withholds nothing that counts: records since the last start must be shown', async () => {
    const made = await node();
    await made.list.settled();
    const opaque = digest('a record with a back door');
    await made.tpm.pcrExtend(13, new Map([['sha256', opaque]]));
    Object.defineProperty(made.list.list, 'records', { value: [...made.list.list.records, opaque] });
    Object.defineProperty(made.list.list, 'head', { value: made.tpm.pcrs.get(13) });
    const result = await attest(verifier, made.attester);
    expect(result).toMatchObject({
      status: 'contraindicated',
      reasons: ['records of what was loaded since the last start are withheld'],
    });
  });

  it('answers many verifiers with one quote', async () => {
    const { attester, tpm } = await node();
    const bindings = Array.from({ length: 8 }, () => challenge('edge-nord'));
    const quotes = tpm.quotes;
    const evidence = await attester.evidence(bindings);
    expect(tpm.quotes).toBe(quotes + 1);
    for (const binding of bindings) {
      expect((await world.verifier().appraise(evidence, { node: 'edge-nord', binding })).result.status).toBe(
        'affirming',
      );
    }
  });
});

describe('attacks on quotes', () => {
  const CASES: readonly (readonly [string, (attest: Attest) => Attest, string])[] = [
    ['a wrong nonce', (a) => ({ ...a, extraData: randomBytes(32) }), 'made for other qualifying data'],
    ['a PCR that was left out', (a) => subset(a, [0, 1, 2, 3, 4, 5, 6, 13]), 'the quote is over'],
    ['PCR values that were not signed', (a) => withDigest(a, randomBytes(32)), 'the PCR values are not those'],
    [
      'another type',
      (a) => ({ ...a, attested: { type: 'time', time: 1n, clockInfo: a.clockInfo, firmwareVersion: 1n } }),
      'is of type time',
    ],
  ];
  const subset = (attest: Attest, pcrs: number[]): Attest =>
    ({ ...attest, attested: { ...attest.attested, pcrs: [{ hash: 'sha256', pcrs }] } }) as Attest;
  const withDigest = (attest: Attest, pcrDigest: Uint8Array): Attest =>
    ({ ...attest, attested: { ...attest.attested, pcrDigest } }) as Attest;

  it.each(CASES)('%s is found', async (_what, forge, reason) => {
    const { attester, tpm } = await node();
    tpm.forge = forge;
    const result = await attest(verifier, attester);
    expect(result.status).toBe('contraindicated');
    expect(result.reasons.join('\n')).toContain(reason);
  });

  it('a subset of PCRs on both sides is found, too: the policy says which must be quoted', async () => {
    const { attester, tpm } = await node();
    const evidence = decodeEvidence(await attester.evidence([challenge('edge-nord')]));
    const binding = challenge('edge-nord');
    const quote = tpm.quote.bind(tpm);
    tpm.quote = (key, data, selection) =>
      quote(
        key,
        data,
        selection.map(({ hash, pcrs }) => ({ hash, pcrs: pcrs.filter((pcr) => pcr !== 4) })),
      );
    expect(evidence.tier).toBe('tpm');
    const short = await attester.evidence([binding]);
    const result = (await verifier.appraise(short, { node: 'edge-nord', binding })).result;
    expect(result).toMatchObject({ status: 'contraindicated', reasons: ['the quote leaves out PCR 4'] });
  });

  it('replayed and truncated quotes are found', async () => {
    const { attester } = await node();
    const old = challenge('edge-nord');
    const evidence = await attester.evidence([old]);
    const again = challenge('edge-nord');
    // The attacker puts the new binding beside the old quote.
    const { claims, proof } = decodeEvidence(evidence);
    const replayed = encodeEvidence(encodeClaims({ ...claims, bindings: [again] }), proof);
    const result = (await verifier.appraise(replayed, { node: 'edge-nord', binding: again })).result;
    expect(result.reasons[0]).toContain('made for other qualifying data');
    for (let end = 0; end < (proof as TpmProof).attest.length; end += 3) {
      const cut = encodeEvidence(encodeClaims(claims), {
        ...(proof as TpmProof),
        attest: (proof as TpmProof).attest.subarray(0, end),
      });
      expect(isGood((await verifier.appraise(cut, { node: 'edge-nord', binding: old })).result)).toBe(false);
    }
  });

  it('nothing that the evidence says can be put beside a quote afterwards, its time and its list included', async () => {
    const { attester } = await node();
    const binding = challenge('edge-nord');
    const { claims, claimsBytes, proof } = decodeEvidence(await attester.evidence([binding]));
    const appraise = async (evidence: Uint8Array) =>
      (await world.verifier().appraise(evidence, { node: 'edge-nord', binding })).result;
    expect(isGood(await appraise(encodeEvidence(claimsBytes, proof)))).toBe(true);
    const changes: Partial<Claims>[] = [
      { at: claims.at + 1n },
      { list: randomBytes(16).toString('hex') },
      { bindings: [binding, challenge('edge-nord')] },
    ];
    for (const change of changes) {
      const forged = encodeEvidence(encodeClaims({ ...claims, ...change }), proof);
      expect((await appraise(forged)).reasons[0]).toContain('made for other qualifying data');
    }
    const holder = { name: 'edge-nord', role: 'edge' } as const;
    const another = await world.ca.issue(await requestFor(holder, identity.signer), holder);
    const forged = encodeEvidence(claimsBytes, { ...(proof as TpmProof), identity: certificateFromPem(another).der });
    expect((await appraise(forged)).reasons[0]).toContain('made for other qualifying data');
  });

  it('evidence of the first version, whose quotes covered less, is refused', async () => {
    const { attester } = await node();
    const binding = challenge('edge-nord');
    const evidence = await attester.evidence([binding]);
    expect(evidence[1]).toBe(2);
    evidence[1] = 1;
    const { result } = await verifier.appraise(evidence, { node: 'edge-nord', binding });
    expect(isGood(result)).toBe(false);
    expect(result.reasons[0]).toContain('is of another version');
  });

  it('a reset counter that jumps inside a boot is found, and a reboot is none', async () => {
    const made = await node();
    await attest(verifier, made.attester);
    made.tpm.resetCount += 2;
    const jumped = await attest(verifier, made.attester);
    expect(jumped).toMatchObject({ status: 'contraindicated', vector: { hardware: 96 } });
    expect(jumped.reasons[0]).toContain('and its measurement list claims to go on');
    made.tpm.resetCount -= 3;
    expect((await attest(verifier, made.attester)).reasons[0]).toContain('the reset counter went back');
  });

  it('a clock that goes back is found: another TPM, or an old quote', async () => {
    const made = await node();
    await attest(verifier, made.attester);
    made.tpm.clock -= 500n;
    expect((await attest(verifier, made.attester)).reasons[0]).toContain('the clock went back');
  });

  it('an unsafe clock is a warning, unless the policy allows it', async () => {
    const made = await node();
    made.tpm.safe = false;
    const result = await attest(verifier, made.attester);
    expect(result).toMatchObject({ status: 'warning', vector: { hardware: 32, executables: 2 } });
    expect(isGood(result)).toBe(false);
    const lenient = world.verifier({ policy: () => ({ ...PRODUCTION_POLICY, appraisal: { unsafeClock: 'allowed' } }) });
    expect((await attest(lenient, made.attester)).status).toBe('affirming');
  });

  it('changed firmware of the TPM is a warning', async () => {
    const made = await node();
    await attest(verifier, made.attester);
    made.tpm.firmwareVersion++;
    expect(await attest(verifier, made.attester)).toMatchObject({ status: 'warning', vector: { hardware: 32 } });
  });

  it('an attestation key that may sign anything is found', async () => {
    const made = await node(new SoftTpm(['fixedTPM', 'fixedParent', 'sensitiveDataOrigin', 'userWithAuth', 'sign']));
    const result = await attest(verifier, made.attester);
    expect(result).toMatchObject({ status: 'contraindicated', vector: { hardware: 96 } });
    expect(result.reasons[0]).toBe('the attestation key is not restricted');
  });

  it('an attestation key is not believed without a certificate that fits', async () => {
    const made = await node();
    const because = async (certificate: Uint8Array | undefined) => {
      made.certificate = certificate;
      const result = await attest(world.verifier(), made.attester);
      expect(isGood(result)).toBe(false);
      expect(result.status).toBe('contraindicated');
      return result.reasons.join('; ');
    };
    const holder = { name: 'edge-nord', role: 'edge' } as const;
    expect(await because(undefined)).toBe('no authority has seen its attestation key inside a TPM');
    expect(await because(await akCertificate(world, holder, new SoftTpm().publicKey))).toContain('that of another key');
    const plain = await world.ca.issue(await requestFor(holder, made.tpm.signer), holder);
    expect(await because(certificateFromPem(plain).der)).toContain('not one of an attestation key');
    const unseen = await akCertificate(world, holder, made.tpm.publicKey, { assurance: ['unattested'] });
    expect(await because(unseen)).toContain('no maker of TPMs vouches');
    const foreign = await DevelopmentCa.open(join(world.dir, 'another-ca'), { clock: world.clock });
    const offChain = await akCertificate(world, holder, made.tpm.publicKey, { ca: foreign });
    expect(await because(offChain)).toContain('its attestation key is not one of this system');
    expect(await because(randomBytes(100))).toContain('its attestation key is not one of this system');
    // The TPM of another node, with a certificate that is right.
    const stolen = await node(new SoftTpm(), { name: 'edge-sued', role: 'edge' });
    expect((await attest(world.verifier(), stolen.attester)).reasons).toEqual([
      'its attestation key is that of edge-sued',
    ]);
    const right = await akCertificate(world, holder, made.tpm.publicKey);
    made.certificate = right;
    expect((await attest(world.verifier(), made.attester)).status).toBe('affirming');
    // It is no identity, though it carries the name.
    const evidence = decodeEvidence(await made.attester.evidence([challenge('edge-nord')]));
    const binding = evidence.claims.bindings[0] as Uint8Array;
    const forged = encodeEvidence(evidence.claimsBytes, { ...(evidence.proof as TpmProof), identity: right });
    const result = (await verifier.appraise(forged, { node: 'edge-nord', binding })).result;
    expect(result.reasons).toEqual(['the certificate shown is not that of an identity']);
  });
});

describe('the boot', () => {
  it('that differs is found, and one without reference values is not good', async () => {
    const made = await node();
    await made.tpm.pcrExtend(4, new Map([['sha256', digest('a boot loader of somebody')]]));
    const changed = await attest(verifier, made.attester);
    expect(changed).toMatchObject({ status: 'contraindicated', vector: { executables: 96 } });
    expect(changed.reasons[0]).toMatch(/^PCR 4 is .{12} instead of .{12}$/);
    const policy = { ...PRODUCTION_POLICY, appraisal: { bootPcrs: [0, 9] } };
    const unknown = world.verifier({ policy: () => policy });
    const more = new TpmAttester({
      identity: () => identity,
      tpm: made.tpm,
      ak: made.tpm.ak,
      measurements: { list: made.list.list, rescan: async () => undefined, onChange: () => () => undefined },
      list: made.list,
      akCertificate: () => made.certificate,
      bootPcrs: [0, 9],
      logs: {},
      clock: world.clock,
    });
    const result = await attest(unknown, more);
    expect(result).toMatchObject({ status: 'none' });
    expect(result.reasons[0]).toContain('PCR 9');
    const unjudged = world.verifier({
      policy: () => ({ ...policy, appraisal: { bootPcrs: [0, 9], boot: 'unjudged' } }),
    });
    expect(await attest(unjudged, more)).toMatchObject({ status: 'warning', reasons: [], vector: { executables: 32 } });
  });

  /** A legacy event log cannot be used here: one crypto-agile with a single event in PCR 4. */
  const eventLog = (event: Uint8Array): Uint8Array => {
    const spec = Buffer.concat([
      Buffer.from('Spec ID Event03\0'),
      Buffer.from([0, 0, 0, 0, 0, 2, 0, 2]),
      Buffer.from([1, 0, 0, 0, 0x0b, 0, 32, 0, 0]),
    ]);
    const u32 = (value: number) => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32LE(value);
      return bytes;
    };
    const head = Buffer.concat([u32(0), u32(3), Buffer.alloc(20), u32(spec.length), spec]);
    const body = Buffer.concat([
      u32(4),
      u32(0x0000000d),
      u32(1),
      Buffer.from([0x0b, 0]),
      digest('event'),
      u32(event.length),
      event,
    ]);
    return Buffer.concat([head, body]);
  };

  it('has an event log that leads to its PCRs, or it is not believed', async () => {
    const made = await node();
    const file = join(made.dir, 'events');
    made.logs.events = file;
    await made.tpm.pcrExtend(4, new Map([['sha256', digest('event')]]));
    const references = { ...PRODUCTION_POLICY, appraisal: { boot: 'unjudged' as const } };
    const policy = () => references;
    writeFileSync(file, eventLog(Buffer.from('data')));
    const own = world.verifier({ policy });
    const good = await attest(own, made.attester);
    expect(good).toMatchObject({ status: 'warning', reasons: [] });
    // The second time it is not sent again.
    expect(own.cursor('edge-nord')?.events).toBe(readFileSync(file).length);
    const next = decodeEvidence(await made.attester.evidence([challenge('edge-nord')], own.cursor('edge-nord')));
    expect((next.proof as TpmProof).events?.bytes).toHaveLength(0);
    expect((await attest(own, made.attester)).reasons).toEqual([]);
    // Cut short: the event is missing.
    writeFileSync(file, eventLog(Buffer.from('data')).subarray(0, -4 - 4 - 32 - 2 - 4 - 4 - 4));
    const cut = await attest(world.verifier({ policy }), made.attester);
    expect(cut.vector.executables).toBe(99);
    expect(cut.reasons[0]).toContain('the event log does not lead to the value of PCR 4');
    writeFileSync(file, Buffer.concat([eventLog(Buffer.from('data')), eventLog(Buffer.from('data')).subarray(65)]));
    expect(isGood(await attest(world.verifier({ policy }), made.attester))).toBe(false);
  });

  /** One `ima-ng` entry of the binary list. */
  const imaEntry = (path: string, content: string): Buffer => {
    const u32 = (value: number) => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32LE(value);
      return bytes;
    };
    const field = (bytes: Uint8Array) => Buffer.concat([u32(bytes.length), bytes]);
    const data = Buffer.concat([
      field(Buffer.concat([Buffer.from('sha256:\0'), digest(content)])),
      field(Buffer.from(`${path}\0`)),
    ]);
    const listed = templateDigest('sha1', { templateData: data });
    return Buffer.concat([u32(10), listed, u32(6), Buffer.from('ima-ng'), u32(data.length), data]);
  };
  const imaDigest = (entry: Buffer) => templateDigest('sha256', { templateData: entry.subarray(4 + 20 + 4 + 6 + 4) });

  it('has an IMA list that leads to PCR 10, incrementally, with its files known', async () => {
    const made = await node();
    const file = join(made.dir, 'ima');
    made.logs.ima = file;
    const entries = [imaEntry('/usr/bin/bash', 'bash'), imaEntry('/usr/bin/node', 'node')];
    await world.vouch([component('ima:/usr/bin/bash', 'bash'), component('ima:/usr/bin/node', 'node')], {
      node: 'edge-nord',
      id: 'ima',
    });
    const policy = { ...PRODUCTION_POLICY, appraisal: { ima: 'reference' as const } };
    const own = world.verifier({ policy: () => policy });
    const extend = (entry: Buffer) => made.tpm.pcrExtend(10, new Map([['sha256', imaDigest(entry)]]));
    await extend(entries[0] as Buffer);
    writeFileSync(file, entries[0] as Buffer);
    expect(await attest(own, made.attester)).toMatchObject({ status: 'affirming', reasons: [] });
    expect(own.cursor('edge-nord')?.ima).toBe(entries[0]?.length);
    // The list has grown since the quote: what is beyond it is left for the next time.
    writeFileSync(file, Buffer.concat(entries));
    expect((await attest(own, made.attester)).status).toBe('affirming');
    expect(own.cursor('edge-nord')?.ima).toBe(entries[0]?.length);
    await extend(entries[1] as Buffer);
    expect((await attest(own, made.attester)).status).toBe('affirming');
    expect(own.cursor('edge-nord')?.ima).toBe(Buffer.concat(entries).length);
    // Once cut short it is not good, and good again when all of it is shown: nothing of the bad list is remembered.
    const third = imaEntry('/usr/bin/node', 'node');
    await extend(third);
    writeFileSync(file, Buffer.concat([...entries, imaEntry('/usr/bin/bash', 'bash')]));
    expect((await attest(own, made.attester)).reasons[0]).toContain('does not lead to the value of PCR 10');
    entries.push(third);
    writeFileSync(file, Buffer.concat(entries));
    expect(await attest(own, made.attester)).toMatchObject({ status: 'affirming', reasons: [] });
    // A changed program, and one that nobody knows.
    const more = [imaEntry('/usr/bin/bash', 'trojan'), imaEntry('/tmp/x', 'x')];
    for (const entry of more) await extend(entry);
    writeFileSync(file, Buffer.concat([...entries, ...more]));
    const result = await attest(own, made.attester);
    expect(result.status).toBe('contraindicated');
    expect(result.reasons[0]).toMatch(/^\/usr\/bin\/bash is .{12} instead of .{12}$/);
    expect(result.reasons[1]).toContain('/tmp/x');
    // Cut short.
    writeFileSync(file, Buffer.concat(entries));
    const cut = await attest(world.verifier({ policy: () => policy }), made.attester);
    expect(cut).toMatchObject({ status: 'contraindicated', vector: { executables: 99 } });
    expect(cut.reasons[0]).toContain('the IMA list does not lead to the value of PCR 10');
  });
});
