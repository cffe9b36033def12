import { mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';
import { type Clock, fromMillis } from '@enerchain/model';
import { buildCertificate, FileKeySigner, fromPem, nameOf, parseCertificate, toPem } from '@enerchain/pki';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  assuranceOf,
  CERTIFICATE_HOURS,
  type CertificateEvent,
  checkedCertificate,
  DevelopmentCa,
  FileKeyStore,
  type Identity,
  maySign,
  newerBundle,
  obtainIdentity,
  readBundle,
  requestFor,
} from '../src/index.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
let dir: string;
let ca: DevelopmentCa;
let wall: number;
const clock: Clock = { now: () => fromMillis(wall), monotonic: () => wall };
const at = () => new Date(wall);
const open = () => DevelopmentCa.open(join(dir, 'ca'), { clock });
const codeOf = (work: () => unknown) => {
  try {
    work();
  } catch (error) {
    return (error as { code?: string }).code;
  }
  return undefined;
};

beforeEach(async () => {
  wall = Date.UTC(2026, 0, 1);
  dir = mkdtempSync(join(tmpdir(), 'enerchain-authority-'));
  ca = await open();
});
afterEach(() => rmSync(dir, { recursive: true }));

const identity = (name: string): Promise<Identity> =>
  obtainIdentity(join(dir, name), { name, role: 'edge' }, async (request) => ({
    certificate: await ca.issue(request, { name, role: 'edge' }),
    ca: ca.certificatePem,
  }));

