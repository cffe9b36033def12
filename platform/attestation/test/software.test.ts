import { randomBytes } from 'node:crypto';
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { coseSign1, DevelopmentCa, type Identity } from '@enerchain/trust';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type AttestationResult,
  type Attester,
  bindingOf,
  DEVELOPMENT_POLICY,
  decodeEvidence,
  decodeResult,
  encodeClaims,
  encodeEvidence,
  encodeResult,
  isGood,
  openSoftwareAttester,
  ReferenceValues,
  type SoftwareProof,
  sha256,
  type Verifier,
} from '../src/index.ts';
import { attest, challenge, component, FakeMeasurements, SITE, SOFTWARE, World } from './world.ts';

let world: World;
let verifier: Verifier;
let attester: Attester;
let measurements: FakeMeasurements;
let identity: Identity;

beforeAll(async () => {
  world = await World.open();
  await world.vouch(SOFTWARE);
  await world.vouch([SITE], { node: 'edge-nord', id: 'site' });
});
afterAll(() => world.close());
beforeEach(async () => {
  verifier = world.verifier();
  ({ attester, measurements, identity } = await world.softwareNode('edge-nord'));
});

describe('a software attester', () => {
  it('is good when everything is as the manifests say, and never affirmed', async () => {
    const result = await attest(verifier, attester);
    expect(result).toMatchObject({
      node: 'edge-nord',
      verifier: 'centre',
      tier: 'software',
      status: 'warning',
      reasons: [],
      policy: 'development-1',
      vector: { instanceIdentity: 2, configuration: 2, executables: 32 },
    });
    expect(isGood(result)).toBe(true);
    expect(result.references).toHaveLength(2);
    expect(result.validUntil - result.issuedAt).toBe(30_000_000_000n);
  });

  it('has results that name the one before them, and say since when they have been good', async () => {
    const appraised: { result: AttestationResult; bytes: Uint8Array }[] = [];
    const next = async () => {
      world.clock.at += 1_000_000_000n;
      const binding = challenge('edge-nord');
      const signed = await verifier.appraise(await attester.evidence([binding], verifier.cursor('edge-nord')), {
        node: 'edge-nord',
        binding,
      });
      appraised.push(signed);
      return signed.result;
    };
    const first = await next();
    expect(first.previous).toBeUndefined();
    const since = { at: first.issuedAt, sequence: first.sequence };
    expect([first, await next(), await next()].map(({ goodSince }) => goodSince)).toEqual([since, since, since]);
    // What the verifier found by another way ends the row, and so does anything that is not good.
    verifier.doubt('edge-nord');
    expect((await next()).goodSince).toMatchObject({ sequence: appraised.at(-1)!.result.sequence });
    world.policy = undefined;
    expect((await next()).goodSince).toBeUndefined();
    world.policy = DEVELOPMENT_POLICY;
    verifier.forget('edge-nord');
    const again = await next();
    expect(again.goodSince).toEqual({ at: again.issuedAt, sequence: again.sequence });
    measurements.add(component('platform/edge/src/edge.ts', 'with a back door'));
    expect((await next()).goodSince).toBeUndefined();
    for (const [i, { result }] of appraised.entries()) {
      const before = appraised[i - 1];
      expect(result.previous && Buffer.from(result.previous)).toEqual(before && Buffer.from(sha256(before.bytes)));
    }
    // And it travels.
    const { previous: _named, ...travelled } = decodeResult(encodeResult(again));
    expect(travelled).toMatchObject({ goodSince: again.goodSince, sequence: again.sequence, boot: again.boot });
  });

  it('has a row of good results that ends with its boot, and with a result that could not be signed', async () => {
    const old = await attest(verifier, attester);
    ({ attester } = await world.softwareNode('edge-nord', undefined, identity));
    const started = await attest(verifier, attester);
    expect(started.boot).not.toBe(old.boot);
    expect(started.goodSince).toEqual({ at: started.issuedAt, sequence: started.sequence });
    let failing = false;
    const signer = {
      ...world.centre.signer,
      publicKey: world.centre.signer.publicKey,
      sign: (data: Uint8Array) => (failing ? Promise.reject(new Error('gone')) : world.centre.signer.sign(data)),
    };
    verifier = world.verifier({ signer });
    await attest(verifier, attester);
    failing = true;
    await expect(attest(verifier, attester)).rejects.toThrow('gone');
    failing = false;
    const after = await attest(verifier, attester);
    expect(after).toMatchObject({ goodSince: { sequence: after.sequence } });
    expect(after.previous).toBeUndefined();
  });

  it('shows a file that changed in its next evidence, by name, with what was expected', async () => {
    expect(isGood(await attest(verifier, attester))).toBe(true);
    measurements.add(component('platform/edge/src/edge.ts', 'with a back door'));
    const result = await attest(verifier, attester);
    expect(result.status).toBe('contraindicated');
    expect(result.vector).toMatchObject({ executables: 96, configuration: 2, instanceIdentity: 2 });
    const [shown, expected] = ['with a back door', 'platform/edge/src/edge.ts'].map((text) =>
      Buffer.from(sha256(Buffer.from(text))).toString('hex'),
    );
    expect(result.reasons).toEqual([
      `platform/edge/src/edge.ts is ${shown!.slice(0, 12)} instead of ${expected!.slice(0, 12)}`,
    ]);
    expect(verifier.measurements('edge-nord', 1)).toEqual([
      { name: 'platform/edge/src/edge.ts', digest: shown, ok: false, expected: [expected] },
    ]);
    // Changing it back does not undo that it was there.
    measurements.add(component('platform/edge/src/edge.ts'));
    expect((await attest(verifier, attester)).status).toBe('contraindicated');
  });

  it('shows a file that no manifest names', async () => {
    measurements.add(component('outside:/tmp/evil.mjs'));
    const result = await attest(verifier, attester);
    expect(result.vector.executables).toBe(96);
    expect(result.reasons[0]).toMatch(/^outside:\/tmp\/evil\.mjs is .{12} and stands in no manifest$/);
  });

  it('keeps configuration and executables apart', async () => {
    measurements.add(component('config:site', 'another site'));
    const result = await attest(verifier, attester);
    expect(result).toMatchObject({ status: 'warning', vector: { configuration: 32, executables: 32 } });
    expect(isGood(result)).toBe(false);
    const other = await world.softwareNode('edge-sued', [...SOFTWARE, component('config:site', 'site of edge-sued')]);
    const unknown = await attest(verifier, other.attester);
    expect(unknown.vector).toMatchObject({ configuration: 36, executables: 32 });
    expect(isGood(unknown)).toBe(false);
    expect(unknown.reasons[0]).toContain('has no reference value');
  });

  it('sends only what is new, and everything to a verifier that knows nothing', async () => {
    await attest(verifier, attester);
    const known = await attester.evidence([challenge('edge-nord')], verifier.cursor('edge-nord'));
    expect(decodeEvidence(known).claims.records).toHaveLength(0);
    const whole = await attester.evidence([challenge('edge-nord')]);
    expect(decodeEvidence(whole).claims.records).toHaveLength(1);
    expect(known.length).toBeLessThan(1700);
    // A verifier that has lost its memory says so, and is not sure of anything.
    const forgetful = world.verifier();
    const binding = challenge('edge-nord');
    const part = await attester.evidence([binding], verifier.cursor('edge-nord'));
    const result = (await forgetful.appraise(part, { node: 'edge-nord', binding })).result;
    expect(result.status).toBe('none');
    expect(result.reasons[0]).toContain('is sent from record 1 on, and here it is known up to 0');
  });

  it('answers several verifiers with one signature', async () => {
    const bindings = ['a', 'b', 'c'].map((name) => challenge('edge-nord', undefined, name));
    const evidence = await attester.evidence(bindings);
    for (const binding of bindings) {
      expect(isGood((await world.verifier().appraise(evidence, { node: 'edge-nord', binding })).result)).toBe(true);
    }
    await expect(attester.evidence([])).rejects.toMatchObject({ code: 'attestation.bindings' });
    await expect(attester.evidence([new Uint8Array(31)])).rejects.toMatchObject({ code: 'attestation.bindings' });
  });

  it('keeps its secret to itself', async () => {
    const file = join(world.dir, 'edge-nord.uds');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const open = (secretFile: string) => openSoftwareAttester({ identity: () => identity, secretFile, measurements });
    const loose = join(world.dir, 'loose.uds');
    writeFileSync(loose, randomBytes(32), { mode: 0o600 });
    chmodSync(loose, 0o644);
    await expect(open(loose)).rejects.toMatchObject({ code: 'attestation.secret', fault: 'environment' });
    const short = join(world.dir, 'short.uds');
    writeFileSync(short, randomBytes(3), { mode: 0o600 });
    await expect(open(short)).rejects.toMatchObject({ code: 'attestation.secret' });
    expect(readFileSync(file)).toHaveLength(32);
  });

  it('has another alias key when the first layer is another', async () => {
    const alias = async (components: Parameters<World['softwareNode']>[1]) => {
      const node = await world.softwareNode('edge-nord', components);
      const evidence = decodeEvidence(await node.attester.evidence([challenge('edge-nord')]));
      return Buffer.from((evidence.proof as SoftwareProof).alias)
        .toString('hex')
        .match(/3059301306072a[0-9a-f]{168}/)?.[0];
    };
    const first = await alias([...SOFTWARE, SITE]);
    expect(first).toBeDefined();
    expect(await alias([...SOFTWARE, component('more.ts')])).toBe(first);
    expect(await alias([component('runtime:node', 'another Node'), ...SOFTWARE.slice(1)])).not.toBe(first);
  });
});

