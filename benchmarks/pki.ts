/**
 * The public key infrastructure: certificates issued, read and checked per second, a revocation list of 100 000 entries written
 * and indexed, OCSP answers; beside pkijs where it can do the same, in the same run. Prints a table and
 * writes `results/pki.json`. With SoftHSM on the machine, also an authority whose key lies in it.
 *
 *     node --disable-warning=ExperimentalWarning benchmarks/pki.ts [runs]
 */
import { generateKeyPairSync, randomBytes, webcrypto } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import {
  ALGORITHMS,
  answerOcsp,
  buildCertificate,
  buildCrl,
  buildOcspRequest,
  type Certificate,
  CrlReader,
  certIdOf,
  FileKeySigner,
  keyIdentifier,
  nameOf,
  OID,
  Pkcs11Token,
  parseCertificate,
  type RevocationList,
  type SignatureAlgorithm,
  type Signer,
  validatePath,
} from '@enerchain/pki';
import * as asn1js from 'asn1js';
import * as pkijs from 'pkijs';
import { startSoftHsm, whyNoSoftHsm } from '../interop/hsm/softhsm.ts';

const HERE = import.meta.dirname;
const runs = Number(process.argv[2] ?? 5);
const CELL = 600;
const ENTRIES = 100_000;
const TARGETS = { issueP256: 5000, issueBrainpoolInHsm: 2000, indexMillis: 1000 };

const notBefore = new Date('2026-01-01T00:00:00Z');
const notAfter = new Date('2027-01-01T00:00:00Z');
const at = new Date('2026-06-01T00:00:00Z');

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

/** Median over the runs of how often something can be done per second; `width` at a time. */
async function perSecond(act: () => unknown, width = 1): Promise<number> {
  const rates: number[] = [];
  for (let run = 0; run < runs; run++) {
    const start = performance.now();
    let count = 0;
    await Promise.all(
      Array.from({ length: width }, async () => {
        do {
          await act();
          count++;
        } while (performance.now() - start < CELL);
      }),
    );
    rates.push((count / (performance.now() - start)) * 1000);
  }
  return Math.round(median(rates));
}

/** Median over the runs of how long something takes, ms. */
async function millis(act: () => unknown): Promise<number> {
  const times: number[] = [];
  for (let run = 0; run < runs; run++) {
    const start = performance.now();
    await act();
    times.push(performance.now() - start);
  }
  return Number(median(times).toPrecision(4));
}

function newKey(algorithm: SignatureAlgorithm): FileKeySigner {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: ALGORITHMS[algorithm].curve });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  return FileKeySigner.fromPem(pem, 'a key', { accept: [algorithm] });
}

const spkiOf = (signer: Signer) => signer.publicKey.export({ type: 'spki', format: 'der' });

/** What an authority does for each request once it has the key: a certificate with the usual extensions. */
function issuer(ca: Certificate, signer: Signer, subject: Signer): () => Promise<Uint8Array> {
  const subjectKeyIdentifier = keyIdentifier(spkiOf(subject));
  return () =>
    buildCertificate(
      {
        issuer: ca.subject,
        subject: nameOf({ commonName: 'edge-nord', organizationalUnit: 'edge' }),
        notBefore,
        notAfter,
        publicKey: subject.publicKey,
        extensions: {
          basicConstraints: { ca: false },
          keyUsage: ['digitalSignature'],
          extKeyUsage: [OID.clientAuth],
          subjectAltName: [{ kind: 'uri', value: 'urn:enerchain:edge:edge-nord' }],
          subjectKeyIdentifier,
          authorityKeyIdentifier: keyIdentifier(ca.spki),
        },
      },
      signer,
    );
}

