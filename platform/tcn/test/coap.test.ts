import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { type EnerchainError, systemClock } from '@enerchain/model';
import { encodeAttest, encodeSignature, fromKeyObject, type PcrBank, pcrDigest, selectionOf } from '@enerchain/tpm2';
import { encodeCbor } from '@enerchain/trust';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import {
  appraiseCharra,
  askCharra,
  COAP_CODES,
  COAP_OPTIONS,
  CoapListener,
  type CoapMessage,
  CoapServer,
  decodeBlock,
  decodeCoap,
  encodeBlock,
  encodeCoap,
  encodeTapRequest,
  type Quoter,
  TCG_HASH,
} from '../src/index.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const unhex = (text: string) => new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'));
const PCRS: readonly PcrBank[] = [
  { hash: 'sha256', values: new Map([0, 7, 10].map((pcr) => [pcr, new Uint8Array(32).fill(pcr)])) },
];
const SELECTIONS = [{ algorithm: TCG_HASH.sha256, pcrs: [0, 7, 10] }];

/** Quotes as a TPM does, with a key of ours. */
function quoter(key: KeyObject, log = new Uint8Array(0), pcrs = PCRS): Quoter {
  return async (request) => {
    const attest = encodeAttest({
      qualifiedSigner: new Uint8Array(0),
      extraData: request.nonce,
      clockInfo: { clock: 1000n, resetCount: 1, restartCount: 0, safe: true },
      firmwareVersion: 1n,
      attested: { type: 'quote', pcrs: selectionOf(pcrs), pcrDigest: pcrDigest('sha256', pcrs) },
    });
    const raw = sign('sha256', attest, { key, dsaEncoding: 'ieee-p1363' });
    const signature = encodeSignature({ scheme: 'ecdsa', hash: 'sha256', r: raw.subarray(0, 32), s: raw.subarray(32) });
    const logs = request.logs.map(({ id }) => ({ id, start: 0, count: 1, bytes: log }));
    return { attest, signature, logs };
  };
}

const keys = () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const akPublic = fromKeyObject(publicKey, {
    attributes: ['fixedTPM', 'fixedParent', 'sensitiveDataOrigin', 'userWithAuth', 'restricted', 'sign'],
    scheme: { scheme: 'ecdsa', hash: 'sha256' },
  });
  return { privateKey, akPublic };
};

