/**
 * What a node knows of the authority, in `ca.pem`: the trust anchor first, then the issuing certificates under it. An
 * issuing certificate stands there for as long as a certificate lives before it issues, so that nobody meets one that he has
 * not heard of.
 */
import { EnerchainError } from '@enerchain/model';
import {
  type Certificate,
  fromPem,
  PkiError,
  parseCertificate,
  sameName,
  signedBy,
  thumbprint,
  toPem,
} from '@enerchain/pki';

export interface CaBundle {
  readonly anchor: Certificate;
  readonly issuing: readonly Certificate[];
}

/** Most certificates of one bundle. */
const MAX_CERTIFICATES = 16;
/** Bundles that were read, since the same text comes again with every certificate that is checked. */
const known = new Map<string, CaBundle>();
const MAX_KNOWN = 16;

/**
 * Reads a bundle. TLS takes every certificate that is given to it for an anchor, so one that the first did not issue makes
 * the whole unusable.
 * @throws EnerchainError `trust.ca.bundle` (fault peer)
 */
export function readBundle(pem: string): CaBundle {
  const before = known.get(pem);
  if (before) return before;
  const refuse = (why: string, cause?: unknown) =>
    new EnerchainError('peer', 'trust.ca.bundle', `the certificates of the authority ${why}`, { cause });
  const list = fromPem('CERTIFICATE', pem);
  if (list.length === 0 || list.length > MAX_CERTIFICATES) throw refuse(`are ${list.length}`);
  let bundle: CaBundle;
  try {
    const [anchor, ...issuing] = list.map(parseCertificate) as [Certificate, ...Certificate[]];
    for (const each of issuing) if (!issuedBy(each, anchor)) throw refuse('hold one that the first has not issued');
    bundle = { anchor, issuing };
  } catch (cause) {
    if (!(cause instanceof PkiError)) throw cause;
    throw refuse('cannot be read', cause);
  }
  if (known.size >= MAX_KNOWN) known.delete(known.keys().next().value as string);
  known.set(pem, bundle);
  return bundle;
}

/** The right to issue; validity is checked where the certificate is used. */
function issuedBy({ issuerDer, extensions, ...signed }: Certificate, anchor: Certificate): boolean {
  const mayIssue = extensions.basicConstraints?.ca === true && extensions.keyUsage?.includes('keyCertSign') === true;
  return mayIssue && sameName(issuerDer, anchor.subjectDer) && signedBy(signed, anchor.publicKey);
}

export const writeBundle = (bundle: CaBundle): string =>
  [bundle.anchor, ...bundle.issuing].map(({ der }) => toPem('CERTIFICATE', der)).join('');

/**
 * A bundle that came anew, if it is one of the same anchor.
 * @returns the new text, or the one that was there when the new one is of somebody else
 */
export function newerBundle(present: string, offered: string): string {
  try {
    const same = Buffer.compare(thumbprint(readBundle(offered).anchor), thumbprint(readBundle(present).anchor)) === 0;
    return same ? offered : present;
  } catch (error) {
    if (error instanceof EnerchainError) return present;
    throw error;
  }
}