async function authority(signer: Signer): Promise<Certificate> {
  const name = nameOf({ commonName: 'Benchmark CA' });
  const extensions = {
    basicConstraints: { ca: true },
    keyUsage: ['keyCertSign', 'cRLSign'],
    subjectKeyIdentifier: keyIdentifier(spkiOf(signer)),
  } as const;
  const fields = { issuer: name, subject: name, notBefore, notAfter, publicKey: signer.publicKey, extensions };
  return parseCertificate(await buildCertificate(fields, signer));
}

async function certificates(algorithm: SignatureAlgorithm) {
  const signer = newKey(algorithm);
  const ca = await authority(signer);
  const issue = issuer(ca, signer, newKey(algorithm));
  const der = await issue();
  const leaf = parseCertificate(der);
  return {
    issued: await perSecond(issue),
    read: await perSecond(() => parseCertificate(der)),
    checked: await perSecond(() => validatePath(leaf, { anchors: [ca], at, purpose: OID.clientAuth })),
  };
}

/** The same by pkijs on Node's WebCrypto, which knows no Brainpool. */
async function certificatesOfPkijs() {
  const crypto = webcrypto as unknown as pkijs.CryptoEngineParameters['crypto'] & typeof webcrypto;
  pkijs.setEngine('node', new pkijs.CryptoEngine({ name: 'node', crypto }));
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
  const ca = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const subject = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const name = (type: string, value: string) =>
    new pkijs.AttributeTypeAndValue({ type, value: new asn1js.Utf8String({ value }) });
  const extension = (extnID: string, critical: boolean, value: asn1js.BaseBlock) =>
    new pkijs.Extension({ extnID, critical, extnValue: value.toBER(false) });
  const issue = async () => {
    const certificate = new pkijs.Certificate();
    certificate.version = 2;
    certificate.serialNumber = new asn1js.Integer({ valueHex: Uint8Array.from(randomBytes(16)).buffer });
    certificate.issuer.typesAndValues.push(name(OID.commonName, 'Benchmark CA'));
    certificate.subject.typesAndValues.push(name(OID.organizationalUnit, 'edge'), name(OID.commonName, 'edge-nord'));
    certificate.notBefore.value = notBefore;
    certificate.notAfter.value = notAfter;
    await certificate.subjectPublicKeyInfo.importKey(subject.publicKey);
    const id = new asn1js.OctetString({ valueHex: new ArrayBuffer(20) });
    const uri = new pkijs.GeneralName({ type: 6, value: 'urn:enerchain:edge:edge-nord' });
    certificate.extensions = [
      extension(OID.basicConstraints, true, new pkijs.BasicConstraints({ cA: false }).toSchema()),
      extension(OID.keyUsage, true, new asn1js.BitString({ valueHex: Uint8Array.of(0x80).buffer, unusedBits: 7 })),
      extension(OID.extKeyUsage, false, new pkijs.ExtKeyUsage({ keyPurposes: [OID.clientAuth] }).toSchema()),
      extension(OID.subjectAltName, false, new pkijs.GeneralNames({ names: [uri] }).toSchema()),
      extension(OID.subjectKeyIdentifier, false, id),
      extension(OID.authorityKeyIdentifier, false, new pkijs.AuthorityKeyIdentifier({ keyIdentifier: id }).toSchema()),
    ];
    await certificate.sign(ca.privateKey, 'SHA-256');
    return certificate.toSchema(true).toBER(false);
  };
  const der = await issue();
  return { issued: await perSecond(issue), read: await perSecond(() => pkijs.Certificate.fromBER(der)) };
}

async function inHsm() {
  const missing = whyNoSoftHsm();
  if (missing) return `not measured: ${missing}`;
  const hsm = startSoftHsm();
  hsm.addToken('bench');
  const token = await Pkcs11Token.open({ library: hsm.library, token: 'bench', pin: () => hsm.pin });
  try {
    const result: Partial<Record<SignatureAlgorithm, number>> = {};
    for (const algorithm of ['ES256', 'ESB256'] as const) {
      const signer = await token.generateSigner(`ca ${algorithm}`, algorithm);
      result[algorithm] = await perSecond(issuer(await authority(signer), signer, newKey(algorithm)), 32);
    }
    return result;
  } finally {
    token.close();
    hsm.remove();
  }
}

