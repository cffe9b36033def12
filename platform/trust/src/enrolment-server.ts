/**
 * Enrolment over Secure Transport (RFC 7030) on the port of the link:
 * - `simpleenroll` by token: the token, or its secret in base64url, is the password of the HTTP authentication
 * - `simplereenroll` with the present certificate, for the same key: what devices of others can do
 * - `fullcmc` (§ 4.3) under the signature of the identity's key, whatever key makes the connection: another certificate for
 *   the same key, for the key of the connections, or for the key that follows; and enrolment of a TPM, in two steps
 *   (`tpm-controls.ts`)
 * Evidence may come as an attribute of the request.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { EnerchainError } from '@enerchain/model';
import {
  type CertificationRequest,
  certificateFromPem,
  type cmc,
  DerReader,
  est,
  fromPem,
  PkiError,
} from '@enerchain/pki';
import { EVIDENCE_ATTRIBUTE } from './assurance.ts';
import { type Accompanying, type DeskOptions, EnrolmentDesk } from './enrolment-desk.ts';
import { EXPORTER_LABEL } from './exporter.ts';
import { TLS_ONLY } from './role.ts';
import { readToken, TOKEN_PREFIX } from './token.ts';
import { answerIn, challengeControls, claimIn } from './tpm-controls.ts';

export interface EnrolmentEvent {
  readonly action: 'enrol' | 'renew' | 'tls' | 'rotate' | 'tpm';
  readonly outcome: 'ok' | 'refused' | 'failed';
  /** Address of the client. */
  readonly from: string;
  readonly detail?: string;
}

const LIMIT = 'trust.enrol.limit';

/** @returns a handler that answers requests under `/.well-known/est` and says whether it did */
export function enrolmentHandler(
  options: DeskOptions & { onEvent?(event: EnrolmentEvent): void },
): (request: IncomingMessage, response: ServerResponse) => boolean {
  const desk = new EnrolmentDesk(options);
  const authority: est.EstAuthority = {
    certificates: () => fromPem('CERTIFICATE', desk.certificatePem),
    enroll: ({ request, exporter, peer: { credentials } }) =>
      told(async () => {
        if (!credentials) throw new est.EstRefusal(401, 'trust.token.refused', 'show the enrolment token as password');
        return issued(await desk.enrol(secretOf(credentials.password), request, along(request, exporter)));
      }),
    reenroll: ({ request, exporter, peer: { certificate } }) =>
      told(async () => issued(await desk.renew(desk.held(certificate.der), request, along(request, exporter)))),
    full: (asked) => told(() => full(desk, asked)),
  };
  return est.handler({
    authority,
    admit: (from) => {
      if (!desk.admits(from)) throw new est.EstRefusal(429, LIMIT, 'too many failed attempts; wait a minute');
    },
    onEvent: ({ operation, outcome, from, detail, error, full }) => {
      // A challenge says nothing yet.
      if (outcome === 'pending' || operation === 'cacerts' || operation === 'csrattrs') return;
      if (error instanceof est.EstRefusal && error.code === LIMIT) return;
      if (outcome === 'refused') desk.failed(from, error);
      const action = operation === 'simpleenroll' ? 'enrol' : full ? actionOf(full) : 'renew';
      options.onEvent?.({ action, outcome, from, ...(detail !== undefined && { detail }) });
    },
  });
}

/** What a full request is for: its controls say so, or the key. */
function actionOf({ controls, signer, tagged: { request } }: cmc.FullRequest): EnrolmentEvent['action'] {
  if (claimIn(controls) ?? answerIn(controls)) return 'tpm';
  if (request.publicKey.equals(signer.publicKey)) return 'renew';
  const marked = request.extensions.subjectAltName?.some(
    (name) => name.kind === 'uri' && name.value === TLS_ONLY.value,
  );
  return marked ? 'tls' : 'rotate';
}

async function full(desk: EnrolmentDesk, { full, linked, exporter }: est.EstFullRequest): Promise<cmc.FullAnswer> {
  if (!linked) throw new est.EstRefusal(400, 'trust.enrol.link', 'the request must be linked to its channel');
  const { controls, tagged, der } = full;
  const { request } = tagged;
  const held = desk.held(full.signer.der);
  const certificates = (...pems: string[]): cmc.FullAnswer => ({ kind: 'certificates', certificates: pems.map(derOf) });
  switch (actionOf(full)) {
    case 'tls':
      return certificates(await desk.tls(held, request));
    case 'rotate':
      return certificates(await desk.rotate(held, request, der, along(request, exporter)));
    case 'tpm': {
      const answer = answerIn(controls);
      if (answer) {
        const { certificate, attestation } = await desk.answered(held, request, answer, along(request, exporter));
        return certificates(certificate, attestation);
      }
      const challenge = desk.challenge(held, request, claimIn(controls)!, tagged.der);
      return { kind: 'response', controls: challengeControls(challenge, tagged) };
    }
    default:
      return certificates(await desk.renew(held, request, along(request, exporter)));
  }
}

function along({ attributes }: CertificationRequest, exporter: est.Exporter): Accompanying {
  const attribute = attributes.find(({ type }) => type === EVIDENCE_ATTRIBUTE);
  return {
    evidence: attribute && new DerReader(attribute.value).octetString('evidence'),
    exporter: exporter(EXPORTER_LABEL),
  };
}

const derOf = (pem: string): Uint8Array => certificateFromPem(pem).der;
const issued = (pem: string): est.EstAnswer => ({ kind: 'issued', certificate: derOf(pem) });

/** Errors of the platform as EST tells them. */
async function told<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
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
