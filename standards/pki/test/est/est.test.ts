import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, createServer, request as httpsRequest, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  buildCertificate,
  buildCertificatesOnly,
  buildRequest,
  type Certificate,
  cmc,
  commonNameOf,
  est,
  keyIdentifier,
  type Name,
  nameOf,
  OID,
  PkiError,
  parseCertificate,
  toPem,
} from '../../src/index.ts';
import { KeyInMemory } from '../cms/parties.ts';

const dir = mkdtempSync(join(tmpdir(), 'enerchain-est-'));
afterAll(() => rmSync(dir, { recursive: true }));

const caName = nameOf({ commonName: 'EST CA' });
const caKey = new KeyInMemory('prime256v1');
const deviceKey = new KeyInMemory('prime256v1');
const serverKey = new KeyInMemory('prime256v1');
const pem = (key: KeyInMemory) => key.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
const SAN = [{ kind: 'uri', value: 'urn:enerchain:edge:edge-nord' }] as const;

async function issue(subject: Name, key: KeyInMemory['publicKey'], ca = false): Promise<Uint8Array> {
  const spki = key.export({ type: 'spki', format: 'der' });
  return buildCertificate(
    {
      issuer: caName,
      subject,
      notBefore: new Date(Date.now() - 3_600_000),
      notAfter: new Date(Date.now() + 86_400_000),
      publicKey: key,
      extensions: {
        basicConstraints: { ca },
        ...(!ca && { subjectAltName: [...SAN, { kind: 'ip', value: '127.0.0.1' }] }),
        subjectKeyIdentifier: keyIdentifier(spki),
      },
    },
    caKey,
  );
}

let ca: Certificate;
let caPem: string;
let serverPem: string;
let url: string;
let server: Server;
let pending = 0;
let requireLink = false;
let admit: ((from: string) => void) | undefined;
const asked: est.EstRequest[] = [];
const events: est.EstEvent[] = [];

const authority: est.EstAuthority = {
  certificates: () => [ca.der],
  csrAttributes: () => [OID.challengePassword, { type: OID.ecPublicKey, values: [Buffer.from('0603550403', 'hex')] }],
  async enroll(request) {
    asked.push(request);
    const { credentials } = request.peer;
    if (credentials?.password !== 'geheim:ü') throw new est.EstRefusal(401, 'test.token', 'who are you?');
    if (pending > 0) {
      pending--;
      return { kind: 'pending', retryAfterSeconds: 30 };
    }
    return { kind: 'issued', certificate: await issue(request.request.subject, request.request.publicKey) };
  },
  async reenroll(request) {
    asked.push(request);
    return { kind: 'issued', certificate: await issue(request.request.subject, request.request.publicKey) };
  },
  async full(request) {
    fully.push(request);
    const { controls, tagged } = request.full;
    if (request.label === 'nobody') throw new est.EstRefusal(403, 'test.nobody', 'not for you: ü');
    if (request.label === 'more' || !cmc.nonceIn(controls, 'senderNonce')) {
      return { kind: 'response', controls: [cmc.statusControl(cmc.CMC_STATUS.popRequired, [tagged.bodyPartId])] };
    }
    const { subject, publicKey } = tagged.request;
    return { kind: 'certificates', certificates: [await issue(subject, publicKey)] };
  },
};

const fully: est.EstFullRequest[] = [];

beforeAll(async () => {
  ca = parseCertificate(await issue(caName, caKey.publicKey, true));
  caPem = toPem('CERTIFICATE', ca.der);
  serverPem = toPem('CERTIFICATE', await issue(nameOf({ commonName: 'server' }), serverKey.publicKey));
});

