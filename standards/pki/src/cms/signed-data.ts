/** SignedData (RFC 5652 § 5): written and read as DER, signed with ECDSA and SHA-2 (RFC 5753 § 2.1, RFC 5754 § 3.3). */
import { createHash, type KeyObject, timingSafeEqual } from 'node:crypto';
import {
  ALGORITHMS,
  checkSignatureSize,
  algorithmIdentifier as signatureIdentifier,
  signatureToDer,
} from '../algorithm.ts';
import { type Certificate, parseCertificate } from '../certificate.ts';
import { DerReader } from '../der-reader.ts';
import { context, TAG } from '../der-tags.ts';
import * as der from '../der-writer.ts';
import { PkiError } from '../error.ts';
import { OID } from '../oid.ts';
import { keyIdentifier, signedBy } from '../signed.ts';
import type { Signer } from '../signer.ts';
import {
  algorithmIdentifier,
  type CertificateIdentifier,
  type CmsAttribute,
  contentInfo,
  encodeAttributes,
  expectType,
  identifies,
  issuerAndSerialNumber,
  readAll,
  readAttributes,
  readContentInfo,
  readPlainAlgorithm,
  readSignerIdentifier,
  retagged,
  singleValue,
  subjectKeyIdentifierOf,
} from './content-info.ts';
import { CMS_OID } from './oid.ts';

const DIGESTS: Readonly<Record<string, string>> = {
  [CMS_OID.sha256]: 'sha256',
  [CMS_OID.sha384]: 'sha384',
  [CMS_OID.sha512]: 'sha512',
};

/** Signature algorithms whose name says the hash; it must be that of the digest (RFC 5753 § 2.1.1). */
const SIGNATURE_HASH: Readonly<Record<string, string>> = {
  [OID.ecdsaWithSha256]: 'sha256',
  [OID.ecdsaWithSha384]: 'sha384',
  [OID.ecdsaWithSha512]: 'sha512',
  [OID.sha256WithRsa]: 'sha256',
  [OID.sha384WithRsa]: 'sha384',
  [OID.sha512WithRsa]: 'sha512',
};

/** One who signs. */
export interface CmsSigner {
  readonly signer: Signer;
  /** Absent where there is none yet: the key is then named by its identifier (RFC 5280 § 4.2.1.2 method 1). */
  readonly certificate?: Certificate;
  /** How the certificate is named; by default by issuer and serial number. */
  readonly identifiedBy?: CertificateIdentifier['kind'];
  readonly signingTime?: Date;
  /** Signed besides content type, digest and time. */
  readonly attributes?: readonly CmsAttribute[];
}

export interface SignedDataFields {
  /** Object identifier of what the content is; by default `data`. */
  readonly contentType?: string;
  readonly content: Uint8Array;
  /** The content is not part of the message. */
  readonly detached?: boolean;
  readonly signers: readonly CmsSigner[];
  /** DER; by default the certificates of the signers. */
  readonly certificates?: readonly Uint8Array[];
  /** DER. */
  readonly revocationLists?: readonly Uint8Array[];
}

/** Signs content, with signed attributes. @returns DER of a ContentInfo */
export async function buildSignedData(fields: SignedDataFields): Promise<Uint8Array> {
  const { content, contentType = CMS_OID.data, signers, revocationLists = [] } = fields;
  if (signers.length === 0) throw new PkiError('caller', 'pki.cms.signers', 'a signed message needs a signer');
  const certificates =
    fields.certificates ?? signers.flatMap(({ certificate }) => (certificate ? [certificate.der] : []));
  const infos = await Promise.all(signers.map((each) => signerInfo(each, contentType, content)));
  return encodeSignedData({
    // § 5.1: 3 where the content is no plain data or a signer is named by key identifier.
    version: contentType !== CMS_OID.data || signers.some(byKeyIdentifier) ? 3 : 1,
    digests: [...new Set(infos.map(({ digest }) => digest))],
    encapsulated: der.sequence(
      der.objectIdentifier(contentType),
      ...(fields.detached ? [] : [der.explicit(0, der.octetString(content))]),
    ),
    certificates,
    revocationLists,
    signerInfos: infos.map(({ info }) => info),
  });
}

