/** Reaches a running system over its HTTP API: `ENERCHAIN_URL` and `ENERCHAIN_TOKEN`, else what `--data` holds. */
import { X509Certificate } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { EnerchainError } from '@enerchain/model';
import { readIfThere } from './data-folder.ts';

/** In the folder of a centre that serves HTTPS: its certificate, by which programs on this machine recognise it. */
export const CERTIFICATE_FILE = 'https.pem';

const ANSWER_WITHIN = 30_000;

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: Buffer;
}

export class SystemClient {
  readonly url: string;
  readonly #token: () => string;
  readonly #certificate: () => string | undefined;

  /**
   * @param token asked for at each request: a centre makes a new one each time it starts
   * @param certificate PEM of the one certificate that the system must show over HTTPS, whoever issued it; without it
   * the authorities that Node trusts decide (`NODE_EXTRA_CA_CERTS` adds one)
   */
  constructor(url: string, token: () => string, certificate: () => string | undefined = () => undefined) {
    this.url = url.replace(/\/$/, '');
    this.#token = token;
    this.#certificate = certificate;
  }

  /** @throws EnerchainError `cli.system.unknown` when neither the environment nor the folder says where the system is */
  static find(dataFolder: string): SystemClient {
    const url = process.env.ENERCHAIN_URL ?? readIfThere(join(dataFolder, 'centre', 'url'));
    const token = (): string =>
      process.env.ENERCHAIN_TOKEN ?? readIfThere(join(dataFolder, 'centre', 'admin.token')) ?? '';
    if (!url || !token()) {
      throw new EnerchainError(
        'caller',
        'cli.system.unknown',
        `no running system found in ${dataFolder}: start one (npm start), name its folder with --data, or set ENERCHAIN_URL and ENERCHAIN_TOKEN`,
      );
    }
    const certificate = (): string | undefined =>
      process.env.ENERCHAIN_URL ? undefined : readIfThere(join(dataFolder, 'centre', CERTIFICATE_FILE));
    return new SystemClient(url, token, certificate);
  }

  /**
   * @param path below `/api/v1`, with its query
   * @throws EnerchainError with the server's own words when it refuses, or when it cannot be reached
   */
  async request<T>(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown): Promise<T> {
    const response = await this.#send(method, path, body);
    const text = response.body.toString('utf8');
    return (text && /json/.test(response.type) ? JSON.parse(text) : text) as T;
  }

  /**
   * A file of the system.
   * @param path below `/api/v1`, with its query
   * @throws EnerchainError like `request`
   */
  async download(path: string): Promise<Buffer> {
    return (await this.#send('GET', path, undefined)).body;
  }

  async #send(method: string, path: string, body: unknown): Promise<Answer> {
    let response: Answer;
    try {
      response = await send(method, `${this.url}/api/v1${path}`, this.#token(), body, this.#certificate());
    } catch (error) {
      throw new EnerchainError('environment', 'cli.system.unreachable', `${this.url} does not answer`, {
        cause: error,
      });
    }
    if (response.status < 200 || response.status > 299) {
      const problem = problemIn(response);
      throw new EnerchainError(
        response.status >= 500 ? 'environment' : 'caller',
        'cli.system.refused',
        `${method} ${path}: ${problem?.detail ?? problem?.title ?? `status ${response.status}`}`,
      );
    }
    return response;
  }
}

function problemIn({ body, type }: Answer): { title?: string; detail?: string } | undefined {
  try {
    return /json/.test(type) ? JSON.parse(body.toString('utf8')) : undefined;
  } catch {
    return undefined;
  }
}

/** One request on a connection of its own: a kept one may lead to a centre that has gone. */
function send(
  method: string,
  url: string,
  token: string,
  body: unknown,
  certificate: string | undefined,
): Promise<Answer> {
  const content = body === undefined ? undefined : JSON.stringify(body);
  const options = {
    method,
    agent: false as const,
    signal: AbortSignal.timeout(ANSWER_WITHIN),
    headers: {
      authorization: `Bearer ${token}`,
      'x-enerchain-request': '1',
      ...(content === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(content) }),
    },
  };
  return new Promise((done, fail) => {
    const request = url.startsWith('https:')
      ? httpsRequest(url, { ...options, ...(certificate ? pinned(certificate) : {}) })
      : httpRequest(url, options);
    request.once('error', fail);
    request.once('response', (response) => {
      buffer(response).then(
        (body) => done({ status: response.statusCode ?? 0, type: response.headers['content-type'] ?? '', body }),
        fail,
      );
    });
    request.end(content);
  });
}

/** Trusts exactly this certificate, under whatever name it is reached here. */
function pinned(certificate: string): object {
  const { fingerprint256 } = new X509Certificate(certificate);
  return {
    ca: certificate,
    allowPartialTrustChain: true,
    checkServerIdentity: (_host: string, peer: { fingerprint256: string }) =>
      peer.fingerprint256 === fingerprint256
        ? undefined
        : new Error('it shows another certificate than the one it was started with'),
  };
}
