import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What a peer is, from where, and how its programs are started. Peers are programs of their own; nothing of them is linked or copied. */
export interface Peer {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  /** Command and first arguments of the peer program. */
  readonly command: readonly string[];
}

export type PeerOrReason = { readonly peer: Peer } | { readonly missing: string };

const HERE = import.meta.dirname;
/** Where peers are installed; ignored by git, made on demand. */
export const PEERS = join(HERE, '.peers');

const C104 = '2.2.1';
/** Pinned in `iec104/peers/rust/Cargo.toml`. */
const IEC104_CRATE = '0.6.0';

function run(
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): string {
  return execFileSync(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 540_000,
    encoding: 'utf8',
    ...options,
  });
}

/** The last line that says something of a command that failed. */
function reason(error: unknown): string {
  const { stderr, stdout, message } = error as { stderr?: string; stdout?: string; message: string };
  const lines = `${stdout ?? ''}\n${stderr ?? ''}`
    .split('\n')
    .filter((line) => /error|fail|not found|denied|no matching/i.test(line));
  return (lines[0] ?? message.split('\n')[0] ?? '').trim().slice(0, 300);
}

const has = (command: string, ...args: string[]): boolean => spawnSync(command, args, { stdio: 'ignore' }).status === 0;

/** c104: a Python module around the C library lib60870; a virtual environment of its own. */
export function installC104(): PeerOrReason {
  const folder = join(PEERS, 'py');
  const python = join(folder, 'bin', 'python');
  const installed = () =>
    has(python, '-c', `import importlib.metadata as m; assert m.version('c104') == '${C104}'; import c104`);
  if (!installed()) {
    const system = ['python3', 'python'].find((command) =>
      has(command, '-c', 'import sys; assert sys.version_info >= (3, 8)'),
    );
    if (system === undefined) return { missing: 'c104 could not be installed: there is no Python 3 on this machine' };
    mkdirSync(PEERS, { recursive: true });
    try {
      if (!existsSync(python)) run(system, ['-m', 'venv', folder]);
      run(python, [
        '-m',
        'pip',
        'install',
        '--quiet',
        '--disable-pip-version-check',
        '--only-binary',
        ':all:',
        `c104==${C104}`,
      ]);
    } catch (error) {
      return { missing: `c104 ${C104} could not be installed: ${reason(error)}` };
    }
    if (!installed()) return { missing: `c104 ${C104} is installed but cannot be loaded` };
  }
  return {
    peer: {
      name: 'c104',
      version: C104,
      licence: 'GPL-3.0',
      command: [python, join(HERE, 'iec104', 'peers', 'c104_peer.py')],
    },
  };
}

/** The `iec104` crate behind a small program of ours, built here. */
export function installIec104Crate(): PeerOrReason {
  const source = join(HERE, 'iec104', 'peers', 'rust');
  const build = join(PEERS, 'rust');
  const program = join(build, 'target', 'release', 'iec104-peer');
  const stamp = join(build, 'built-from');
  const files = ['Cargo.toml', 'src/main.rs'];
  const from = files.map((file) => readFileSync(join(source, file), 'utf8')).join('');
  if (!existsSync(program) || !existsSync(stamp) || readFileSync(stamp, 'utf8') !== from) {
    if (!has('cargo', '--version')) {
      return {
        missing: `the crate iec104 ${IEC104_CRATE} could not be built: there is no cargo (Rust) on this machine`,
      };
    }
    // Built from a copy: cargo writes its lock file beside what it builds.
    mkdirSync(join(build, 'src'), { recursive: true });
    for (const file of files) copyFileSync(join(source, file), join(build, file));
    try {
      run('cargo', ['build', '--release', '--quiet'], { cwd: build });
    } catch (error) {
      return { missing: `the crate iec104 ${IEC104_CRATE} could not be built: ${reason(error)}` };
    }
    writeFileSync(stamp, from);
  }
  return { peer: { name: 'iec104 (crate)', version: IEC104_CRATE, licence: 'MIT', command: [program] } };
}

/** Every peer of the 104 tests, installed or with the reason why not. */
export function installAll(): PeerOrReason[] {
  return [installC104(), installIec104Crate()];
}

if (process.argv[1] === import.meta.filename) {
  for (const result of installAll()) {
    if ('peer' in result) console.log(`installed: ${result.peer.name} ${result.peer.version} (${result.peer.licence})`);
    else console.log(`not installed: ${result.missing}`);
  }
}