/** The degenerate form without content and signers that carries certificates and lists (§ 5.2; RFC 7030 § 4.1.3). */
export const buildCertificatesOnly = (
  certificates: readonly Uint8Array[],
  revocationLists: readonly Uint8Array[] = [],
): Uint8Array =>
  encodeSignedData({
    version: 1,
    digests: [],
    encapsulated: der.sequence(der.objectIdentifier(CMS_OID.data)),
    certificates,
    revocationLists,
    signerInfos: [],
  });

/** Content that nobody signs, for where the channel says whose it is. */
export const buildUnsignedData = (contentType: string, content: Uint8Array): Uint8Array =>
  encodeSignedData({
    version: 3,
    digests: [],
    encapsulated: der.sequence(der.objectIdentifier(contentType), der.explicit(0, der.octetString(content))),
    certificates: [],
    revocationLists: [],
    signerInfos: [],
  });

const byKeyIdentifier = ({ certificate, identifiedBy }: CmsSigner) =>
  !certificate || identifiedBy === 'subjectKeyIdentifier';

function encodeSignedData(parts: {
  version: number;
  digests: readonly string[];
  encapsulated: Uint8Array;
  certificates: readonly Uint8Array[];
  revocationLists: readonly Uint8Array[];
  signerInfos: readonly Uint8Array[];
}): Uint8Array {
  const optional = (n: number, items: readonly Uint8Array[]) =>
    items.length === 0 ? [] : [retagged(context(n), der.setOf(...items))];
  return contentInfo(
    CMS_OID.signedData,
    der.sequence(
      der.integer(parts.version),
      der.setOf(...parts.digests.map((oid) => algorithmIdentifier(oid))),
      parts.encapsulated,
      ...optional(0, parts.certificates),
      ...optional(1, parts.revocationLists),
      der.setOf(...parts.signerInfos),
    ),
  );
}

const spkiOf = (key: KeyObject): Uint8Array => key.export({ type: 'spki', format: 'der' });

async function signerInfo(each: CmsSigner, contentType: string, content: Uint8Array) {
  const { certificate, signer, signingTime, attributes = [] } = each;
  if (certificate && !certificate.publicKey.equals(signer.publicKey)) {
    throw new PkiError('caller', 'pki.cms.signer', 'the certificate is not that of the key that signs');
  }
  const { hash } = ALGORITHMS[signer.algorithm];
  const digest = Object.keys(DIGESTS).find((oid) => DIGESTS[oid] === hash)!;
  const set = encodeAttributes([
    { type: CMS_OID.contentType, values: [der.objectIdentifier(contentType)] },
    { type: CMS_OID.messageDigest, values: [der.octetString(createHash(hash).update(content).digest())] },
    ...(signingTime ? [{ type: CMS_OID.signingTime, values: [der.time(signingTime)] }] : []),
    ...attributes,
  ]);
  const signature = await signer.sign(set);
  checkSignatureSize(signer.algorithm, signature);
  const identifier =
    certificate && !byKeyIdentifier(each)
      ? issuerAndSerialNumber(certificate)
      : der.implicitPrimitive(
          0,
          certificate ? subjectKeyIdentifierOf(certificate) : keyIdentifier(spkiOf(signer.publicKey)),
        );
  const info = der.sequence(
    der.integer(byKeyIdentifier(each) ? 3 : 1),
    identifier,
    algorithmIdentifier(digest),
    retagged(context(0), set),
    signatureIdentifier(signer.algorithm),
    der.octetString(signatureToDer(signature)),
  );
  return { info, digest };
}

export interface SignerInfo {
  readonly identifier: CertificateIdentifier;
  /** Name of the hash for node:crypto; `undefined` for one that is not known here. */
  readonly digest: string | undefined;
  readonly signatureAlgorithm: string;
  readonly signature: Uint8Array;
  /** Absent: the signature is over the content itself. */
  readonly signedAttributes?: readonly CmsAttribute[];
  /** What is signed when there are attributes: their SET. */
  readonly signedSet?: Uint8Array;
  readonly signingTime?: Date;
}

