/** The programs of swtpm (BSD-3-Clause), a software TPM 2.0: whether this machine has them, and which. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

export type SwtpmTools =
  | { readonly installed: true; readonly version: string }
  /** What to say to a person, and what to do about it. */
  | { readonly installed: false; readonly reason: string };

const run = promisify(execFile);
/** With an argument at which each of them ends well. */
const PROGRAMS = [
  ['swtpm', '--version'],
  ['swtpm_setup', '--help'],
  ['swtpm_localca', '--help'],
] as const;

export async function findSwtpm(path = process.env.PATH): Promise<SwtpmTools> {
  const env = { ...process.env, PATH: path };
  let version = '';
  for (const [program, argument] of PROGRAMS) {
    try {
      const { stdout } = await run(program, [argument], { env, timeout: 10_000 });
      version ||= /version ([\d.]+)/.exec(stdout)?.[1] ?? '';
    } catch (error) {
      const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
      const what = missing ? `${program} is not installed` : `${program} does not run here`;
      return {
        installed: false,
        reason: `${what}; there are no TPMs in this lab (Debian: apt-get install swtpm swtpm-tools)`,
      };
    }
  }
  return { installed: true, version };
}
