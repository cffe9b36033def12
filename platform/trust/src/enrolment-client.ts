/** Enrolment, renewal and rotation, seen from the device. */
import type { RequestOptions } from 'node:https';
import { EnerchainError } from '@enerchain/model';
import { certificateFromPem, type Signer, thumbprint } from '@enerchain/pki';
import { enrolmentBinding } from './assurance.ts';
import { newerBundle, readBundle } from './ca-bundle.ts';
import { coseSign1 } from './cose.ts';
import { askForCertificate, get } from './enrolment-exchange.ts';
import {
  type HsmTlsKey,
  hasOwnTlsKey,
  type Identity,
  keepCertificates,
  makeIdentity,
  nextKeyIn,
  obtainIdentity,
  openIdentity,
  ROTATION_TYPE,
  requestFor,
  signedTlsRequest,
  type TlsIssuer,
  takeNextKey,
  tlsSigner,
} from './identity.ts';
import type { Holder } from './role.ts';
import { tlsContext } from './tls.ts';
import { readToken } from './token.ts';

/**
 * Makes evidence of the state of this node.
 * @param binding 32 octets that it must be bound to. @returns `undefined` when there is none to give
 */
export type EvidenceMaker = (binding: Uint8Array) => Promise<Uint8Array | undefined>;

/** Octets of evidence that are sent along; more is left out. */
const MAX_EVIDENCE = 512 * 1024;

