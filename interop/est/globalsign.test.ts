import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  buildCertificate,
  buildRequest,
  type Certificate,
  commonNameOf,
  est,
  fromPem,
  type GeneralName,
  keyIdentifier,
  type Name,
  nameOf,
  OID,
  parseCertificate,
  type Signer,
  toPem,
} from '@enerchain/pki';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../peer-process.ts';
import { installGlobalsignEst } from './peer.ts';

const programs = installGlobalsignEst();
if ('missing' in programs) it.skip(`globalsign/est: ${programs.missing}`, () => {});
const { client, server } = 'missing' in programs ? { client: '', server: '' } : programs;

const dir = mkdtempSync(join(tmpdir(), 'enerchain-est-peer-'));
afterAll(() => rmSync(dir, { recursive: true }));
const at = (file: string) => join(dir, file);

interface Key extends Signer {
  readonly pem: string;
}
function newKey(file: string): Key {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  writeFileSync(at(file), pem);
  return {
    algorithm: 'ES256',
    origin: 'file',
    publicKey: createPublicKey(privateKey),
    pem,
    sign: (data) => sign('sha256', data, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
  };
}

const caName = nameOf({ commonName: 'EST CA' });
const caKey = newKey('ca.key');
const serverKey = newKey('server.key');
const deviceKey = newKey('device.key');
const NAMES: readonly GeneralName[] = [{ kind: 'dns', value: 'device.example' }];
const HOSTS: readonly GeneralName[] = [
  { kind: 'dns', value: 'localhost' },
  { kind: 'ip', value: '127.0.0.1' },
];

function issue(
  subject: Name,
  publicKey: KeyObject,
  names: readonly GeneralName[] = [],
  ca = false,
): Promise<Uint8Array> {
  return buildCertificate(
    {
      issuer: caName,
      subject,
      notBefore: new Date(Date.now() - 3_600_000),
      notAfter: new Date(Date.now() + 86_400_000),
      publicKey,
      extensions: {
        basicConstraints: { ca },
        keyUsage: ca ? ['keyCertSign', 'cRLSign'] : ['digitalSignature'],
        ...(!ca && { extKeyUsage: [OID.serverAuth, OID.clientAuth] }),
        ...(names.length > 0 && { subjectAltName: names }),
        subjectKeyIdentifier: keyIdentifier(publicKey.export({ type: 'spki', format: 'der' })),
        authorityKeyIdentifier: keyIdentifier(caKey.publicKey.export({ type: 'spki', format: 'der' })),
      },
    },
    caKey,
  );
}

let ca: Certificate;
let caPem: string;
let serverPem: string;

beforeAll(async () => {
  ca = parseCertificate(await issue(caName, caKey.publicKey, [], true));
  caPem = toPem('CERTIFICATE', ca.der);
  serverPem = toPem('CERTIFICATE', await issue(nameOf({ commonName: 'localhost' }), serverKey.publicKey, HOSTS));
  writeFileSync(at('ca.pem'), caPem);
  writeFileSync(at('server.pem'), serverPem);
});

const subject = nameOf({ commonName: 'device' });
const maker =
  (key: Signer, names: readonly GeneralName[] = NAMES, name: Name = subject): est.RequestMaker =>
  (binding) =>
    buildRequest(
      {
        subject: name,
        extensions: { subjectAltName: names },
        ...(binding !== undefined && { challengePassword: binding }),
      },
      key,
    );

describe.skipIf('missing' in programs)('our EST client and the server of globalsign/est', () => {
  let peer: ChildProcess;
  let url: string;

  beforeAll(async () => {
    const port = await freePort();
    url = `https://localhost:${port}`;
    const config = {
      mock_ca: { certificates: at('ca.pem'), private_key: at('ca.key') },
      tls: {
        listen_address: `127.0.0.1:${port}`,
        certificates: at('server.pem'),
        private_key: at('server.key'),
        client_cas: [at('ca.pem')],
      },
      allowed_hosts: ['localhost', '127.0.0.1', `localhost:${port}`],
      timeout: 30,
    };
    writeFileSync(at('server.cfg'), JSON.stringify(config));
    peer = spawn(server, ['-config', at('server.cfg')], { stdio: 'ignore' });
    await listening(port);
  });
  afterAll(async () => {
    const ended = new Promise((resolve) => peer.once('exit', resolve));
    peer.kill();
    await ended;
  });

  const target = (more: object = {}): est.EstTarget => ({ url, tls: { ca: caPem }, ...more });

  it('obtains the certificates of the authority, and what requests should hold', async () => {
    const certificates = await est.caCertificates(target());
    expect(certificates.map((each) => Buffer.from(each))).toEqual([Buffer.from(ca.der)]);
    // Its example attributes stand under the label `csrattrs`, which RFC 7030 § 3.2.2 forbids; elsewhere it asks for nothing.
    expect(await est.csrAttributes(target())).toEqual([]);
  });

  it('enrols, and re-enrols with the certificate for another key', async () => {
    const first = await est.enroll(target(), maker(deviceKey));
    if (first.kind !== 'issued') throw new Error('not issued');
    const certificate = parseCertificate(first.certificate);
    expect(commonNameOf(certificate.subject)).toBe('device');
    expect(certificate.extensions.subjectAltName).toEqual(NAMES);
    const tls = { ca: caPem, cert: toPem('CERTIFICATE', certificate.der), key: deviceKey.pem };
    const next = newKey('next.key');
    const second = await est.reenroll(target({ tls }), maker(next));
    if (second.kind !== 'issued') throw new Error('not issued');
    expect(parseCertificate(second.certificate).publicKey.equals(next.publicKey)).toBe(true);
    await expect(est.reenroll(target(), maker(next))).rejects.toMatchObject({ code: 'est.refused' });
    const other = maker(next, NAMES, nameOf({ commonName: 'other' }));
    await expect(est.reenroll(target({ tls }), other)).rejects.toMatchObject({ code: 'est.refused' });
  });

  it('hears that it takes longer, and that it is refused', async () => {
    const asked = (commonName: string) =>
      est.enroll(target({ label: 'triggererrors' }), maker(deviceKey, NAMES, nameOf({ commonName })));
    expect(await asked('Trigger Error Deferred')).toEqual({ kind: 'pending', retryAfterSeconds: 600 });
    await expect(asked('Trigger Error Forbidden')).rejects.toThrow('HTTP 403');
  });
});

describe.skipIf('missing' in programs)('the client of globalsign/est and our EST server', () => {
  let https: Server;
  let address: string;
  const asked: est.EstRequest[] = [];

  beforeAll(async () => {
    const issued = async (request: est.EstRequest): Promise<est.EstAnswer> => {
      asked.push(request);
      const { subject: name, publicKey, extensions } = request.request;
      return { kind: 'issued', certificate: await issue(name, publicKey, extensions.subjectAltName) };
    };
    const authority: est.EstAuthority = {
      certificates: () => [ca.der],
      csrAttributes: () => [OID.challengePassword],
      enroll: async (request) => {
        if (request.peer.credentials?.password !== 'secret')
          throw new est.EstRefusal(401, 'test.token', 'who are you?');
        return issued(request);
      },
      reenroll: issued,
    };
    const handle = est.handler({ authority });
    const tls = { key: serverKey.pem, cert: serverPem, ca: caPem, requestCert: true, rejectUnauthorized: false };
    https = createServer(tls, (request, response) => {
      if (!handle(request, response)) response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => https.listen(0, '127.0.0.1', resolve));
    address = `localhost:${(https.address() as AddressInfo).port}`;
  });
  afterAll(() => new Promise((resolve) => https.close(resolve)));

  const run = (...args: string[]): Promise<string> =>
    new Promise((resolve, reject) =>
      execFile(
        client,
        [...args, '-server', address, '-explicit', at('ca.pem')],
        { cwd: dir },
        (error, stdout, stderr) => (error ? reject(new Error(stderr)) : resolve(stdout)),
      ),
    );
  const certificateIn = (text: string) => parseCertificate(fromPem('CERTIFICATE', text)[0]!);

  it('obtains the certificates of the authority, and what requests should hold', async () => {
    expect(Buffer.from(certificateIn(await run('cacerts')).der)).toEqual(Buffer.from(ca.der));
    expect(await run('csrattrs')).toContain(OID.challengePassword);
  });

  it('enrols by password, and re-enrols with the certificate', async () => {
    const who = ['-cn', 'device', '-dnsnames', 'device.example', '-key', at('device.key')];
    await expect(run('enroll', ...who)).rejects.toThrow(/401|who are you/);
    await run('enroll', ...who, '-user', 'device', '-pass', 'secret', '-out', at('device.pem'));
    const certificate = certificateIn(readFileSync(at('device.pem'), 'utf8'));
    expect(certificate.publicKey.equals(deviceKey.publicKey)).toBe(true);
    expect(certificate.extensions.subjectAltName).toEqual(NAMES);
    await run('reenroll', '-certs', at('device.pem'), '-key', at('device.key'), '-out', at('renewed.pem'));
    const renewed = certificateIn(readFileSync(at('renewed.pem'), 'utf8'));
    expect(renewed.subjectDer).toEqual(certificate.subjectDer);
    expect(Buffer.compare(asked.at(-1)!.peer.certificate!.der, certificate.der)).toBe(0);
  });
});

async function listening(port: number): Promise<void> {
  for (let attempt = 0; attempt < 1200; attempt++) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true));
      socket.on('error', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('the peer does not listen');
}