describe('nothing is good by default', () => {
  it('without a policy', async () => {
    const blind = world.verifier({ policy: () => undefined });
    const result = await attest(blind, attester);
    expect(result).toMatchObject({ status: 'none', vector: {}, policy: 'none' });
    expect(isGood(result)).toBe(false);
  });

  it('without reference values', async () => {
    const result = await attest(world.verifier({ references: new ReferenceValues() }), attester);
    expect(result).toMatchObject({
      status: 'none',
      reasons: ['there are no reference values: nothing is known to be good'],
    });
  });

  it('when the verifier fails in the middle', async () => {
    const broken = new ReferenceValues();
    broken.at = () => {
      throw new TypeError('out of order');
    };
    const failing = world.verifier({ references: broken });
    const result = await attest(failing, attester);
    expect(result).toMatchObject({ status: 'none', vector: { instanceIdentity: -1 } });
    expect(result.reasons).toEqual(['the verifier failed: out of order']);
    expect(failing.counters.failures).toBe(1);
  });

  it('when the result cannot be signed: then there is none', async () => {
    const signer = { ...world.centre.signer, sign: () => Promise.reject(new Error('the HSM is away')) };
    await expect(attest(world.verifier({ signer }), attester)).rejects.toThrow('the HSM is away');
  });
});