describe('the authority', () => {
  it('issues with a key under its root, for three days, and says that nobody looked at the node', async () => {
    const { certificate, caPem } = await identity('edge-nord');
    const { anchor, issuing } = readBundle(caPem);
    expect(issuing).toHaveLength(1);
    expect(certificate.issuerDer).toEqual(issuing[0]!.subjectDer);
    expect(issuing[0]!.issuerDer).toEqual(anchor.subjectDer);
    expect(certificate.notAfter.getTime() - wall).toBe(CERTIFICATE_HOURS * HOUR);
    expect(checkedCertificate(certificate.der, caPem, at()).holder).toEqual({ name: 'edge-nord', role: 'edge' });
    expect(assuranceOf(certificate)).toEqual(['unattested']);
    const hex = ({ der }: { der: Uint8Array }) => Buffer.from(der).toString('hex');
    expect(ca.pathOf(certificate).map(hex)).toEqual([certificate, issuing[0]!, anchor].map(hex));
    expect((await open()).certificatePem).toBe(ca.certificatePem);
  });

  it('tells of a new issuing key before it issues, so that whoever has a valid certificate knows it', async () => {
    const before = await identity('edge-before');
    await ca.rotateIssuingKey();
    // Told at once, used after three days.
    expect(readBundle(ca.certificatePem).issuing).toHaveLength(2);
    wall += CERTIFICATE_HOURS * HOUR - 1000;
    const last = await identity('edge-last');
    expect(last.certificate.issuerDer).toEqual(before.certificate.issuerDer);
    wall += 1000;
    const first = await identity('edge-first');
    expect(first.certificate.issuerDer).not.toEqual(before.certificate.issuerDer);
    // A node with a certificate that is still valid verifies what the new key issues, and the other way round.
    expect(checkedCertificate(first.certificate.der, last.caPem, at()).holder.name).toBe('edge-first');
    expect(checkedCertificate(last.certificate.der, first.caPem, at()).holder.name).toBe('edge-last');
    // Who knows the old bundle alone has a certificate that ended.
    expect(codeOf(() => checkedCertificate(first.certificate.der, before.caPem, at()))).toBe('pki.path.anchor');
    expect(before.certificate.notAfter.getTime()).toBeLessThanOrEqual(wall);
    // What was signed then is still led to the anchor.
    expect(ca.pathOf(before.certificate)).toHaveLength(3);
  });

  it('makes the next issuing key by itself in time, and goes on for years', async () => {
    const issuers = new Set<string>();
    let caPem = ca.certificatePem;
    for (let day = 0; day < 1000; day += 2) {
      wall += 2 * DAY;
      // Renewed as a node would: it knows the bundle of its last renewal.
      const { certificate, caPem: next } = await identity('edge-nord');
      expect(checkedCertificate(certificate.der, caPem, at()).holder.name).toBe('edge-nord');
      issuers.add(Buffer.from(certificate.issuerDer).toString('hex'));
      caPem = newerBundle(caPem, next);
    }
    expect(issuers.size).toBeGreaterThanOrEqual(3);
    expect(readBundle(caPem).issuing.length).toBeLessThanOrEqual(2);
  });

  it('issues without its root key until the issuing certificate ends, and nothing that outlives it', async () => {
    renameSync(join(dir, 'ca', 'ca.key'), join(dir, 'away.key'));
    ca = await open();
    await expect(ca.rotateIssuingKey()).rejects.toMatchObject({ code: 'trust.ca.key', fault: 'caller' });
    expect(ca.trouble()).toBeUndefined();
    wall += 364 * DAY;
    expect(ca.trouble()).toMatch(/ends on 2027-01-01; bring back ca.key/);
    const { certificate, caPem } = await identity('edge-late');
    const [issuing] = readBundle(caPem).issuing;
    expect(certificate.notAfter).toEqual(issuing!.notAfter);
    // The chain ends at midnight: one second before it holds, one second after it does not.
    wall = issuing!.notAfter.getTime();
    expect(checkedCertificate(certificate.der, caPem, at()).holder.name).toBe('edge-late');
    wall += 1000;
    expect(codeOf(() => checkedCertificate(certificate.der, caPem, at()))).toBe('pki.path.time');
    await expect(identity('edge-later')).rejects.toMatchObject({ code: 'trust.ca.key', fault: 'environment' });
    renameSync(join(dir, 'away.key'), join(dir, 'ca', 'ca.key'));
    ca = await open();
    expect((await identity('edge-later')).name).toBe('edge-later');
    expect(ca.trouble()).toBeUndefined();
  });

  it('makes its keys in the place that it is given, and finds them there again', async () => {
    const place = new FileKeyStore(join(dir, 'elsewhere'));
    const openThere = () => DevelopmentCa.open(join(dir, 'ca-2'), { clock, keys: place });
    ca = await openThere();
    const { certificate, caPem } = await identity('edge-nord');
    await ca.rotateIssuingKey();
    expect(readdirSync(join(dir, 'elsewhere'), { recursive: true }).sort()).toEqual(
      ['ca.key', 'issuing', 'issuing/1.key', 'issuing/2.key'].map((each) => each.replaceAll('/', sep)),
    );
    expect(readdirSync(join(dir, 'ca-2'), { recursive: true }).filter((name) => String(name).endsWith('.key'))).toEqual(
      [],
    );
    ca = await openThere();
    expect(ca.bundle.issuing.map((each) => ca.originOf(each))).toEqual(['file', 'file']);
    expect(ca.originOf(certificate)).toBeUndefined();
    expect(checkedCertificate((await identity('edge-sued')).certificate.der, caPem, at()).holder.name).toBe(
      'edge-sued',
    );
    // Without that place nothing can be issued, and that is said at the start.
    const without = DevelopmentCa.open(join(dir, 'ca-2'), { clock });
    await expect(without).rejects.toMatchObject({ code: 'trust.ca.key', fault: 'caller' });
  });

  it('whose keys lie in files moves to another place by rotation', async () => {
    const before = await identity('edge-before');
    const place = new FileKeyStore(join(dir, 'elsewhere'));
    ca = await DevelopmentCa.open(join(dir, 'ca'), { clock, keys: place });
    await ca.rotateIssuingKey();
    expect(readdirSync(join(dir, 'elsewhere', 'issuing'))).toEqual(['2.key']);
    expect((await identity('edge-still')).certificate.issuerDer).toEqual(before.certificate.issuerDer);
    wall += CERTIFICATE_HOURS * HOUR;
    const after = await identity('edge-after');
    expect(Buffer.compare(after.certificate.issuerDer, ca.bundle.issuing.at(-1)!.subjectDer)).toBe(0);
    expect(ca.pathOf(after.certificate)).toHaveLength(3);
  });

  it('keeps what it has issued for as long as it may be asked for, and forgets it then, running or not', async () => {
    const first = await identity('edge-nord');
    const files = () => readdirSync(join(dir, 'ca', 'issued')).length;
    for (let day = 0; day < 500; day++) {
      wall += DAY;
      await identity('edge-sued');
    }
    // 400 days and the three of their lives; one a day.
    expect(files()).toBeLessThanOrEqual(405);
    expect(files()).toBeGreaterThanOrEqual(402);
    expect(ca.certificateOf(first.kid)).toBeUndefined();
    expect(ca.kidsOf(first.certificate.spki)).toEqual([]);
    const running = files();
    await open();
    expect(files()).toBe(running);
    wall += 500 * DAY;
    await open();
    expect(files()).toBe(0);
  });

  it('says in its certificates where its revocation lists are', async () => {
    expect((await identity('edge-before')).certificate.extensions.crlDistributionPoints).toBeUndefined();
    ca = await DevelopmentCa.open(join(dir, 'ca'), { clock, crlUrl: 'http://centre.example:8080/crl' });
    const { certificate } = await identity('edge-nord');
    const [issuer] = ca.bundle.issuing;
    const id = Buffer.from(issuer!.extensions.subjectKeyIdentifier!).toString('hex');
    expect(certificate.extensions.crlDistributionPoints).toEqual([
      { fullName: [{ kind: 'uri', value: `http://centre.example:8080/crl/${id}.crl` }] },
    ]);
  });

  it('gives one key to one name', async () => {
    const owner = await identity('edge-nord');
    const copied = await requestFor({ name: 'edge-sued', role: 'edge' }, owner.signer);
    const refusal = { code: 'trust.ca.key-in-use', fault: 'peer' };
    await expect(ca.issue(copied, { name: 'edge-sued', role: 'edge' })).rejects.toMatchObject(refusal);
    await expect(ca.issue(copied, { name: 'edge-nord', role: 'service' })).rejects.toMatchObject(refusal);
    const reopened = await open();
    await expect(reopened.issue(copied, { name: 'edge-sued', role: 'edge' })).rejects.toMatchObject(refusal);
    expect(await reopened.issue(copied, { name: 'edge-nord', role: 'edge' })).toContain('BEGIN CERTIFICATE');
  });

  it('does not hand out what could not be recorded', async () => {
    const events: CertificateEvent[] = [];
    await identity('centre-before');
    let failing = false;
    await ca.observe(async (event) => {
      if (failing) throw new Error('the disk is full');
      events.push(event);
    });
    // What was issued before somebody observed is told first.
    expect(events.map(({ name, use }) => [name, use])).toEqual([['centre-before', 'identity']]);
    failing = true;
    await expect(identity('edge-nord')).rejects.toMatchObject({ code: 'trust.ca.record', fault: 'environment' });
    expect(ca.validCertificatesOf('edge-nord').size).toBe(0);
    failing = false;
    const { kid } = await identity('edge-nord');
    expect(events.at(-1)).toMatchObject({ name: 'edge-nord', role: 'edge', use: 'identity' });
    expect(ca.certificateOf(kid)?.der).toEqual(events.at(-1)?.certificate.der);
    await ca.rotateIssuingKey();
    expect(events.at(-1)?.use).toBe('authority');
  });

  it('certifies attestation keys for evidence alone', async () => {
    const key = await FileKeySigner.create(join(dir, 'ak.pem'));
    const pem = await ca.issueAttestation(key.publicKey, { name: 'edge-nord', role: 'edge', assurance: ['tpm'] });
    const certificate = checkedCertificate(
      parseCertificate(fromPem('CERTIFICATE', pem)[0]!).der,
      ca.certificatePem,
      at(),
    );
    expect(certificate.holder.name).toBe('edge-nord');
    expect(assuranceOf(certificate)).toEqual(['tpm']);
    expect(maySign(certificate)).toBe(false);
  });
});

describe('what a node knows of the authority', () => {
  it('holds nothing that the anchor has not issued', async () => {
    const key = await FileKeySigner.create(join(dir, 'thief.pem'));
    const name = nameOf({ commonName: 'CloudEnerChain issuing CA 2' });
    const forged = await buildCertificate(
      {
        issuer: name,
        subject: name,
        notBefore: at(),
        notAfter: new Date(wall + DAY),
        publicKey: key.publicKey,
        extensions: { basicConstraints: { ca: true }, keyUsage: ['keyCertSign'] },
      },
      key,
    );
    const present = ca.certificatePem;
    const offered = present + toPem('CERTIFICATE', forged);
    expect(codeOf(() => readBundle(offered))).toBe('trust.ca.bundle');
    expect(newerBundle(present, offered)).toBe(present);
    expect(newerBundle(present, 'nonsense')).toBe(present);
    const other = await DevelopmentCa.open(join(dir, 'other'), { clock });
    expect(newerBundle(present, other.certificatePem)).toBe(present);
    // A node's certificate is no issuing certificate.
    const { certificatePem } = await identity('edge-nord');
    expect(codeOf(() => readBundle(present + certificatePem))).toBe('trust.ca.bundle');
  });
});