describe('CoAP messages', () => {
  it('a request as a C verifier of CHARRA sends it', () => {
    const message: CoapMessage = {
      type: 'confirmable',
      code: COAP_CODES.fetch,
      messageId: 0x1234,
      token: unhex('a1b2'),
      options: [
        { number: COAP_OPTIONS.uriPath, value: Buffer.from('attest') },
        { number: COAP_OPTIONS.contentFormat, value: Uint8Array.of(60) },
      ],
      payload: unhex('80'),
    };
    const bytes = encodeCoap(message);
    expect(hex(bytes)).toBe('42 05 1234 a1b2 b6 617474657374 11 3c ff 80'.replaceAll(' ', ''));
    expect(decodeCoap(bytes)).toEqual({
      ...message,
      options: message.options.map(({ number, value }) => ({ number, value: Uint8Array.from(value) })),
    });
  });

  it('everything that can be said comes back as it was', () => {
    const option = fc.record({ number: fc.nat(2000), value: fc.uint8Array({ maxLength: 300 }) });
    const message = fc.record({
      type: fc.constantFrom(
        'confirmable' as const,
        'nonConfirmable' as const,
        'acknowledgement' as const,
        'reset' as const,
      ),
      code: fc.integer({ min: 1, max: 255 }),
      messageId: fc.nat(0xffff),
      token: fc.uint8Array({ maxLength: 8 }),
      options: fc.array(option, { maxLength: 8 }).map((list) => list.sort((a, b) => a.number - b.number)),
      payload: fc.uint8Array({ maxLength: 100 }),
    });
    const plain = (each: CoapMessage) =>
      JSON.stringify(each, (_, value) => (value instanceof Uint8Array ? hex(value) : value));
    fc.assert(
      fc.property(message, (each) => {
        expect(plain(decodeCoap(Uint8Array.from(encodeCoap(each))))).toBe(plain(each));
      }),
    );
    fc.assert(
      fc.property(fc.nat(2 ** 20 - 1), fc.boolean(), fc.nat(6), (number, more, exponent) => {
        const block = { number, more, size: 16 << exponent };
        expect(decodeBlock(encodeBlock(block))).toEqual(block);
      }),
    );
  });

  it('whatever arrives is read or refused with an error that says so', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          decodeCoap(bytes);
        } catch (error) {
          expect((error as EnerchainError).fault).toBe('peer');
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('FETCH /attest', () => {
  let listener: CoapListener | undefined;
  afterEach(async () => {
    await listener?.close();
    listener = undefined;
  });

  const serve = async (quote: Quoter) => {
    listener = await CoapListener.open({ host: '127.0.0.1', port: 0, quote, clock: systemClock });
    return { host: '127.0.0.1', port: listener.port, keyId: 'PK.RSA.default', selections: SELECTIONS, timeout: 8000 };
  };

  it('a quote over the nonce: as it should be, and a warning at best', async () => {
    const { privateKey, akPublic } = keys();
    const answer = await askCharra(await serve(quoter(privateKey)));
    expect(appraiseCharra(answer, { akPublic, pcrs: PCRS })).toEqual({ status: 'warning', reasons: [] });
    expect(appraiseCharra(answer, { akPublic, pcrs: undefined }).status).toBe('none');
  });

  it('a log of a quarter of a megabyte comes in blocks', async () => {
    const { privateKey } = keys();
    const log = Uint8Array.from({ length: 250_000 }, (_, i) => i % 251);
    const target = await serve(quoter(privateKey, log));
    const { response } = await askCharra({ ...target, logs: [{ id: 'ima', start: 0, count: 0 }] });
    expect(hex(response.logs[0]!.bytes)).toBe(hex(log));
    expect(listener!.server.counters.quotes).toBe(1);
    expect(listener!.server.counters.blocks).toBeGreaterThan(240);
  });

  it('another nonce, another key, other registers: contraindicated, each with its reason', async () => {
    const { privateKey, akPublic } = keys();
    const answer = await askCharra(await serve(quoter(privateKey)));
    const verdict = (over: Partial<typeof answer>, expected = { akPublic, pcrs: PCRS }) =>
      appraiseCharra({ ...answer, ...over }, expected);
    expect(verdict({ nonce: new Uint8Array(20) })).toMatchObject({
      status: 'contraindicated',
      reasons: [expect.stringContaining('replayed')],
    });
    expect(verdict({}, { akPublic: keys().akPublic, pcrs: PCRS }).status).toBe('contraindicated');
    const others = [{ hash: 'sha256' as const, values: new Map([0, 7, 10].map((pcr) => [pcr, new Uint8Array(32)])) }];
    expect(verdict({}, { akPublic, pcrs: others }).reasons).toEqual([
      'the PCR values are not those that the TPM signed',
    ]);
    const subset = [{ hash: 'sha256' as const, values: new Map([[0, new Uint8Array(32)]]) }];
    expect(verdict({}, { akPublic, pcrs: subset }).status).toBe('contraindicated');
  });

  it('a machine without a TPM says so', async () => {
    const target = await serve(() => Promise.reject(new Error('no TPM here')));
    await expect(askCharra(target)).rejects.toMatchObject({
      code: 'tcn.coap.refused',
      message: expect.stringContaining('no TPM here'),
    });
  });

  it('nobody who answers: a time-out', async () => {
    const silent = createSocket('udp4');
    await new Promise<void>((resolve) => silent.bind(0, '127.0.0.1', resolve));
    const target = { host: '127.0.0.1', port: silent.address().port, keyId: 'x', selections: [], timeout: 50 };
    await expect(askCharra(target)).rejects.toMatchObject({ code: 'tcn.coap.timeout' });
    silent.close();
  });

  it('listens on one address only', async () => {
    for (const host of ['0.0.0.0', '::', 'localhost']) {
      const open = CoapListener.open({ host, port: 0, quote: quoter(keys().privateKey), clock: systemClock });
      await expect(open).rejects.toMatchObject({ code: 'tcn.listen' });
    }
  });
});

describe('a server that anybody may ask', () => {
  const nonce = new Uint8Array(20);
  const payload = encodeTapRequest({ hello: false, keyId: '', nonce, selections: SELECTIONS, logs: [] });
  const request = (over: Partial<CoapMessage> = {}): Uint8Array =>
    encodeCoap({
      type: 'confirmable',
      code: COAP_CODES.fetch,
      messageId: 1,
      token: unhex('01'),
      options: [{ number: COAP_OPTIONS.uriPath, value: Buffer.from('attest') }],
      payload,
      ...over,
    });

  function server(quote: Quoter = quoter(keys().privateKey)) {
    let now = 0;
    const sent: CoapMessage[] = [];
    const it = new CoapServer({
      quote,
      clock: { now: () => 0n, monotonic: () => now },
      send: (bytes) => sent.push(decodeCoap(Uint8Array.from(bytes))),
    });
    const ask = async (bytes: Uint8Array, from = 'a') => {
      it.receive(bytes, from, `1|${from}`);
      await new Promise((resolve) => setImmediate(resolve));
      return sent.at(-1);
    };
    return {
      it,
      sent,
      ask,
      pass: (milliseconds: number) => {
        now += milliseconds;
      },
    };
  }

  it.each<[string, Partial<CoapMessage>, number]>([
    ['another resource', { options: [{ number: 11, value: Buffer.from('other') }] }, COAP_CODES.notFound],
    ['another method', { code: 1 }, COAP_CODES.methodNotAllowed],
    [
      'a body in blocks',
      {
        options: [
          { number: 11, value: Buffer.from('attest') },
          { number: 27, value: Uint8Array.of(8) },
        ],
      },
      COAP_CODES.badOption,
    ],
    ['a body that is no request', { payload: encodeCbor([1]) }, COAP_CODES.badRequest],
    [
      'a block of nothing',
      {
        options: [
          { number: 11, value: Buffer.from('attest') },
          { number: 23, value: Uint8Array.of(0x16) },
        ],
      },
      COAP_CODES.incomplete,
    ],
  ])('%s is refused', async (_, over, code) => {
    const { ask } = server();
    expect((await ask(request(over)))?.code).toBe(code);
  });

  it('a repeated datagram makes no second quote while the first one is made', async () => {
    let quotes = 0;
    const { ask, sent } = server(() => {
      quotes++;
      return new Promise(() => undefined);
    });
    for (let i = 0; i < 10; i++) await ask(request());
    expect(quotes).toBe(1);
    expect(sent).toEqual([]);
  });

  it('one address may ask for a few quotes, then one a second; others are heard', async () => {
    const { ask, it: its, pass } = server();
    const codes: (number | undefined)[] = [];
    for (let messageId = 0; messageId < 20; messageId++) codes.push((await ask(request({ messageId })))?.code);
    expect(codes.filter((code) => code === COAP_CODES.content)).toHaveLength(5);
    expect(codes.at(-1)).toBe(COAP_CODES.tooManyRequests);
    expect((await ask(request(), 'b'))?.code).toBe(COAP_CODES.content);
    pass(1000);
    expect((await ask(request({ messageId: 99 })))?.code).toBe(COAP_CODES.content);
    expect(its.counters.quotes).toBe(7);
  });

  it('all addresses together are bounded too', async () => {
    const { ask, it: its } = server();
    for (let i = 0; i < 3000; i++) await ask(request(), `address ${i}`);
    expect(its.counters.quotes).toBe(20);
    expect(its.counters.dropped).toBe(1000);
  });

  it('whatever arrives, it goes on', async () => {
    const { ask } = server();
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 80 }), async (bytes) => {
        await ask(bytes, 'fuzz');
      }),
      { numRuns: 500 },
    );
    expect((await ask(request(), 'b'))?.code).toBe(COAP_CODES.content);
  });
});
