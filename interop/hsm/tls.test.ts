/** Mutual TLS with keys that never leave their HSM: SoftHSM behind OpenSSL's engine `pkcs11`, on both sides of the connection. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import {
  buildCertificate,
  connectGuarded,
  engineKeySource,
  type Name,
  nameOf,
  Pkcs11Token,
  parseCertificate,
  SessionSupervisor,
  ShortLivedLeaf,
  type SignatureAlgorithm,
  type Signer,
  supervisedServer,
  TLS_IEC62351_3,
  type TlsKeySource,
  type TlsProfile,
  tlsClientOptions,
  toPem,
} from '@enerchain/pki';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pkcs11Engine, type SoftHsm, startSoftHsm, whyNoSoftHsm } from './softhsm.ts';

const engine = pkcs11Engine();
const missing = whyNoSoftHsm() ?? ('missing' in engine ? engine.missing : undefined);
const CURVES = ['ES256', 'ESB256'] as const;

describe.skipIf(missing)(`TLS with a key in SoftHSM${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let hsm: SoftHsm;
  let token: Pkcs11Token;
  const caPem = {} as Record<SignatureAlgorithm, string>;
  const engineKeys = {} as Record<SignatureAlgorithm, { readonly server: TlsKeySource; readonly client: TlsKeySource }>;
  let memoryKeys: TlsKeySource;

  const validity = { notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + 3_600_000) };
  const certify = async (
    subject: Name,
    key: Signer,
    by: { readonly name: Name; readonly signer: Signer },
    ca = false,
  ) =>
    toPem(
      'CERTIFICATE',
      await buildCertificate(
        {
          ...validity,
          issuer: by.name,
          subject,
          publicKey: key.publicKey,
          extensions: ca
            ? { basicConstraints: { ca: true }, keyUsage: ['keyCertSign'] }
            : { keyUsage: ['digitalSignature'], subjectAltName: [{ kind: 'dns', value: 'localhost' }] },
        },
        by.signer,
      ),
    );

  beforeAll(async () => {
    hsm = startSoftHsm();
    hsm.addToken('plant');
    token = await Pkcs11Token.open({ library: hsm.library, token: 'plant', pin: () => hsm.pin });
    const pinFile = join(hsm.folder, 'pin');
    writeFileSync(pinFile, hsm.pin, { mode: 0o600 });
    process.env.OPENSSL_ENGINES = 'folder' in engine ? engine.folder : '';
    process.env.PKCS11_MODULE_PATH = hsm.library;
    for (const algorithm of CURVES) {
      const ca = {
        name: nameOf({ commonName: `CA ${algorithm}` }),
        signer: await token.generateSigner(`ca ${algorithm}`, algorithm),
      };
      caPem[algorithm] = await certify(ca.name, ca.signer, ca, true);
      const source = async (label: string) => {
        const signer = await token.generateSigner(`${label} ${algorithm}`, algorithm);
        const certificatePem = await certify(nameOf({ commonName: label }), signer, ca);
        return engineKeySource({ certificatePem, identifier: `${signer.uri}?pin-source=${pinFile}` });
      };
      engineKeys[algorithm] = { server: await source('server'), client: await source('client') };
    }
    // The default of the platform's own links: the HSM signs the certificate only, once.
    const ca = { name: nameOf({ commonName: 'CA ES256' }), signer: await token.findSigner('ca ES256') };
    memoryKeys = await ShortLivedLeaf.create({
      now: () => new Date(),
      issue: (key) => certify(nameOf({ commonName: 'leaf' }), key, ca),
    });
    // From here on the engine has the library for itself.
    token.close();
  });
  afterAll(() => hsm?.remove());

  async function handshake(
    server: TlsKeySource,
    client: TlsKeySource,
    algorithm: SignatureAlgorithm,
    profile: TlsProfile,
  ) {
    const ca = [caPem[algorithm]];
    const supervisor = new SessionSupervisor({
      profile,
      anchors: [parseCertificate(Buffer.from(ca[0]!.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64'))],
      onEvent: () => {},
    });
    const peers: (string | undefined)[] = [];
    const tls = supervisedServer({
      profile,
      trust: { keys: server, ca },
      service: 'hsm test',
      supervisor,
      onSession: (socket) => {
        peers.push(socket.getPeerX509Certificate()?.subject);
        socket.end('hello');
      },
    });
    tls.listen(0, '127.0.0.1');
    await once(tls, 'listening');
    try {
      const socket = connectGuarded({
        ...tlsClientOptions(profile, { keys: client, ca }, 'localhost'),
        host: '127.0.0.1',
        port: (tls.address() as AddressInfo).port,
      });
      const said: Buffer[] = [];
      socket.on('data', (chunk) => said.push(chunk));
      await new Promise((resolve, reject) => socket.once('end', resolve).once('error', reject));
      const protocol = socket.getProtocol();
      socket.destroy();
      return { said: Buffer.concat(said).toString(), protocol, peers };
    } finally {
      supervisor.stop();
      tls.close();
    }
  }

  const only = (version: 'TLSv1.2' | 'TLSv1.3'): TlsProfile => ({
    ...TLS_IEC62351_3,
    minVersion: version,
    maxVersion: version,
  });

  it.each(
    CURVES.flatMap((algorithm) => (['TLSv1.2', 'TLSv1.3'] as const).map((version) => [algorithm, version] as const)),
  )('both sides prove an %s key of the HSM over %s', async (algorithm, version) => {
    const { server, client } = engineKeys[algorithm];
    expect(server.origin).toBe('hsm');
    const result = await handshake(server, client, algorithm, only(version));
    expect(result).toEqual({ said: 'hello', protocol: version, peers: ['CN=client'] });
  });

  it('a short-lived leaf that the HSM certified speaks to a key in the HSM', async () => {
    const result = await handshake(memoryKeys, engineKeys.ES256.client, 'ES256', TLS_IEC62351_3);
    expect(result).toMatchObject({ said: 'hello', peers: ['CN=client'] });
  });
});
