/** Security events of TLS connections under supervision: the catalogue is that of `@enerchain/transport`. */
import type { X509Certificate } from 'node:crypto';
import { SECURITY_EVENTS, type SecurityEventName, type SecurityEventSeverity } from '@enerchain/transport';

export { SECURITY_EVENTS as TLS_SECURITY_EVENTS, securityEventOf as tlsEventOf } from '@enerchain/transport';
export type TlsEventSeverity = SecurityEventSeverity;
export type TlsEventName = SecurityEventName;

export interface TlsSecurityEvent {
  readonly name: TlsEventName;
  readonly severity: TlsEventSeverity;
  readonly at: Date;
  readonly role: 'client' | 'server';
  /** `host:port`. */
  readonly peer: string;
  /** What happened, to whom, and what was done. */
  readonly text: string;
  /** The code of the library, or of the path check, where there was one. */
  readonly code?: string;
  readonly certificate?: { readonly subject: string; readonly serialNumber: string; readonly fingerprint: string };
}

/** Builds the event with its sentence. */
export function tlsSecurityEvent(
  name: TlsEventName,
  about: {
    readonly at: Date;
    readonly role: 'client' | 'server';
    readonly peer: string;
    readonly code?: string | undefined;
    readonly certificate?: X509Certificate | undefined;
    /** What was done; `connection kept` for notices and warnings, else `connection closed`, when absent. */
    readonly done?: string;
  },
): TlsSecurityEvent {
  const { severity, text } = SECURITY_EVENTS[name];
  const { at, role, peer, code, certificate } = about;
  const done = about.done ?? (severity === 'alarm' ? 'connection closed' : 'connection kept');
  const subject = certificate?.subject.replaceAll('\n', ', ');
  return {
    name,
    severity,
    at,
    role,
    peer,
    text: `TLS ${peer}: ${text}${subject === undefined ? '' : ` (${subject})`}${code ? ` [${code}]` : ''}; ${done}`,
    ...(code ? { code } : {}),
    ...(certificate
      ? {
          certificate: {
            subject: subject!,
            serialNumber: certificate.serialNumber,
            fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
          },
        }
      : {}),
  };
}
