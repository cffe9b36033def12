/**
 * Enrolment over HTTPS, on the port of the link. Bootstrapping as in RFC 7030 § 4.1.1, with JSON instead of CMS:
 * - `GET /enrol/ca` → the CA certificate, which the device compares with the fingerprint in its token
 * - `POST /enrol` {token secret, request} → {certificate, ca}
 * - `POST /enrol/renew` {request}, with a client certificate → {certificate, ca} for the same name and role
 * - `POST /enrol/tls` {request: COSE_Sign1 over the request, certificate} → {certificate, ca} for the key of the
 *   connections of an identity whose own key lies in an HSM or TPM; its signature is the authorisation
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { type Clock, EnerchainError, systemClock, toMillis } from '@enerchain/model';
import { type GeneralName, PkiError, parseRequest } from '@enerchain/pki';
import { coseVerify1 } from './cose.ts';
import { TLS_REQUEST_TYPE } from './identity.ts';
import { checkedCertificate, type HeldCertificate, type Holder, maySign, TLS_ONLY } from './role.ts';

/** What the handler needs of an authority. */
export interface EnrolmentAuthority {
  readonly certificatePem: string;
  redeem(secret: Uint8Array, requestDer: Uint8Array): Promise<string>;
  issue(requestDer: Uint8Array, holder: Holder & { readonly hosts?: readonly GeneralName[] }): Promise<string>;
}

export interface EnrolmentEvent {
  readonly action: 'enrol' | 'renew' | 'tls';
  readonly outcome: 'ok' | 'refused' | 'failed';
  /** Address of the client. */
  readonly from: string;
  readonly detail?: string;
}

const ACTIONS: Readonly<Record<string, EnrolmentEvent['action']>> = {
  '/enrol': 'enrol',
  '/enrol/renew': 'renew',
  '/enrol/tls': 'tls',
};
const MAX_BODY = 16 * 1024;
/** Failed attempts per address and minute before further ones are turned away unread. */
const MAX_FAILURES = 10;
const MINUTE = 60_000;
const MAX_ADDRESSES = 10_000;
/** Seconds a client may take to send its request. */
const BODY_TIMEOUT = 10_000;

/**
 * @returns a handler that answers requests under `/enrol` and says whether it did
 */
