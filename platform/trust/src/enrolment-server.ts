/**
 * Enrolment over HTTPS, on the port of the link. Bootstrapping as in RFC 7030 § 4.1.1, with JSON instead of CMS:
 * - `GET /enrol/ca` → the certificates of the authority; the device compares the first with the fingerprint in its token
 * - `POST /enrol` {token secret, request} → {certificate, ca}
 * - `POST /enrol/renew` {request}, with a client certificate → {certificate, ca} for the same name, role and key
 * - `POST /enrol/tls` {request: COSE_Sign1 over the request, certificate} → {certificate, ca} for the key of the
 *   connections of an identity whose own key lies in an HSM or TPM; its signature is the authorisation
 * - `POST /enrol/rotate` {request: COSE_Sign1 over the request, certificate} → {certificate, ca} for the key that follows
 * - `POST /enrol/tpm` {request, certificate, ek, ekCertificate?, ak, identity?}, with a client certificate → {id, idObject,
 *   encryptedSecret, nonce}, and `POST /enrol/tpm/answer` {id, secret, attest?, signature?} → {certificate, attestation, ca}
 * `evidence` may stand beside a request. EST itself (RFC 7030) is served beside these, see `enrolment-est.ts`.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { EnerchainError } from '@enerchain/model';
import { PkiError } from '@enerchain/pki';
import { type Accompanying, type DeskOptions, EnrolmentDesk } from './enrolment-desk.ts';
import { estHandler } from './enrolment-est.ts';
import type { TpmAnswer } from './enrolment-tpm.ts';
import { exporterOf } from './exporter.ts';
import { maySign } from './role.ts';

export interface EnrolmentEvent {
  readonly action: 'enrol' | 'renew' | 'tls' | 'rotate' | 'tpm';
  readonly outcome: 'ok' | 'refused' | 'failed';
  /** Address of the client. */
  readonly from: string;
  readonly detail?: string;
}

type Action = EnrolmentEvent['action'] | 'challenge';

const ACTIONS: Readonly<Record<string, Action>> = {
  '/enrol': 'enrol',
  '/enrol/renew': 'renew',
  '/enrol/tls': 'tls',
  '/enrol/rotate': 'rotate',
  '/enrol/tpm': 'challenge',
  '/enrol/tpm/answer': 'tpm',
};
/** Room for evidence with a measurement list. */
const MAX_BODY = 1024 * 1024;
/** Milliseconds a client may take to send its request. */
const BODY_TIMEOUT = 10_000;

/**
 * @returns a handler that answers requests under `/enrol` and `/.well-known/est` and says whether it did
 */
export function enrolmentHandler(
  options: DeskOptions & { onEvent?(event: EnrolmentEvent): void },
): (request: IncomingMessage, response: ServerResponse) => boolean {
  const desk = new EnrolmentDesk(options);
  const onEvent = (event: EnrolmentEvent) => options.onEvent?.(event);
  const est = estHandler(desk, onEvent);

  return (request, response) => {
    if (est(request, response)) return true;
    const path = new URL(request.url ?? '/', 'https://centre').pathname;
    const action = ACTIONS[path];
    if (!action && path !== '/enrol/ca') return false;
    const from = request.socket.remoteAddress ?? 'unknown';
    if (path === '/enrol/ca' && request.method === 'GET') {
      response.writeHead(200, { 'content-type': 'application/x-pem-file' }).end(desk.certificatePem);
      return true;
    }
    if (!action || request.method !== 'POST') {
      reply(response, 405, problem('trust.enrol.method', `${request.method} is not offered here`));
      return true;
    }
    if (!desk.admits(from)) {
      reply(response, 429, problem('trust.enrol.limit', 'too many failed attempts; wait a minute'));
      return true;
    }
    answer(desk, request, action).then(
      (answered) => {
        // A challenge says nothing yet.
        if (action !== 'challenge') onEvent({ action, outcome: 'ok', from });
        reply(response, 200, { ...answered, ca: desk.certificatePem });
      },
      (error: unknown) => {
        const theirs = desk.failed(from, error);
        const detail = error instanceof Error ? error.message : String(error);
        const outcome = theirs ? 'refused' : 'failed';
        onEvent({ action: action === 'challenge' ? 'tpm' : action, outcome, from, detail });
        if (theirs && (error instanceof EnerchainError || error instanceof PkiError)) {
          reply(response, 403, problem(error.code, error.message));
        } else {
          const text = 'the certificate could not be issued; see the log of the centre';
          reply(response, 500, problem('trust.enrol.failed', text));
        }
      },
    );
    return true;
  };
}

