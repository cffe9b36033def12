/** Certificate Management over CMS (RFC 5272, RFC 6402), as far as full enrolment by EST needs it (RFC 7030 § 4.3). */
export * from './message.ts';
export * from './possession.ts';
