import { createHash } from 'node:crypto';
import { EnerchainError } from '@enerchain/model';
import { decodeCbor } from '@enerchain/trust';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  type AnchorFile,
  decodeEntry,
  decodeReceipt,
  encodeEntry,
  encodeReceipt,
  type Finding,
  parseAnchor,
  type Receipt,
  ReceiptVerifier,
  readAnchor,
  type Verdict,
  verifyReceipt,
} from '../src/index.ts';
import { POINT, POINTS, SECOND, System, site } from '../src/testing/system.ts';
import { NOW, newSigner } from '../src/testing/world.ts';

const codes = ({ findings }: Verdict, state?: Finding['state']) =>
  findings.filter((each) => !state || each.state === state).map(({ code }) => code);

describe('a receipt', () => {
  let system: System;
  let everyday: Awaited<ReturnType<System['everyday']>>;
  const verify = (receipt: Uint8Array, change: Partial<AnchorFile> = {}) =>
    verifyReceipt(receipt, readAnchor(system.anchor(change)));
  const altered = (change: (receipt: Receipt) => Partial<Receipt>, from = everyday.receipt) => {
    const receipt = decodeReceipt(from);
    return encodeReceipt({ ...receipt, ...change(receipt) });
  };

  beforeEach(async () => {
    system = await System.make();
    everyday = await system.everyday();
  });

  it('shows every link of the chain in plain words', () => {
    const verdict = verify(everyday.receipt);
    expect(verdict).toMatchObject({
      ok: true,
      trust: 'attested',
      tier: 'software',
      value: { point: POINT, name: 'P17', unit: 'kW', source: 'edge-nord', value: 17.25, sourceTime: NOW + SECOND },
    });
    expect(verdict.findings.map(({ link, state, code }) => [link, state, code])).toEqual([
      ['device', 'weak', 'device.plain'],
      ['gateway', 'ok', 'gateway.ok'],
      ['software', 'weak', 'software.attested'],
      ['neighbours', 'ok', 'neighbours.ok'],
      ['signature', 'ok', 'signature.ok'],
      ['log', 'ok', 'log.ok'],
      ['witnesses', 'ok', 'witnesses.ok'],
    ]);
    const text = verdict.findings.map((each) => each.text).join('\n');
    expect(text).toContain('plain IEC 60870-5-104');
    expect(text).toContain('record 2 of the log');
    expect(text).toContain('edge-nord, edge-sued saw the log grow');
    expect(everyday.receipt.length).toBeLessThan(16_000);
  });

  it('shows nothing of the other points but their neighbours in the site document', () => {
    const shown = Buffer.from(everyday.receipt).toString('latin1');
    // With the head of a text of three (0x63) before it: three octets alone come about by chance.
    expect(shown).toContain('cP17');
    expect(shown).not.toContain('cP35');
    expect(shown).not.toContain('rtu-1"');
  });

  it('says that a device is protected when it is', async () => {
    system = await System.make();
    everyday = await system.everyday('tls');
    expect(verify(everyday.receipt).findings[0]).toMatchObject({ code: 'device.tls', state: 'ok' });
  });

  it('with any bit changed anywhere never verifies', () => {
    const anchor = readAnchor(system.anchor());
    const verifier = new ReceiptVerifier(anchor);
    expect(verifier.verify(everyday.receipt).ok).toBe(true);
    const bytes = Buffer.from(everyday.receipt);
    for (let i = 0; i < bytes.length; i++) {
      const changed = Buffer.from(bytes);
      changed[i]! ^= 1 << (i % 8);
      const { ok, findings } = verifier.verify(changed);
      if (ok) throw new Error(`octet ${i} of ${bytes.length} can be changed`);
      expect(findings.some(({ state }) => state === 'bad' || state === 'missing')).toBe(true);
    }
    // What was learned from falsified receipts is not believed of the right one, nor the other way round.
    expect(verifier.verify(everyday.receipt).ok).toBe(true);
  });

  it('is judged by itself, whatever receipts with the same parts came before', () => {
    const verifier = new ReceiptVerifier(readAnchor(system.anchor()));
    const { certificates } = decodeReceipt(everyday.receipt);
    const without = certificates.map((_, i) =>
      altered(() => ({ certificates: certificates.filter((_, j) => j !== i) })),
    );
    for (let turn = 0; turn < 2; turn++) {
      for (const each of without) expect(verifier.verify(each).ok).toBe(false);
      expect(verifier.verify(everyday.receipt).ok).toBe(true);
    }
  });

  it('with any octet changed in any way never verifies, and cut short or extended neither', () => {
    const verifier = new ReceiptVerifier(readAnchor(system.anchor()));
    const { receipt } = everyday;
    fc.assert(
      fc.property(fc.nat(receipt.length - 1), fc.integer({ min: 1, max: 255 }), (index, change) => {
        const changed = Buffer.from(receipt);
        changed[index]! ^= change;
        expect(verifier.verify(changed).ok).toBe(false);
      }),
      { numRuns: 400 },
    );
    for (let end = 0; end < receipt.length; end += 37) {
      expect(codes(verifier.verify(receipt.subarray(0, end)))).toEqual(['receipt.malformed']);
    }
    expect(codes(verifier.verify(Buffer.concat([receipt, Buffer.alloc(1)])))).toEqual(['receipt.malformed']);
  });

  it('is read from anything without a crash', () => {
    const verifier = new ReceiptVerifier(readAnchor(system.anchor()));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        expect(verifier.verify(bytes)).toMatchObject({ ok: false });
      }),
      { numRuns: 300 },
    );
    const parts = fc.uint8Array({ maxLength: 60 });
    const entry = decodeEntry(decodeReceipt(everyday.receipt).value);
    fc.assert(
      fc.property(fc.array(parts, { maxLength: 3 }), parts, fc.nat(), (lists, some, number) => {
        const forged = encodeEntry({ ...entry, index: number, proof: { ...entry.proof, signed: some, column: some } });
        for (const value of [some, forged]) {
          const site = [value, ...lists];
          expect(verifier.verify(altered(() => ({ value, site, certificates: lists })))).toMatchObject({ ok: false });
          expect(verifier.verify(altered(() => ({ site, attestation: site })))).toMatchObject({ ok: false });
        }
      }),
      { numRuns: 100 },
    );
    for (const cut of [encodeEntry(entry), everyday.receipt]) {
      for (let end = 0; end < cut.length; end += 11) {
        expect(() => (cut === everyday.receipt ? decodeReceipt : decodeEntry)(cut.subarray(0, end))).toThrow(
          EnerchainError,
        );
      }
    }
  });

  it.each<[string, (s: System) => Partial<AnchorFile>, string]>([
    ['of another log', () => ({ origin: 'enerchain/ff' }), 'receipt.checkpoint.origin'],
    ['with another log key', () => ({ logKey: system.anchor().witnesses[0]!.key }), 'receipt.checkpoint.signature'],
    [
      'with other witness keys',
      (s) => ({ witnesses: s.anchor().witnesses.map((w, _, all) => ({ ...w, key: all[0]!.key })), quorum: 2 }),
      'witnesses.quorum',
    ],
    ['that asks for more witnesses', () => ({ quorum: 3 }), 'witnesses.quorum'],
    [
      'in which the gateway is revoked',
      (s) => ({ revoked: s.revoked('edge-nord', NOW) }),
      'receipt.certificate.revoked',
    ],
    [
      'in which the verifier is revoked',
      (s) => ({ revoked: s.revoked('centre', NOW - 60n * SECOND) }),
      'receipt.certificate.revoked',
    ],
  ])('does not verify against an anchor %s', (_, change, code) => {
    const verdict = verify(everyday.receipt, change(system));
    expect(verdict.ok).toBe(false);
    expect(new Set(codes(verdict).filter((each) => !/\.(ok|plain|attested)$/.test(each)))).toEqual(new Set([code]));
  });

  it('does not verify against another authority', async () => {
    const other = await System.make();
    const verdict = verify(everyday.receipt, { authorities: [other.ca.certificatePem] });
    expect(codes(verdict)).toEqual(['receipt.certificate']);
  });

  it('shows no device that was described with a certificate that was revoked by then', async () => {
    const old = system.revoked('edge-nord', NOW - 60n * SECOND);
    // Its certificate is still known, as one that ended is.
    system.nodes.set('edge-nord before', system.of('edge-nord'));
    await system.node('edge-nord', 'edge');
    const value = await system.log('edge-nord', system.observations(NOW + 100n * SECOND));
    const receipt = system.receipt({
      ...everyday.parts,
      value,
      sourceTime: NOW + 101n * SECOND,
      note: await system.checkpoint(),
    });
    const device = (verdict: Verdict) => verdict.findings.find(({ link }) => link === 'device');
    expect(device(verify(receipt))).toMatchObject({ code: 'device.plain' });
    expect(device(verify(receipt, { revoked: old }))).toMatchObject({
      state: 'bad',
      code: 'receipt.certificate.revoked',
    });
  });

  it('verifies as before when a certificate was revoked later', () => {
    expect(verify(everyday.receipt, { revoked: system.revoked('edge-nord', NOW + 3600n * SECOND) }).ok).toBe(true);
  });

  it('counts as witnesses only those that the anchor names, and checks the others all the same', () => {
    const [witness] = system.anchor().witnesses;
    const verdict = verify(everyday.receipt, { witnesses: [witness!], quorum: 1 });
    expect(verdict.ok).toBe(true);
    expect(verdict.findings.at(-1)?.text).toContain('Others, whom the anchor does not name: edge-sued.');
    expect(codes(verify(everyday.receipt, { witnesses: [witness!], quorum: 2 }))).toContain('witnesses.quorum');
    expect(verify(everyday.receipt, { witnesses: [], quorum: 0 }).findings.at(-1)).toMatchObject({ state: 'weak' });
  });

  it('about another observation than the one that was signed does not verify', () => {
    const { about } = decodeReceipt(everyday.receipt);
    for (const change of [{ index: 2 }, { index: 9 }, { sourceTime: NOW }, { point: POINTS[3]! }]) {
      const verdict = verify(altered(() => ({ about: { ...about, ...change } })));
      expect(codes(verdict)).toEqual(['receipt.about', 'witnesses.ok']);
    }
    // Another one of the same column is another receipt, and as true.
    const other = verify(altered(() => ({ about: { ...about, index: 2, sourceTime: NOW + 2n * SECOND } })));
    expect(other).toMatchObject({ ok: true, value: { value: 17.5 } });
  });

  it('with a part left out, put in or exchanged does not verify', async () => {
    const other = await system.everyday();
    const stranger = decodeReceipt(other.receipt);
    const cases: [(receipt: Receipt) => Partial<Receipt>, string][] = [
      [() => ({ site: [] }), 'receipt.site.missing'],
      [({ site: list }) => ({ site: list.slice(0, 1) }), 'receipt.site.endpoint'],
      [({ site: list }) => ({ site: list.slice(1) }), 'receipt.site'],
      [({ attestation: list }) => ({ attestation: list.slice(0, 1) }), 'software.provisional'],
      [({ attestation: list }) => ({ attestation: list.slice(1) }), 'receipt.bracket'],
      [() => ({ attestation: [] }), 'software.unknown'],
      [({ attestation: list }) => ({ attestation: list.toReversed() }), 'receipt.bracket'],
      [({ certificates: list }) => ({ certificates: list.slice(1) }), 'receipt.signer'],
      [({ certificates: list }) => ({ certificates: [...list, list[0]!] }), 'receipt.twice'],
      [({ certificates: list }) => ({ certificates: [...list, system.of('grid-state').der] }), 'receipt.unused'],
      [() => ({ note: stranger.note }), 'receipt.log'],
      [() => ({ value: stranger.value }), 'receipt.log'],
      [({ attestation: [first] }) => ({ neighbours: [first!, first!] }), 'neighbours.ok'],
    ];
    for (const [change, code] of cases) {
      const verdict = verify(altered(change));
      expect(codes(verdict)).toContain(code);
      expect(verdict.ok).toBe(code === 'neighbours.ok');
    }
  });

  it('of a value that somebody else signed does not verify', async () => {
    // The gateway sued signs in the name of nord: ingest would refuse it; a centre that does not is found out.
    const { signer, kid } = system.of('edge-sued');
    const nord = system.of('edge-nord');
    Object.assign(nord, {
      chain: new (nord.chain.constructor as never as new (o: object) => typeof nord.chain)({
        source: 'edge-nord',
        signer,
        kid,
      }),
    });
    const value = await system.log('edge-nord', system.observations());
    const receipt = system.receipt({ ...everyday.parts, value, note: await system.checkpoint() });
    expect(codes(verify(receipt))).toContain('receipt.signature.name');
    // And with the name of the right key over the wrong signature.
    const forged = { ...value.batch, signed: Buffer.from(value.batch.signed) };
    forged.signed.set(nord.kid, forged.signed.indexOf(Buffer.from(kid)));
    const again = system.take(forged);
    const second = system.receipt({ ...everyday.parts, value: again, note: await system.checkpoint() });
    expect(codes(verify(second))).toContain('receipt.signature');
  });

  it('of a value received when the certificate was not valid does not verify', async () => {
    const late = NOW + 400n * 86_400n * SECOND;
    const value = await system.log('edge-nord', system.observations(late));
    const receipt = system.receipt({
      ...everyday.parts,
      value,
      sourceTime: late + SECOND,
      note: await system.checkpoint(),
    });
    expect(codes(verify(receipt), 'bad')).toContain('receipt.certificate.time');
  });
});

