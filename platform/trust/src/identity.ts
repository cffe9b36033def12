/**
 * The identity of a process: a folder with `key.pem` (0600), `certificate.pem` and `ca.pem`.
 *
 * A key in an HSM or TPM signs batches, commands and evidence, and is too slow, or out of reach of OpenSSL, for the
 * handshakes of TLS. Such an identity has a second key beside it, in `tls-key.pem` (0600) with `tls-certificate.pem`, for
 * the same name and role. Whoever copies that file can connect, and can sign nothing. Where it is asked for, the second key
 * lies in the HSM as well, behind an engine of OpenSSL.
 */
import { access, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, EnerchainError, systemClock, toMillis } from '@enerchain/model';
import {
  buildRequest,
  type Certificate,
  certificateFromPem,
  FileKeySigner,
  type GeneralName,
  nameOf,
  type RequestAttribute,
  type Signer,
  thumbprint,
} from '@enerchain/pki';
import { readBundle } from './ca-bundle.ts';
import { requireEs256 } from './cose.ts';
import { checkName, type Holder, holderOf, holderUri, type Role, TLS_ONLY } from './role.ts';

export const IDENTITY_FILES = {
  key: 'key.pem',
  certificate: 'certificate.pem',
  ca: 'ca.pem',
  tlsKey: 'tls-key.pem',
  tlsCertificate: 'tls-certificate.pem',
  nextKey: 'next-key.pem',
  nextCertificate: 'next-certificate.pem',
  keyNumber: 'key-number',
} as const;

/** A key of connections that does not leave its HSM. */
export interface HsmTlsKey {
  readonly signer: Signer;
  /** As the engine `pkcs11` calls it: a URI (RFC 7512) that says where the PIN is. */
  readonly identifier: string;
}

/** The key of the connections: one of the two is there. */
interface TlsSecret {
  readonly keyPem?: string | undefined;
  readonly hsm?: HsmTlsKey | undefined;
}

/** Key and certificate of the connections. */
export interface TlsKey extends TlsSecret {
  readonly certificate: Certificate;
  readonly certificatePem: string;
}

export interface Identity {
  readonly name: string;
  readonly role: Role;
  readonly certificate: Certificate;
  readonly certificatePem: string;
  /** The identity's own key when that lies in a file, otherwise the one beside it. */
  readonly tls: TlsKey;
  readonly signer: Signer;
  /** Key identifier in signatures: SHA-256 of the certificate's DER. */
  readonly kid: Uint8Array;
  readonly caPem: string;
}

/**
 * Asks somebody for a certificate.
 * @param request PKCS#10, DER; one that travels is made anew with the key, since it is linked to its channel
 * @returns PEM of the certificate and of the authority
 */
export type Issuer = (
  request: Uint8Array,
  key: Signer,
) => Promise<{ readonly certificate: string; readonly ca: string }>;

/**
 * Asks for a certificate for the key of the connections.
 * @param request as for `Issuer`
 * @param by whose signature authorises it
 * @returns PEM
 */
export type TlsIssuer = (request: Uint8Array, key: Signer, by: SigningKey) => Promise<string>;

/** The key of an identity, with its certificate. */
export type SigningKey = Pick<Identity, 'signer' | 'certificate'>;

/**
 * Opens the identity in a folder.
 * @param signer holds the key when that does not lie in the folder
 * @param tlsInHsm holds the key of the connections when that does not lie there either
 * @throws EnerchainError `trust.identity.missing` when there is none, `trust.identity` when the files do not fit together
 */
export async function openIdentity(dir: string, signer?: Signer, tlsInHsm?: HsmTlsKey): Promise<Identity> {
  const read = async (file: string) => {
    try {
      return await readFile(join(dir, file), 'utf8');
    } catch (cause) {
      const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
      throw new EnerchainError(
        missing ? 'caller' : 'environment',
        missing ? 'trust.identity.missing' : 'trust.identity.read',
        missing ? `there is no identity in ${dir}; enrol first` : `the identity in ${dir} cannot be read`,
        { cause },
      );
    }
  };
  if (!signer) await finishRotation(dir);
  const parts = { certificatePem: await read(IDENTITY_FILES.certificate), caPem: await read(IDENTITY_FILES.ca) };
  if (!signer) {
    const keyPem = await read(IDENTITY_FILES.key);
    return makeIdentity({ ...parts, signer: await FileKeySigner.load(join(dir, IDENTITY_FILES.key)), keyPem }, dir);
  }
  const secret = tlsInHsm ? { hsm: tlsInHsm } : { keyPem: await read(IDENTITY_FILES.tlsKey) };
  const tls = { ...secret, certificatePem: await read(IDENTITY_FILES.tlsCertificate) };
  return makeIdentity({ ...parts, signer, tls }, dir);
}

