/** How a running lab is told to misbehave: HTTP on loopback, with a token that only the owner of the data folder can read. */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { join } from 'node:path';
import { describeError, EnerchainError } from '@enerchain/model';
import type { FaultRequest } from './request.ts';

const MAX_BODY = 65_536;
const controlFile = (dataDir: string): string => join(dataDir, 'control.json');

export class ControlPort {
  readonly #server: Server;
  readonly #file: string;

  private constructor(server: Server, file: string) {
    this.#server = server;
    this.#file = file;
  }

  /** @param act carries the fault out; its sentence goes back to the one who asked */
  static async open(dataDir: string, act: (request: unknown) => string): Promise<ControlPort> {
    const token = randomBytes(24).toString('base64url');
    const server = createServer(async (request, response) => {
      const answer = (status: number, body: object): void => {
        response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
        response.end(JSON.stringify(body));
      };
      try {
        if (!hasToken(request, token)) return answer(401, { error: 'the token is missing or wrong' });
        if (request.method !== 'POST' || request.url !== '/fault') return answer(404, { error: 'POST /fault' });
        answer(200, { done: act(JSON.parse(await bodyOf(request))) });
      } catch (error) {
        answer(error instanceof EnerchainError || error instanceof SyntaxError ? 400 : 500, {
          error: describeError(error),
        });
      }
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    const { port } = server.address() as { port: number };
    const file = controlFile(dataDir);
    writeFileSync(`${file}.new`, `${JSON.stringify({ port, token })}\n`, { mode: 0o600 });
    renameSync(`${file}.new`, file);
    return new ControlPort(server, file);
  }

  async close(): Promise<void> {
    rmSync(this.#file, { force: true });
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }
}

function hasToken(request: IncomingMessage, token: string): boolean {
  const given = Buffer.from(request.headers.authorization ?? '');
  const expected = Buffer.from(`Bearer ${token}`);
  return given.length === expected.length && timingSafeEqual(given, expected);
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY) throw new EnerchainError('caller', 'lab.fault.request', 'the request is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/**
 * Asks the lab that runs in `dataDir` for a fault.
 * @returns what the lab says it did
 * @throws EnerchainError when no lab runs there or it refuses
 */
export async function labFault(dataDir: string, request: FaultRequest): Promise<string> {
  let control: { port: number; token: string };
  try {
    control = JSON.parse(readFileSync(controlFile(dataDir), 'utf8'));
  } catch (error) {
    throw new EnerchainError('caller', 'lab.fault.no-lab', `no lab runs in ${dataDir}; start it first`, {
      cause: error,
    });
  }
  let response: Response;
  try {
    response = await fetch(`http://127.0.0.1:${control.port}/fault`, {
      method: 'POST',
      headers: { authorization: `Bearer ${control.token}`, 'content-type': 'application/json' },
      body: JSON.stringify(request),
    });
  } catch (error) {
    throw new EnerchainError('environment', 'lab.fault.no-lab', `the lab in ${dataDir} does not answer`, {
      cause: error,
    });
  }
  const { done, error } = (await response.json()) as { done?: string; error?: string };
  if (!response.ok) throw new EnerchainError('caller', 'lab.fault.refused', error ?? `the lab said ${response.status}`);
  return done ?? '';
}