describe('the software that a source ran', () => {
  let system: System;
  const made = async (
    results: (value: () => Promise<void>) => Promise<unknown>,
    take: (all: Awaited<ReturnType<System['attest']>>[]) => Awaited<ReturnType<System['attest']>>[] = (all) => all,
  ): Promise<Verdict> => {
    const announced = await system.log('edge-nord', { kind: 'site', document: site('edge-nord') });
    const all: Awaited<ReturnType<System['attest']>>[] = [];
    const attest = system.attest.bind(system);
    system.attest = async (...args) => {
      const record = await attest(...args);
      all.push(record);
      return record;
    };
    let value: Awaited<ReturnType<System['log']>> | undefined;
    await results(async () => {
      value = await system.log('edge-nord', system.observations());
    });
    system.attest = attest;
    const note = await system.checkpoint();
    const receipt = system.receipt({ value: value!, site: announced, attestation: take(all), note });
    return verifyReceipt(receipt, readAnchor(system.anchor()));
  };
  const software = (verdict: Verdict) => verdict.findings.find(({ link }) => link === 'software');
  const BEFORE = NOW - 5n * SECOND;
  const AFTER = NOW + 5n * SECOND;

  beforeEach(async () => {
    system = await System.make();
  });

  it('is attested on a TPM without a weakness', async () => {
    const tpm = { tier: 'tpm', status: 'affirming', vector: { executables: 2 } } as const;
    const verdict = await made(async (value) => {
      await system.attest('edge-nord', BEFORE, tpm);
      await value();
      await system.attest('edge-nord', AFTER, tpm);
    });
    expect(verdict).toMatchObject({ ok: true, trust: 'attested', tier: 'tpm' });
    expect(software(verdict)).toMatchObject({ state: 'ok' });
  });

  it('is provisional until there is a result behind the value', async () => {
    const verdict = await made(async (value) => {
      await system.attest('edge-nord', BEFORE);
      await value();
    });
    expect(verdict).toMatchObject({ ok: false, trust: 'provisional' });
    expect(software(verdict)).toMatchObject({ state: 'missing', code: 'software.provisional' });
  });

  it('is provisional when the result came into the log before the value did: the gateway could have made it up later', async () => {
    const verdict = await made(async (value) => {
      await system.attest('edge-nord', BEFORE);
      await system.attest('edge-nord', AFTER);
      await value();
    });
    expect(verdict).toMatchObject({ ok: false, trust: 'provisional' });
  });

  it('is attested over many results when a value came late, and it is said when one is left out', async () => {
    const late = async (value: () => Promise<void>) => {
      for (let i = 0n; i < 4n; i++) await system.attest('edge-nord', BEFORE + i * 10n * SECOND);
      await value();
      await system.attest('edge-nord', BEFORE + 40n * SECOND);
    };
    const whole = await made(late);
    expect(whole).toMatchObject({ ok: true, trust: 'attested' });
    expect(software(whole)).toMatchObject({ details: { results: 5, complete: true } });
    const cut = await made(late, (all) => all.filter((_, index) => index !== 2));
    expect(cut).toMatchObject({ ok: true, trust: 'attested' });
    expect(software(cut)).toMatchObject({ details: { results: 4, complete: false } });
    expect(software(cut)?.text).toContain('results between these are not in the receipt');
    const turned = await made(late, (all) => [all[0]!, all[2]!, all[1]!, ...all.slice(3)]);
    expect(codes(turned, 'bad')).toEqual(['receipt.bracket']);
  });

  it('is shown whole with two results alone, where the second says that all since the first were good', async () => {
    const first = { at: BEFORE, sequence: 1 };
    const rare = (goodSince: { at: bigint; sequence: number } | undefined) => async (value: () => Promise<void>) => {
      await system.attest('edge-nord', BEFORE, { sequence: 1, goodSince: first });
      await value();
      await system.attest('edge-nord', AFTER, { sequence: 9, goodSince });
    };
    const whole = await made(rare(first));
    expect(software(whole)).toMatchObject({ state: 'weak', details: { results: 2, complete: true } });
    expect(software(whole)?.text).toContain('and never otherwise between');
    // Good again, after something that is not shown: nothing says what.
    const open = await made(rare({ at: NOW, sequence: 5 }));
    expect(software(open)).toMatchObject({ details: { results: 2, complete: false } });
    expect(software(await made(rare(undefined)))).toMatchObject({ details: { complete: false } });
  });

  it('is shown whole where each result names the one before it', async () => {
    const digestOf = (logged: Awaited<ReturnType<System['attest']>>) => {
      const { result } = decodeCbor(logged.batch.columns[0]!) as { result: Uint8Array };
      return createHash('sha256').update(result).digest();
    };
    const linked = (change: (previous: Buffer) => Buffer) => async (value: () => Promise<void>) => {
      const before = await system.attest('edge-nord', BEFORE, { sequence: 1 });
      await value();
      await system.attest('edge-nord', AFTER, { sequence: 9, previous: change(digestOf(before)) });
    };
    expect(software(await made(linked((previous) => previous)))).toMatchObject({ details: { complete: true } });
    const other = await made(linked((previous) => Buffer.from(previous.map((octet) => octet ^ 1))));
    expect(software(other)).toMatchObject({ details: { complete: false } });
  });

  it('does not hold when a verifier says that there was nothing bad, and has signed something bad itself', async () => {
    const verdict = await made(async (value) => {
      await system.attest('edge-nord', BEFORE, { sequence: 1 });
      await value();
      const reasons = ['edge.ts is 00 instead of 11'];
      await system.attest('edge-nord', NOW + SECOND, { sequence: 5, status: 'contraindicated', reasons });
      await system.attest('edge-nord', AFTER, { sequence: 9, goodSince: { at: BEFORE, sequence: 1 } });
    });
    expect(codes(verdict, 'bad')).toEqual(['receipt.bracket']);
  });

  it.each([
    ['before', 0],
    ['between', 1],
    ['after', 2],
  ])('is distrusted after a bad result %s', async (_, which) => {
    const bad = { status: 'contraindicated', vector: { executables: 96 }, reasons: ['site.ts was changed'] } as const;
    const verdict = await made(async (value) => {
      await system.attest('edge-nord', BEFORE, which === 0 ? bad : {});
      await value();
      await system.attest('edge-nord', AFTER, which === 1 ? bad : {});
      await system.attest('edge-nord', AFTER + 10n * SECOND, which === 2 ? bad : {});
    });
    expect(verdict).toMatchObject({ ok: false, trust: 'distrusted' });
    expect(software(verdict)?.text).toContain('site.ts was changed');
  });

  it('is not known when the source started anew between the results', async () => {
    const verdict = await made(async (value) => {
      await system.attest('edge-nord', BEFORE);
      await value();
      await system.attest('edge-nord', AFTER, { boot: 'boot-2' });
    });
    expect(verdict).toMatchObject({ ok: false, trust: 'unknown' });
    expect(software(verdict)).toMatchObject({ code: 'software.restarted', state: 'missing' });
  });

  it.each([
    ['about another node', 'edge-sued', 'centre'],
    ['of another verifier', 'edge-nord', 'edge-sued'],
  ])('is not shown by a result %s', async (_, node, by) => {
    const verdict = await made(async (value) => {
      await system.attest('edge-nord', BEFORE);
      await value();
      await system.attest(node, AFTER, { sequence: 2 }, by);
    });
    expect(codes(verdict, 'bad')).toEqual(['receipt.bracket']);
  });

  it('is not shown by a gateway that vouches for itself, or by another one', async () => {
    for (const by of ['edge-nord', 'edge-sued']) {
      const verdict = await made(async (value) => {
        await system.attest('edge-nord', BEFORE, {}, by);
        await value();
        await system.attest('edge-nord', AFTER, {}, by);
      });
      expect(verdict).toMatchObject({ ok: false, trust: 'unknown' });
      expect(codes(verdict, 'bad')).toEqual(['receipt.bracket']);
    }
  });

  it('has no neighbours in itself, in services, or in one whose certificate was revoked', async () => {
    const { parts } = await system.everyday();
    const verdictOf = async (by: string, change: Partial<AnchorFile> = {}) => {
      const neighbour = await system.attest('edge-nord', NOW + 6n * SECOND, {}, by);
      const receipt = system.receipt({ ...parts, neighbours: [neighbour], note: await system.checkpoint() });
      return verifyReceipt(receipt, readAnchor(system.anchor(change)));
    };
    expect(codes(await verdictOf('edge-sued'), 'bad')).toEqual([]);
    expect(codes(await verdictOf('edge-nord'), 'bad')).toEqual(['receipt.neighbours']);
    expect(codes(await verdictOf('grid-state'), 'bad')).toEqual(['receipt.neighbours']);
    const revoked = { revoked: system.revoked('edge-sued', NOW) };
    expect(codes(await verdictOf('edge-sued', revoked), 'bad')).toContain('receipt.certificate.revoked');
  });

  it('is not shown by a result that its verifier did not sign', async () => {
    const stranger = newSigner();
    const centre = system.of('centre');
    const verdict = await made(async (value) => {
      await system.attest('edge-nord', BEFORE);
      await value();
      Object.assign(centre, { signer: stranger });
      await system.attest('edge-nord', AFTER);
    });
    expect(codes(verdict, 'bad')).toEqual(['receipt.attestation']);
  });
});

