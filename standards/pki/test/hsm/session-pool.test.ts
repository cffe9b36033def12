import { describe, expect, it } from 'vitest';
import { DerReader } from '../../src/der-reader.ts';
import * as der from '../../src/der-writer.ts';
import { loadBinding } from '../../src/hsm/pkcs11-binding.ts';
import { publicKeyOf } from '../../src/hsm/pkcs11-key.ts';
import { SessionPool } from '../../src/hsm/session-pool.ts';
import { ALGORITHMS, PkiError, SIGNATURE_ALGORITHMS } from '../../src/index.ts';
import { newKey, spkiOf } from '../authority.ts';

/** Work that ends when told to. */
function job() {
  const { promise, resolve } = Promise.withResolvers<string>();
  const ran: number[] = [];
  return {
    ran,
    finish: resolve,
    work: (session: number) => {
      ran.push(session);
      return promise;
    },
  };
}

describe('a pool of sessions', () => {
  it('runs one thing at a time in each, in the order it came', async () => {
    const pool = new SessionPool<number>(10);
    pool.replace([1, 2]);
    const order: string[] = [];
    const jobs = ['a', 'b', 'c', 'd'].map((name) => ({ name, ...job() }));
    const done = jobs.map((each) =>
      pool.run((session) => {
        order.push(each.name);
        return each.work(session);
      }),
    );
    await Promise.resolve();
    expect(order).toEqual(['a', 'b']);
    expect(pool.queued).toBe(2);
    jobs[1]!.finish('b is done');
    expect(await done[1]).toBe('b is done');
    await Promise.resolve();
    expect(order).toEqual(['a', 'b', 'c']);
    for (const each of jobs) each.finish(each.name);
    await Promise.all(done);
    expect(order).toEqual(['a', 'b', 'c', 'd']);
    expect(jobs[2]!.ran).toEqual(jobs[1]!.ran);
  });

  it('gives a session back when the work in it fails', async () => {
    const pool = new SessionPool<number>(1);
    pool.replace([1]);
    await expect(pool.run(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
    await expect(pool.run(() => 'yes')).resolves.toBe('yes');
  });

  it('refuses more than may wait, and all that waits when it is closed', async () => {
    const pool = new SessionPool<number>(2);
    pool.replace([1]);
    const first = job();
    const running = pool.run(first.work);
    const waiting = [pool.run(() => 1), pool.run(() => 2)];
    await expect(pool.run(() => 3)).rejects.toMatchObject({ code: 'pki.hsm.busy' });
    const settled = Promise.allSettled(waiting);
    pool.close(new PkiError('caller', 'pki.hsm.closed', 'closed'));
    expect((await settled).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await expect(pool.run(() => 4)).rejects.toMatchObject({ code: 'pki.hsm.closed' });
    first.finish('still ends');
    await expect(running).resolves.toBe('still ends');
  });

  it('gives what waits to new sessions, and never a lost one to anybody', async () => {
    const pool = new SessionPool<number>(5000);
    pool.replace([1]);
    const first = job();
    const running = pool.run(first.work);
    const seen: number[] = [];
    const rest = Array.from({ length: 3000 }, () => pool.run((session) => seen.push(session)));
    pool.replace([7]);
    first.finish('lost');
    await running;
    await Promise.all(rest);
    expect(seen).toHaveLength(3000);
    expect(new Set(seen)).toEqual(new Set([7]));
  });
});

describe('a public key out of PKCS#11 attributes', () => {
  it.each(SIGNATURE_ALGORITHMS)('of %s is read, wrapped as the standard says or bare', (algorithm) => {
    const signer = newKey(algorithm);
    const spki = new DerReader(spkiOf(signer)).sequence('key');
    spki.any('algorithm');
    const point = spki.octetAlignedBits('point');
    const parameters = der.objectIdentifier(ALGORITHMS[algorithm].curveOid);
    for (const written of [der.octetString(point), point]) {
      const read = publicKeyOf(parameters, written);
      expect(read.algorithm).toBe(algorithm);
      expect(read.publicKey.equals(signer.publicKey)).toBe(true);
    }
    expect(() => publicKeyOf(parameters, der.octetString(point.subarray(1)))).toThrow(PkiError);
  });

  it('on another curve is refused', () => {
    const secp256k1 = der.objectIdentifier('1.3.132.0.10');
    expect(() => publicKeyOf(secp256k1, new Uint8Array(65))).toThrow('1.3.132.0.10');
    expect(() => publicKeyOf(Uint8Array.of(0x30, 0), new Uint8Array(65))).toThrow('unnamed');
  });
});

describe('a runtime without the native part', () => {
  it('says what to do', () => {
    expect(() => loadBinding(['/nowhere/pkcs11js'])).toThrow('node tools/build-pkcs11.mjs');
  });
});
