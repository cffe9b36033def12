/** Which certificate needs somebody, and why. Pure. */
import type { CertificateJson } from '../api/trust.ts';
import { duration } from '../format/time.ts';
import { byName } from './state.ts';

/** `ending`: less than a third of its time is left and no newer one has taken its place. */
export type CertificateState = 'expired' | 'ending' | 'notYet' | 'valid' | 'replaced' | 'revoked';

/** The order of the list: what needs attention first. */
const ORDER: readonly CertificateState[] = ['expired', 'ending', 'notYet', 'valid', 'replaced', 'revoked'];

export interface CertificateLine {
  readonly certificate: CertificateJson;
  readonly state: CertificateState;
  /** Milliseconds until its end; below zero: since. */
  readonly left: number;
  /** What is left of its whole time, 0 … 1. */
  readonly share: number;
}

const key = ({ name, role, use }: CertificateJson): string => `${name}\n${role}\n${use}`;

/** All certificates with their states, what needs attention first, then what ends first. */
export function certificateLines(certificates: readonly CertificateJson[], now: Date): CertificateLine[] {
  const newest = new Map<string, number>();
  for (const each of certificates)
    if (!each.revoked) newest.set(key(each), Math.max(newest.get(key(each)) ?? 0, Date.parse(each.notAfter)));
  return certificates
    .map((certificate) => {
      const [from, to] = [Date.parse(certificate.notBefore), Date.parse(certificate.notAfter)];
      const left = to - now.getTime();
      const share = Math.max(0, Math.min(1, left / Math.max(1, to - from)));
      const replaced = (newest.get(key(certificate)) ?? 0) > to;
      return {
        certificate,
        left,
        share,
        state: stateOfCertificate(certificate, replaced, left, share, from > now.getTime()),
      };
    })
    .sort(
      (a, b) =>
        ORDER.indexOf(a.state) - ORDER.indexOf(b.state) ||
        a.left - b.left ||
        byName(a.certificate.name, b.certificate.name) ||
        byName(a.certificate.fingerprint, b.certificate.fingerprint),
    );
}

function stateOfCertificate(
  { revoked }: CertificateJson,
  replaced: boolean,
  left: number,
  share: number,
  future: boolean,
): CertificateState {
  if (revoked) return 'revoked';
  if (replaced) return 'replaced';
  if (left <= 0) return 'expired';
  if (future) return 'notYet';
  return share < 1 / 3 ? 'ending' : 'valid';
}

export const CERTIFICATE_WORDS: Readonly<Record<CertificateState, string>> = {
  expired: 'has ended',
  ending: 'ends soon, not renewed',
  notYet: 'not valid yet',
  valid: 'valid',
  replaced: 'replaced by a newer one',
  revoked: 'revoked',
};

const DAY = 86_400_000;
/** As `duration`, and coarser where it is far: `25 d`, `9 years`. */
export function longWords(millis: number): string {
  const days = Math.floor(millis / DAY);
  if (days < 10) return duration(millis);
  return days < 2 * 365 ? `${days} d` : `${Math.floor(days / 365)} years`;
}