describe('the receipt of an estimated value', () => {
  it('names the records that the service had read, as far as they came before', async () => {
    const system = await System.make();
    const { note: _, ...rest } = await system.everyday();
    const announced = await system.log('grid-state', {
      kind: 'site',
      document: { ...site('grid-state'), bindings: [] },
    });
    const verdictOf = async (reads: { first: number; last: number }[]) => {
      const value = await system.log('grid-state', system.observations(), { reads });
      const receipt = system.receipt({
        ...rest.parts,
        attestation: [],
        neighbours: [],
        site: announced,
        value,
        note: await system.checkpoint(),
      });
      return verifyReceipt(receipt, readAnchor(system.anchor()));
    };
    const verdict = await verdictOf([{ first: 0, last: 3 }]);
    expect(verdict).toMatchObject({ ok: true, trust: 'unknown', value: { source: 'grid-state' } });
    expect(verdict.findings[0]).toMatchObject({ code: 'device.calculated', state: 'ok', details: { reads: '0 to 3' } });
    expect(codes(verdict)).toContain('software.unknown');
    expect((await verdictOf([])).findings[0]).toMatchObject({ code: 'device.calculated', state: 'weak' });
    expect(codes(await verdictOf([{ first: 0, last: 999 }]), 'bad')).toContain('receipt.reads');
  });

  it('names the gateways from whose values it was calculated', async () => {
    const system = await System.make();
    const { note: _, ...rest } = await system.everyday();
    const document = site('grid-state');
    const endpoints = document.endpoints.map((endpoint) => ({ ...endpoint, inputs: ['edge-nord', 'edge-sued'] }));
    const announced = await system.log('grid-state', { kind: 'site', document: { ...document, endpoints } });
    const value = await system.log('grid-state', system.observations(), { reads: [{ first: 0, last: 3 }] });
    const note = await system.checkpoint();
    const receipt = system.receipt({ ...rest.parts, attestation: [], neighbours: [], site: announced, value, note });
    const [device] = verifyReceipt(receipt, readAnchor(system.anchor())).findings;
    expect(device).toMatchObject({ code: 'device.calculated', details: { inputs: 'edge-nord, edge-sued' } });
    expect(device?.text).toContain('from values of edge-nord, edge-sued');
  });
});

