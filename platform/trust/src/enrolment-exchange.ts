/** One HTTPS exchange of the enrolment, seen from the device. */
import { request as httpsRequest, type RequestOptions } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { EnerchainError } from '@enerchain/model';
import { exporterOf } from './exporter.ts';

const MAX_ANSWER = 64 * 1024;
const TIMEOUT = 15_000;

/** @returns the body of a 200. @throws EnerchainError `trust.enrol.connect` (environment), `trust.enrol.refused` (peer) */
export const get = (url: URL, options: RequestOptions): Promise<string> => exchange(url, options);

export interface Certified {
  /** PEM. */
  readonly certificate: string;
  /** PEM of the authority, as it says. */
  readonly ca: string;
}

/**
 * Asks for a certificate.
 * @param make the body, once the channel stands: evidence is bound to its exporter
 * @throws EnerchainError as `get`, and `trust.enrol.answer` (peer)
 */
export async function askForCertificate(
  url: URL,
  options: RequestOptions,
  make: (exporter: Uint8Array) => Promise<object>,
): Promise<Certified> {
  const text = await exchange(url, { ...options, method: 'POST' }, async (exporter) =>
    JSON.stringify(await make(exporter)),
  );
  try {
    const { certificate, ca } = JSON.parse(text) as { certificate?: unknown; ca?: unknown };
    if (typeof certificate === 'string' && typeof ca === 'string') return { certificate, ca };
  } catch {
    // Falls through: whatever is not JSON holds no certificate.
  }
  throw new EnerchainError('peer', 'trust.enrol.answer', `${url.origin} answered without a certificate`);
}

/** Posts JSON and reads an object. @throws EnerchainError as `askForCertificate` */
export async function postJson(
  url: URL,
  options: RequestOptions,
  body: object,
): Promise<Readonly<Record<string, unknown>>> {
  const text = await exchange(url, { ...options, method: 'POST' }, async () => JSON.stringify(body));
  try {
    const answer: unknown = JSON.parse(text);
    if (typeof answer === 'object' && answer !== null) return answer as Readonly<Record<string, unknown>>;
  } catch {
    // Falls through: it is no JSON.
  }
  throw new EnerchainError('peer', 'trust.enrol.answer', `${url.origin} answered with something else than JSON`);
}

function exchange(
  url: URL,
  options: RequestOptions,
  make?: (exporter: Uint8Array) => Promise<string>,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = make && { headers: { 'content-type': 'application/json' } };
    const request = httpsRequest(url, { ...options, agent: false, ...headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
        if (text.length > MAX_ANSWER) request.destroy(new Error('the answer is too long'));
      });
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode === 200) resolve(text);
        else reject(refusal(url, response.statusCode ?? 0, text));
      });
    });
    request.setTimeout(TIMEOUT, () => request.destroy(new Error(`no answer within ${TIMEOUT / 1000} s`)));
    request.on('error', (cause) =>
      reject(new EnerchainError('environment', 'trust.enrol.connect', `${url.origin} cannot be reached`, { cause })),
    );
    if (!make) {
      request.end();
      return;
    }
    request.on('socket', (socket) =>
      socket.once('secureConnect', () => {
        make(exporterOf(socket as TLSSocket)).then(
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

function refusal(url: URL, status: number, text: string): EnerchainError {
  let detail = `HTTP ${status}`;
  try {
    const problem = JSON.parse(text) as { detail?: unknown };
    if (typeof problem.detail === 'string') detail = problem.detail.slice(0, 500);
  } catch {
    // Not one of our answers; the status says enough.
  }
  return new EnerchainError('peer', 'trust.enrol.refused', `${url.origin} refused: ${detail}`);
}
