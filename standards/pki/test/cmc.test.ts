import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildRequest, buildSignedData, cmc, der, nameOf, PkiError } from '../src/index.ts';
import { get, hasOpenssl, KeyInMemory, openssl, party, put, signingAs } from './cms/parties.ts';

const next = new KeyInMemory('prime256v1');
const subject = nameOf({ commonName: 'edge-nord' });
const signer = async () => signingAs(await party('edge-nord'));
const claim = { type: '1.2.3.4', values: [der.octetString(Buffer.from('claim'))] };
const hex = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString('hex');
const codeOf = (work: () => unknown) => {
  try {
    work();
    return 'nothing';
  } catch (error) {
    return error instanceof PkiError ? error.code : String(error);
  }
};

describe('a full request by CMC', () => {
  it('says who vouches for which key, and what belongs to it', async () => {
    const by = await signer();
    const request = await buildRequest({ subject }, next);
    const nonce = Buffer.alloc(16, 7);
    const bytes = await cmc.buildFullRequest(request, [claim, cmc.nonceControl('senderNonce', nonce)], by);
    const read = cmc.readFullRequest(bytes);
    expect(hex(read.signer.der)).toBe(hex(by.certificate.der));
    expect(hex(read.tagged.request.der)).toBe(hex(request));
    expect(read.tagged.bodyPartId).toBe(cmc.REQUEST_PART);
    expect(read.controls[0]).toMatchObject({ type: claim.type });
    expect(hex(cmc.nonceIn(read.controls, 'senderNonce'))).toBe(hex(nonce));
    expect(cmc.nonceIn(read.controls, 'recipientNonce')).toBeUndefined();
  });

  it('of something else, or of nobody, is refused', async () => {
    const by = await signer();
    const request = await buildRequest({ subject }, next);
    const signed = (content: Uint8Array, contentType: string = cmc.CMC_OID.pkiData) =>
      buildSignedData({ contentType, content, signers: [by] });
    const tcr = (id: number) => der.implicitConstructed(0, der.integer(id), request);
    const data = (controls: Uint8Array, ...requests: Uint8Array[]) =>
      der.sequence(controls, der.sequence(...requests), der.sequence(), der.sequence());
    const control = der.sequence(der.sequence(der.integer(1), der.objectIdentifier('1.2.3'), der.setOf()));
    const read = async (bytes: Promise<Uint8Array>) => {
      const given = await bytes;
      return codeOf(() => cmc.readFullRequest(given));
    };
    expect(await read(signed(data(der.sequence(), tcr(1))))).toBe('nothing');
    expect(await read(signed(data(der.sequence(), tcr(1)), cmc.CMC_OID.pkiResponse))).toBe('pki.cms.type');
    expect(await read(signed(data(der.sequence())))).toBe('pki.cmc.request');
    expect(await read(signed(data(der.sequence(), tcr(1), tcr(2))))).toBe('pki.cmc.request');
    expect(await read(signed(data(control, tcr(1))))).toBe('pki.der');
    const within = der.sequence(der.sequence(), der.sequence(tcr(1)), der.sequence(der.nullValue()), der.sequence());
    expect(await read(signed(within))).toBe('pki.cmc.part');
    expect(codeOf(() => cmc.readFullRequest(cmc.buildFullResponse([])))).toBe('pki.cms.type');
    const twice = buildSignedData({
      contentType: cmc.CMC_OID.pkiData,
      content: data(der.sequence(), tcr(1)),
      signers: [by, by],
    });
    expect(await read(twice)).toBe('pki.cmc.signer');
  });

  it('with any octet changed is refused, or says the same', async () => {
    const bytes = await cmc.buildFullRequest(await buildRequest({ subject }, next), [claim], await signer());
    const before = cmc.readFullRequest(bytes);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const changed = Uint8Array.from(bytes);
        changed[at]! ^= change;
        try {
          // What is not signed is the wrapping and the certificate; whoever reads checks that against the authority.
          const after = cmc.readFullRequest(changed);
          expect(hex(after.tagged.der)).toBe(hex(before.tagged.der));
          expect(after.controls).toEqual(before.controls);
        } catch (error) {
          expect(error).toBeInstanceOf(PkiError);
        }
      }),
      { numRuns: 400 },
    );
  });

  it.skipIf(!hasOpenssl)('is what openssl takes for one: its signature, its content, its names', async () => {
    const by = await signer();
    const request = await buildRequest({ subject }, next);
    const controls = [
      cmc.nonceControl('recipientNonce', Buffer.alloc(8, 1)),
      cmc.decryptedPopControl(1, Buffer.alloc(32)),
    ];
    put('full.der', await cmc.buildFullRequest(request, controls, by));
    openssl('cms', '-verify', '-noverify', '-binary', '-inform', 'DER', '-in', 'full.der', '-out', 'pkidata.der');
    const text = openssl('asn1parse', '-inform', 'DER', '-in', 'pkidata.der').toString();
    for (const name of ['id-cmc-recipientNonce', 'id-cmc-decryptedPOP', 'hmacWithSHA256']) expect(text).toContain(name);
    expect(openssl('asn1parse', '-inform', 'DER', '-in', 'full.der').toString()).toContain('id-cct-PKIData');
    expect(get('pkidata.der').includes(Buffer.from(request))).toBe(true);
    put('response.der', cmc.buildFullResponse([cmc.statusControl(cmc.CMC_STATUS.popRequired, [1])]));
    const answer = openssl('cms', '-cmsout', '-print', '-inform', 'DER', '-in', 'response.der').toString();
    expect(answer).toContain('id-cct-PKIResponse');
  });
});

