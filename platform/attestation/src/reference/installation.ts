/** A manifest of what lies in an installation: all that could be loaded, the Node binary, and a process without additions. */
import type { UtcNanos } from '@enerchain/model';
import { digestOfFile } from '../measure/digest.ts';
import { componentName, loadableFiles, RUNTIME } from '../measure/installation.ts';
import { type Component, sha256 } from '../measure/list.ts';
import { PROCESS, processSettings } from '../measure/measurer.ts';
import type { Manifest } from './corim.ts';

const AT_ONCE = 32;

export interface InstallationOptions {
  /** Folder of the installation. */
  readonly root: string;
  /** The Node binary it runs with; default this one. */
  readonly runtime?: string;
  readonly id: string;
  readonly version: number;
  readonly signer: string;
  readonly notBefore: UtcNanos;
  readonly notAfter: UtcNanos;
}

/** Everything of an installation that may appear in a measurement list of it. */
export async function measureInstallation(root: string, runtime = process.execPath): Promise<Component[]> {
  const files: (readonly [string, string])[] = loadableFiles(root).map((path) => [componentName(root, path), path]);
  files.push([RUNTIME, runtime]);
  const components: Component[] = [{ name: PROCESS, digest: sha256(processSettings([], {})) }];
  for (let at = 0; at < files.length; at += AT_ONCE) {
    components.push(
      ...(await Promise.all(
        files.slice(at, at + AT_ONCE).map(async ([name, path]) => ({ name, digest: await digestOfFile(path) })),
      )),
    );
  }
  return components;
}

export async function manifestOfInstallation(options: InstallationOptions): Promise<Manifest> {
  const { root, runtime, ...rest } = options;
  return { ...rest, components: await measureInstallation(root, runtime), registers: [] };
}
