/** The command line as a test calls it, and what it said. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { vi } from 'vitest';
import { carryOut } from '../src/cli/program.ts';

export const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));

export interface Said {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * In this process, for commands that come to an end by themselves: their files are loaded once for all calls of a test
 * file. One at a time.
 * @param env variables that the command is to see besides
 */
export async function enerchain(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Said> {
  const said = { stdout: '', stderr: '' };
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  const hear = (stream: 'stdout' | 'stderr') =>
    vi.spyOn(process[stream], 'write').mockImplementation((chunk, ...rest) => {
      said[stream] += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString();
      for (const written of rest) if (typeof written === 'function') (written as () => void)();
      return true;
    });
  const heard = [hear('stdout'), hear('stderr')];
  const before = process.exitCode;
  process.exitCode = undefined;
  try {
    await carryOut(args);
    return { status: Number(process.exitCode ?? 0), ...said };
  } finally {
    process.exitCode = before;
    for (const stream of heard) stream.mockRestore();
    vi.unstubAllEnvs();
  }
}

/** As a process of its own: for tools that last until they are stopped, and for what concerns the process itself. */
export function enerchainProcess(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Said> {
  const node = ['--disable-warning=ExperimentalWarning', MAIN, ...args];
  return new Promise((done) => {
    execFile(process.execPath, node, { timeout: 60_000, env: { ...process.env, ...env } }, (error, stdout, stderr) =>
      done({ status: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
    );
  });
}
