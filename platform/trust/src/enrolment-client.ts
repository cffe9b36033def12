/** Enrolment, renewal and rotation, seen from the device. */
import { EnerchainError } from '@enerchain/model';
import { certificateFromPem, type Signer } from '@enerchain/pki';
import {
  type AuthorityAt,
  authorityAt,
  authorityNow,
  certifyKey,
  type EvidenceMaker,
  enrolKey,
} from './enrolment-est.ts';
import {
  type HsmTlsKey,
  hasOwnTlsKey,
  type Identity,
  keepCertificates,
  makeIdentity,
  nextKeyIn,
  obtainIdentity,
  openIdentity,
  type SigningKey,
  takeNextKey,
  tlsSigner,
} from './identity.ts';
import { TLS_ONLY } from './role.ts';
import { tlsContext } from './tls.ts';
import { readToken } from './token.ts';

interface Asking {
  /** Shown along with the request; what it does to the certificate is for the authority to decide. */
  readonly evidence?: EvidenceMaker;
  readonly signal?: AbortSignal;
}

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
  const { signal, signer, tlsInHsm: hsm, evidence } = options;
  const url = options.url ?? token.address;
  const caPem = await authorityAt(url, token.fingerprint, signal);
  const at: AuthorityAt = { url, tls: { ca: caPem, minVersion: 'TLSv1.3' }, signal };
  const holder = { name: token.name, role: token.role };
  const issuer = async (_: Uint8Array, key: Signer) => {
    const certificate = await enrolKey(at, token.secret, { holder, key, evidence });
    return { certificate, ca: await authorityNow(at, caPem) };
  };
  const tls = (_: Uint8Array, key: Signer, by: SigningKey) => certifyKey(at, by, { holder, key, names: [TLS_ONLY] });
  return obtainIdentity(options.dir, holder, issuer, signer ? { apart: { signer, tls, hsm } } : {});
}

/** What is asked as somebody who has an identity. */
export type Renewing = {
  readonly dir: string;
  readonly identity: Identity;
  /** `https://host:port` of the centre. */
  readonly url: string;
} & Asking;

/** The authority, over TLS as the identity. */
export const authorityOf = ({ identity, url, signal }: Renewing): AuthorityAt => ({
  url,
  tls: tlsContext(identity),
  signal,
});

/**
 * Renews the certificate of an identity, for the same key, on the word of that key, and replaces the files in `dir`: what has
 * changed about the authority comes along.
 */
export async function renew(options: Renewing): Promise<Identity> {
  const { identity, evidence } = options;
  const { signer, tls } = identity;
  const at = authorityOf(options);
  const certificatePem = await certifyKey(at, identity, { holder: identity, key: signer, evidence });
  const parts = { certificatePem, caPem: await authorityNow(at, identity.caPem), signer };
  if (!hasOwnTlsKey(identity)) return keep(options.dir, makeIdentity({ ...parts, keyPem: tls.keyPem ?? '' }));
  const by = { signer, certificate: certificateFromPem(certificatePem, 'the answer') };
  return keep(options.dir, makeIdentity({ ...parts, tls: await connectionKey(at, identity, by) }));
}

/** The key of the connections, with another certificate. @param by the key of the identity as it is certified now */
async function connectionKey(at: AuthorityAt, identity: Identity, by: SigningKey) {
  const { tls } = identity;
  const wanted = { holder: identity, key: tlsSigner(tls), names: [TLS_ONLY] };
  return { ...tls, certificatePem: await certifyKey(at, by, wanted) };
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
  const { dir, identity, keys, evidence } = options;
  if (hasOwnTlsKey(identity) && !keys) {
    const text = `the key of ${identity.name} is not in a file; say where the next one is to be made`;
    throw new EnerchainError('caller', 'trust.rotate.origin', text);
  }
  const apart = hasOwnTlsKey(identity) ? keys : undefined;
  const next = apart ? await apart.next() : await nextKeyIn(dir);
  const at = authorityOf(options);
  const certificatePem = await certifyKey(at, identity, { holder: identity, key: next, evidence });
  if (!apart) {
    await takeNextKey(dir, certificatePem);
    return openIdentity(dir);
  }
  const by = { signer: next, certificate: certificateFromPem(certificatePem, 'the answer') };
  const tls = await connectionKey(at, identity, by);
  const caPem = await authorityNow(at, identity.caPem);
  const rotated = makeIdentity({ certificatePem, caPem, signer: next, tls });
  await keepCertificates(dir, rotated);
  apart.taken(next);
  return rotated;
}
