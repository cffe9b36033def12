/** EST server (RFC 7030): a handler for requests of node:https; who gets a certificate is decided by the authority. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { type Certificate, parseCertificate } from '../certificate.ts';
import {
  buildFullResponse,
  CMC_STATUS,
  type FullAnswer,
  type FullRequest,
  nonceControl,
  nonceIn,
  readFullRequest,
  statusControl,
} from '../cmc/index.ts';
import { buildCertificatesOnly } from '../cms/signed-data.ts';
import { PkiError } from '../error.ts';
import { type CertificationRequest, parseRequest } from '../request.ts';
import { channelBinding, type Exporter, exporterOf, sameBinding } from './channel.ts';
import {
  type CsrAttribute,
  decodeBody,
  encodeBody,
  encodeCsrAttributes,
  isMediaType,
  MAX_BODY_BYTES,
  MEDIA_TYPE,
  type Route,
  readPath,
} from './message.ts';

/** Who asks, as the channel shows it. */
export interface EstPeer {
  /** Address of the client. */
  readonly from: string;
  /** Certificate that the client holds the key of; that it is to be believed is for the authority to check. */
  readonly certificate?: Certificate;
  /** HTTP authentication (§ 3.2.3). */
  readonly credentials?: { readonly user: string; readonly password: string };
}

/** What comes with every request. */
interface Asked {
  readonly label?: string;
  readonly peer: EstPeer;
  /** Whether the request was made for this very channel (§ 3.5). */
  readonly linked: boolean;
  readonly exporter: Exporter;
}

export interface EstRequest extends Asked {
  readonly request: CertificationRequest;
}

/** By CMC (§ 4.3): the signature of `full.signer` over it holds. */
export interface EstFullRequest extends Asked {
  readonly full: FullRequest;
}

export type EstAnswer =
  | { readonly kind: 'issued'; readonly certificate: Uint8Array }
  /** It takes longer: the client is to come again with the same request (§ 4.2.3). */
  | { readonly kind: 'pending'; readonly retryAfterSeconds: number };

export interface EstAuthority {
  /** Trust anchor and what leads to the issuing certificate, DER (§ 4.1). They arrive in the order of DER, not in this one. */
  certificates(label: string | undefined): readonly Uint8Array[] | Promise<readonly Uint8Array[]>;
  /** What requests should hold (§ 4.5); absent: nothing is asked for. */
  csrAttributes?(label: string | undefined): readonly CsrAttribute[] | undefined;
  /** @throws EstRefusal, or PkiError (fault peer) */
  enroll(request: EstRequest): Promise<EstAnswer>;
  /** The client has shown a certificate, and the request is for its subject. @throws EstRefusal, or PkiError (fault peer) */
  reenroll(request: EstRequest & { readonly peer: { readonly certificate: Certificate } }): Promise<EstAnswer>;
  /**
   * A request that the holder of a certificate has signed; absent: there is no such operation (§ 4.3). An answer with
   * controls gets the nonce of the client back with it.
   * @throws EstRefusal, or PkiError (fault peer)
   */
  full?(request: EstFullRequest): Promise<FullAnswer>;
}

/** A refusal that the client is told, with the status that it gets. */
export class EstRefusal extends PkiError {
  readonly status: number;

  /** @param status 401 asks for HTTP authentication */
  constructor(status: 400 | 401 | 403 | 404 | 405 | 413 | 415 | 429, code: string, message: string) {
    super('peer', code, message);
    this.name = 'EstRefusal';
    this.status = status;
  }
}

export interface EstEvent {
  readonly operation: Route['operation'];
  readonly outcome: 'ok' | 'pending' | 'refused' | 'failed';
  readonly from: string;
  readonly detail?: string;
  /** Of an outcome that was not ok. */
  readonly error?: unknown;
  /** Of a full request that could be read. */
  readonly full?: FullRequest;
}

/** Milliseconds a client may take to send its request. */
const BODY_TIMEOUT = 10_000;

