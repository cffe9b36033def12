/**
 * The password of ACSE (X.227 annex B, IEC 61850-8-1 § 9.4): it goes over the wire as it is, so that it is worth something only
 * within TLS (IEC 62351-4, transport profile), and is an option for devices that know nothing else. The certificates that the
 * edition of 2007 carried in this place are not implemented: its text was not at hand, and the edition of 2018 replaced them.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Authentication } from '../machine/association.ts';
import { OID } from '../upper/acse.ts';

/** What a client shows: `association: { authentication: passwordAuthentication(…) }`. */
export const passwordAuthentication = (password: string): Authentication => ({
  mechanism: OID.password,
  value: { kind: 'charstring', value: password },
});

/** Whether what a client has shown is the password; compared without telling by the time it takes how much of it is right. */
export function showsPassword(shown: Authentication | undefined, password: string): boolean {
  if (shown?.mechanism !== OID.password || shown.value.kind !== 'charstring') return false;
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(shown.value.value), digest(password));
}
