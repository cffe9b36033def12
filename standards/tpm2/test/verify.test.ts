import { generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  type Attest,
  type CertifyInput,
  encodeAttest,
  encodeSignature,
  extendPcr,
  fromKeyObject,
  HASHES,
  type HashAlgorithm,
  initialPcr,
  type ObjectAttribute,
  objectName,
  type PcrBank,
  parseAttest,
  parseSizedPublic,
  pcrDigest,
  type QuoteInput,
  qualifiedName,
  type TpmSignature,
  verifyCertify,
  verifyCreation,
  verifyQuote,
} from '../src/index.ts';
import { missing, reference } from './reference-data.ts';
import * as vectors from './vectors.ts';

const extended = (by: Uint8Array) => extendPcr('sha256', initialPcr('sha256', 7), by);
const pcrs: PcrBank[] = [
  {
    hash: 'sha256',
    values: new Map([
      [0, initialPcr('sha256', 0)],
      [7, extended(vectors.extendedInto7)],
      [10, extended(vectors.extendedInto10)],
    ]),
  },
  {
    hash: 'sha1',
    values: new Map([
      [0, initialPcr('sha1', 0)],
      [1, initialPcr('sha1', 1)],
    ]),
  },
];
const quote: QuoteInput = {
  attest: vectors.quoteEcc,
  signature: vectors.quoteEccSignature,
  akPublic: parseSizedPublic(vectors.akEcc),
  qualifyingData: vectors.quoteQualifyingData,
  pcrs,
};
const codes = (input: QuoteInput) => verifyQuote(input).problems.map(({ code }) => code);
const replaced = (bank: number, pcr: number, value: Uint8Array | undefined): PcrBank[] =>
  pcrs.map((each, i) => {
    if (i !== bank) return each;
    const values = new Map(each.values);
    if (value === undefined) values.delete(pcr);
    else values.set(pcr, value);
    return { ...each, values };
  });
/** A change to what was signed, with the signature as it was. */
const forged = (change: (attest: Attest) => Attest): Uint8Array => encodeAttest(change(parseAttest(vectors.quoteEcc)));