/** @returns the certificates as PEM, or the challenge */
async function answer(desk: EnrolmentDesk, request: IncomingMessage, action: Action): Promise<object> {
  const byConnection = action === 'renew' || action === 'challenge';
  const shown = byConnection ? desk.held(clientCertificate(request)) : undefined;
  const body = await readJson(request);
  const octets = (field: string) => Buffer.from(fieldOf(body, field), 'base64');
  const perhaps = (field: string) => (has(body, field) ? octets(field) : undefined);
  if (action === 'tpm') {
    return desk.answered(tpmAnswer(body, octets), { exporter: channelOf(request), evidence: perhaps('evidence') });
  }
  const asked = octets('request');
  const along = { evidence: perhaps('evidence'), exporter: channelOf(request) };
  const named = () => desk.held(octets('certificate'));
  // The certificate of the connection, or, where that makes connections only, the one that is named.
  const meant = () => (maySign(shown!) ? shown! : named());
  switch (action) {
    case 'enrol':
      return { certificate: await desk.enrol(Buffer.from(fieldOf(body, 'token'), 'base64url'), asked, along) };
    case 'renew':
      return { certificate: await desk.renew(shown!, meant(), asked, along) };
    case 'tls':
      return { certificate: await desk.tls(named(), asked) };
    case 'rotate':
      return { certificate: await desk.rotate(named(), asked, along) };
    case 'challenge': {
      const claim = {
        ek: octets('ek'),
        ekCertificate: perhaps('ekCertificate'),
        ak: octets('ak'),
        identity: perhaps('identity'),
      };
      const { id, idObject, encryptedSecret, nonce } = desk.challenge(shown!, meant(), asked, claim);
      const [object, secret, data] = [idObject, encryptedSecret, nonce].map((each) =>
        Buffer.from(each).toString('base64'),
      );
      return { id, idObject: object, encryptedSecret: secret, nonce: data };
    }
  }
}

const problem = (code: string, detail: string) => ({ type: `urn:enerchain:problem:${code}`, code, detail });

function reply(response: ServerResponse, status: number, body: object): void {
  response
    .writeHead(status, {
      'content-type': status === 200 ? 'application/json' : 'application/problem+json',
      'cache-control': 'no-store',
      connection: 'close',
    })
    .end(JSON.stringify(body));
}

/** Who renews, as TLS has it: whoever shows the certificate holds its key. */
function clientCertificate(request: IncomingMessage): Uint8Array {
  const certificate = (request.socket as TLSSocket).getPeerX509Certificate?.();
  if (!certificate) throw new EnerchainError('peer', 'trust.renew.anonymous', 'renewal needs the present certificate');
  return certificate.raw;
}

function channelOf(request: IncomingMessage): Accompanying['exporter'] {
  const socket = request.socket as TLSSocket;
  return socket.getProtocol?.() === 'TLSv1.3' ? exporterOf(socket) : undefined;
}

function fieldOf(body: unknown, field: string): string {
  const value = typeof body === 'object' && body !== null ? (body as Record<string, unknown>)[field] : undefined;
  if (typeof value !== 'string')
    throw new EnerchainError('peer', 'trust.enrol.body', `the field '${field}' is missing`);
  return value;
}

const has = (body: unknown, field: string): boolean => typeof body === 'object' && body !== null && field in body;

function tpmAnswer(body: unknown, octets: (field: string) => Uint8Array): TpmAnswer {
  const certified = has(body, 'attest') ? { attest: octets('attest'), signature: octets('signature') } : undefined;
  return { id: fieldOf(body, 'id'), secret: octets('secret'), certified };
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const tooLong = new EnerchainError('peer', 'trust.enrol.body', `the body exceeds ${MAX_BODY} bytes`);
  request.setTimeout(BODY_TIMEOUT, () => request.destroy(new Error('the body did not arrive in time')));
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY) throw tooLong;
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
  } catch (cause) {
    throw new EnerchainError('peer', 'trust.enrol.body', 'the body is not JSON', { cause });
  }
}
