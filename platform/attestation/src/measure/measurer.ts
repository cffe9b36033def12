/**
 * Measures this process: the modules it has loaded, the Node binary, the package lock, native addons, and the
 * configuration that matters. It looks at the disk again and again: a file whose octets have changed gets a new entry
 * beside the old one, so that a change shows in the next evidence although the process still runs what it had loaded.
 *
 * A look compares size, inode and the times of change (ctime cannot be set back without changing the clock) and hashes
 * only what differs; every `FULL_EVERY` looks of the timer everything is hashed.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, type FSWatcher, watch } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Clock, describeError, EnerchainError, systemClock } from '@enerchain/model';
import { encodeCbor } from '@enerchain/trust';
import { digestOfFile } from './digest.ts';
import { type LoadedFiles, loadedFiles, mappedFiles } from './hook.ts';
import { componentName, LOCK_FILE, RUNTIME } from './installation.ts';
import { type Component, MeasurementList, sha256, ZERO_DIGEST } from './list.ts';

export interface MeasurerOptions {
  /** Folder of the installation: names are relative to it. */
  readonly root: string;
  /** Files beside what is loaded, by the name of their component, for example `config:site`. */
  readonly files?: ReadonlyMap<string, string>;
  readonly clock?: Clock;
  /** What is added to; a new one unless said otherwise. */
  readonly list?: MeasurementList;
  /** What the hooks have seen; by default those of this process. */
  readonly loaded?: LoadedFiles;
  /** Milliseconds between looks of its own; 0: only when asked. Default 5 s. */
  readonly every?: number;
  /** Told by the operating system when a file changes, where it does. Default true. */
  readonly watch?: boolean;
  /** What could not be read; it is also in the list, as a file of no content. */
  onTrouble?(error: unknown): void;
}

const EVERY = 5_000;
/** Looks of the timer after which everything is hashed, whether or not its times say that it changed. */
const FULL_EVERY = 120;
/** Milliseconds in which notices of the operating system are gathered into one look. */
const SOON = 20;
/** Files looked at side by side. */
const AT_ONCE = 16;
/** Name of the component that says how the process was started. */
export const PROCESS = 'config:process';
/** Options of Node that change nothing of what runs. */
const HARMLESS =
  /^--(?:disable-warning|max-old-space-size|max-semi-space-size|stack-trace-limit)=|^--(?:no-warnings|optimize-for-size)$/;
/** Variables by which foreign code gets into a process. */
const INJECTING = ['NODE_OPTIONS', 'NODE_PATH', 'LD_PRELOAD', 'LD_LIBRARY_PATH', 'DYLD_INSERT_LIBRARIES'] as const;

interface Watched {
  readonly name: string;
  readonly path: string;
  digest: Uint8Array;
  /** Undefined: never looked at. */
  mark: string | undefined;
}

/**
 * How this process was started, as far as it decides what code runs: options of Node and variables that inject code. In
 * order, when there are none: the same octets on every machine.
 */
