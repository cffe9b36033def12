/** Where the software lies, and which of its files can be loaded. */
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';

/** The package lock as a component: which packages were chosen. */
export const LOCK_FILE = 'package-lock.json';
/** The Node binary as a component. */
export const RUNTIME = 'runtime:node';

/** The folder that holds an entry file's `package-lock.json`; without one, the nearest that holds `node_modules`. */
export function installationRoot(entry: string): string {
  const from = dirname(realpathSync(resolve(entry)));
  for (const mark of [LOCK_FILE, 'node_modules']) {
    for (let folder = from; ; folder = dirname(folder)) {
      if (existsSync(join(folder, mark))) return folder;
      if (folder === dirname(folder)) break;
    }
  }
  return from;
}

/** Name of a file as a component. */
export function componentName(root: string, path: string): string {
  const inside = relative(root, path);
  if (inside === '' || inside.startsWith('..')) return `outside:${path}`;
  return sep === '/' ? inside : inside.split(sep).join('/');
}

/** What Node would load: modules, JSON, addons, WebAssembly. */
const LOADABLE = /\.(?:[cm]?[jt]s|json|node|wasm)$/;
/** Type declarations are never loaded, and tests are not part of what runs. */
const NEVER = /\.d\.[cm]?ts$|\.test\.ts$/;
/** Folders that hold nothing that is loaded: data, results, version control. */
const SKIPPED = new Set(['.git', '.data', '.reports', '.peers', '.cache', '.vite']);
/** Most files of one installation. */
const MOST_FILES = 500_000;

/**
 * Every file of an installation that could be loaded, as absolute paths in order. Symbolic links are followed only where
 * npm makes them: the packages of the workspace below `node_modules`, whose files are found under their real path anyway.
 */
export function loadableFiles(root: string): string[] {
  const found: string[] = [];
  const folders = [root];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) {
        if (!SKIPPED.has(entry.name)) folders.push(path);
      } else if (entry.isFile() && LOADABLE.test(entry.name) && !NEVER.test(entry.name)) {
        if (found.push(path) > MOST_FILES) throw new RangeError(`${root} has more than ${MOST_FILES} files to load`);
      }
    }
  }
  return found.sort();
}