async function revocationList() {
  const signer = newKey('ES256');
  const ca = await authority(signer);
  const entries = Array.from({ length: ENTRIES }, () => {
    const serialNumber = randomBytes(16);
    serialNumber[0] = 0x40 | (serialNumber[0]! & 0x3f);
    return { serialNumber, revokedAt: at, reason: 'superseded' } as const;
  });
  const build = () => buildCrl({ issuer: ca, number: 1, thisUpdate: at, nextUpdate: notAfter, entries }, signer);
  const bytes = await build();
  let list: RevocationList | undefined;
  const index = () => {
    const reader = new CrlReader({ issuer: ca });
    for (let i = 0; i < bytes.length; i += 65_536) reader.push(bytes.subarray(i, i + 65_536));
    list = reader.end();
  };
  const indexMillis = await millis(index);
  if (list?.size !== ENTRIES) throw new Error(`${list?.size} entries instead of ${ENTRIES}`);
  let next = 0;
  const lookups = await perSecond(() => {
    for (let i = 0; i < 1000; i++) list!.find(entries[next++ % ENTRIES]!.serialNumber);
  });
  let pkijsMillis: number | string;
  try {
    pkijsMillis = await millis(() => pkijs.CertificateRevocationList.fromBER(Uint8Array.from(bytes).buffer));
  } catch (error) {
    pkijsMillis = `refused: ${error instanceof Error ? error.message : String(error)}`;
  }
  return {
    entries: ENTRIES,
    bytes: bytes.length,
    buildMillis: await millis(build),
    indexMillis,
    pkijsMillis,
    lookupsPerSecond: lookups * 1000,
  };
}

async function ocsp(algorithm: SignatureAlgorithm): Promise<number> {
  const signer = newKey(algorithm);
  const ca = await authority(signer);
  const request = buildOcspRequest({
    asked: [certIdOf({ serialNumber: Uint8Array.of(7) }, ca)],
    nonce: randomBytes(32),
  });
  const options = { issuer: ca, signer, statusOf: () => ({ kind: 'good' }) as const, now: () => at, validFor: 1000 };
  return perSecond(() => answerOcsp(request, options));
}

const before = loadavg()[0]!;
const ours = {} as Record<SignatureAlgorithm, Awaited<ReturnType<typeof certificates>> & { readonly ocsp: number }>;
for (const algorithm of Object.keys(ALGORITHMS) as SignatureAlgorithm[]) {
  ours[algorithm] = { ...(await certificates(algorithm)), ocsp: await ocsp(algorithm) };
}
const theirs = await certificatesOfPkijs();
const hsm = await inHsm();
const crl = await revocationList();

console.table({ ...ours, 'ES256 pkijs': theirs });
console.log(`an authority in SoftHSM, issued per second: ${JSON.stringify(hsm)}`);
console.log(`revocation list: ${JSON.stringify(crl)}`);
mkdirSync(join(HERE, 'results'), { recursive: true });
writeFileSync(
  join(HERE, 'results', 'pki.json'),
  `${JSON.stringify(
    {
      what: 'Certificates issued, read and checked (path of two) and OCSP answers per second on one thread; a revocation list; medians',
      measured: new Date().toISOString(),
      machine: {
        cpu: cpus()[0]?.model,
        cores: cpus().length,
        node: process.version,
        load: { before, after: loadavg()[0] },
      },
      runs,
      targets: TARGETS,
      perSecond: ours,
      peer: { name: 'pkijs 4.0.0 on WebCrypto, P-256', ...theirs },
      issuedPerSecondInSoftHsm: hsm,
      revocationList: crl,
    },
    null,
    2,
  )}\n`,
);
