/** Packages of PyPI in Python environments of their own: programs that run beside the tests, nothing of them is linked. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { PEERS } from './peers.ts';

export interface PythonPackage {
  readonly name: string;
  readonly version: string;
  /** What is imported to see that it loads. */
  readonly module: string;
  readonly licence: string;
}

export interface PythonEnvironment {
  readonly python: string;
  /** Why the package is not there; undefined when it is. */
  readonly missing: string | undefined;
}

/** Installed once, seconds afterwards to see that it loads. @param folder of the environment below `.peers` */
export function pythonEnvironment(folder: string, { name, version, module }: PythonPackage): PythonEnvironment {
  const home = join(PEERS, folder);
  const python = join(home, 'bin', 'python');
  const loads = `import importlib.metadata as m; assert m.version('${name}') == '${version}'; import ${module}`;
  const installed = () => spawnSync(python, ['-c', loads], { timeout: 60_000 }).status === 0;
  if (existsSync(python) && installed()) return { python, missing: undefined };
  mkdirSync(PEERS, { recursive: true });
  try {
    if (!existsSync(python)) execFileSync('python3', ['-m', 'venv', home], { stdio: 'ignore', timeout: 120_000 });
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--only-binary', ':all:'];
    execFileSync(python, [...pip, `${name}==${version}`], { stdio: 'ignore', timeout: 180_000 });
  } catch {
    return { python, missing: `${name} ${version} could not be installed` };
  }
  return { python, missing: installed() ? undefined : `${name} ${version} does not load on this machine` };
}