describe('attacks on evidence', () => {
  const appraise = async (evidence: Uint8Array, binding: Uint8Array, node = 'edge-nord') =>
    (await verifier.appraise(evidence, { node, binding })).result;

  it('replayed: an answer to an older challenge', async () => {
    const old = challenge('edge-nord');
    const evidence = await attester.evidence([old]);
    expect(isGood(await appraise(evidence, old))).toBe(true);
    const result = await appraise(evidence, challenge('edge-nord'));
    expect(result).toMatchObject({ status: 'contraindicated', vector: { instanceIdentity: 99 } });
    expect(result.reasons[0]).toContain('it is an old one, or was made for somebody else');
  });

  it('relayed: the same nonce on another channel', async () => {
    const nonce = randomBytes(32);
    const of = (exporter: Uint8Array) => bindingOf({ nonce, exporter, verifier: 'centre', node: 'edge-nord' });
    // The box in the middle passes the nonce on; the honest gateway binds its answer to the channel it has.
    const [outer, inner] = [randomBytes(32), randomBytes(32)];
    const evidence = await attester.evidence([of(inner)]);
    expect((await appraise(evidence, of(outer))).vector.instanceIdentity).toBe(99);
  });

  it('of another node, and by another verifier’s challenge', async () => {
    const other = await world.softwareNode('edge-other');
    const binding = challenge('edge-nord');
    const foreign = await appraise(await other.attester.evidence([binding]), binding);
    expect(foreign).toMatchObject({ status: 'contraindicated', reasons: ['the evidence is that of edge-other'] });
    const forAnother = challenge('edge-nord', undefined, 'edge-sued');
    const result = await appraise(await attester.evidence([forAnother]), challenge('edge-nord'));
    expect(result.vector.instanceIdentity).toBe(99);
  });

  it('truncated at any octet, or with any octet changed', async () => {
    const binding = challenge('edge-nord');
    const evidence = await attester.evidence([binding]);
    for (let end = 0; end < evidence.length; end += 7) {
      const result = await appraise(evidence.subarray(0, end), binding);
      expect(isGood(result)).toBe(false);
      expect(result.reasons).not.toEqual([]);
    }
    for (let at = 0; at < evidence.length; at += 5) {
      const changed = evidence.slice();
      changed[at]! ^= 1 << (at % 8);
      const fresh = world.verifier();
      expect(isGood((await fresh.appraise(changed, { node: 'edge-nord', binding })).result), `octet ${at}`).toBe(false);
    }
  });

  /** The same evidence with other claims, and whatever signature the attacker has. */
  const forged = (evidence: Uint8Array, change: (claims: ReturnType<typeof decodeEvidence>['claims']) => object) => {
    const { claims, proof } = decodeEvidence(evidence);
    return encodeEvidence(encodeClaims({ ...claims, ...change(claims) }), proof);
  };

  it('with a list that was cut short, extended or rewritten', async () => {
    measurements.add(component('platform/edge/src/edge.ts', 'bad'));
    const binding = challenge('edge-nord');
    const evidence = await attester.evidence([binding]);
    const unsigned = await appraise(
      forged(evidence, ({ records }) => ({ records: records.slice(0, 1), count: 1 })),
      binding,
    );
    expect(unsigned).toMatchObject({ status: 'contraindicated', reasons: ['the signature is one over other claims'] });
    // The machine is the attacker's: he signs what he likes, and forgets what he would rather not have shown.
    await attest(verifier, attester);
    const list = measurements.list as unknown as { id: string };
    const liar = await world.softwareNode('edge-nord');
    (liar.measurements.list as unknown as { id: string }).id = list.id;
    const shorter = await attest(verifier, {
      node: 'edge-nord',
      evidence: (bindings) => liar.attester.evidence(bindings),
    });
    expect(shorter.vector.executables).toBe(99);
    expect(shorter.reasons).toEqual(['the measurement list has 1 records and had 2 before: it was cut short']);
    liar.measurements.add(component('platform/edge/src/edge.ts'));
    const rewritten = await attest(verifier, {
      node: 'edge-nord',
      evidence: (bindings) => liar.attester.evidence(bindings),
    });
    expect(rewritten.reasons[0]).toContain('is not the one that was shown before: it was rewritten');
    Object.defineProperty(liar.measurements.list, 'head', { value: randomBytes(32) });
    const extended = await attest(world.verifier(), liar.attester);
    expect(extended.reasons[0]).toContain('do not hash to its head');
  });

  it('with an alias key that the identity never certified, or certified for another', async () => {
    const binding = challenge('edge-nord');
    const evidence = decodeEvidence(await attester.evidence([binding]));
    const proof = evidence.proof as SoftwareProof;
    const stranger = await world.identity({ name: 'edge-fremd', role: 'edge' });
    const made = await world.softwareNode('edge-fremd', undefined, stranger);
    const theirs = decodeEvidence(await made.attester.evidence([binding])).proof as SoftwareProof;
    const wrongAlias = await appraise(encodeEvidence(evidence.claimsBytes, { ...proof, alias: theirs.alias }), binding);
    expect(wrongAlias.vector.instanceIdentity).toBe(99);
    const copied = await coseSign1(identity.signer, identity.kid, 'enerchain-batch', new Uint8Array(3));
    const wrongTyp = await appraise(encodeEvidence(evidence.claimsBytes, { ...proof, alias: copied }), binding);
    expect(wrongTyp.reasons[0]).toContain("signed as 'enerchain-batch'");
  });

  it('with an identity that is off the chain, of another node, expired or revoked', async () => {
    const foreignCa = await DevelopmentCa.open(join(world.dir, 'foreign-ca'), { clock: world.clock });
    const foreign = await world.identity({ name: 'edge-nord', role: 'edge' }, foreignCa);
    const offChain = await attest(verifier, (await world.softwareNode('edge-nord', undefined, foreign)).attester);
    expect(offChain).toMatchObject({ status: 'contraindicated', vector: { instanceIdentity: 97 } });

    const binding = challenge('edge-nord');
    const evidence = decodeEvidence(await attester.evidence([binding]));
    const stranger = await world.identity({ name: 'edge-fremd', role: 'edge' });
    const proof = { ...(evidence.proof as SoftwareProof), identity: stranger.certificate.der };
    const other = await appraise(encodeEvidence(evidence.claimsBytes, proof), binding);
    expect(other.reasons).toEqual(['the certificate shown is that of edge edge-fremd']);

    expect(isGood(await attest(verifier, attester))).toBe(true);
    world.revoked.add(Buffer.from(identity.kid).toString('hex'));
    expect((await attest(verifier, attester)).reasons).toEqual(['the certificate of edge-nord was revoked']);
    world.revoked.clear();
    world.clock.pass(400 * 86_400);
    expect((await attest(verifier, attester)).vector.instanceIdentity).toBe(97);
    world.clock.pass(-400 * 86_400);
  });

  it('with an alias key that was made for other software than the list begins with', async () => {
    const honest = await world.softwareNode('edge-nord');
    const changed = new FakeMeasurements([component('runtime:node', 'another Node'), ...SOFTWARE.slice(1), SITE]);
    const liar = await openSoftwareAttester({
      identity: () => honest.identity,
      secretFile: join(world.dir, 'edge-nord.uds'),
      measurements: changed,
      clock: world.clock,
    });
    Object.defineProperty(changed.list, 'records', { value: honest.measurements.list.records });
    Object.defineProperty(changed.list, 'head', { value: honest.measurements.list.head });
    const result = await attest(verifier, liar);
    expect(result.reasons).toEqual([
      'the alias key was made for another first layer than the one in the measurement list',
    ]);
  });
});

