/** Where a system keeps what it must not forget. One folder per system; two systems never share one. */
import { mkdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** The folders under `--data`. */
export interface DataFolder {
  readonly root: string;
  readonly centre: string;
  readonly lab: string;
  readonly logs: string;
  edge(name: string): string;
  service(name: string): string;
  network(name: string): string;
}

/** `--data`, else `ENERCHAIN_DATA`, else a folder of the user's own. */
export function defaultDataFolder(): string {
  return (
    process.env.ENERCHAIN_DATA ?? join(process.env.XDG_DATA_HOME ?? join(homedir(), '.local', 'share'), 'enerchain')
  );
}

/** Creates the folders (0700: they hold keys) and returns their paths. */
export function openDataFolder(path: string): DataFolder {
  const root = resolve(path);
  const folder = (...parts: string[]): string => {
    const full = join(root, ...parts);
    mkdirSync(full, { recursive: true, mode: 0o700 });
    return full;
  };
  return {
    root: folder(),
    centre: folder('centre'),
    lab: folder('lab'),
    logs: folder('logs'),
    edge: (name) => folder('edges', name),
    service: (name) => folder('services', name),
    network: (name) => folder('network', name),
  };
}

export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}