/** What an identity is put together from: with `keyPem`, that key serves the connections too. */
export type IdentityParts = {
  readonly certificatePem: string;
  readonly caPem: string;
  readonly signer: Signer;
} & ({ readonly keyPem: string } | { readonly tls: TlsSecret & { readonly certificatePem: string } });

/** Signs requests for certificates of the key of the connections. */
export const tlsSigner = ({ keyPem, hsm }: TlsSecret, where = 'the identity'): Signer =>
  hsm?.signer ?? FileKeySigner.fromPem(keyPem ?? '', where);

/** Puts an identity together. @throws EnerchainError `trust.identity` when a key is not its certificate's, `cose.algorithm` when it is not on P-256 */
export function makeIdentity(parts: IdentityParts, where = 'the identity'): Identity {
  const { certificatePem, caPem, signer } = parts;
  const certificate = certificateFromPem(certificatePem, where);
  readBundle(caPem);
  const wrong = (text: string) => new EnerchainError('caller', 'trust.identity', `${where}: ${text}`);
  if (!certificate.publicKey.equals(signer.publicKey)) throw wrong('the certificate is not that of the key');
  // Said here, not when the first batch is to be signed.
  requireEs256(signer);
  const holder = holderOf(certificate);
  const kid = thumbprint(certificate);
  if ('keyPem' in parts) {
    const tls = { keyPem: parts.keyPem, certificate, certificatePem };
    return { ...holder, certificate, certificatePem, tls, signer, kid, caPem };
  }
  const tls = { ...parts.tls, certificate: certificateFromPem(parts.tls.certificatePem, where) };
  const connected = holderOf(tls.certificate);
  if (connected.name !== holder.name || connected.role !== holder.role) {
    throw wrong(`the certificate for TLS is for ${connected.role} ${connected.name}`);
  }
  if (!tls.certificate.publicKey.equals(tlsSigner(tls, where).publicKey)) {
    throw wrong('the certificate for TLS is not that of its key');
  }
  return { ...holder, certificate, certificatePem, tls, signer, kid, caPem };
}

/** Whether the certificate has ended. */
export const hasEnded = ({ certificate }: Identity, clock: Clock = systemClock): boolean =>
  certificate.notAfter.getTime() < toMillis(clock.now());

/** Whether the connections have a key of their own beside the identity's. */
export const hasOwnTlsKey = (identity: Identity): boolean => identity.tls.certificatePem !== identity.certificatePem;

/**
 * Obtains an identity for a folder: makes the key when there is none, asks the issuer, writes what comes back. A key that
 * is there already is used again, so that an enrolment whose answer was lost can be repeated.
 * @param options.apart the key lies in an HSM or TPM, and the connections get another, for which `tls` is asked; it is made
 *   in the folder unless `hsm` holds it
 */
