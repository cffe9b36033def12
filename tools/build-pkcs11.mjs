#!/usr/bin/env node
/**
 * Builds the native part of pkcs11js, which `npm install` does not: install scripts of dependencies are off. Uses the node-gyp
 * that npm brings along and the headers of the pinned Node, so that nothing is downloaded; needs python3, make and a C++ compiler.
 * The result lies in standards/pki/dist, where the PKCS#11 signer looks for it; node_modules is left as it is.
 *
 *     node tools/build-pkcs11.mjs [--force]
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { pinnedNode, root, SetupError } from './setup.mjs';

const SOURCE = join(root, 'node_modules', 'pkcs11js');
const TARGET = join(root, 'standards', 'pki', 'dist', 'pkcs11js');
const STAMP = 'built-from';

/** @returns the folder with the built package. @throws SetupError with what is missing */
export function buildPkcs11({ force = false } = {}) {
  if (!existsSync(join(SOURCE, 'binding.gyp'))) {
    throw new SetupError('pkcs11js is not installed; it is an optional dependency of standards/pki');
  }
  const node = pinnedNode();
  const headers = dirname(dirname(node));
  if (!existsSync(join(headers, 'include', 'node', 'node_api.h'))) {
    throw new SetupError(`${headers} has no headers of Node to build against`);
  }
  const stamp = stampOf(SOURCE);
  if (!force && existsSync(join(TARGET, STAMP)) && readFileSync(join(TARGET, STAMP), 'utf8') === stamp) return TARGET;
  const gyp = nodeGyp();
  // Built beside its place and moved when it is whole: somebody may be loading the one before.
  const work = `${TARGET}.${process.pid}`;
  rmSync(work, { recursive: true, force: true });
  mkdirSync(dirname(TARGET), { recursive: true });
  cpSync(SOURCE, work, { recursive: true });
  try {
    const args = [gyp, 'rebuild', '--release', `--nodedir=${headers}`];
    const { status, stdout, stderr } = spawnSync(node, args, { cwd: work, encoding: 'utf8' });
    if (status !== 0) {
      const lines = `${stdout}\n${stderr}`.split('\n');
      const told = lines.filter((line) => /gyp ERR! (?:stack Error|find)|error:|not found/.test(line));
      throw new SetupError(
        `pkcs11js cannot be built (python3, make and g++ are needed):\n${told.slice(0, 12).join('\n')}`,
      );
    }
    const binary = readFileSync(join(work, 'build', 'Release', 'pkcs11.node'));
    rmSync(join(work, 'build'), { recursive: true });
    mkdirSync(join(work, 'build', 'Release'), { recursive: true });
    writeFileSync(join(work, 'build', 'Release', 'pkcs11.node'), binary);
    writeFileSync(join(work, STAMP), stamp);
    rmSync(TARGET, { recursive: true, force: true });
    renameSync(work, TARGET);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return TARGET;
}

/** Version and sources; the native part uses Node-API, so that it does not depend on the version of Node. */
function stampOf(folder) {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch}\n`);
  const files = [
    'package.json',
    'binding.gyp',
    ...readdirSync(join(folder, 'src'))
      .map((name) => join('src', name))
      .sort(),
  ];
  for (const file of files) hash.update(readFileSync(join(folder, file)));
  return hash.digest('hex');
}

/** node-gyp of the npm that runs us, or of the one on the path. */
function nodeGyp() {
  const clis = [
    process.env.npm_execpath,
    ...(process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'npm')),
  ].filter((path) => path && existsSync(path));
  for (const cli of clis) {
    const gyp = join(dirname(dirname(realpathSync(cli))), 'node_modules', 'node-gyp', 'bin', 'node-gyp.js');
    if (existsSync(gyp)) return gyp;
  }
  throw new SetupError('npm, with its node-gyp, is not on the path');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  try {
    process.stdout.write(`${buildPkcs11({ force: process.argv.includes('--force') })}\n`);
  } catch (error) {
    process.stderr.write(error instanceof SetupError ? `${error.message}\n` : `${error.stack}\n`);
    process.exitCode = 1;
  }
}