export interface SignedData {
  /** What the content is. */
  readonly contentType: string;
  /** Absent when it is detached. */
  readonly content?: Uint8Array;
  /** DER, as they stand; attribute certificates and other forms are passed over. */
  readonly certificates: readonly Uint8Array[];
  /** DER, as they stand; other revocation information is passed over. */
  readonly revocationLists: readonly Uint8Array[];
  readonly signers: readonly SignerInfo[];
}

/** Reads; nothing is verified yet. @throws PkiError (fault peer) when the bytes are no SignedData in DER */
export function parseSignedData(bytes: Uint8Array): SignedData {
  const info = readContentInfo(bytes);
  expectType(info.contentType, CMS_OID.signedData, 'SignedData');
  const inner = info.content.sequence('SignedData');
  info.content.end('ContentInfo');
  const version = inner.smallInteger('version');
  if (version < 1 || version > 5) throw inner.fail(`version ${version} of SignedData is not known`);
  readAll(inner.open(TAG.set, 'digest algorithms'), 'digest algorithms', (each) =>
    readPlainAlgorithm(each, 'digest algorithm'),
  );
  const encapsulated = inner.sequence('encapsulated content');
  const contentType = encapsulated.objectIdentifier('content type');
  const wrapped = encapsulated.optional(0, 'content');
  const content = wrapped?.octetString('content');
  wrapped?.end('content');
  encapsulated.end('encapsulated content');
  const objects = (n: number, what: string) =>
    readAll(inner.optional(n, what) ?? new DerReader(new Uint8Array()), what, (each) => each.any(what))
      .filter(({ tag }) => tag === TAG.sequence)
      .map(({ raw }) => raw);
  const certificates = objects(0, 'certificates');
  const revocationLists = objects(1, 'revocation lists');
  const signers = readAll(inner.open(TAG.set, 'signers'), 'signers', readSignerInfo);
  inner.end('SignedData');
  return { contentType, certificates, revocationLists, signers, ...(content && { content }) };
}

function readSignerInfo(reader: DerReader): SignerInfo {
  const inner = reader.sequence('signer');
  const version = inner.smallInteger('version');
  const identifier = readSignerIdentifier(inner);
  if (version !== (identifier.kind === 'subjectKeyIdentifier' ? 3 : 1)) {
    throw inner.fail(`version ${version} of the signer does not go with how it is named`);
  }
  const digest = DIGESTS[readPlainAlgorithm(inner, 'digest algorithm')];
  const signed = readAttributes(inner, 0, 'signed attributes');
  const signatureAlgorithm = readPlainAlgorithm(inner, 'signature algorithm');
  const signature = inner.octetString('signature');
  readAttributes(inner, 1, 'unsigned attributes');
  inner.end('signer');
  const time = signed && singleValue(signed.list, CMS_OID.signingTime, 'signing time');
  return {
    identifier,
    digest,
    signatureAlgorithm,
    signature,
    ...(signed && { signedAttributes: signed.list, signedSet: signed.set }),
    ...(time && { signingTime: time.time('signing time') }),
  };
}

export interface VerifiedSigner {
  readonly certificate: Certificate;
  /** What the signer claims; nobody vouches for it. */
  readonly signingTime?: Date;
  readonly attributes: readonly CmsAttribute[];
}

/**
 * Verifies every signature of a message (§ 5.6). Whether the certificates are to be believed is for the caller to check.
 * @param options.content the content of a detached signature
 * @param options.certificates where signers are looked up besides the message's own
 * @returns one entry per signer, in the order of the message
 * @throws PkiError `pki.cms.unsigned`, `pki.cms.content`, `pki.cms.signer`, `pki.cms.signature` (fault peer)
 */