/** @returns a handler that answers requests under `/.well-known/est/` and says whether it did */
export function handler(options: {
  readonly authority: EstAuthority;
  /** Requests that are not linked to their channel are refused; by default only those linked to another one. */
  readonly requireLink?: boolean;
  /** Before anything is read. @throws EstRefusal to turn an address away */
  admit?(from: string): void;
  onEvent?(event: EstEvent): void;
}): (request: IncomingMessage, response: ServerResponse) => boolean {
  return (request, response) => {
    const route = readPath((request.url ?? '/').split('?', 1)[0]!);
    if (route === undefined) return false;
    const from = request.socket.remoteAddress ?? 'unknown';
    const about: { full?: FullRequest } = {};
    answer(options, route, from, request, (full) => Object.assign(about, { full })).then(
      ({ status, body, headers, pending }) => {
        if (route !== 'unknown' && request.method === 'POST') {
          options.onEvent?.({ operation: route.operation, outcome: pending ? 'pending' : 'ok', from, ...about });
        }
        reply(response, status, body, headers);
      },
      (error: unknown) => {
        const refusal = refusalOf(error);
        const detail = error instanceof Error ? error.message : String(error);
        if (route !== 'unknown') {
          const outcome = refusal ? 'refused' : 'failed';
          options.onEvent?.({ operation: route.operation, outcome, from, detail, error, ...about });
        }
        const text = refusal?.message ?? 'the certificate could not be issued';
        const full = route !== 'unknown' && route.operation === 'fullcmc';
        reply(response, refusal?.status ?? 500, full ? refusedInFull(text) : text, {
          'content-type': full ? MEDIA_TYPE.fullResponse : 'text/plain; charset=utf-8',
          ...(refusal?.status === 401 && { 'www-authenticate': 'Basic realm="EST", charset="UTF-8"' }),
        });
      },
    );
    return true;
  };
}

function refusalOf(error: unknown): { status: number; message: string } | undefined {
  if (error instanceof EstRefusal) return error;
  if (!(error instanceof PkiError) || error.fault === 'local' || error.fault === 'environment') return undefined;
  return { status: 400, message: error.message };
}

/** § 4.3.2: a refusal of a full request says why in a full answer. */
const refusedInFull = (text: string): string =>
  encodeBody(buildFullResponse([statusControl(CMC_STATUS.failed, [0], text)]));

interface Reply {
  readonly status: number;
  readonly body: string;
  readonly headers: Record<string, string>;
  readonly pending?: boolean;
}

async function answer(
  { authority, requireLink, admit }: Parameters<typeof handler>[0],
  route: Route | 'unknown',
  from: string,
  message: IncomingMessage,
  onFull: (full: FullRequest) => void,
): Promise<Reply> {
  if (route === 'unknown' || (route.operation === 'fullcmc' && !authority.full))
    throw new EstRefusal(404, 'est.path', 'there is no such operation here');
  const { operation, label } = route;
  const expected = operation === 'cacerts' || operation === 'csrattrs' ? 'GET' : 'POST';
  if (message.method !== expected)
    throw new EstRefusal(405, 'est.method', `${operation} is asked for with ${expected}`);
  if (operation === 'cacerts') {
    const certificates = await authority.certificates(label);
    return der200(MEDIA_TYPE.certificatesOnly, buildCertificatesOnly(certificates));
  }
  if (operation === 'csrattrs') {
    const attributes = authority.csrAttributes?.(label);
    if (!attributes?.length) return { status: 204, body: '', headers: {} };
    return der200(MEDIA_TYPE.attributes, encodeCsrAttributes(attributes));
  }
  admit?.(from);
  const type = operation === 'fullcmc' ? MEDIA_TYPE.fullRequest : MEDIA_TYPE.request;
  if (!isMediaType(message.headers['content-type'], type)) {
    throw new EstRefusal(415, 'est.type', `the request must be ${type}`);
  }
  const body = decodeBody(await readBody(message));
  const full = operation === 'fullcmc' ? readFullRequest(body) : undefined;
  if (full) onFull(full);
  const request = full?.tagged.request ?? parseRequest(body);
  const peer = peerOf(message, from);
  const socket = message.socket as TLSSocket;
  const linked = linkOf(request, socket);
  if (requireLink && !linked) throw new EstRefusal(400, 'est.link', 'the request must be linked to its channel');
  const channel = { linked, exporter: exporterOf(socket), ...(label !== undefined && { label }) };
  if (full) return fullReplyOf(await authority.full!({ full, peer, ...channel }), full);
  const asked = { request, ...channel };
  if (operation === 'simpleenroll') return replyOf(await authority.enroll({ ...asked, peer }));
  const { certificate } = peer;
  if (!certificate) throw new EstRefusal(403, 'est.certificate', 're-enrolment needs the present certificate');
  checkSameSubject(request, certificate);
  return replyOf(await authority.reenroll({ ...asked, peer: { ...peer, certificate } }));
}

