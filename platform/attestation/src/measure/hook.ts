/**
 * Sees every module that this process loads, from the moment this file is imported on. It must be imported before
 * anything else (see `apps/enerchain/src/main.ts`) and therefore imports nothing but Node itself.
 *
 * `module.registerHooks` (Node 22.15) calls back for each ES module, CommonJS module and JSON file, ours and those of
 * node_modules, with the source that is about to be compiled: what is hashed is what runs, not what the disk says later.
 * Native addons do not pass here; `mappedFiles` finds them.
 */
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type LoadFnOutput, registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';

/** What was loaded: absolute path → SHA-256 of the octets, in the order of loading. */
export interface LoadedFiles {
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Called after a file was loaded; several calls may come in one turn. */
  onLoaded: (() => void) | undefined;
}

const sha256 = (bytes: Uint8Array): Uint8Array => hash('sha256', bytes, 'buffer');

class Registry implements LoadedFiles {
  readonly files = new Map<string, Uint8Array>();
  onLoaded: (() => void) | undefined;

  add(path: string, digest: Uint8Array): void {
    // A module is compiled once; what is loaded again under another query is the same file unless it has changed.
    const before = this.files.get(path);
    if (before && Buffer.compare(before, digest) === 0) return;
    this.files.set(before ? `${path}\0${this.files.size}` : path, digest);
    this.onLoaded?.();
  }
}

function digestOf(path: string, source: LoadFnOutput['source']): Uint8Array {
  if (source !== undefined && source !== null && typeof source !== 'string') {
    return sha256(source instanceof Uint8Array ? source : new Uint8Array(source as ArrayBuffer));
  }
  const onDisk = readFileSync(path);
  // CommonJS comes as text; it stands for the octets on the disk unless they were changed in between.
  if (typeof source !== 'string' || withoutMark(onDisk.toString('utf8')) === withoutMark(source)) return sha256(onDisk);
  return sha256(Buffer.from(source, 'utf8'));
}

const withoutMark = (text: string): string => (text.charCodeAt(0) === 0xfeff ? text.slice(1) : text);

const KEY = Symbol.for('enerchain.attestation.loaded');
const shared = globalThis as { [KEY]?: Registry };

/**
 * Begins to look, once per process; again and again it gives the same list.
 * @param before files that were loaded before the hooks were there: the program's first file and this one
 */
export function watchLoading(before: readonly string[] = []): LoadedFiles {
  const known = shared[KEY];
  if (known) return known;
  const registry = new Registry();
  shared[KEY] = registry;
  for (const path of [fileURLToPath(import.meta.url), ...before]) registry.add(path, sha256(readFileSync(path)));
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      if (url.startsWith('file:')) {
        const path = fileURLToPath(url);
        registry.add(path, digestOf(path, loaded.source));
      }
      return loaded;
    },
  });
  return registry;
}

/** What `watchLoading` has seen; undefined when it was never called: then nothing here is measured. */
export const loadedFiles = (): LoadedFiles | undefined => shared[KEY];

/** Files that are mapped executable into this process (native addons, libraries), where the system tells: Linux. */
export function mappedFiles(): string[] {
  let maps: string;
  try {
    maps = readFileSync('/proc/self/maps', 'latin1');
  } catch {
    return [];
  }
  const paths = new Set<string>();
  for (const line of maps.split('\n')) {
    const match = /^\S+ ..x. \S+ \S+ \d+ +(\/.*?)( \(deleted\))?$/.exec(line);
    if (match) paths.add(match[1] as string);
  }
  return [...paths];
}
