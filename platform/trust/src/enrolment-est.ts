/** What enrolment asks of the authority by EST (RFC 7030), seen from the device. */
import type { RequestOptions } from 'node:https';
import { EnerchainError } from '@enerchain/model';
import {
  type CmsAttribute,
  cmc,
  der,
  est,
  type GeneralName,
  PkiError,
  parseCertificate,
  type Signer,
  thumbprint,
  toPem,
} from '@enerchain/pki';
import { EVIDENCE_ATTRIBUTE, enrolmentBinding } from './assurance.ts';
import { type CaBundle, newerBundle, readBundle, writeBundle } from './ca-bundle.ts';
import { EXPORTER_LABEL } from './exporter.ts';
import { requestFor, type SigningKey } from './identity.ts';
import type { Holder } from './role.ts';

/**
 * Makes evidence of the state of this node.
 * @param binding 32 octets that it must be bound to. @returns `undefined` when there is none to give
 */
export type EvidenceMaker = (binding: Uint8Array) => Promise<Uint8Array | undefined>;

/** Octets of evidence that are sent along; more is left out. */
const MAX_EVIDENCE = 512 * 1024;

/** Where the authority is, and TLS to it. */
export interface AuthorityAt {
  /** `https://host:port`. */
  readonly url: string;
  readonly tls: RequestOptions;
  readonly signal?: AbortSignal | undefined;
}

const targetOf = ({ url, tls, signal }: AuthorityAt): est.EstTarget => ({ url, tls, ...(signal && { signal }) });

/**
 * The certificates of the authority, from somebody not yet known: nothing secret travels, and what comes back is believed
 * only if the hash of its anchor fits.
 * @throws EnerchainError `trust.enrol.fingerprint` (peer), `trust.enrol.connect` (environment)
 */
export async function authorityAt(url: string, fingerprint: Uint8Array, signal?: AbortSignal): Promise<string> {
  const list = await said(() => est.caCertificates(targetOf({ url, tls: { rejectUnauthorized: false }, signal })));
  const known = (der: Uint8Array) => Buffer.compare(thumbprint(der), fingerprint) === 0;
  try {
    if (list.some(known)) return bundleOf(list, known);
  } catch (error) {
    if (!(error instanceof EnerchainError || error instanceof PkiError)) throw error;
  }
  const text = `${url} shows another CA than the token names; the token was not shown to it`;
  throw new EnerchainError('peer', 'trust.enrol.fingerprint', text);
}

/** The certificates of the authority as they are now. @param present those that are known; those of another are passed over */
export async function authorityNow(at: AuthorityAt, present: string): Promise<string> {
  const anchor = thumbprint(readBundle(present).anchor);
  const list = await said(() => est.caCertificates(targetOf(at)));
  const known = (der: Uint8Array) => Buffer.compare(thumbprint(der), anchor) === 0;
  return list.some(known) ? newerBundle(present, bundleOf(list, known)) : present;
}

/** EST gives the certificates in no order of ours: the anchor first, then the issuing ones as they were made. */
function bundleOf(list: readonly Uint8Array[], isAnchor: (der: Uint8Array) => boolean): string {
  const anchor = parseCertificate(list.find(isAnchor)!);
  const issuing: CaBundle['issuing'] = list
    .filter((each) => !isAnchor(each))
    .map(parseCertificate)
    .sort((a, b) => a.notBefore.getTime() - b.notBefore.getTime());
  return writeBundle({ anchor, issuing });
}

/** A key for which a certificate is asked, and for whom. */
export interface Wanted {
  readonly holder: Holder;
  readonly key: Signer;
  /** Names besides that of the holder. */
  readonly names?: readonly GeneralName[];
  /** Shown along with the request; what it does to the certificate is for the authority to decide. */
  readonly evidence?: EvidenceMaker | undefined;
}

/** Made on the channel that it is for: linked to it (§ 3.5), and with evidence that is bound to it. */
const requestOn =
  ({ holder, key, names, evidence }: Wanted): est.RequestMaker =>
  async (challengePassword, exporter) => {
    const spki = key.publicKey.export({ type: 'spki', format: 'der' });
    const keying = evidence && exporter(EXPORTER_LABEL);
    const made = keying && (await evidence(enrolmentBinding(keying, holder, spki)));
    const attributes =
      made && made.length <= MAX_EVIDENCE ? [{ type: EVIDENCE_ATTRIBUTE, value: der.octetString(made) }] : [];
    return requestFor(holder, key, names, {
      attributes,
      ...(challengePassword !== undefined && { challengePassword }),
    });
  };

/** By token. @returns PEM. @throws EnerchainError `trust.enrol.refused`, `trust.enrol.answer` (peer), `trust.enrol.connect` (environment) */
export async function enrolKey(at: AuthorityAt, secret: Uint8Array, wanted: Wanted): Promise<string> {
  const credentials = { user: wanted.holder.name, password: Buffer.from(secret).toString('base64url') };
  const answer = await said(() => est.enroll({ ...targetOf(at), credentials }, requestOn(wanted)));
  if (answer.kind === 'issued') return toPem('CERTIFICATE', answer.certificate);
  throw new EnerchainError('peer', 'trust.enrol.answer', `${at.url} answered that it takes longer`);
}

/** On the word of the key of an identity (§ 4.3). @throws EnerchainError as `enrolKey` */
export const askInFull = (
  at: AuthorityAt,
  by: SigningKey,
  wanted: Wanted,
  controls: readonly CmsAttribute[] = [],
): Promise<cmc.FullAnswer> =>
  said(() =>
    est.full(targetOf(at), async (...channel) =>
      cmc.buildFullRequest(await requestOn(wanted)(...channel), controls, by),
    ),
  );

/** The same where certificates are all that counts. @returns PEM of that for the key. @throws EnerchainError as `enrolKey` */
export async function certifyKey(at: AuthorityAt, by: SigningKey, wanted: Wanted): Promise<string> {
  return certificateIn(at, await askInFull(at, by, wanted), wanted.key);
}

/** @returns PEM. @throws EnerchainError `trust.enrol.answer` (peer) */
export function certificateIn(
  { url }: AuthorityAt,
  answer: cmc.FullAnswer,
  { publicKey }: Pick<Signer, 'publicKey'>,
): string {
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const found = answer.kind === 'certificates' ? answer.certificates : [];
  try {
    return toPem('CERTIFICATE', est.certificateFor(spki, found));
  } catch (cause) {
    if (!(cause instanceof PkiError)) throw cause;
    throw new EnerchainError('peer', 'trust.enrol.answer', `${url} answered without a certificate for the key`, {
      cause,
    });
  }
}

const CODES: Readonly<Record<string, string>> = {
  'est.connect': 'trust.enrol.connect',
  'est.refused': 'trust.enrol.refused',
};

/** Errors of EST as those of enrolment. */
async function said<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof PkiError) || error.fault === 'caller') throw error;
    const code = CODES[error.code] ?? (error.fault === 'peer' ? 'trust.enrol.answer' : error.code);
    throw new EnerchainError(error.fault, code, error.message, { cause: error });
  }
}
