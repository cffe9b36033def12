/** Enrolment and renewal, seen from the device. */
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { EnerchainError } from '@enerchain/model';
import { certificateFromPem, FileKeySigner, PkiError, type Signer, thumbprint } from '@enerchain/pki';
import {
  hasOwnTlsKey,
  type Identity,
  keepCertificates,
  makeIdentity,
  obtainIdentity,
  requestFor,
  signedTlsRequest,
  type TlsIssuer,
  tlsContext,
} from './identity.ts';
import { readToken } from './token.ts';

const MAX_ANSWER = 64 * 1024;
const TIMEOUT = 15_000;

/**
 * Enrols: fetches the CA certificate, compares it with the fingerprint in the token, and only then, over a connection
 * that this CA vouches for, shows the secret and asks for a certificate. The files of the identity end up in `dir`.
 * @param options.url instead of the address in the token, `https://host:port`
 * @param options.signer holds the key of the identity when that lies in an HSM or TPM
 * @throws EnerchainError `trust.enrol.fingerprint` when somebody else answers, `trust.enrol.refused`, `trust.enrol.connect`
 */
export async function enrol(options: {
  dir: string;
  token: string;
  url?: string;
  signer?: Signer;
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
  const context: RequestOptions = { ...signal, ca: caPem, minVersion: 'TLSv1.3' };
  const issuer = async (request: Uint8Array) => {
    const secret = Buffer.from(token.secret).toString('base64url');
    const body = { token: secret, request: Buffer.from(request).toString('base64') };
    return { certificate: await askForCertificate(new URL('/enrol', base), body, context), ca: caPem };
  };
  const { signer } = options;
  const apart = signer && { signer, tls: tlsIssuer(base, context) };
  return obtainIdentity(options.dir, { name: token.name, role: token.role }, issuer, apart ? { apart } : {});
}

/** Asks for a certificate for the key of the connections; the signature of the identity is all that it needs. */
const tlsIssuer =
  (base: string, context: RequestOptions): TlsIssuer =>
  (request, certificate) =>
    askForCertificate(
      new URL('/enrol/tls', base),
      { request: Buffer.from(request).toString('base64'), certificate: Buffer.from(certificate).toString('base64') },
      context,
    );

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
  const { caPem, signer, tls } = identity;
  const context = { ...(options.signal ? { signal: options.signal } : {}), ...tlsContext(identity) };
  const request = Buffer.from(await requestFor(identity, signer)).toString('base64');
  const body = { request, certificate: Buffer.from(identity.certificate.der).toString('base64') };
  const certificatePem = await askForCertificate(new URL('/enrol/renew', options.url), body, context);
  const parts = { certificatePem, caPem, signer };
  const { keyPem } = tls;
  if (!hasOwnTlsKey(identity)) return keep(options.dir, makeIdentity({ ...parts, keyPem }));
  const certificate = certificateFromPem(certificatePem, 'the answer');
  const signed = await signedTlsRequest(
    identity,
    { signer, kid: thumbprint(certificate) },
    FileKeySigner.fromPem(keyPem),
  );
  const own = await tlsIssuer(options.url, context)(signed, certificate.der);
  return keep(options.dir, makeIdentity({ ...parts, tls: { keyPem, certificatePem: own } }));
}

async function keep(dir: string, identity: Identity): Promise<Identity> {
  await keepCertificates(dir, identity);
  return identity;
}

/** @returns PEM */
async function askForCertificate(url: URL, body: object, options: RequestOptions): Promise<string> {
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
  return certificate;
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