export function processSettings(
  options: readonly string[] = process.execArgv,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Uint8Array {
  const injected = INJECTING.flatMap((name) => (environment[name] ? [[name, environment[name] as string]] : []));
  return encodeCbor([options.filter((option) => !HARMLESS.test(option)), injected]);
}

export class Measurer {
  readonly list: MeasurementList;
  readonly counters = { looks: 0, fullLooks: 0, hashed: 0, changes: 0 };
  readonly #options: MeasurerOptions;
  readonly #clock: Clock;
  readonly #loaded: LoadedFiles;
  readonly #watched = new Map<string, Watched>();
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #listeners = new Set<() => void>();
  #taken = 0;
  #running: Promise<boolean> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #soon: NodeJS.Timeout | undefined;
  #sinceFull = 0;
  #closed = false;

  /** @throws EnerchainError `attestation.measure.hooks` (fault local) when loading was never watched in this process */
  constructor(options: MeasurerOptions) {
    this.#options = options;
    this.list = options.list ?? new MeasurementList(randomBytes(16).toString('hex'));
    this.#clock = options.clock ?? systemClock;
    const loaded = options.loaded ?? loadedFiles();
    if (!loaded) {
      throw new EnerchainError(
        'local',
        'attestation.measure.hooks',
        'what this process loads was not watched from its start, so it cannot be measured',
      );
    }
    this.#loaded = loaded;
  }

  /** Hashes what is loaded by now into the first record, and goes on looking until `close`. */
  async start(): Promise<void> {
    const { root, every = EVERY } = this.#options;
    this.#add(RUNTIME, process.execPath);
    const lock = join(root, LOCK_FILE);
    if (existsSync(lock)) this.#add(LOCK_FILE, lock);
    for (const [name, path] of this.#options.files ?? []) this.#add(name, path);
    const settings: Component = { name: PROCESS, digest: sha256(processSettings()) };
    const components = [...(await this.#look(true)), settings];
    this.list.append({ kind: 'start', at: this.#clock.now(), components });
    this.#loaded.onLoaded = () => this.#lookSoon();
    if (every > 0) {
      this.#timer = setInterval(() => {
        const full = ++this.#sinceFull >= FULL_EVERY;
        if (full) this.#sinceFull = 0;
        void this.rescan({ full });
      }, every).unref();
    }
  }

  /** Called when something was added to the list. @returns unsubscribe */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Looks at everything now; cheap when nothing has changed.
   * @param options.full hashes all files, whatever their times say
   * @returns whether something was added to the list
   */
  async rescan({ full = false }: { readonly full?: boolean } = {}): Promise<boolean> {
    // A look that is under way may have passed a file before it changed: the caller needs one that begins now.
    while (this.#running) await this.#running;
    if (this.#closed) return false;
    this.#running = this.#again(full);
    try {
      return await this.#running;
    } finally {
      this.#running = undefined;
    }
  }

  close(): void {
    this.#closed = true;
    this.#loaded.onLoaded = undefined;
    clearInterval(this.#timer);
    clearTimeout(this.#soon);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  async #again(full: boolean): Promise<boolean> {
    const components = await this.#look(full);
    if (components.length === 0 || this.#closed) return false;
    this.counters.changes += components.length;
    this.list.append({ kind: 'more', at: this.#clock.now(), components });
    for (const listener of this.#listeners) listener();
    return true;
  }

  /** @returns what is new or has changed */
  async #look(full: boolean): Promise<Component[]> {
    this.counters.looks++;
    if (full) this.counters.fullLooks++;
    const found: Component[] = this.#takeLoaded();
    for (const path of mappedFiles()) {
      // Libraries of the operating system are the matter of its own measurements (IMA); ours are those we bring along.
      if (path !== process.execPath && path.startsWith(this.#options.root)) {
        this.#add(componentName(this.#options.root, path), path);
      }
    }
    const all = [...this.#watched.values()];
    for (let at = 0; at < all.length; at += AT_ONCE) {
      const looked = await Promise.all(all.slice(at, at + AT_ONCE).map((each) => this.#lookAt(each, full)));
      for (const component of looked) if (component) found.push(component);
    }
    return found;
  }

  /** What the hooks have seen since the last time: its digest is that of what was compiled. */
  #takeLoaded(): Component[] {
    const entries = [...this.#loaded.files].slice(this.#taken);
    this.#taken += entries.length;
    return entries.map(([key, digest]) => {
      const path = key.split('\0')[0] as string;
      const name = componentName(this.#options.root, path);
      const watched = this.#watched.get(name);
      if (watched) watched.digest = digest;
      else this.#add(name, path, digest);
      return { name, digest };
    });
  }

  #add(name: string, path: string, digest: Uint8Array = ZERO_DIGEST): void {
    if (this.#watched.has(name)) return;
    this.#watched.set(name, { name, path, digest, mark: undefined });
    if (this.#options.watch === false) return;
    const folder = dirname(path);
    if (this.#watchers.has(folder)) return;
    try {
      const watcher = watch(folder, { persistent: false }, () => this.#lookSoon());
      watcher.on('error', () => watcher.close());
      this.#watchers.set(folder, watcher);
    } catch {
      // No more watches to be had: the timer finds what changes there.
    }
  }

  async #lookAt(each: Watched, full: boolean): Promise<Component | undefined> {
    try {
      const { dev, ino, size, mtimeNs, ctimeNs } = await stat(each.path, { bigint: true });
      const mark = `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`;
      if (!full && mark === each.mark) return undefined;
      this.counters.hashed++;
      const digest = await digestOfFile(each.path, Number(size));
      each.mark = mark;
      return this.#compared(each, digest);
    } catch (error) {
      // A file that was removed or may no longer be read has changed.
      if (each.mark !== undefined || each.digest === ZERO_DIGEST) {
        const text = `${each.path} cannot be measured: ${describeError(error)}`;
        this.#options.onTrouble?.(new EnerchainError('environment', 'attestation.measure.read', text));
      }
      each.mark = undefined;
      return this.#compared(each, GONE);
    }
  }

  #compared(each: Watched, digest: Uint8Array): Component | undefined {
    if (Buffer.compare(each.digest, digest) === 0) return undefined;
    each.digest = digest;
    return { name: each.name, digest };
  }

  #lookSoon(): void {
    if (this.#closed) return;
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined;
      void this.rescan();
    }, SOON).unref();
  }
}

/** Stands for a file that is not there: no file hashes to it. */
const GONE: Uint8Array = new Uint8Array(32).fill(0xff);
