/** Reaches a running system over its HTTP API: `ENERCHAIN_URL` and `ENERCHAIN_TOKEN`, else what `--data` holds. */
import { join } from 'node:path';
import { EnerchainError } from '@enerchain/model';
import { readIfThere } from './data-folder.ts';

export class SystemClient {
  readonly url: string;
  readonly #token: () => string;

  /** @param token asked for at each request: a centre makes a new one each time it starts */
  constructor(url: string, token: () => string) {
    this.url = url.replace(/\/$/, '');
    this.#token = token;
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
    return new SystemClient(url, token);
  }

  /**
   * @param path below `/api/v1`, with its query
   * @throws EnerchainError with the server's own words when it refuses, or when it cannot be reached
   */
  async request<T>(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown): Promise<T> {
    let response: Response;
    try {
      response = await fetch(`${this.url}/api/v1${path}`, {
        method,
        headers: {
          authorization: `Bearer ${this.#token()}`,
          'x-enerchain-request': '1',
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(30_000),
      });
    } catch (error) {
      throw new EnerchainError('environment', 'cli.system.unreachable', `${this.url} does not answer`, {
        cause: error,
      });
    }
    const text = await response.text();
    const answer: unknown = text && /json/.test(response.headers.get('content-type') ?? '') ? JSON.parse(text) : text;
    if (!response.ok) {
      const problem = answer as { title?: string; detail?: string };
      throw new EnerchainError(
        response.status >= 500 ? 'environment' : 'caller',
        'cli.system.refused',
        `${method} ${path}: ${problem?.detail ?? problem?.title ?? `status ${response.status}`}`,
      );
    }
    return answer as T;
  }
}
