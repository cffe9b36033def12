import { mkdtempSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, fromMillis } from '@enerchain/model';
import { FileKeySigner } from '@enerchain/pki';
import {
  checkedCertificate,
  DevelopmentCa,
  hasOwnTlsKey,
  type Identity,
  maySign,
  openIdentity,
  readBundle,
  type Signer,
} from '@enerchain/trust';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CentreIdentity } from '../src/identity.ts';

const HOUR = 3_600_000;
let dir: string;
let ca: DevelopmentCa;
let wall: number;
let timer: { readonly at: number; readonly act: () => void } | undefined;
const clock: Clock = { now: () => fromMillis(wall), monotonic: () => wall };
const failures: unknown[] = [];
const renewed: Identity[] = [];
let open: CentreIdentity | undefined;

/** Keys that follow each other somewhere else, as in an HSM. */
const elsewhere = (present: Signer, next: () => Promise<Signer> = () => Promise.reject(new Error('no other'))) => ({
  present,
  next,
  taken(key: Signer) {
    this.present = key;
  },
});

const start = async (
  reachedAs: readonly string[] = ['centre.example', '10.0.0.7'],
  keys?: ReturnType<typeof elsewhere>,
  keyDays?: number,
) => {
  open = await CentreIdentity.open({
    dir: join(dir, 'identity'),
    ca,
    reachedAs,
    keys,
    keyDays,
    clock,
    after: (milliseconds, act) => {
      const mine = { at: wall + milliseconds, act };
      timer = mine;
      return () => {
        if (timer === mine) timer = undefined;
      };
    },
    onFailed: (error) => failures.push(error),
  });
  open.onRenewed((identity) => renewed.push(identity));
  return open;
};
/** Lets time pass; what is asked is answered before it goes on. */
async function pass(milliseconds: number): Promise<void> {
  const end = wall + milliseconds;
  while (timer && timer.at <= end) {
    const { at, act } = timer;
    timer = undefined;
    wall = Math.max(wall, at);
    act();
    await expect.poll(() => timer, { interval: 1, timeout: 10_000 }).toBeDefined();
  }
  wall = end;
}

beforeEach(async () => {
  wall = Date.UTC(2026, 0, 1);
  dir = mkdtempSync(join(tmpdir(), 'centre-identity-'));
  ca = await DevelopmentCa.open(join(dir, 'ca'), { clock });
  failures.length = 0;
  renewed.length = 0;
});
afterEach(() => {
  open?.close();
  rmSync(dir, { recursive: true });
});

