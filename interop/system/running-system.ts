/** The whole system as a new user starts it: `npm start` with a data folder and a port of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(fileURLToPath(new URL('../..', import.meta.url)));

export interface RunningSystem {
  readonly url: string;
  readonly setupLink: string;
  readonly data: string;
  readonly output: () => string;
  /** The process that `npm start` runs; to be killed by tests about orphans. */
  readonly process: ChildProcess;
  stop(): Promise<number | null>;
}

export async function startSystem(more: readonly string[] = []): Promise<RunningSystem> {
  const data = mkdtempSync(join(tmpdir(), 'enerchain-system-'));
  const port = await twoFreePorts();
  const child = spawn('npm', ['start', '--silent', '--', '--data', data, '--port', String(port), ...more], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  const ended = new Promise<number | null>((done) => child.once('close', done));
  const ready = new Promise<void>((done, fail) => {
    const keep = (chunk: Buffer): void => {
      output += chunk.toString('utf8');
      if (/CloudEnerChain runs: /.test(output) && /Stop with/.test(output)) done();
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    void ended.then((code) => fail(new Error(`npm start ended with ${code}:\n${output}`)));
    setTimeout(() => fail(new Error(`npm start was not ready after 180 s:\n${output}\n${tails(data)}`)), 180_000).unref();
  });
  const stop = async (): Promise<number | null> => {
    // As Ctrl-C does it: to the whole process group.
    if (child.exitCode === null && child.pid) process.kill(-child.pid, 'SIGINT');
    const code = await ended;
    rmSync(data, { recursive: true, force: true });
    return code;
  };
  try {
    await ready;
  } catch (error) {
    await stop();
    throw error;
  }
  const setupLink = /https?:\/\/\S+#\/setup\/\S+/.exec(output)?.[0];
  if (!setupLink) {
    await stop();
    throw new Error(`npm start printed no set-up link:\n${output}`);
  }
  return { url: `http://localhost:${port}`, setupLink, data, output: () => output, process: child, stop };
}

/** The last lines of every log, for a failure's message. */
export function tails(data: string, lines = 5): string {
  let text = '';
  try {
    for (const name of readdirSync(join(data, 'logs'))) {
      text += `--- ${name}\n${readFileSync(join(data, 'logs', name), 'utf8').split('\n').slice(-lines).join('\n')}\n`;
    }
  } catch {
    // No logs yet: there is nothing to add.
  }
  return text;
}

async function twoFreePorts(): Promise<number> {
  for (;;) {
    const first = await tryPort(0);
    if (first !== undefined && (await tryPort(first + 1)) !== undefined) return first;
  }
}

function tryPort(port: number): Promise<number | undefined> {
  return new Promise((done) => {
    const server = createServer();
    server.once('error', () => done(undefined));
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => done(typeof address === 'object' && address ? address.port : undefined));
    });
  });
}