interface Asking {
  /** Shown along with the request; what it does to the certificate is for the authority to decide. */
  readonly evidence?: EvidenceMaker;
  readonly signal?: AbortSignal;
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

/**
 * Enrols: fetches the CA certificate, compares it with the fingerprint in the token, and only then, over a connection
 * that this CA vouches for, shows the secret and asks for a certificate. The files of the identity end up in `dir`.
 * @param options.url instead of the address in the token, `https://host:port`
 * @param options.signer holds the key of the identity when that lies in an HSM or TPM
 * @param options.tlsInHsm holds that of its connections, when they are not to have one in a file
 * @throws EnerchainError `trust.enrol.fingerprint` when somebody else answers, `trust.enrol.refused`, `trust.enrol.connect`
 */
export async function enrol(
  options: {
    readonly dir: string;
    readonly token: string;
    readonly url?: string;
    readonly signer?: Signer;
    readonly tlsInHsm?: HsmTlsKey | undefined;
  } & Asking,
): Promise<Identity> {
  const token = readToken(options.token);
  const base = options.url ?? token.address;
  const signal = options.signal ? { signal: options.signal } : {};
  const caPem = await authorityAt(base, token.fingerprint, signal);
  const context: RequestOptions = { ...signal, ca: caPem, minVersion: 'TLSv1.3' };
  const issuer = async (request: Uint8Array, key: Signer) => {
    const body = { token: Buffer.from(token.secret).toString('base64url'), request: base64(request) };
    const make = withEvidence(body, token, key, options.evidence);
    const { certificate, ca } = await askForCertificate(new URL('/enrol', base), context, make);
    return { certificate, ca: newerBundle(caPem, ca) };
  };
  const { signer, tlsInHsm: hsm } = options;
  const apart = signer && { signer, tls: tlsIssuer(base, context), hsm };
  return obtainIdentity(options.dir, { name: token.name, role: token.role }, issuer, apart ? { apart } : {});
}

/**
 * The certificates of the authority, from somebody not yet known: nothing secret travels, and what comes back is believed
 * only if the hash of its anchor fits.
 */
export async function authorityAt(
  base: string,
  fingerprint: Uint8Array,
  options: RequestOptions = {},
): Promise<string> {
  const pem = await get(new URL('/enrol/ca', base), { ...options, rejectUnauthorized: false });
  try {
    if (Buffer.compare(thumbprint(readBundle(pem).anchor), fingerprint) === 0) return pem;
  } catch (error) {
    if (!(error instanceof EnerchainError)) throw error;
  }
  throw new EnerchainError(
    'peer',
    'trust.enrol.fingerprint',
    `${base} shows another CA than the token names; the token was not shown to it`,
  );
}

/** A body to which evidence is added, if somebody makes it. */
const withEvidence =
  (body: object, holder: Holder, key: Signer, evidence: EvidenceMaker | undefined) =>
  async (exporter: Uint8Array): Promise<object> => {
    const spki = key.publicKey.export({ type: 'spki', format: 'der' });
    const made = await evidence?.(enrolmentBinding(exporter, holder, spki));
    return made && made.length <= MAX_EVIDENCE ? { ...body, evidence: base64(made) } : body;
  };

/** Asks for a certificate for the key of the connections; the signature of the identity is all that it needs. */
const tlsIssuer =
  (base: string, context: RequestOptions): TlsIssuer =>
  async (request, certificate) => {
    const body = { request: base64(request), certificate: base64(certificate) };
    return (await askForCertificate(new URL('/enrol/tls', base), context, async () => body)).certificate;
  };

/** What is asked as somebody who has an identity. */
export type Renewing = {
  readonly dir: string;
  readonly identity: Identity;
  /** `https://host:port` of the centre. */
  readonly url: string;
} & Asking;

/** TLS as the identity. */
export const tlsOf = ({ identity, signal }: Renewing): RequestOptions => ({
  ...(signal ? { signal } : {}),
  ...tlsContext(identity),
});

/**
 * Renews the certificate of an identity, for the same key, over mTLS, and replaces the files in `dir`: what has changed
 * about the authority comes along.
 */
export async function renew(options: Renewing): Promise<Identity> {
  const { identity, url } = options;
  const { signer, tls } = identity;
  const context = tlsOf(options);
  const body = { request: base64(await requestFor(identity, signer)), certificate: base64(identity.certificate.der) };
  const make = withEvidence(body, identity, signer, options.evidence);
  const { certificate: certificatePem, ca } = await askForCertificate(new URL('/enrol/renew', url), context, make);
  const parts = { certificatePem, caPem: newerBundle(identity.caPem, ca), signer };
  if (!hasOwnTlsKey(identity)) return keep(options.dir, makeIdentity({ ...parts, keyPem: tls.keyPem ?? '' }));
  const certificate = certificateFromPem(certificatePem, 'the answer');
  const signed = await signedTlsRequest(identity, { signer, kid: thumbprint(certificate) }, tlsSigner(tls));
  const own = await tlsIssuer(url, context)(signed, certificate.der);
  return keep(options.dir, makeIdentity({ ...parts, tls: { ...tls, certificatePem: own } }));
}

async function keep(dir: string, identity: Identity): Promise<Identity> {
  await keepCertificates(dir, identity);
  return identity;
}

/** Where the key that follows is made, for an identity whose key lies in an HSM or TPM; see `NodeKeys`. */
export interface NextKeys {
  next(): Promise<Signer>;
  taken(next: Signer): void;
}

/**
 * Makes another key for an identity where the present one lies, and has it certified on the word of the present one. What the
 * present key has signed stays valid; it gets no certificate any more. An answer that was lost is asked for again with the
 * same next key. A key of the connections beside it stays.
 * @param options.keys of an identity whose key lies in an HSM or TPM
 * @throws EnerchainError `trust.rotate.origin` (fault caller) when such an identity comes without, and what `renew` throws
 */
export async function rotateKey(options: Renewing & { readonly keys?: NextKeys }): Promise<Identity> {
  const { dir, identity, url, keys } = options;
  if (hasOwnTlsKey(identity) && !keys) {
    const text = `the key of ${identity.name} is not in a file; say where the next one is to be made`;
    throw new EnerchainError('caller', 'trust.rotate.origin', text);
  }
  const apart = hasOwnTlsKey(identity) ? keys : undefined;
  const next = apart ? await apart.next() : await nextKeyIn(dir);
  const statement = await coseSign1(identity.signer, identity.kid, ROTATION_TYPE, await requestFor(identity, next));
  const body = { request: base64(statement), certificate: base64(identity.certificate.der) };
  const make = withEvidence(body, identity, next, options.evidence);
  const context = tlsOf(options);
  const answer = await askForCertificate(new URL('/enrol/rotate', url), context, make);
  const certificate = certificateFromPem(answer.certificate, 'the answer');
  if (!certificate.publicKey.equals(next.publicKey)) {
    throw new EnerchainError('peer', 'trust.enrol.answer', `${url} certified another key than the next one`);
  }
  if (!apart) {
    await takeNextKey(dir, answer.certificate);
    return openIdentity(dir);
  }
  const by = { signer: next, kid: thumbprint(certificate) };
  const request = await signedTlsRequest(identity, by, tlsSigner(identity.tls));
  const tls = { ...identity.tls, certificatePem: await tlsIssuer(url, context)(request, certificate.der) };
  const caPem = newerBundle(identity.caPem, answer.ca);
  const rotated = makeIdentity({ certificatePem: answer.certificate, caPem, signer: next, tls });
  await keepCertificates(dir, rotated);
  apart.taken(next);
  return rotated;
}
