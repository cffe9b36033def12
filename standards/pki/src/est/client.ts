/** EST client (RFC 7030) over node:https; one connection per exchange. */
import { request as httpsRequest, type RequestOptions } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { type FullAnswer, readFullAnswer, statusIn } from '../cmc/index.ts';
import { PkiError } from '../error.ts';
import { parseRequest } from '../request.ts';
import { channelBinding, type Exporter, exporterOf } from './channel.ts';
import {
  type CsrAttribute,
  certificateFor,
  decodeBody,
  encodeBody,
  isMediaType,
  MAX_BODY_BYTES,
  MEDIA_TYPE,
  type Operation,
  pathOf,
  readCertificatesBody,
  readCsrAttributes,
  readRetryAfter,
} from './message.ts';

/** Where to enrol and how to get there. */
export interface EstTarget {
  /** `https://host:port`. */
  readonly url: string;
  /** Which of several authorities. */
  readonly label?: string;
  /** `ca`, and `cert` with `key` where the client has a certificate. */
  readonly tls?: Pick<
    RequestOptions,
    'ca' | 'cert' | 'key' | 'minVersion' | 'maxVersion' | 'servername' | 'rejectUnauthorized' | 'checkServerIdentity'
  >;
  /** HTTP authentication; shown only to a server whose certificate was verified. */
  readonly credentials?: { readonly user: string; readonly password: string };
  readonly signal?: AbortSignal;
  /** Milliseconds without an answer; by default 15 s. */
  readonly timeout?: number;
}

const TIMEOUT = 15_000;

/**
 * CA certificates (§ 4.1), DER. With `rejectUnauthorized: false` this is the bootstrap of § 4.1.1: what comes back is to be
 * compared with a fingerprint that was obtained otherwise before anything else is done.
 * @throws PkiError `est.connect` (fault environment), `est.refused`, `est.answer` (fault peer)
 */
export async function caCertificates(target: EstTarget): Promise<readonly Uint8Array[]> {
  const answer = await exchange(target, 'cacerts');
  return bodyOf(answer, MEDIA_TYPE.certificates, readCertificatesBody);
}

/** What the authority would like to see in requests (§ 4.5); empty when nothing is asked for. */
export async function csrAttributes(target: EstTarget): Promise<readonly CsrAttribute[]> {
  const answer = await exchange(target, 'csrattrs');
  if (answer.status === 204 || answer.status === 404) return [];
  return bodyOf(answer, MEDIA_TYPE.attributes, (body) => readCsrAttributes(decodeBody(body)));
}

export type EstEnrolment =
  | { readonly kind: 'issued'; readonly certificate: Uint8Array }
  /** Come again after so many seconds, with the same request (§ 4.2.3). */
  | { readonly kind: 'pending'; readonly retryAfterSeconds: number };

/**
 * Makes the request, DER, once the channel stands.
 * @param binding challenge password that links it to the channel (§ 3.5), where there is one
 * @param exporter keying material of the channel (RFC 8446 § 7.5): 32 octets, context empty; `undefined` below TLS 1.3
 */
export type RequestMaker = (binding: string | undefined, exporter: Exporter) => Uint8Array | Promise<Uint8Array>;

/** Obtains a certificate (§ 4.2.1). @throws PkiError as `caCertificates` */
export const enroll = (target: EstTarget, make: RequestMaker): Promise<EstEnrolment> =>
  obtain(target, 'simpleenroll', make);

/** Obtains another certificate for the subject of the present one, which `tls` shows (§ 4.2.2). */
export const reenroll = (target: EstTarget, make: RequestMaker): Promise<EstEnrolment> =>
  obtain(target, 'simplereenroll', make);

/**
 * Full request by CMC (§ 4.3).
 * @param make see `buildFullRequest`; the PKCS#10 within has the binding
 * @returns certificates, or the controls of an answer that wants more before there are any
 * @throws PkiError as `caCertificates`
 */
export async function full(target: EstTarget, make: RequestMaker): Promise<FullAnswer> {
  const answer = await exchange(target, 'fullcmc', make);
  return bodyOf(answer, MEDIA_TYPE.fullResponse, (body) => readFullAnswer(decodeBody(body)));
}

