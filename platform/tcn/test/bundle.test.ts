import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sha256, signManifest } from '@enerchain/attestation';
import { afterEach, describe, expect, it } from 'vitest';
import { readBundle, referencesOf, signBundle, TrustBase, type TrustBundle } from '../src/index.ts';
import { TEST_POLICY, type TestIdentity, TestKeys, testIdentity, World } from './world.ts';

let world: World | undefined;
afterEach(() => world?.close());

const bundleOf = (sequence: number, over: Partial<TrustBundle> = {}): TrustBundle => ({
  sequence,
  policy: TEST_POLICY,
  authorities: [],
  manifests: [],
  revoked: [],
  ...over,
});
const signed = (by: TestIdentity, bundle: TrustBundle) => signBundle(by.signer, by.kid, bundle);

describe('the bundle of the centre', () => {
  it('carries policy, reference values with their ends, and what was revoked', async () => {
    const centre = testIdentity('centre', 'centre');
    const keys = new TestKeys();
    keys.learn(centre.certificate);
    const spki = centre.signer.publicKey.export({ type: 'spki', format: 'der' });
    const kid = Uint8Array.from(sha256(spki));
    const digest = Uint8Array.from(sha256(Buffer.from('content')));
    const manifest = await signManifest(
      {
        id: 'software',
        version: 1,
        signer: 'authority',
        notBefore: 0n,
        notAfter: 2_000_000_000_000_000_000n,
        components: [{ name: 'a.ts', digest }],
        registers: [],
      },
      centre.signer,
      kid,
    );
    const until = 1_900_000_000_000_000_000n;
    const bytes = await signed(
      centre,
      bundleOf(5, {
        authorities: [{ kid, spki }],
        manifests: [
          { bytes: manifest.bytes, until },
          { bytes: new Uint8Array([1, 2, 3]), until: undefined },
        ],
        revoked: [new Uint8Array(32).fill(9)],
      }),
    );
    const bundle = readBundle(bytes, keys);
    expect(bundle).toMatchObject({ sequence: 5, policy: TEST_POLICY });
    expect(Buffer.from(bundle.revoked[0]!).toString('hex')).toBe('09'.repeat(32));
    const refused: unknown[] = [];
    const references = referencesOf(bundle, (error) => refused.push(error));
    expect(refused).toHaveLength(1);
    expect(references.at(until - 1n).check('d', 'a.ts', digest).verdict).toBe('known');
    expect(references.at(until + 1n).check('d', 'a.ts', digest).verdict).toBe('unknown');
  });

  it('is taken from a centre only, and only when it is newer', async () => {
    const centre = testIdentity('centre', 'centre');
    const edge = testIdentity('edge-1', 'edge');
    const keys = new TestKeys();
    const base = new TrustBase({ keys, onTrouble: () => undefined });
    const bytes = await signed(centre, bundleOf(5));
    expect(() => base.take(bytes)).toThrow(expect.objectContaining({ code: 'cose.kid' }));
    keys.learn(centre.certificate);
    keys.learn(edge.certificate);
    expect(base.take(bytes)).toBe(true);
    expect(base.take(bytes)).toBe(false);
    expect(base.take(await signed(centre, bundleOf(4)))).toBe(false);
    const forged = await signed(edge, bundleOf(6));
    expect(() => base.take(forged)).toThrow(expect.objectContaining({ code: 'tcn.bundle' }));
    const broken = bytes.slice();
    broken[broken.length - 1]! ^= 1;
    expect(() => base.take(broken)).toThrow(expect.objectContaining({ code: 'cose.signature' }));
    expect(base.held?.sequence).toBe(5);
    expect(base.take(await signed(centre, bundleOf(6, { policy: { ...TEST_POLICY, name: 'next' } })))).toBe(true);
    expect(base.policy?.name).toBe('next');
  });

  it('survives a restart, with the certificate of who signed it', async () => {
    const centre = testIdentity('centre', 'centre');
    const file = join(mkdtempSync(join(tmpdir(), 'enerchain-bundle-')), 'tcn', 'bundle');
    const keys = new TestKeys();
    keys.learn(centre.certificate);
    const first = new TrustBase({ keys, file, onTrouble: (text) => expect.fail(text) });
    first.take(await signed(centre, bundleOf(5)));
    await first.kept;
    const again = new TrustBase({ keys: new TestKeys(), file, onTrouble: (text) => expect.fail(text) });
    expect(again.held?.sequence).toBe(5);
    expect(again.policy).toEqual(TEST_POLICY);
  });

  it('goes from neighbour to neighbour: whoever has no way to the centre judges by it as well', async () => {
    world = new World();
    const names = ['a', 'b', 'c', 'd'];
    const bases = new Map<string, TrustBase>();
    for (const [i, name] of names.entries()) {
      // Only `a` knows the centre's certificate at first.
      const keys = new TestKeys();
      if (i === 0) keys.learn(world.centre.certificate);
      const base = new TrustBase({ keys, onTrouble: (text) => expect.fail(text) });
      bases.set(name, base);
      const neighbours = names.filter((_, j) => Math.abs(i - j) === 1);
      world.add(name, neighbours, { keys, base, policy: () => base.policy });
    }
    world.start();
    await world.time.run(3000);
    expect(world.status('c', 'd')).toBe('none');
    bases.get('a')!.take(await signed(world.centre, bundleOf(7)));
    await world.time.until(() => names.every((name) => bases.get(name)!.held?.sequence === 7), 2000);
    await world.time.until(() => world!.good('c', 'd') && world!.good('d', 'c'), 5000);
    // The newer one replaces it everywhere; an older one changes nothing.
    bases.get('d')!.take(await signed(world.centre, bundleOf(9)));
    await world.time.until(() => names.every((name) => bases.get(name)!.held?.sequence === 9), 2000);
  });
});