describe('updates', () => {
  it('are no alarm while both manifests hold, and are found when the old one has ended', async () => {
    const updated = SOFTWARE.map(({ name }) => component(name, `${name} 2`));
    const references = new ReferenceValues();
    const staged = world.verifier({ references });
    const add = async (components: typeof SOFTWARE, version: number) => {
      const before = world.references;
      const digestOf = await world.vouch(components, { version });
      references.add(before.get(digestOf)!);
      return digestOf;
    };
    const old = await add([...SOFTWARE, SITE], 101);
    await add([...updated, SITE], 102);
    references.withdraw(old, world.clock.now() + 600_000_000_000n);
    const one = await world.softwareNode('edge-nord');
    const two = await world.softwareNode('edge-sued', [...updated, SITE]);
    expect(isGood(await attest(staged, one.attester))).toBe(true);
    expect(isGood(await attest(staged, two.attester))).toBe(true);
    world.clock.pass(601);
    expect((await attest(staged, one.attester)).status).toBe('contraindicated');
    expect(isGood(await attest(staged, two.attester))).toBe(true);
    // It is updated, too: the process starts anew with a list of its own.
    const updatedOne = await world.softwareNode('edge-nord', [...updated, SITE]);
    expect(isGood(await attest(staged, updatedOne.attester))).toBe(true);
    world.clock.pass(-601);
  });
});