describe('a quote', () => {
  it('holds: ECDSA, and RSAPSS', () => {
    expect(verifyQuote(quote)).toMatchObject({ ok: true, problems: [] });
    const rsa = { ...quote, attest: vectors.quoteRsa, signature: vectors.quoteRsaSignature };
    expect(codes({ ...rsa, akPublic: parseSizedPublic(vectors.akRsa) })).toEqual([]);
  });

  it('names its key in the hierarchy of the key', () => {
    expect(codes({ ...quote, qualifiedSigner: qualifiedName(quote.akPublic, 'endorsement') })).toEqual([]);
    expect(codes({ ...quote, qualifiedSigner: qualifiedName(quote.akPublic, 'null') })).toEqual(['qualifiedSigner']);
  });

  it('for another nonce is refused, as is one of another length', () => {
    expect(codes({ ...quote, qualifyingData: Buffer.from('00112233445566778899aabbccddeefe', 'hex') })).toEqual([
      'qualifyingData',
    ]);
    expect(codes({ ...quote, qualifyingData: quote.qualifyingData.subarray(1) })).toEqual(['qualifyingData']);
  });

  it('changed in any bit is refused', () => {
    for (let at = 0; at < quote.attest.length; at++) {
      const changed = Uint8Array.from(quote.attest);
      changed[at]! ^= 1 << (at & 7);
      const { ok, problems } = verifyQuote({ ...quote, attest: changed });
      expect(ok).toBe(false);
      expect(problems.map(({ code }) => code)).toContain('signature');
    }
  });

  it('with wrong magic is said not to come from a TPM', () => {
    const attest = Uint8Array.from(quote.attest);
    attest[0] = 0xfe;
    const [problem] = verifyQuote({ ...quote, attest }).problems;
    expect(problem).toMatchObject({ code: 'malformed', text: expect.stringContaining('no TPM made this') });
  });

  it('truncated anywhere is refused, never thrown', () => {
    for (let size = 0; size < quote.attest.length; size++) {
      expect(verifyQuote({ ...quote, attest: quote.attest.subarray(0, size) })).toMatchObject({
        ok: false,
        attest: undefined,
      });
    }
    for (let size = 0; size < vectors.quoteEccSignature.length; size++) {
      expect(codes({ ...quote, signature: vectors.quoteEccSignature.subarray(0, size) })).toContain('malformed');
    }
  });

  it('by another key is refused, and so is one whose scheme is not the key’s', () => {
    expect(codes({ ...quote, akPublic: parseSizedPublic(vectors.akRsa) })).toEqual(['signature']);
    const signature = Uint8Array.from(vectors.quoteEccSignature);
    signature.set([0x00, 0x0c], 2);
    expect(codes({ ...quote, signature })).toContain('signature');
  });

  it('that is a certification is refused', () => {
    const input = { attest: vectors.certify, signature: vectors.certifySignature };
    expect(codes({ ...quote, ...input, qualifyingData: vectors.certifyQualifyingData })).toEqual(['type']);
  });

  it('over fewer, more or other PCRs, or other banks, is refused', () => {
    expect(codes({ ...quote, pcrs: replaced(0, 7, undefined) })).toEqual(['pcrSelection']);
    expect(codes({ ...quote, pcrs: replaced(0, 11, initialPcr('sha256', 11)) })).toEqual(['pcrSelection']);
    expect(codes({ ...quote, pcrs: pcrs.slice(0, 1) })).toEqual(['pcrSelection']);
    expect(codes({ ...quote, pcrs: [...pcrs].reverse() })).toEqual(['pcrSelection']);
    expect(codes({ ...quote, pcrs: [] })).toEqual(['pcrSelection']);
  });

  it('of other values is refused, and so are values of the wrong length', () => {
    expect(codes({ ...quote, pcrs: replaced(0, 7, initialPcr('sha256', 7)) })).toEqual(['pcrDigest']);
    // Twelve octets moved from one value to the next: the same octets in all.
    const values = new Map([
      [0, new Uint8Array(12)],
      [1, new Uint8Array(28)],
    ]);
    expect(codes({ ...quote, pcrs: [pcrs[0]!, { hash: 'sha1', values }] })).toEqual(['pcrDigest']);
  });

  it.each<[string, ObjectAttribute[]]>([
    ['not restricted', ['fixedTPM', 'sign']],
    ['not bound to its TPM', ['restricted', 'sign']],
    ['one that also decrypts', ['fixedTPM', 'restricted', 'sign', 'decrypt']],
  ])('by a key that is %s is refused', (_, attributes) => {
    expect(codes({ ...quote, akPublic: { ...quote.akPublic, attributes } })).toEqual(['attestationKey']);
  });

  it('by a key that is none is refused, never thrown', () => {
    const akPublic = parseSizedPublic(vectors.akEcc);
    if (akPublic.type !== 'ecc') throw new Error('not ECC');
    expect(codes({ ...quote, akPublic: { ...akPublic, x: akPublic.y } })).toEqual(['attestationKey']);
  });
});

/** A software key that says of itself that it is a TPM’s: the verifier cannot know; its certificate has to. */
function software(hash: HashAlgorithm = 'sha256') {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const akPublic = fromKeyObject(publicKey, {
    attributes: ['fixedTPM', 'fixedParent', 'sensitiveDataOrigin', 'restricted', 'sign'],
    scheme: { scheme: 'ecdsa', hash },
  });
  return {
    akPublic,
    attest(change: Partial<Attest>): Pick<QuoteInput, 'attest' | 'signature' | 'akPublic'> {
      const attest = encodeAttest({ ...parseAttest(vectors.quoteEcc), ...change });
      const pair = sign(HASHES[hash].node, attest, { key: privateKey, dsaEncoding: 'ieee-p1363' });
      const signature: TpmSignature = { scheme: 'ecdsa', hash, r: pair.subarray(0, 32), s: pair.subarray(32) };
      return { attest, signature: encodeSignature(signature), akPublic };
    },
  };
}