describe('a batch without a signature of its own', () => {
  it('is covered by a later one of its chain, and by no other', async () => {
    const system = await System.make();
    const { parts } = await system.everyday();
    const value = await system.log('edge-nord', system.observations(), { defer: true });
    const middle = await system.log('edge-nord', system.observations(NOW + SECOND), { defer: true });
    const last = await system.log('edge-nord', system.observations(NOW + 2n * SECOND));
    await system.attest('edge-nord', NOW + 20n * SECOND);
    const note = await system.checkpoint();
    const headers = [middle.batch.signed, last.batch.signed];
    const anchor = readAnchor(system.anchor());
    const verdictOf = (covering: readonly Uint8Array[]) =>
      verifyReceipt(system.receipt({ ...parts, value: { ...value, covering }, note }), anchor);
    // The results are older than the batch: its value is provisional.
    expect(verdictOf(headers).trust).toBe('provisional');
    expect(verdictOf(headers).findings.find(({ link }) => link === 'signature')?.text).toContain('2 behind it');
    const good = decodeReceipt(system.receipt({ ...parts, value: { ...value, covering: headers }, note }));
    const entry = decodeEntry(good.value);
    for (const covering of [[], [headers[0]!], [headers[1]!], headers.toReversed(), [...headers, headers[1]!]]) {
      const forged = encodeReceipt({ ...good, value: encodeEntry({ ...entry, covering }) });
      expect(codes(verifyReceipt(forged, anchor), 'bad')).toEqual(['receipt.header']);
    }
  });
});

describe('an anchor', () => {
  it('that is no anchor is refused with what is wrong', async () => {
    const system = await System.make();
    const anchor = system.anchor();
    expect(readAnchor(JSON.parse(JSON.stringify(anchor))).quorum).toBe(1);
    expect(parseAnchor(JSON.stringify(anchor)).origin).toBe(anchor.origin);
    for (const wrong of [
      {},
      null,
      { ...anchor, format: 'enerchain-anchor/2' },
      { ...anchor, logKey: 'x' },
      { ...anchor, authorities: [] },
      { ...anchor, authorities: [anchor.logKey] },
      { ...anchor, more: 1 },
      { ...anchor, revoked: [{ fingerprint: 'ab', at: 'now' }] },
    ]) {
      expect(() => readAnchor(wrong)).toThrow(expect.objectContaining({ code: 'provenance.anchor', fault: 'caller' }));
    }
    expect(() => parseAnchor('{')).toThrow(expect.objectContaining({ code: 'provenance.anchor' }));
  });
});
