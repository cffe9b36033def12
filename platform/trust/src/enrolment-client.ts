/** Enrolment and renewal, seen from the device. */
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { join } from 'node:path';
import { EnerchainError } from '@enerchain/model';
import { certificateFromPem, PkiError, thumbprint } from '@enerchain/pki';
import {
  IDENTITY_FILES,
  type Identity,
  makeIdentity,
  obtainIdentity,
  requestFor,
  tlsContext,
  writeDurably,
} from './identity.ts';
import { readToken } from './token.ts';

const MAX_ANSWER = 64 * 1024;
const TIMEOUT = 15_000;

/**
 * Enrols: fetches the CA certificate, compares it with the fingerprint in the token, and only then, over a connection
 * that this CA vouches for, shows the secret and asks for a certificate. The files of the identity end up in `dir`.
 * @param options.url instead of the address in the token, `https://host:port`
 * @throws EnerchainError `trust.enrol.fingerprint` when somebody else answers, `trust.enrol.refused`, `trust.enrol.connect`
 */
export async function enrol(options: {
  dir: string;
  token: string;
  url?: string;
  signal?: AbortSignal;
}): Promise<Identity> {
  const token = readToken(options.token);
  const base = options.url ?? token.address;
  const signal = options.signal ? { signal: options.signal } : {};
  // Nothing secret travels on this first connection, and what comes back is believed only if its hash fits.
  const caPem = await exchange(new URL('/enrol/ca', base), { ...signal, rejectUnauthorized: false });
  let fits = false;
  try {
    fits = Buffer.compare(thumbprint(certificateFromPem(caPem)), token.fingerprint) === 0;
  } catch (error) {
    if (!(error instanceof PkiError)) throw error;
  }
  if (!fits) {
    throw new EnerchainError(
      'peer',
      'trust.enrol.fingerprint',
      `${base} shows another CA than the token names; the token was not shown to it`,
    );
  }
  const issuer = (request: Uint8Array) =>
    askForCertificate(
      new URL('/enrol', base),
      { token: Buffer.from(token.secret).toString('base64url'), request: Buffer.from(request).toString('base64') },
      { ...signal, ca: caPem, minVersion: 'TLSv1.3' },
      caPem,
    );
  return obtainIdentity(options.dir, { name: token.name, role: token.role }, issuer);
}

/**
 * Renews the certificate of an identity, for the same key, over mTLS, and replaces the file in `dir`.
 * @param options.url `https://host:port` of the centre
 */
export async function renew(options: {
  dir: string;
  identity: Identity;
  url: string;
  signal?: AbortSignal;
}): Promise<Identity> {
  const { identity } = options;
  const request = await requestFor(identity, identity.signer);
  const { certificate } = await askForCertificate(
    new URL('/enrol/renew', options.url),
    { request: Buffer.from(request).toString('base64') },
    { ...(options.signal ? { signal: options.signal } : {}), ...tlsContext(identity) },
    identity.caPem,
  );
  const { keyPem, signer, caPem } = identity;
  const renewed = makeIdentity({ certificatePem: certificate, caPem, signer, ...(keyPem ? { keyPem } : {}) });
  await writeDurably(join(options.dir, IDENTITY_FILES.certificate), certificate);
  return renewed;
}

async function askForCertificate(url: URL, body: object, options: RequestOptions, caPem: string) {
  const text = await exchange(url, { ...options, method: 'POST' }, JSON.stringify(body));
  let certificate: unknown;
  try {
    ({ certificate } = JSON.parse(text) as { certificate?: unknown });
  } catch {
    // Falls through: whatever is not JSON holds no certificate.
  }
  if (typeof certificate !== 'string') {
    throw new EnerchainError('peer', 'trust.enrol.answer', `${url.origin} answered without a certificate`);
  }
  return { certificate, ca: caPem };
}

/** One HTTPS exchange. @returns the body of a 200 */
function exchange(url: URL, options: RequestOptions, body?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      url,
      { ...options, agent: false, ...(body ? { headers: { 'content-type': 'application/json' } } : {}) },
      (response) => {
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
      },
    );
    request.setTimeout(TIMEOUT, () => request.destroy(new Error(`no answer within ${TIMEOUT / 1000} s`)));
    request.on('error', (cause) =>
      reject(new EnerchainError('environment', 'trust.enrol.connect', `${url.origin} cannot be reached`, { cause })),
    );
    request.end(body);
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