async function obtain(target: EstTarget, operation: Operation, make: RequestMaker): Promise<EstEnrolment> {
  let spki: Uint8Array | undefined;
  const answer = await exchange(target, operation, async (...channel) => {
    const request = await make(...channel);
    spki = parseRequest(request).spki;
    return request;
  });
  if (answer.status === 202) {
    const retryAfterSeconds = readRetryAfter(answer.retryAfter, new Date());
    if (retryAfterSeconds === undefined) throw malformed(target, 'is pending without saying until when');
    return { kind: 'pending', retryAfterSeconds };
  }
  const certificates = bodyOf(answer, MEDIA_TYPE.certificates, readCertificatesBody);
  return { kind: 'issued', certificate: certificateFor(spki!, certificates) };
}

const malformed = ({ url }: EstTarget, what: string) =>
  new PkiError('peer', 'est.answer', `the answer of ${url} ${what}`);

interface Answer {
  readonly target: EstTarget;
  readonly status: number;
  readonly type: string | undefined;
  readonly retryAfter: string | undefined;
  readonly body: string;
}

function bodyOf<T>({ target, status, type, body }: Answer, expected: string, read: (body: string) => T): T {
  if (status !== 200) {
    const why = isMediaType(type, 'text/plain')
      ? body.trim()
      : isMediaType(type, expected)
        ? reasonIn(body)
        : undefined;
    const detail = why ? `: ${why.slice(0, 500)}` : '';
    throw new PkiError('peer', 'est.refused', `${target.url} refused with HTTP ${status}${detail}`);
  }
  if (!isMediaType(type, expected)) throw malformed(target, `is ${type ?? 'of no type'} instead of ${expected}`);
  return read(body);
}

/** What a full answer says of a refusal (§ 4.3.2). */
function reasonIn(body: string): string | undefined {
  try {
    const answer = readFullAnswer(decodeBody(body));
    return answer.kind === 'response' ? statusIn(answer.controls).text : undefined;
  } catch (error) {
    if (error instanceof PkiError) return undefined;
    throw error;
  }
}

function exchange(target: EstTarget, operation: Operation, make?: RequestMaker): Promise<Answer> {
  const { credentials, tls, signal, timeout = TIMEOUT } = target;
  if (credentials && tls?.rejectUnauthorized === false) {
    throw new PkiError('caller', 'est.credentials', 'credentials are not shown to a server that was not verified');
  }
  const route = { operation, ...(target.label !== undefined && { label: target.label }) };
  const url = new URL(pathOf(route), target.url);
  return new Promise((resolve, reject) => {
    const unreachable = (cause: unknown) =>
      reject(new PkiError('environment', 'est.connect', `${url.origin} cannot be reached`, { cause }));
    const request = httpsRequest(url, {
      ...tls,
      ...(signal && { signal }),
      agent: false,
      method: make ? 'POST' : 'GET',
      headers: {
        ...(make && {
          'content-type': operation === 'fullcmc' ? MEDIA_TYPE.fullRequest : MEDIA_TYPE.request,
          'content-transfer-encoding': 'base64',
        }),
        ...(credentials && {
          authorization: `Basic ${Buffer.from(`${credentials.user}:${credentials.password}`).toString('base64')}`,
        }),
      },
    });
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > MAX_BODY_BYTES) request.destroy(new Error('the answer is too long'));
        else chunks.push(chunk);
      });
      response.on('error', unreachable);
      response.on('end', () =>
        resolve({
          target,
          status: response.statusCode ?? 0,
          type: response.headers['content-type'],
          retryAfter: response.headers['retry-after'],
          body: Buffer.concat(chunks).toString('latin1'),
        }),
      );
    });
    request.setTimeout(timeout, () => request.destroy(new Error(`no answer within ${timeout / 1000} s`)));
    request.on('error', unreachable);
    if (!make) {
      request.end();
      return;
    }
    request.on('socket', (socket: TLSSocket) =>
      socket.once('secureConnect', () => {
        // A maker that throws at once is like one that fails later.
        const made = async () => make(channelBinding(socket, 'client'), exporterOf(socket));
        made().then(
          (body) => request.end(encodeBody(body)),
          (error: unknown) => {
            reject(error);
            request.destroy();
          },
        );
      }),
    );
  });
}
