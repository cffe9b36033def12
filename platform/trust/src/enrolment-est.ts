/**
 * Enrolment by EST (RFC 7030), for devices that speak it: the token, or its secret, as password of the HTTP authentication
 * of simpleenroll; the present certificate for simplereenroll, for the same key. Evidence may come as an attribute of the request.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { EnerchainError } from '@enerchain/model';
import { certificateFromPem, DerReader, est, fromPem, PkiError } from '@enerchain/pki';
import { EVIDENCE_ATTRIBUTE } from './assurance.ts';
import type { EnrolmentDesk } from './enrolment-desk.ts';
import type { EnrolmentEvent } from './enrolment-server.ts';
import { EXPORTER_LABEL } from './exporter.ts';
import { maySign } from './role.ts';
import { readToken, TOKEN_PREFIX } from './token.ts';

const LIMIT = 'trust.enrol.limit';

/** @returns a handler that answers requests under `/.well-known/est` and says whether it did */
export function estHandler(
  desk: EnrolmentDesk,
  onEvent: (event: EnrolmentEvent) => void,
): (request: IncomingMessage, response: ServerResponse) => boolean {
  const authority: est.EstAuthority = {
    certificates: () => fromPem('CERTIFICATE', desk.certificatePem),
    enroll: (asked) =>
      told(async () => {
        const { credentials } = asked.peer;
        if (!credentials) throw new est.EstRefusal(401, 'trust.token.refused', 'show the enrolment token as password');
        return desk.enrol(secretOf(credentials.password), asked.request.der, along(asked));
      }),
    reenroll: (asked) =>
      told(async () => {
        const shown = desk.held(asked.peer.certificate.der);
        if (!maySign(shown)) throw new est.EstRefusal(403, 'trust.renew.key', 'this key makes connections only');
        return desk.renew(shown, shown, asked.request.der, along(asked));
      }),
  };
  return est.handler({
    authority,
    admit: (from) => {
      if (!desk.admits(from)) throw new est.EstRefusal(429, LIMIT, 'too many failed attempts; wait a minute');
    },
    onEvent: ({ operation, outcome, from, detail, error }) => {
      if (outcome === 'pending' || operation === 'cacerts' || operation === 'csrattrs') return;
      if (error instanceof est.EstRefusal && error.code === LIMIT) return;
      if (outcome === 'refused') desk.failed(from, error);
      const action = operation === 'simpleenroll' ? 'enrol' : 'renew';
      onEvent({ action, outcome, from, ...(detail !== undefined && { detail }) });
    },
  });
}

function along({ request, exporter }: est.EstRequest) {
  const attribute = request.attributes.find(({ type }) => type === EVIDENCE_ATTRIBUTE);
  return {
    evidence: attribute && new DerReader(attribute.value).octetString('evidence'),
    exporter: exporter(EXPORTER_LABEL),
  };
}

/** Errors of the platform as EST tells them. */
async function told(work: () => Promise<string>): Promise<est.EstAnswer> {
  try {
    return { kind: 'issued', certificate: certificateFromPem(await work()).der };
  } catch (error) {
    if (!(error instanceof EnerchainError)) throw error;
    const { fault, code, message } = error;
    if (fault === 'peer' || fault === 'caller' || fault === 'unsupported') {
      throw new est.EstRefusal(code.startsWith('trust.token') ? 401 : 403, code, message);
    }
    throw new PkiError(fault, code, message, { cause: error });
  }
}

function secretOf(password: string): Uint8Array {
  return password.startsWith(TOKEN_PREFIX) ? readToken(password).secret : Buffer.from(password, 'base64url');
}