describe('the identity of the centre', () => {
  it('is renewed each day while it runs, for the same key, under the names it is reached by', async () => {
    const first = (await start()).current;
    await pass(20 * HOUR);
    expect(open!.current.kid).toEqual(first.kid);
    await pass(72 * HOUR);
    expect(renewed.length).toBeGreaterThanOrEqual(3);
    const { current } = open!;
    expect(current).toBe(renewed.at(-1));
    expect(current.signer.publicKey.equals(first.signer.publicKey)).toBe(true);
    expect(current.certificate.extensions.subjectAltName).toEqual(first.certificate.extensions.subjectAltName);
    expect(JSON.stringify(current.certificate.extensions.subjectAltName)).toContain('centre.example');
    expect(checkedCertificate(current.certificate.der, current.caPem, new Date(wall)).holder.role).toBe('centre');
    expect((await openIdentity(join(dir, 'identity'))).kid).toEqual(current.kid);
  });

  it('has another key for its connections where its own lies elsewhere, and moves there from a file and back', async () => {
    const inFile = (await start()).current;
    open!.close();
    const key = await FileKeySigner.create(join(dir, 'elsewhere.pem'));
    const moved = (await start(undefined, elsewhere(key))).current;
    expect(moved.signer).toBe(key);
    expect(hasOwnTlsKey(moved)).toBe(true);
    // Whoever holds the key of the connections alone signs nothing; sources reach the centre by its names all the same.
    expect([maySign(moved.certificate), maySign(moved.tls.certificate)]).toEqual([true, false]);
    expect(JSON.stringify(moved.tls.certificate.extensions.subjectAltName)).toContain('centre.example');
    await pass(26 * HOUR);
    expect(renewed.length).toBeGreaterThanOrEqual(1);
    expect(renewed.at(-1)!.tls.keyPem).toBe(moved.tls.keyPem);
    open!.close();
    expect((await start(undefined, elsewhere(key))).current.kid).toEqual(renewed.at(-1)!.kid);
    open!.close();
    const back = (await start()).current;
    expect(back.signer.publicKey.equals(inFile.signer.publicKey)).toBe(true);
    expect(checkedCertificate(back.certificate.der, back.caPem, new Date(wall)).holder.role).toBe('centre');
  });

  it('gets another key when that is old, and the old one gives way to it for good', async () => {
    const before = (await start(undefined, undefined, 365)).current;
    const file = join(dir, 'identity', 'key.pem');
    utimesSync(file, wall / 1000, wall / 1000);
    await pass(72 * HOUR);
    expect(open!.current.signer.publicKey.equals(before.signer.publicKey)).toBe(true);
    utimesSync(file, wall / 1000 - 366 * 86_400, wall / 1000 - 366 * 86_400);
    await pass(26 * HOUR);
    const { current } = open!;
    expect(current.signer.publicKey.equals(before.signer.publicKey)).toBe(false);
    expect(current.certificate.extensions.subjectAltName).toEqual(before.certificate.extensions.subjectAltName);
    expect((await openIdentity(join(dir, 'identity'))).kid).toEqual(current.kid);
    // What it signed is verified as before; the authority knows which key follows which.
    expect(ca.certificateOf(before.kid)?.publicKey.equals(before.signer.publicKey)).toBe(true);
    expect([before, current].map(({ certificate }) => ca.isSuperseded(certificate.spki))).toEqual([true, false]);
    const again = await open!.rotateKey();
    expect(again).toBe(renewed.at(-1));
    expect(ca.isSuperseded(current.certificate.spki)).toBe(true);
    expect(failures).toEqual([]);
  });

  it('gets its other key where the present one lies, and keeps that of its connections', async () => {
    const next = await FileKeySigner.create(join(dir, 'elsewhere-2.pem'));
    const keys = elsewhere(await FileKeySigner.create(join(dir, 'elsewhere.pem')), async () => next);
    const before = (await start(undefined, keys)).current;
    const after = await open!.rotateKey();
    expect(after.signer).toBe(next);
    expect(keys.present).toBe(next);
    expect(after.tls.keyPem).toBe(before.tls.keyPem);
    expect(maySign(after.tls.certificate)).toBe(false);
    await pass(26 * HOUR);
    expect(open!.current.signer).toBe(next);
    open!.close();
    expect((await start(undefined, keys)).current.certificate.publicKey.equals(next.publicKey)).toBe(true);
  });

  it('comes to know a new issuing key with its next renewal, and is issued by it in time', async () => {
    const before = (await start()).current;
    await ca.rotateIssuingKey();
    expect(readBundle(open!.current.caPem).issuing).toHaveLength(1);
    await pass(25 * HOUR);
    expect(readBundle(open!.current.caPem).issuing).toHaveLength(2);
    expect(open!.current.certificate.issuerDer).toEqual(before.certificate.issuerDer);
    await pass(80 * HOUR);
    expect(open!.current.certificate.issuerDer).not.toEqual(before.certificate.issuerDer);
  });

  it('is kept over a restart, and obtained anew when it is due or reached by another name', async () => {
    const first = (await start()).current;
    open!.close();
    wall += HOUR;
    expect((await start()).current.kid).toEqual(first.kid);
    open!.close();
    const moved = (await start(['elsewhere.example'])).current;
    expect(moved.kid).not.toEqual(first.kid);
    open!.close();
    wall += 30 * HOUR;
    expect((await start(['elsewhere.example'])).current.kid).not.toEqual(moved.kid);
  });

  it('goes on while nothing can be recorded, and is renewed when it can', async () => {
    await start();
    let failing = true;
    await ca
      .observe(async () => {
        if (failing) throw new Error('the disk is full');
      })
      .catch(() => undefined);
    const { kid } = open!.current;
    await pass(48 * HOUR);
    expect(failures.length).toBeGreaterThan(3);
    expect(open!.current.kid).toEqual(kid);
    failing = false;
    await pass(HOUR);
    expect(open!.current.kid).not.toEqual(kid);
  });
});