const der200 = (type: string, bytes: Uint8Array): Reply => ({
  status: 200,
  body: encodeBody(bytes),
  // Not asked for since RFC 8951, but clients of RFC 7030 look for it.
  headers: { 'content-type': type, 'content-transfer-encoding': 'base64' },
});

function replyOf(answer: EstAnswer): Reply {
  if (answer.kind === 'issued') return der200(MEDIA_TYPE.certificatesOnly, buildCertificatesOnly([answer.certificate]));
  const headers = { 'retry-after': String(Math.ceil(answer.retryAfterSeconds)), 'content-type': 'text/plain' };
  return {
    status: 202,
    body: 'The request is being looked at; come again with the same one.\n',
    headers,
    pending: true,
  };
}

function fullReplyOf(answer: FullAnswer, { controls }: FullRequest): Reply {
  if (answer.kind === 'certificates')
    return der200(MEDIA_TYPE.certificatesOnly, buildCertificatesOnly(answer.certificates));
  const nonce = nonceIn(controls, 'senderNonce');
  const answered = [...answer.controls, ...(nonce ? [nonceControl('recipientNonce', nonce)] : [])];
  return { ...der200(MEDIA_TYPE.fullResponse, buildFullResponse(answered)), pending: true };
}

/** § 4.2.2: subject and alternative names of the request are those of the certificate. */
function checkSameSubject(request: CertificationRequest, certificate: Certificate): void {
  const same = (one: unknown, other: unknown) => JSON.stringify(one ?? []) === JSON.stringify(other ?? []);
  if (
    !same(request.subject, certificate.subject) ||
    !same(request.extensions.subjectAltName, certificate.extensions.subjectAltName)
  ) {
    throw new EstRefusal(400, 'est.subject', 'the request is for another subject than the present certificate');
  }
}

/** @returns whether the request is linked. @throws EstRefusal when it is linked to another channel */
function linkOf({ challengePassword }: CertificationRequest, socket: TLSSocket): boolean {
  if (challengePassword === undefined) return false;
  const binding = channelBinding(socket, 'server');
  if (binding === undefined) return false;
  if (sameBinding(binding, challengePassword)) return true;
  throw new EstRefusal(400, 'est.link', 'the request was made for another channel');
}

function peerOf(message: IncomingMessage, from: string): EstPeer {
  const raw = (message.socket as TLSSocket).getPeerX509Certificate?.()?.raw;
  const certificate = raw && parseCertificate(raw);
  const [, base64] = /^Basic +([A-Za-z0-9+/=]{1,4000})$/i.exec(message.headers.authorization ?? '') ?? [];
  const [, user, password] = /^([^:]*):(.*)$/s.exec(Buffer.from(base64 ?? '', 'base64').toString('utf8')) ?? [];
  return {
    from,
    ...(certificate && { certificate }),
    ...(user !== undefined && password !== undefined && { credentials: { user, password } }),
  };
}

async function readBody(message: IncomingMessage): Promise<string> {
  message.setTimeout(BODY_TIMEOUT, () => message.destroy(new Error('the body did not arrive in time')));
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new EstRefusal(413, 'est.body', `the body exceeds ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('latin1');
}

function reply(response: ServerResponse, status: number, body: string, headers: Record<string, string>): void {
  response.writeHead(status, { ...headers, 'cache-control': 'no-store', connection: 'close' }).end(body);
}