export function verifySignedData(
  data: SignedData,
  options: { readonly content?: Uint8Array; readonly certificates?: readonly Certificate[] } = {},
): VerifiedSigner[] {
  const content = contentOf(data, options.content);
  const known = [...(options.certificates ?? []), ...readable(data.certificates)];
  return data.signers.map((signer) => {
    const certificate = known.find((each) => identifies(signer.identifier, each));
    if (!certificate) throw new PkiError('peer', 'pki.cms.signer', 'the certificate of a signer is not there');
    const { keyUsage } = certificate.extensions;
    if (keyUsage && !keyUsage.includes('digitalSignature') && !keyUsage.includes('nonRepudiation')) {
      throw refuse('its certificate is not for signing');
    }
    verifySigner(signer, certificate.publicKey, data.contentType, content);
    return {
      certificate,
      attributes: signer.signedAttributes ?? [],
      ...(signer.signingTime && { signingTime: signer.signingTime }),
    };
  });
}

/**
 * Verifies a message that one key has signed, for which there is no certificate yet.
 * @throws PkiError as `verifySignedData`
 */
export function verifySignedBy(data: SignedData, key: KeyObject, detached?: Uint8Array): void {
  const content = contentOf(data, detached);
  const [signer, more] = data.signers;
  const { identifier } = signer!;
  const named = identifier.kind === 'subjectKeyIdentifier' ? identifier.identifier : undefined;
  if (more || !named || Buffer.compare(named, keyIdentifier(spkiOf(key))) !== 0) {
    throw new PkiError('peer', 'pki.cms.signer', 'the message is not signed with this one key');
  }
  verifySigner(signer!, key, data.contentType, content);
}

function contentOf(data: SignedData, detached: Uint8Array | undefined): Uint8Array {
  if (data.signers.length === 0) throw new PkiError('peer', 'pki.cms.unsigned', 'nobody has signed the message');
  const content = data.content ?? detached;
  if (content && !(data.content && detached && Buffer.compare(data.content, detached) !== 0)) return content;
  const what = content ? 'the message carries another content than the one given' : 'the message has no content';
  throw new PkiError('peer', 'pki.cms.content', what);
}

const refuse = (why: string) => new PkiError('peer', 'pki.cms.signature', `a signature does not hold: ${why}`);

function verifySigner(signer: SignerInfo, key: KeyObject, contentType: string, content: Uint8Array): void {
  if (!signer.digest) throw new PkiError('unsupported', 'pki.algorithm', 'the digest algorithm is not known here');
  const hash = SIGNATURE_HASH[signer.signatureAlgorithm];
  if (hash && hash !== signer.digest) throw refuse('digest and signature use different hashes');
  if (signer.signedAttributes) {
    const type = singleValue(signer.signedAttributes, CMS_OID.contentType, 'content type');
    if (type?.objectIdentifier('content type') !== contentType) throw refuse('it is for another type of content');
    const digest = singleValue(signer.signedAttributes, CMS_OID.messageDigest, 'digest')?.octetString('digest');
    const actual = createHash(signer.digest).update(content).digest();
    if (digest?.length !== actual.length || !timingSafeEqual(digest, actual)) throw refuse('the content was changed');
  } else if (contentType !== CMS_OID.data) {
    throw refuse('content of this type needs signed attributes'); // § 5.3
  } else if (content[0] === TAG.set) {
    // Signed attributes of another message, shown as if they were content, would carry a signature that fits.
    throw refuse('content that looks like signed attributes needs some of its own');
  }
  const toBeSigned = signer.signedSet ?? content;
  const { signatureAlgorithm, signature } = signer;
  if (!signedBy({ der: toBeSigned, toBeSigned, signatureAlgorithm, signature }, key)) {
    throw refuse('it was not made with the key of the certificate');
  }
}

/** Certificates of a form that is read here; the others may belong to nobody who is asked about. */
function readable(list: readonly Uint8Array[]): Certificate[] {
  return list.flatMap((each) => {
    try {
      return [parseCertificate(each)];
    } catch (error) {
      if (error instanceof PkiError) return [];
      throw error;
    }
  });
}
