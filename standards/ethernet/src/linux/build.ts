/**
 * Builds the parts in C with the compiler of the machine: the Node-API module for packet sockets, and the launcher that hands one to
 * a program without rights. Never needed to install or start; `node src/linux/build.ts` when wanted.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { EthernetError } from '../errors.ts';
import { MODULE_PATH, onlyOnLinux } from './native.ts';

const NATIVE = dirname(MODULE_PATH);
export const LAUNCHER_PATH = join(NATIVE, `packet-launcher-linux-${process.arch}`);

const TARGETS = [
  { source: 'packet-socket.c', target: MODULE_PATH, flags: ['-fPIC', '-shared'], headers: true },
  { source: 'packet-launcher.c', target: LAUNCHER_PATH, flags: [], headers: false },
];

/** Folders that hold `node_api.h` and `uv.h`: of this node, where its package puts them, or of the system. */
function headers(): string {
  const places = [
    process.env.NODE_INCLUDE,
    join(dirname(process.execPath), '..', 'include', 'node'),
    '/usr/include/node',
    '/usr/local/include/node',
  ];
  const found = places.find((place) => place !== undefined && existsSync(join(place, 'uv.h')));
  if (found !== undefined) return found;
  throw new EthernetError(
    'environment',
    'ethernet.build',
    `No headers of Node.js (node_api.h, uv.h) in ${places.filter(Boolean).join(', ')}; NODE_INCLUDE names another folder`,
  );
}

/**
 * Builds what is older than its source.
 * @returns the files that were built
 * @throws EthernetError (environment, `ethernet.build`) with what the compiler says
 */
export function buildNative(): readonly string[] {
  onlyOnLinux('build');
  const built: string[] = [];
  for (const { source, target, flags, headers: needed } of TARGETS) {
    const from = join(NATIVE, source);
    if (existsSync(target) && statSync(target).mtimeMs >= statSync(from).mtimeMs) continue;
    // In one step, so that two who build do not load each other's half.
    const draft = `${target}.${process.pid}`;
    const include = needed ? ['-I', headers()] : [];
    const compiler = process.env.CC ?? 'cc';
    try {
      execFileSync(
        compiler,
        ['-std=c11', '-O2', '-Wall', '-Wextra', '-Werror', ...flags, ...include, from, '-o', draft],
        {
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'pipe'],
        },
      );
      renameSync(draft, target);
    } catch (cause) {
      rmSync(draft, { force: true });
      const { stderr, message } = cause as { stderr?: string; message: string };
      throw new EthernetError('environment', 'ethernet.build', `${compiler} ${from}: ${stderr || message}`, { cause });
    }
    built.push(target);
  }
  return built;
}

if (process.argv[1] === import.meta.filename) {
  try {
    const built = buildNative();
    for (const file of built) console.log(`built ${file}`);
    if (built.length === 0) console.log('nothing to do: all is newer than its source');
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 1;
  }
}
