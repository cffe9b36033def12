/**
 * Requests of the German smart metering PKI: the three of a participant (TLS, SIG, ENC) in one package, signed as CMS
 * (TR-03109-4, TR-03129-4). The first package is signed with the new key for signatures itself, and is authorised by other
 * means; a renewal is signed with the key of the present SIG certificate.
 *
 * From memory: that the content is `SEQUENCE OF CertificationRequest`, and its type. Check both against the current text
 * before you rely on them; the type can be handed in.
 */
import { ALGORITHMS, algorithmOf } from '../algorithm.ts';
import { type Certificate, parseCertificate } from '../certificate.ts';
import {
  buildCertificatesOnly,
  buildSignedData,
  parseSignedData,
  verifySignedBy,
  verifySignedData,
} from '../cms/signed-data.ts';
import { DerReader } from '../der-reader.ts';
import { TAG } from '../der-tags.ts';
import * as der from '../der-writer.ts';
import { PkiError } from '../error.ts';
import type { ExtensionSet, KeyUsage } from '../extension.ts';
import type { GeneralName } from '../general-name.ts';
import { commonNameOf, type Name } from '../name.ts';
import { OID } from '../oid.ts';
import { checkProfile } from '../profile/profile.ts';
import {
  checkTriple,
  SM_PKI_POLICY,
  SM_PKI_USES,
  type SmPkiRole,
  type SmPkiUse,
  smPkiEndEntity,
} from '../profile/sm-pki.ts';
import { buildRequest, type CertificationRequest, parseRequest } from '../request.ts';
import type { Signer } from '../signer.ts';

/** id-CertReqMsgs; from memory. */
export const SM_PKI_REQUESTS = '0.4.0.127.0.7.4.1.1.1';

export type Triple<T> = Readonly<Record<SmPkiUse, T>>;

export interface PackageFields {
  readonly role: SmPkiRole;
  readonly subject: Name;
  /** Not for a gateway, needed for everybody else. */
  readonly names?: readonly GeneralName[];
  /** The three new keys, which have to be different. */
  readonly keys: Triple<Signer>;
  /** Of a renewal: the present SIG certificate and its key. */
  readonly present?: { readonly certificate: Certificate; readonly signer: Signer };
  readonly signingTime?: Date;
  readonly contentType?: string;
}

/** @returns DER of a ContentInfo. @throws PkiError `pki.smpki.package` (fault caller) when the requests would be refused */
export async function buildRequestPackage(fields: PackageFields): Promise<Uint8Array> {
  const { role, subject, names = [], keys, present, signingTime, contentType = SM_PKI_REQUESTS } = fields;
  const requests = await Promise.all(
    SM_PKI_USES.map((use) => buildRequest({ subject, extensions: wishes(role, use, names) }, keys[use])),
  );
  checkRequests(byUse(requests.map(parseRequest), 'caller'), role, 'caller');
  const time = signingTime ? { signingTime } : {};
  return buildSignedData({
    contentType,
    content: der.sequence(...requests),
    signers: [present ? { ...present, ...time } : { signer: keys.SIG, ...time }],
  });
}

/** What a request asks for; the authority decides by its own profile. */
function wishes(role: SmPkiRole, use: SmPkiUse, names: readonly GeneralName[]): ExtensionSet {
  const { keyUsage, extKeyUsage } = smPkiEndEntity(role, use);
  const usages = [...(extKeyUsage?.all ?? []), ...(extKeyUsage?.also ?? [])];
  return {
    keyUsage: keyUsage.all,
    ...(usages.length > 0 && { extKeyUsage: usages }),
    ...(names.length > 0 && { subjectAltName: names }),
    certificatePolicies: [{ oid: SM_PKI_POLICY }],
  };
}

export interface RequestPackage {
  readonly requests: Triple<CertificationRequest>;
  /** Of a renewal: who has signed it. That the certificate is to be believed is for the caller to check. */
  readonly renewalOf: Certificate | undefined;
  readonly signingTime: Date | undefined;
}

/**
 * Opens a package and checks all of it: three requests with proof of possession, for one subject and three keys, within the
 * profile, signed with the present SIG key or with the new one.
 * @throws PkiError (fault peer): `pki.smpki.package` with what does not fit, and what CMS and PKCS#10 throw
 */
export function readRequestPackage(bytes: Uint8Array, role: SmPkiRole, contentType = SM_PKI_REQUESTS): RequestPackage {
  const signed = parseSignedData(bytes);
  if (signed.contentType !== contentType || !signed.content) throw refuse('peer', 'it holds no certification requests');
  const reader = new DerReader(signed.content);
  const list = reader.sequence('requests');
  reader.end('requests');
  const requests: CertificationRequest[] = [];
  while (!list.done) {
    if (requests.length === SM_PKI_USES.length) throw refuse('peer', 'it holds more than three requests');
    requests.push(parseRequest(list.take(TAG.sequence, 'request').raw));
  }
  const triple = byUse(requests, 'peer');
  checkRequests(triple, role, 'peer');
  const [signer] = signed.signers;
  if (signed.signers.length > 1) throw refuse('peer', 'more than one has signed it');
  const { signingTime } = signer ?? {};
  if (signed.certificates.length === 0) {
    verifySignedBy(signed, triple.SIG.publicKey);
    return { requests: triple, renewalOf: undefined, signingTime };
  }
  const [verified] = verifySignedData(signed);
  const { certificate } = verified!;
  if (!sameSubject(certificate.subject, triple.SIG.subject)) throw refuse('peer', 'somebody else has signed it');
  if (SM_PKI_USES.some((use) => triple[use].publicKey.equals(certificate.publicKey))) {
    throw refuse('peer', 'a renewal needs new keys');
  }
  return { requests: triple, renewalOf: certificate, signingTime };
}

