/** libiec61850 through `pyiec61850-ng`, in a Python environment of its own (GPL-3: a program that runs beside the tests). */
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { PEERS } from './peers.ts';

const VERSION = '1.6.1.7';
const folder = join(PEERS, 'mms');
export const python = join(folder, 'bin', 'python');
const installed = () =>
  spawnSync(python, [
    '-c',
    `import importlib.metadata as m; assert m.version('pyiec61850-ng') == '${VERSION}'; import pyiec61850.pyiec61850`,
  ]).status === 0;

/** undefined when pyiec61850-ng (GPL-3, a program of its own here) is there; else why not. */
function install(): string | undefined {
  if (installed()) return undefined;
  try {
    execFileSync('python3', ['-m', 'venv', folder], { stdio: 'ignore', timeout: 120_000 });
    execFileSync(python, ['-m', 'pip', 'install', '-q', `pyiec61850-ng==${VERSION}`], {
      stdio: 'ignore',
      timeout: 180_000,
    });
  } catch {
    return `pyiec61850-ng ${VERSION} could not be installed`;
  }
  return installed() ? undefined : `pyiec61850-ng ${VERSION} does not load on this machine`;
}

/** Why it is not there; undefined when it is. */
export const missing = install();
