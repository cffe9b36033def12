/** The identity of a process: a folder with `key.pem` (0600), `certificate.pem` and `ca.pem`. */
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { SecureContextOptions, TlsOptions } from 'node:tls';
import { EnerchainError } from '@enerchain/model';
import {
  buildRequest,
  type Certificate,
  certificateFromPem,
  FileKeySigner,
  type GeneralName,
  nameOf,
  type Signer,
  thumbprint,
} from '@enerchain/pki';
import { checkName, type Holder, holderOf, holderUri, type Role } from './role.ts';

export const IDENTITY_FILES = { key: 'key.pem', certificate: 'certificate.pem', ca: 'ca.pem' } as const;

export interface Identity {
  readonly name: string;
  readonly role: Role;
  readonly certificate: Certificate;
  readonly certificatePem: string;
  /** Absent when the key lies in an HSM or TPM. */
  readonly keyPem?: string;
  readonly signer: Signer;
  /** Key identifier in signatures: SHA-256 of the certificate's DER. */
  readonly kid: Uint8Array;
  readonly caPem: string;
}

/** Asks somebody for a certificate. @returns PEM of the certificate and of the CA */
export type Issuer = (requestDer: Uint8Array) => Promise<{ readonly certificate: string; readonly ca: string }>;

/**
 * Opens the identity in a folder.
 * @throws EnerchainError `trust.identity.missing` when there is none, `trust.identity` when the files do not fit together
 */
export async function openIdentity(dir: string): Promise<Identity> {
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
  const certificatePem = await read(IDENTITY_FILES.certificate);
  const caPem = await read(IDENTITY_FILES.ca);
  const signer = await FileKeySigner.load(join(dir, IDENTITY_FILES.key));
  const keyPem = await read(IDENTITY_FILES.key);
  return makeIdentity({ certificatePem, caPem, signer, keyPem }, dir);
}

/** Puts an identity together. @throws EnerchainError `trust.identity` when the key is not the certificate's */
export function makeIdentity(
  parts: { certificatePem: string; caPem: string; signer: Signer; keyPem?: string },
  where = 'the identity',
): Identity {
  const certificate = certificateFromPem(parts.certificatePem, where);
  certificateFromPem(parts.caPem, where);
  if (!certificate.publicKey.equals(parts.signer.publicKey)) {
    throw new EnerchainError('caller', 'trust.identity', `${where}: the certificate is not that of the key`);
  }
  return { ...parts, ...holderOf(certificate), certificate, kid: thumbprint(certificate) };
}

/**
 * Obtains an identity for a folder: makes the key when there is none, asks the issuer, writes what comes back. A key that
 * is there already is used again, so that an enrolment whose answer was lost can be repeated.
 */
export async function obtainIdentity(
  dir: string,
  holder: Holder,
  issuer: Issuer,
  hosts: readonly GeneralName[] = [],
): Promise<Identity> {
  checkName(holder.name);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const keyFile = join(dir, IDENTITY_FILES.key);
  const signer = await FileKeySigner.load(keyFile).catch((error: unknown) => {
    const code = error instanceof Error ? (error.cause as NodeJS.ErrnoException | undefined)?.code : undefined;
    if (code === 'ENOENT') return FileKeySigner.create(keyFile);
    throw error;
  });
  const { certificate, ca } = await issuer(await requestFor(holder, signer, hosts));
  const identity = makeIdentity(
    { certificatePem: certificate, caPem: ca, signer, keyPem: await readFile(keyFile, 'utf8') },
    dir,
  );
  if (identity.name !== holder.name || identity.role !== holder.role) {
    throw new EnerchainError(
      'peer',
      'trust.identity',
      `the certificate that came back is for ${identity.role} ${identity.name}, not for ${holder.role} ${holder.name}`,
    );
  }
  await writeDurably(join(dir, IDENTITY_FILES.ca), ca);
  await writeDurably(join(dir, IDENTITY_FILES.certificate), certificate);
  return identity;
}

/** PKCS#10 request for a role and name. */
export function requestFor(holder: Holder, signer: Signer, hosts: readonly GeneralName[] = []): Promise<Uint8Array> {
  return buildRequest(
    { subject: nameOf({ commonName: holder.name }), extensions: { subjectAltName: [holderUri(holder), ...hosts] } },
    signer,
  );
}

/** Replaces a file by way of a temporary one, so that a power cut leaves the old or the new, never half of it. */
export async function writeDurably(path: string, text: string, mode = 0o644): Promise<void> {
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

/** What a TLS client or server of this identity needs. @throws EnerchainError (fault unsupported) without a key in a file */
export function tlsContext(identity: Identity): SecureContextOptions {
  if (!identity.keyPem) {
    throw new EnerchainError('unsupported', 'trust.identity.key', `the key of ${identity.name} is not in a file`);
  }
  return {
    key: identity.keyPem,
    // The CA goes along, so that one who enrols can compare it with the fingerprint in the token.
    cert: identity.certificatePem + identity.caPem,
    ca: identity.caPem,
    minVersion: 'TLSv1.3',
  };
}

/**
 * Options of an HTTPS server that knows its clients by certificate. A client without one gets through to the handlers
 * (enrolment needs that): whoever serves something else must look at `socket.authorized`.
 */
export const serverTls = (identity: Identity): TlsOptions => ({
  ...tlsContext(identity),
  requestCert: true,
  rejectUnauthorized: false,
});