const refuse = (fault: 'peer' | 'caller', why: string) =>
  new PkiError(fault, 'pki.smpki.package', `the package of requests cannot be used: ${why}`);

/** Which request is which: by the key usage and extended key usage it asks for. */
function byUse(requests: readonly CertificationRequest[], fault: 'peer' | 'caller'): Triple<CertificationRequest> {
  const found = new Map<SmPkiUse, CertificationRequest>();
  for (const request of requests) {
    const { keyUsage = [], extKeyUsage = [] } = request.extensions;
    const agrees = keyUsage.includes('keyAgreement' satisfies KeyUsage);
    const use = agrees
      ? 'ENC'
      : extKeyUsage.includes(OID.serverAuth) || extKeyUsage.includes(OID.clientAuth)
        ? 'TLS'
        : 'SIG';
    if (found.has(use)) throw refuse(fault, `two requests are for ${use}`);
    found.set(use, request);
  }
  const [TLS, SIG, ENC] = SM_PKI_USES.map((use) => found.get(use));
  if (!TLS || !SIG || !ENC) throw refuse(fault, 'it must hold one request each for TLS, SIG and ENC');
  return { TLS, SIG, ENC };
}

function checkRequests(triple: Triple<CertificationRequest>, role: SmPkiRole, fault: 'peer' | 'caller'): void {
  const findings: string[] = [];
  const keys = new Set(SM_PKI_USES.map((use) => Buffer.from(triple[use].spki).toString('hex')));
  if (keys.size !== SM_PKI_USES.length) findings.push('two of the three requests share a key');
  for (const use of SM_PKI_USES) {
    const { subject, publicKey, extensions } = triple[use];
    const profile = smPkiEndEntity(role, use);
    if (!sameSubject(subject, triple.SIG.subject)) findings.push('the requests are not of one holder');
    const algorithm = algorithmOf(publicKey);
    if (!algorithm || !profile.keys.includes(algorithm)) {
      findings.push(
        `the key for ${use} is not on one of the curves ${profile.keys.map((key) => ALGORITHMS[key].curve).join(', ')}`,
      );
    }
    const name = commonNameOf(subject) ?? '';
    const rule = profile.subject.find(({ type }) => type === OID.commonName);
    if (rule?.matches && !new RegExp(`^(?:${rule.matches})$`).test(name))
      findings.push(`'${name}' is no name of a ${role}`);
    const named = (extensions.subjectAltName?.length ?? 0) > 0;
    const presence = profile.extensions.subjectAltName?.presence;
    if (presence === 'required' && !named) findings.push(`the request for ${use} has no alternative names`);
    if (presence === 'forbidden' && named) findings.push(`the request for ${use} must not have alternative names`);
  }
  if (findings.length > 0) throw refuse(fault, [...new Set(findings)].join('; '));
}

const sameSubject = (one: Name, other: Name): boolean => JSON.stringify(one) === JSON.stringify(other);

/** The answer of the authority: the three certificates, with those that lead to its root. */
export const buildTripleAnswer = (triple: Triple<Uint8Array>, chain: readonly Uint8Array[] = []): Uint8Array =>
  buildCertificatesOnly([...SM_PKI_USES.map((use) => triple[use]), ...chain]);

/**
 * Takes the answer apart, and checks that it is what was asked for: a certificate for each of the keys, within the profile, of one
 * holder and one issuer. The path to the root is for the caller to check.
 * @throws PkiError `pki.smpki.answer` (fault peer)
 */
export function readTripleAnswer(
  bytes: Uint8Array,
  role: SmPkiRole,
  keys: Triple<Pick<Signer, 'publicKey'>>,
): { readonly triple: Triple<Certificate>; readonly chain: readonly Certificate[] } {
  const certificates = parseSignedData(bytes).certificates.map(parseCertificate);
  const wrong = (why: string) => new PkiError('peer', 'pki.smpki.answer', `the answer cannot be used: ${why}`);
  const [TLS, SIG, ENC] = SM_PKI_USES.map((use) =>
    certificates.find((each) => each.publicKey.equals(keys[use].publicKey)),
  );
  if (!TLS || !SIG || !ENC) throw wrong('a certificate for one of the three keys is missing');
  const triple = { TLS, SIG, ENC };
  const findings = [
    ...SM_PKI_USES.flatMap((use) => checkProfile(triple[use], smPkiEndEntity(role, use))),
    ...checkTriple(triple),
  ];
  if (findings.length > 0) throw wrong(findings.map(({ text }) => text).join('; '));
  return { triple, chain: certificates.filter((each) => each !== TLS && each !== SIG && each !== ENC) };
}