describe('a quote that is signed well', () => {
  const key = software();
  const before = parseAttest(vectors.quoteEcc);
  const { clockInfo, firmwareVersion } = before;
  const earlier = { clockInfo: { ...clockInfo, restartCount: 3, resetCount: 5 }, firmwareVersion };
  const clockCodes = (change: Partial<typeof clockInfo>, firmware = firmwareVersion) =>
    codes({
      ...quote,
      ...key.attest({ clockInfo: { ...earlier.clockInfo, ...change }, firmwareVersion: firmware }),
      earlier,
    });

  it('is good in the same boot, at the same time and later', () => {
    expect(clockCodes({})).toEqual([]);
    expect(clockCodes({ clock: clockInfo.clock + 1n })).toEqual([]);
  });

  it('says when the machine was reset or restarted in between', () => {
    expect(clockCodes({ resetCount: 6, restartCount: 0 })).toEqual(['reset']);
    expect(clockCodes({ restartCount: 4 })).toEqual(['restart']);
  });

  it('is refused when a counter or the clock went back', () => {
    expect(clockCodes({ resetCount: 4 })).toEqual(['clockBackwards']);
    expect(clockCodes({ restartCount: 2 })).toEqual(['clockBackwards']);
    expect(clockCodes({ clock: clockInfo.clock - 1n })).toEqual(['clockBackwards']);
  });

  it('says when the clock is not safe, and when the firmware is another', () => {
    expect(clockCodes({ safe: false })).toEqual(['unsafeClock']);
    expect(clockCodes({}, firmwareVersion + 1n)).toEqual(['firmwareVersion']);
  });

  it('with SHA-1 is refused as weak', () => {
    const weak = software('sha1');
    const attested = {
      type: 'quote',
      pcrs: [{ hash: 'sha1', pcrs: [0, 1] }],
      pcrDigest: pcrDigest('sha1', [pcrs[1]!]),
    } as const;
    expect(codes({ ...quote, ...weak.attest({ attested }), pcrs: [pcrs[1]!] })).toEqual(['weakHash']);
  });

  it('but whose contents were exchanged is refused', () => {
    const attest = forged((each) => ({ ...each, clockInfo: { ...each.clockInfo, resetCount: 9 } }));
    expect(codes({ ...quote, attest })).toEqual(['signature']);
  });
});

describe('a certification', () => {
  const object = parseSizedPublic(vectors.identity);
  const input: CertifyInput = {
    attest: vectors.certify,
    signature: vectors.certifySignature,
    akPublic: quote.akPublic,
    qualifyingData: vectors.certifyQualifyingData,
    object,
  };
  const problems = (change: Partial<CertifyInput>) =>
    verifyCertify({ ...input, ...change }).problems.map(({ code }) => code);

  it('binds an identity key to the TPM of the attestation key', () => {
    expect(verifyCertify(input)).toMatchObject({ ok: true, problems: [] });
  });

  it('of another object, or of the same key with other attributes, is refused', () => {
    expect(problems({ object: parseSizedPublic(vectors.akRsa) })).toEqual(['name']);
    expect(problems({ object: { ...object, attributes: [...object.attributes, 'noDA'] } })).toEqual(['name']);
  });

  it('of a key that may leave the TPM is refused', () => {
    const attributes = object.attributes.filter((each) => each !== 'fixedTPM');
    expect(problems({ object: { ...object, attributes } })).toEqual(['name', 'objectAttributes']);
  });

  it('that is a quote is refused', () => {
    expect(problems({ ...quote, object })).toEqual(['type']);
  });
});

describe('a creation', () => {
  const key = software();
  const object = parseSizedPublic(vectors.identity);
  const creationHash = new Uint8Array(32).fill(7);
  const input = {
    ...key.attest({ attested: { type: 'creation', objectName: objectName(object), creationHash } }),
    qualifyingData: vectors.quoteQualifyingData,
    object,
    creationHash,
  };

  it('holds for its object and its creation data only', () => {
    expect(verifyCreation(input).ok).toBe(true);
    const other = verifyCreation({ ...input, creationHash: new Uint8Array(32) });
    expect(other.problems.map(({ code }) => code)).toEqual(['creationHash']);
    const elsewhere = verifyCreation({ ...input, object: parseSizedPublic(vectors.akRsa) });
    expect(elsewhere.problems.map(({ code }) => code)).toEqual(['name']);
  });
});

describe.skipIf(missing !== undefined)(`the quote of keylime${missing ? ` (${missing})` : ''}`, () => {
  it('holds over its PCR values', () => {
    const file = (name: string) => reference(`keylime/files/${name}`);
    const values = new Map([
      [15, initialPcr('sha256', 15)],
      [16, Buffer.from('9dbb22387e019c04da95477333546082ce313152c4a7f8a6e1d5f0c77f4fb6f0', 'hex')],
      [22, initialPcr('sha256', 22)],
    ]);
    expect(
      verifyQuote({
        attest: file('quote.out'),
        signature: file('quotesig.out'),
        akPublic: parseSizedPublic(file('ak.pub')),
        qualifyingData: parseAttest(file('quote.out')).extraData,
        pcrs: [{ hash: 'sha256', values }],
      }),
    ).toMatchObject({ ok: true, problems: [] });
  });
});