export function enrolmentHandler(options: {
  authority: EnrolmentAuthority;
  clock?: Clock;
  /** Whether the certificate with this thumbprint is no longer accepted: it is not renewed. */
  isRevoked?(kid: Uint8Array): boolean;
  onEvent?(event: EnrolmentEvent): void;
}): (request: IncomingMessage, response: ServerResponse) => boolean {
  const { authority } = options;
  const clock = options.clock ?? systemClock;
  const failures = new Map<string, { count: number; since: number }>();

  const mayTry = (from: string): boolean => {
    const now = clock.monotonic();
    const entry = failures.get(from);
    if (entry && now - entry.since > MINUTE) failures.delete(from);
    return (failures.get(from)?.count ?? 0) < MAX_FAILURES;
  };
  const failed = (from: string) => {
    if (failures.size >= MAX_ADDRESSES) failures.delete(failures.keys().next().value as string);
    const entry = failures.get(from) ?? { count: 0, since: clock.monotonic() };
    failures.set(from, { ...entry, count: entry.count + 1 });
  };

  const answer = async (
    request: IncomingMessage,
    from: string,
    action: EnrolmentEvent['action'],
  ): Promise<[number, object]> => {
    if (!mayTry(from)) return [429, problem('trust.enrol.limit', 'too many failed attempts; wait a minute')];
    const { certificatePem: caPem } = authority;
    const shown = action === 'renew' ? clientOf(request, caPem, clock) : undefined;
    const body = await readJson(request);
    const asked = Buffer.from(fieldOf(body, 'request'), 'base64');
    const named = () =>
      checkedCertificate(Buffer.from(fieldOf(body, 'certificate'), 'base64'), caPem, new Date(toMillis(clock.now())));
    // What is renewed: the certificate of the connection, or, where that makes connections only, the one that is named.
    const client = action === 'tls' || (shown && !maySign(shown)) ? named() : shown;
    for (const each of [shown, client]) {
      if (each && options.isRevoked?.(each.kid)) {
        throw refuse('trust.renew.revoked', `the certificate of ${each.holder.name} was revoked`);
      }
    }
    if (!client)
      return [200, await answered(authority.redeem(Buffer.from(fieldOf(body, 'token'), 'base64url'), asked))];
    const { name, role } = client.holder;
    if (!maySign(client)) throw refuse('trust.tls.signer', `the key of ${name} makes connections only`);
    if (action === 'tls') {
      const known = (kid: Uint8Array) => (Buffer.compare(kid, client.kid) === 0 ? client.publicKey : undefined);
      const { payload } = coseVerify1(asked, TLS_REQUEST_TYPE, known);
      return [200, await answered(authority.issue(payload, { name, role, hosts: [TLS_ONLY] }))];
    }
    if (shown?.holder.name !== name || shown.holder.role !== role) {
      throw refuse('trust.renew.holder', `${shown?.holder.name} cannot renew for ${name}`);
    }
    // Whoever holds the key of a connection must not get another key certified with it.
    if (!parseRequest(asked).publicKey.equals(client.publicKey)) {
      throw refuse('trust.renew.key', `the request is for another key than that of ${name}`);
    }
    return [200, await answered(authority.issue(asked, { name, role }))];
  };
  const answered = async (certificate: Promise<string>) => ({
    certificate: await certificate,
    ca: authority.certificatePem,
  });

  return (request, response) => {
    const path = new URL(request.url ?? '/', 'https://centre').pathname;
    const action = ACTIONS[path];
    if (!action && path !== '/enrol/ca') return false;
    const from = request.socket.remoteAddress ?? 'unknown';
    if (path === '/enrol/ca' && request.method === 'GET') {
      response.writeHead(200, { 'content-type': 'application/x-pem-file' }).end(authority.certificatePem);
      return true;
    }
    if (!action || request.method !== 'POST') {
      reply(response, 405, problem('trust.enrol.method', `${request.method} is not offered here`));
      return true;
    }
    answer(request, from, action).then(
      ([status, body]) => {
        if (status === 200) options.onEvent?.({ action, outcome: 'ok', from });
        reply(response, status, body);
      },
      (error: unknown) => {
        const known = error instanceof EnerchainError || error instanceof PkiError ? error : undefined;
        const theirs = known?.fault === 'peer' || known?.fault === 'caller' || known?.fault === 'unsupported';
        if (theirs) failed(from);
        const detail = error instanceof Error ? error.message : String(error);
        options.onEvent?.({ action, outcome: theirs ? 'refused' : 'failed', from, detail });
        if (theirs) reply(response, 403, problem(known.code, known.message));
        else
          reply(
            response,
            500,
            problem('trust.enrol.failed', 'the certificate could not be issued; see the log of the centre'),
          );
      },
    );
    return true;
  };
}

const refuse = (code: string, text: string) => new EnerchainError('peer', code, text);

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

/** Who renews: the holder of the client certificate, checked by TLS and again here. */
function clientOf(request: IncomingMessage, caPem: string, clock: Clock): HeldCertificate {
  const certificate = (request.socket as TLSSocket).getPeerX509Certificate?.();
  if (!certificate) throw new EnerchainError('peer', 'trust.renew.anonymous', 'renewal needs the present certificate');
  return checkedCertificate(certificate.raw, caPem, new Date(toMillis(clock.now())));
}

function fieldOf(body: unknown, field: string): string {
  const value = typeof body === 'object' && body !== null ? (body as Record<string, unknown>)[field] : undefined;
  if (typeof value !== 'string')
    throw new EnerchainError('peer', 'trust.enrol.body', `the field '${field}' is missing`);
  return value;
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
