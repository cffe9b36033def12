/** EST client (RFC 7030) over node:https; one connection per exchange. */
import { request as httpsRequest, type RequestOptions } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { PkiError } from '../error.ts';
import { parseRequest } from '../request.ts';
import { channelBinding } from './channel.ts';
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

/** Makes the PKCS#10 request. @param binding challenge password that links it to the channel (§ 3.5), where there is one */
export type RequestMaker = (binding: string | undefined) => Uint8Array | Promise<Uint8Array>;

/** Obtains a certificate (§ 4.2.1). @throws PkiError as `caCertificates` */
export const enroll = (target: EstTarget, make: RequestMaker): Promise<EstEnrolment> =>
  obtain(target, 'simpleenroll', make);

/** Obtains another certificate for the subject of the present one, which `tls` shows (§ 4.2.2). */
export const reenroll = (target: EstTarget, make: RequestMaker): Promise<EstEnrolment> =>
  obtain(target, 'simplereenroll', make);

async function obtain(target: EstTarget, operation: Operation, make: RequestMaker): Promise<EstEnrolment> {
  let spki: Uint8Array | undefined;
  const answer = await exchange(target, operation, async (binding) => {
    const request = await make(binding);
    spki = parseRequest(request).spki;
    return encodeBody(request);
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
    const detail = isMediaType(type, 'text/plain') ? `: ${body.trim().slice(0, 300)}` : '';
    throw new PkiError('peer', 'est.refused', `${target.url} refused with HTTP ${status}${detail}`);
  }
  if (!isMediaType(type, expected)) throw malformed(target, `is ${type ?? 'of no type'} instead of ${expected}`);
  return read(body);
}

/** @param make the body, once the channel stands */
function exchange(
  target: EstTarget,
  operation: Operation,
  make?: (binding: string | undefined) => Promise<string>,
): Promise<Answer> {
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
        ...(make && { 'content-type': MEDIA_TYPE.request, 'content-transfer-encoding': 'base64' }),
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
    request.on('socket', (socket) =>
      socket.once('secureConnect', () => {
        make(channelBinding(socket as TLSSocket, 'client')).then(
          (body) => request.end(body),
          (error: unknown) => {
            reject(error);
            request.destroy();
          },
        );
      }),
    );
  });
}