async function listen(options: object = {}, by: est.EstAuthority = authority): Promise<void> {
  const handle = est.handler({
    authority: by,
    requireLink,
    admit: (from) => admit?.(from),
    onEvent: (e) => events.push(e),
  });
  const tls = { key: pem(serverKey), cert: serverPem, ca: caPem, requestCert: true, rejectUnauthorized: false };
  server = createServer({ ...tls, ...options }, (request, response) => {
    if (!handle(request, response)) response.writeHead(404).end('elsewhere');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
beforeEach(() => {
  pending = 0;
  requireLink = false;
  admit = undefined;
  asked.length = 0;
  fully.length = 0;
  events.length = 0;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const subject = nameOf({ commonName: 'edge-nord' });
const credentials = { user: 'token', password: 'geheim:ü' };
const target = (more: object = {}): est.EstTarget => ({ url, tls: { ca: caPem }, ...more });
const maker =
  (key = deviceKey, name: Name = subject, names: readonly { kind: 'uri' | 'ip'; value: string }[] = []) =>
  (binding: string | undefined) =>
    buildRequest(
      {
        subject: name,
        ...(names.length > 0 && { extensions: { subjectAltName: names } }),
        ...(binding !== undefined && { challengePassword: binding }),
      },
      key,
    );
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'resolved',
    (error: unknown) => (error instanceof PkiError ? error.code : String(error)),
  );

describe('EST', () => {
  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'enrols by HTTP authentication, linked to the channel, over %s',
    async (version) => {
      await listen({ minVersion: version, maxVersion: version });
      const bootstrap = await est.caCertificates({ url, tls: { rejectUnauthorized: false } });
      expect(bootstrap.map((each) => Buffer.from(each))).toEqual([Buffer.from(ca.der)]);
      const enrolled = await est.enroll(target({ credentials }), maker());
      if (enrolled.kind !== 'issued') throw new Error('not issued');
      const certificate = parseCertificate(enrolled.certificate);
      expect(commonNameOf(certificate.subject)).toBe('edge-nord');
      expect(certificate.publicKey.equals(deviceKey.publicKey)).toBe(true);
      expect(asked[0]).toMatchObject({ linked: true, peer: { from: '127.0.0.1', credentials } });
      expect(asked[0]?.peer.certificate).toBeUndefined();
      expect(events).toEqual([{ operation: 'simpleenroll', outcome: 'ok', from: '127.0.0.1' }]);
    },
  );

  it('asks for authentication, and refuses what is wrong', async () => {
    await listen();
    expect(await codeOf(est.enroll(target(), maker()))).toBe('est.refused');
    const wrong = { user: 'token', password: 'guess' };
    await expect(est.enroll(target({ credentials: wrong }), maker())).rejects.toThrow('HTTP 401: who are you?');
    expect(events.map(({ outcome }) => outcome)).toEqual(['refused', 'refused']);
  });

  it('shows credentials to nobody who was not verified', async () => {
    await listen();
    const unverified = { url, tls: { rejectUnauthorized: false }, credentials };
    await expect(async () => est.enroll(unverified, maker())).rejects.toMatchObject({ code: 'est.credentials' });
    expect(await codeOf(est.enroll({ url, credentials }, maker()))).toBe('est.connect');
    expect(asked).toEqual([]);
  });

  it('re-enrols the holder of a certificate, for another key too', async () => {
    await listen();
    const present = await issue(subject, deviceKey.publicKey);
    const tls = { ca: caPem, cert: toPem('CERTIFICATE', present), key: pem(deviceKey) };
    const names = [...SAN, { kind: 'ip', value: '127.0.0.1' } as const];
    const next = new KeyInMemory('prime256v1');
    const renewed = await est.reenroll({ url, tls }, maker(next, subject, names));
    if (renewed.kind !== 'issued') throw new Error('not issued');
    expect(parseCertificate(renewed.certificate).publicKey.equals(next.publicKey)).toBe(true);
    expect(Buffer.compare(asked[0]!.peer.certificate!.der, present)).toBe(0);
    const other = nameOf({ commonName: 'edge-sued' });
    await expect(est.reenroll({ url, tls }, maker(next, other, names))).rejects.toThrow('another subject');
    await expect(est.reenroll({ url, tls }, maker(next, subject))).rejects.toThrow('another subject');
    await expect(est.reenroll(target(), maker())).rejects.toThrow('needs the present certificate');
  });

  it('refuses a request that was made for another channel', async () => {
    await listen();
    let stolen: Uint8Array | undefined;
    await est.enroll(target({ credentials }), async (binding) => {
      stolen = await maker()(binding);
      return stolen;
    });
    await expect(est.enroll(target({ credentials }), () => stolen!)).rejects.toThrow('another channel');
    expect(asked).toHaveLength(1);
  });

  it('may insist on the link', async () => {
    requireLink = true;
    await listen();
    const unlinked = () => maker()(undefined);
    await expect(est.enroll(target({ credentials }), unlinked)).rejects.toThrow('must be linked');
    expect((await est.enroll(target({ credentials }), maker())).kind).toBe('issued');
  });

  it('says when to come again', async () => {
    pending = 1;
    await listen();
    const first = await est.enroll(target({ credentials }), maker());
    expect(first).toEqual({ kind: 'pending', retryAfterSeconds: 30 });
    expect((await est.enroll(target({ credentials }), maker())).kind).toBe('issued');
    expect(events.map(({ outcome }) => outcome)).toEqual(['pending', 'ok']);
  });

  it('tells what requests should hold, and knows several authorities by label', async () => {
    await listen();
    expect(await est.csrAttributes(target())).toEqual([
      OID.challengePassword,
      { type: OID.ecPublicKey, values: [Buffer.from('0603550403', 'hex')] },
    ]);
    await est.enroll(target({ credentials, label: 'field' }), maker());
    expect(asked[0]?.label).toBe('field');
  });

  it('takes a full request under the signature of a certificate, and brings nonces and refusals', async () => {
    await listen();
    const present = parseCertificate(await issue(subject, deviceKey.publicKey));
    const next = new KeyInMemory('prime256v1');
    const by = { signer: deviceKey, certificate: present };
    const nonce = cmc.nonceControl('senderNonce', Buffer.alloc(16, 3));
    const make = (...controls: Parameters<typeof cmc.buildFullRequest>[1]) =>
      (async (binding) => cmc.buildFullRequest(await maker(next)(binding), controls, by)) satisfies est.RequestMaker;
    const first = await est.full(target(), make(nonce));
    if (first.kind !== 'certificates') throw new Error('no certificate');
    expect(parseCertificate(first.certificates[0]!).publicKey.equals(next.publicKey)).toBe(true);
    expect(fully[0]).toMatchObject({ linked: true, peer: { from: '127.0.0.1' } });
    expect(Buffer.compare(fully[0]!.full.signer.der, present.der)).toBe(0);
    // Without a nonce the authority of this test asks for more, then refuses.
    const more = await est.full(target(), make());
    if (more.kind !== 'response') throw new Error('certificates');
    expect(cmc.statusIn(more.controls)).toEqual({ status: cmc.CMC_STATUS.popRequired });
    expect(cmc.nonceIn(more.controls, 'recipientNonce')).toBeUndefined();
    const echoed = await est.full(target({ label: 'more' }), make(nonce));
    if (echoed.kind !== 'response') throw new Error('certificates');
    expect(Buffer.from(cmc.nonceIn(echoed.controls, 'recipientNonce')!)).toEqual(Buffer.alloc(16, 3));
    const refused = est.full(target({ label: 'nobody' }), make(nonce));
    await expect(refused).rejects.toThrow('HTTP 403: not for you: ü');
    expect(events.map(({ outcome, full }) => [outcome, full !== undefined])).toEqual([
      ['ok', true],
      ['pending', true],
      ['pending', true],
      ['refused', true],
    ]);
  });

  it('offers no full requests where the authority has none', async () => {
    const { full, ...simple } = authority;
    await listen({}, simple);
    await expect(est.full(target(), () => Buffer.from('30', 'hex'))).rejects.toThrow('HTTP 404');
  });

  it('turns an address away before it reads', async () => {
    admit = () => {
      throw new est.EstRefusal(429, 'test.limit', 'too many');
    };
    await listen();
    await expect(est.enroll(target({ credentials }), maker())).rejects.toThrow('HTTP 429: too many');
  });

  it('takes no certificate for another key than that of the request', async () => {
    await listen();
    const other = await issue(subject, new KeyInMemory('prime256v1').publicKey);
    const body = est.encodeBody(buildCertificatesOnly([other]));
    const spki = deviceKey.publicKey.export({ type: 'spki', format: 'der' });
    expect(() => est.certificateFor(spki, est.readCertificatesBody(body))).toThrow('no certificate for the key');
  });

  it('answers what is no request, or one with a bit changed, with a refusal and never with a failure', async () => {
    await listen();
    const agent = new Agent({ keepAlive: true, ca: caPem });
    const post = (body: string, type: string): Promise<number> =>
      new Promise((resolve, reject) => {
        const headers = {
          'content-type': type,
          authorization: `Basic ${Buffer.from('a:geheim:ü').toString('base64')}`,
        };
        const call = httpsRequest(
          `${url}/.well-known/est/simpleenroll`,
          { method: 'POST', headers, agent },
          (answer) => {
            answer.resume();
            answer.on('end', () => resolve(answer.statusCode ?? 0));
          },
        );
        call.on('error', reject);
        call.end(body);
      });
    const valid = await maker()(undefined);
    await fc.assert(
      fc.asyncProperty(fc.nat(valid.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const changed = Uint8Array.from(valid);
        changed[at]! ^= change;
        expect([200, 400]).toContain(await post(est.encodeBody(changed), 'application/pkcs10'));
      }),
      { numRuns: 150 },
    );
    await fc.assert(
      fc.asyncProperty(fc.string({ maxLength: 200 }), async (body) => {
        expect(await post(body, 'application/pkcs10')).toBe(400);
      }),
      { numRuns: 50 },
    );
    expect(await post(est.encodeBody(valid), 'text/plain')).toBe(415);
    expect(await post('A'.repeat(1_200_000), 'application/pkcs10')).toBe(413);
    expect(events.filter(({ outcome }) => outcome === 'failed')).toEqual([]);
    agent.destroy();
  });

  it('ends with a typed error when nobody answers, or who answers makes no sense', async () => {
    await listen();
    const nonsense = createServer({ key: pem(serverKey), cert: serverPem }, (_, response) => {
      response.writeHead(200, { 'content-type': 'application/pkcs7-mime' }).end('?'.repeat(100));
    });
    await new Promise<void>((resolve) => nonsense.listen(0, '127.0.0.1', resolve));
    const there = `https://127.0.0.1:${(nonsense.address() as AddressInfo).port}`;
    expect(await codeOf(est.caCertificates({ url: there, tls: { ca: caPem } }))).toBe('est.body');
    expect(await codeOf(est.csrAttributes({ url: there, tls: { ca: caPem } }))).toBe('est.answer');
    await new Promise((resolve) => nonsense.close(resolve));
    expect(await codeOf(est.caCertificates({ url: there, tls: { ca: caPem } }))).toBe('est.connect');
  });
});

const hasCurl = spawnSync('curl', ['--version']).status === 0 && spawnSync('openssl', ['version']).status === 0;

describe.skipIf(!hasCurl)('EST with curl and openssl as the client (skipped where they are not installed)', () => {
  // Not synchronous: the server answers in this process.
  const run = (command: string, ...args: string[]): Promise<string> =>
    new Promise((resolve, reject) =>
      execFile(command, args, { cwd: dir }, (error, stdout, stderr) =>
        error ? reject(new Error(`${command}: ${stderr}`)) : resolve(stdout),
      ),
    );

  it('enrols and re-enrols', async () => {
    await listen();
    writeFileSync(join(dir, 'ca.pem'), caPem);
    const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: dir, encoding: 'utf8', stdio: 'pipe' });
    openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', 'c.key');
    const sans = 'subjectAltName=URI:urn:enerchain:edge:edge-nord,IP:127.0.0.1';
    const request = ['-new', '-key', 'c.key', '-subj', '/CN=edge-nord', '-addext', sans, '-outform', 'DER'];
    openssl('req', ...request, '-out', 'c.der');
    openssl('base64', '-in', 'c.der', '-out', 'c.b64');
    const base = ['-sS', '--fail', '--cacert', 'ca.pem', '-H', 'content-type: application/pkcs10'];
    const post = [...base, '--data-binary', '@c.b64'];
    const print = () => {
      openssl('base64', '-d', '-in', 'answer', '-out', 'answer.p7');
      return openssl('pkcs7', '-inform', 'DER', '-in', 'answer.p7', '-print_certs', '-out', 'c.pem');
    };
    await run('curl', '-sS', '--cacert', 'ca.pem', '-o', 'answer', `${url}/.well-known/est/cacerts`);
    print();
    expect(readFileSync(join(dir, 'c.pem'), 'utf8')).toContain('CN = EST CA');
    await run('curl', ...post, '-u', 'token:geheim:ü', '-o', 'answer', `${url}/.well-known/est/simpleenroll`);
    print();
    expect(openssl('verify', '-CAfile', 'ca.pem', 'c.pem')).toContain('OK');
    const mtls = ['--cert', 'c.pem', '--key', 'c.key'];
    await run('curl', ...post, ...mtls, '-o', 'answer', `${url}/.well-known/est/simplereenroll`);
    print();
    expect(openssl('x509', '-in', 'c.pem', '-noout', '-subject')).toContain('edge-nord');
  });
});

describe('messages of EST', () => {
  beforeEach(() => listen());

  it.each([
    ['/.well-known/est/cacerts', { operation: 'cacerts' }],
    ['/.well-known/est/field/simpleenroll', { operation: 'simpleenroll', label: 'field' }],
    ['/.well-known/est/', 'unknown'],
    ['/.well-known/est/cacerts/cacerts', 'unknown'],
    ['/.well-known/est/a/b/cacerts', 'unknown'],
    ['/.well-known/est/serverkeygen', 'unknown'],
    ['/elsewhere', undefined],
  ])('%s', (path, route) => {
    expect(est.readPath(path)).toEqual(route);
    if (typeof route === 'object') expect(est.pathOf(route as est.Route)).toBe(path);
  });

  it('bodies are base64, with white space anywhere and nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (bytes) => {
        expect(Buffer.from(est.decodeBody(est.encodeBody(bytes)))).toEqual(Buffer.from(bytes));
      }),
    );
    expect(Buffer.from(est.decodeBody('Y\r\nW J\tj')).toString()).toBe('abc');
    for (const body of ['', 'YWJ', 'YW=j', 'YWJj-', '=YWJ', 'Ä']) expect(() => est.decodeBody(body)).toThrow(PkiError);
  });

  it('attributes are read back, and anything else is a typed error', () => {
    const attributes = ['1.2.3', { type: '1.2.4', values: [Uint8Array.of(5, 0)] }];
    expect(est.readCsrAttributes(est.encodeCsrAttributes(attributes))).toEqual(attributes);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          est.readCsrAttributes(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(PkiError);
        }
      }),
    );
  });

  it('times to come again are seconds or a date', () => {
    const now = new Date('2026-11-26T19:00:00Z');
    expect(est.readRetryAfter('120', now)).toBe(120);
    expect(est.readRetryAfter('Thu, 26 Nov 2026 19:01:00 GMT', now)).toBe(60);
    expect(est.readRetryAfter('Thu, 26 Nov 2026 18:00:00 GMT', now)).toBe(0);
    expect(est.readRetryAfter('999999999999', now)).toBe(604_800);
    expect(est.readRetryAfter('soon', now)).toBeUndefined();
    expect(est.readRetryAfter(undefined, now)).toBeUndefined();
  });
});
