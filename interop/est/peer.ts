/** globalsign/est (MIT), a client and a server of EST in Go: programs of their own, built here from the pinned module. */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PEERS } from '../peers.ts';

export const GLOBALSIGN_EST = '1.0.6';

export type EstPrograms = { readonly client: string; readonly server: string } | { readonly missing: string };

export function installGlobalsignEst(): EstPrograms {
  const source = join(import.meta.dirname, 'peers');
  const build = join(PEERS, 'est');
  const programs = { client: join(build, 'estclient'), server: join(build, 'estserver') };
  const stamp = join(build, 'built-from');
  const from = readFileSync(join(source, 'go.sum'), 'utf8');
  if (existsSync(programs.client) && existsSync(programs.server) && existsSync(stamp)) {
    if (readFileSync(stamp, 'utf8') === from) return programs;
  }
  if (spawnSync('go', ['version'], { stdio: 'ignore' }).status !== 0) {
    return { missing: `globalsign/est ${GLOBALSIGN_EST} could not be built: there is no Go on this machine` };
  }
  mkdirSync(build, { recursive: true });
  for (const file of ['go.mod', 'go.sum']) copyFileSync(join(source, file), join(build, file));
  try {
    const commands = ['estclient', 'estserver'].map((name) => `github.com/globalsign/est/cmd/${name}`);
    execFileSync('go', ['build', '-o', `${build}/`, ...commands], { cwd: build, stdio: 'pipe', timeout: 540_000 });
  } catch (error) {
    const { stderr, message } = error as { stderr?: Buffer; message: string };
    const said = stderr?.toString('utf8').trim().split('\n').at(-1) || message;
    return { missing: `globalsign/est ${GLOBALSIGN_EST} could not be built: ${said.slice(0, 300)}` };
  }
  writeFileSync(stamp, from);
  return programs;
}
