/** A real file system of a few megabytes that can be filled to the last octet. */
import { spawnSync } from 'node:child_process';
import { closeSync, fsyncSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Why there can be no small disk here; undefined when there can. */
export const whyNoSmallDisk: string | undefined = (() => {
  if (process.platform !== 'linux') return 'a small disk is made with tmpfs, which is of Linux';
  if (process.getuid?.() !== 0) return 'mounting a small disk needs root';
  const probe = join(tmpdir(), `enerchain-mount-probe-${process.pid}`);
  mkdirSync(probe, { recursive: true });
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', probe]).status === 0;
  if (mounted) spawnSync('umount', [probe]);
  rmSync(probe, { recursive: true, force: true });
  return mounted ? undefined : 'this machine (a container without the right to mount?) mounts nothing';
})();

export class SmallDisk {
  readonly path: string;

  /** Mounts an empty disk at `path`. */
  constructor(path: string, kibibytes: number) {
    this.path = path;
    mkdirSync(path, { recursive: true });
    const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${kibibytes}k`, 'tmpfs', path]);
    if (status !== 0) throw new Error(`mount: ${stderr}`);
  }

  /** Takes all the room that is left. */
  fill(): void {
    const file = openSync(join(this.path, 'filler'), 'a');
    try {
      for (const size of [65_536, 4_096, 1]) {
        const piece = Buffer.alloc(size);
        try {
          while (writeSync(file, piece) === size);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
        }
      }
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  }

  free(): void {
    rmSync(join(this.path, 'filler'), { force: true });
  }

  unmount(): void {
    spawnSync('umount', ['-l', this.path]);
  }
}