export async function obtainIdentity(
  dir: string,
  holder: Holder,
  issuer: Issuer,
  options: {
    readonly hosts?: readonly GeneralName[];
    readonly apart?: { readonly signer: Signer; readonly tls: TlsIssuer; readonly hsm?: HsmTlsKey | undefined };
  } = {},
): Promise<Identity> {
  checkName(holder.name);
  const { hosts = [], apart } = options;
  await mkdir(dir, { recursive: true, mode: 0o700 });
  if (!apart) {
    const keyFile = join(dir, IDENTITY_FILES.key);
    const signer = await keyIn(keyFile);
    const { certificate: certificatePem, ca: caPem } = await issuer(await requestFor(holder, signer, hosts), signer);
    const keyPem = await readFile(keyFile, 'utf8');
    return kept(dir, holder, makeIdentity({ certificatePem, caPem, signer, keyPem }, dir));
  }
  const { signer, hsm } = apart;
  const tlsFile = join(dir, IDENTITY_FILES.tlsKey);
  const tlsKey = hsm?.signer ?? (await keyIn(tlsFile));
  const { certificate: certificatePem, ca: caPem } = await issuer(await requestFor(holder, signer, hosts), signer);
  const by = { signer, certificate: certificateFromPem(certificatePem, 'the answer') };
  const request = await requestFor(holder, tlsKey, [...hosts, TLS_ONLY]);
  const secret = hsm ? { hsm } : { keyPem: await readFile(tlsFile, 'utf8') };
  const tls = { ...secret, certificatePem: await apart.tls(request, tlsKey, by) };
  return kept(dir, holder, makeIdentity({ certificatePem, caPem, signer, tls }, dir));
}

async function kept(dir: string, holder: Holder, identity: Identity): Promise<Identity> {
  if (identity.name !== holder.name || identity.role !== holder.role) {
    throw new EnerchainError(
      'peer',
      'trust.identity',
      `the certificate that came back is for ${identity.role} ${identity.name}, not for ${holder.role} ${holder.name}`,
    );
  }
  await keepCertificates(dir, identity);
  return identity;
}

/** Writes what of an identity is public; the certificate last, since with it the identity is there. */
export async function keepCertificates(dir: string, identity: Identity): Promise<void> {
  await writeDurably(join(dir, IDENTITY_FILES.ca), identity.caPem);
  if (hasOwnTlsKey(identity)) {
    await writeDurably(join(dir, IDENTITY_FILES.tlsCertificate), identity.tls.certificatePem);
  }
  await writeDurably(join(dir, IDENTITY_FILES.certificate), identity.certificatePem);
}

/** Makes, or finds, the key that follows. */
export const nextKeyIn = (dir: string): Promise<FileKeySigner> => keyIn(join(dir, IDENTITY_FILES.nextKey));

/** Puts the next key and its certificate in the place of the present ones; a power cut at any point is made good by `openIdentity`. */
export async function takeNextKey(dir: string, certificatePem: string): Promise<void> {
  await writeDurably(join(dir, IDENTITY_FILES.nextCertificate), certificatePem);
  await finishRotation(dir);
}

/** With the next certificate on the disk, the rotation is decided: the key goes first, then the certificate. */
async function finishRotation(dir: string): Promise<void> {
  const [nextKey, key, nextCertificate, certificate] = (
    ['nextKey', 'key', 'nextCertificate', 'certificate'] as const
  ).map((name) => join(dir, IDENTITY_FILES[name])) as [string, string, string, string];
  const exists = (path: string) =>
    access(path).then(
      () => true,
      () => false,
    );
  if (!(await exists(nextCertificate))) return;
  if (await exists(nextKey)) await rename(nextKey, key);
  await rename(nextCertificate, certificate);
}

async function keyIn(path: string): Promise<FileKeySigner> {
  try {
    return await FileKeySigner.load(path);
  } catch (error) {
    const code = error instanceof Error ? (error.cause as NodeJS.ErrnoException | undefined)?.code : undefined;
    if (code === 'ENOENT') return FileKeySigner.create(path);
    throw error;
  }
}

/**
 * PKCS#10 request for a role and name.
 * @param more what links it to a channel, and what comes along
 */
export function requestFor(
  holder: Holder,
  signer: Signer,
  hosts: readonly GeneralName[] = [],
  more: { readonly challengePassword?: string; readonly attributes?: readonly RequestAttribute[] } = {},
): Promise<Uint8Array> {
  const extensions = { subjectAltName: [holderUri(holder), ...hosts] };
  return buildRequest({ subject: nameOf({ commonName: holder.name }), extensions, ...more }, signer);
}

/** Replaces a file by way of a temporary one, so that a power cut leaves the old or the new, never half of it. */
export async function writeDurably(path: string, text: string | Uint8Array, mode = 0o644): Promise<void> {
  const temporary = `${path}.new`;
  try {
    const file = await open(temporary, 'w', mode);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw new EnerchainError('environment', 'trust.write', `${path} cannot be written`, { cause });
  }
}