describe('a full answer by CMC', () => {
  it('says what became of the request, or holds certificates', async () => {
    const controls = [cmc.statusControl(cmc.CMC_STATUS.failed, [0], 'nobody knows you: ü')];
    const read = cmc.readFullAnswer(cmc.buildFullResponse(controls));
    if (read.kind !== 'response') throw new Error('certificates');
    expect(cmc.statusIn(read.controls)).toEqual({ status: 2, text: 'nobody knows you: ü' });
    expect(codeOf(() => cmc.statusIn([]))).toBe('pki.cmc.status');
    expect(codeOf(() => cmc.statusIn([...controls, ...controls]))).toBe('pki.cms.attribute');
  });

  it('asks for a secret to be opened, and the proof is a MAC with it over the request', async () => {
    const request = der.implicitConstructed(0, der.integer(1), await buildRequest({ subject }, next));
    const secret = Buffer.alloc(32, 5);
    const content = der.sequence(der.octetString(Buffer.from('sealed')));
    const asked = { request, contentType: '1.2.3.5', content, witness: cmc.witnessOf(secret) };
    const answer = cmc.readFullAnswer(cmc.buildFullResponse([cmc.encryptedPopControl(asked)]));
    if (answer.kind !== 'response') throw new Error('certificates');
    const read = cmc.encryptedPopIn(answer.controls)!;
    expect([read.request, read.content, read.witness].map(hex)).toEqual([request, content, asked.witness].map(hex));
    expect(read.contentType).toBe('1.2.3.5');
    const proof = cmc.proofOf(secret, read.request);
    expect(hex(cmc.decryptedPopIn([cmc.decryptedPopControl(1, proof)]))).toBe(hex(proof));
    expect(cmc.isProof(proof, secret, request)).toBe(true);
    expect(cmc.isProof(proof, Buffer.alloc(32, 6), request)).toBe(false);
    expect(cmc.isProof(proof, secret, content)).toBe(false);
    expect(cmc.isProof(proof.subarray(1), secret, request)).toBe(false);
  });

  it('is read from anything without a crash', () => {
    const valid = cmc.buildFullResponse([
      cmc.statusControl(cmc.CMC_STATUS.popRequired, [1], 'open this'),
      cmc.encryptedPopControl({
        request: der.implicitConstructed(0, der.integer(1)),
        contentType: '1.2.3',
        content: der.nullValue(),
        witness: Buffer.alloc(32),
      }),
      cmc.nonceControl('senderNonce', Buffer.alloc(8)),
    ]);
    const read = (bytes: Uint8Array) => {
      const answer = cmc.readFullAnswer(bytes);
      if (answer.kind !== 'response') return;
      cmc.statusIn(answer.controls);
      cmc.encryptedPopIn(answer.controls);
      cmc.decryptedPopIn(answer.controls);
      cmc.nonceIn(answer.controls, 'senderNonce');
    };
    read(valid);
    const typed = (bytes: Uint8Array) => {
      try {
        read(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(PkiError);
      }
    };
    for (let end = 0; end < valid.length; end++) typed(valid.subarray(0, end));
    fc.assert(
      fc.property(fc.nat(valid.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const changed = Uint8Array.from(valid);
        changed[at]! ^= change;
        typed(changed);
      }),
      { numRuns: 500 },
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), typed));
  });
});
