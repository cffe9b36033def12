import { generateKeyPairSync } from 'node:crypto';
import type { OperatorKeyList } from '@enerchain/model';
import { FileKeySigner } from '@enerchain/pki';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  acceptOperatorList,
  coseSign1,
  encodeCbor,
  encodeOperatorList,
  OPERATORS_TYPE,
  signOperatorList,
} from '../src/index.ts';
import { SoftwareAuthenticator } from './authenticator.ts';

const newSigner = () =>
  FileKeySigner.fromPem(
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  );
const centre = newSigner();
const kid = Buffer.alloc(32, 9);
const keyOf = (id: Uint8Array) => (Buffer.from(id).equals(kid) ? centre.publicKey : undefined);
const [anna, bert, eve] = ['anna', 'bert', 'eve'].map((name) => new SoftwareAuthenticator(name)) as [
  SoftwareAuthenticator,
  SoftwareAuthenticator,
  SoftwareAuthenticator,
];
const listOf = (version: number, ...who: SoftwareAuthenticator[]): OperatorKeyList => ({
  version,
  keys: who.map(({ entry }) => entry),
});
const documentOf = (list: OperatorKeyList, by?: SoftwareAuthenticator, signer = centre) => {
  const payload = encodeOperatorList(list);
  return signOperatorList(signer, kid, payload, by?.approveList(payload));
};
const outcome = async (document: Uint8Array | Promise<Uint8Array>, held?: OperatorKeyList) => {
  const octets = await document;
  try {
    return acceptOperatorList(octets, held, keyOf).version;
  } catch (error) {
    return (error as { code: string }).code;
  }
};
const first = listOf(1, anna);
const second = listOf(2, anna, bert);

describe('the list of operators that an edge holds', () => {
  it('begins with what the centre gives, and goes on with what a key on it approves', async () => {
    expect(await outcome(documentOf(first))).toBe(1);
    expect(await outcome(documentOf(listOf(7, anna)))).toBe(7);
    expect(await outcome(documentOf(second, anna), first)).toBe(2);
    expect(await outcome(documentOf(listOf(3, bert), bert), second)).toBe(3);
  });

  it('takes no key from the centre alone, nor from who is only on the new one', async () => {
    const evil = listOf(2, anna, eve);
    expect(await outcome(documentOf(evil), first)).toBe('trust.operators.approval');
    expect(await outcome(documentOf(evil, eve), first)).toBe('trust.operators.approval');
    const payload = encodeOperatorList(evil);
    const forged = { ...eve.approveList(payload), credential: anna.credential };
    expect(await outcome(signOperatorList(centre, kid, payload, forged), first)).toBe('trust.webauthn.signature');
    // What Anna approved was another list.
    const other = anna.approveList(encodeOperatorList(second));
    expect(await outcome(signOperatorList(centre, kid, payload, other), first)).toBe('trust.webauthn.challenge');
  });

  it('takes none that the centre did not sign', async () => {
    expect(await outcome(documentOf(second, anna, newSigner()), first)).toBe('cose.signature');
  });

  it('is never set back to an older version, or the same, or one that leaves out a step', async () => {
    expect(await outcome(documentOf(first), second)).toBe('trust.operators.version');
    expect(await outcome(documentOf(listOf(1, anna), anna), second)).toBe('trust.operators.version');
    expect(await outcome(documentOf(second, anna), second)).toBe('trust.operators.version');
    expect(await outcome(documentOf(listOf(4, anna), anna), second)).toBe('trust.operators.version');
  });

  it('takes no approval of a removed key', async () => {
    const third = listOf(3, bert);
    expect(await outcome(documentOf(listOf(4, bert, anna), anna), third)).toBe('trust.operators.approval');
  });

  it('names each credential once, with a key that can be used', async () => {
    expect(await outcome(documentOf(listOf(1, anna, anna)))).toBe('trust.operators.twice');
    const odd = { ...first, keys: [{ ...anna.entry, publicKey: 'AAAA' }] };
    expect(await outcome(documentOf(odd))).toBe('trust.operators.key');
  });

  it('refuses what is cut short or is something else with a typed error', async () => {
    const document = await documentOf(second, anna);
    for (let length = 0; length < document.length; length += 7) {
      expect(await outcome(document.subarray(0, length), first)).toMatch(/^(cbor|cose|model|trust)\./);
    }
    const wrong = encodeCbor([await coseSign1(centre, kid, OPERATORS_TYPE, encodeCbor({ version: 0 })), null]);
    expect(await outcome(wrong)).toBe('model.invalid');
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (octets) => {
        expect(() => acceptOperatorList(octets, first, keyOf)).toThrow();
      }),
    );
  });
});
