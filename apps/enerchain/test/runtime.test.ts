import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const main = join(import.meta.dirname, '..', 'src', 'main.ts');

it('a gateway does not start on a runtime that a Brainpool certificate ends', () => {
  const dir = mkdtempSync(join(tmpdir(), 'enerchain-runtime-'));
  try {
    // The first line of defence is a child of the same runtime: this one dies as Node 24.9 does.
    const crashing = join(dir, 'node');
    writeFileSync(crashing, '#!/bin/sh\nkill -SEGV $$\n');
    chmodSync(crashing, 0o755);
    const preload = join(dir, 'preload.mjs');
    writeFileSync(preload, `process.execPath = ${JSON.stringify(crashing)};\n`);
    const { ENERCHAIN_RUNTIME_CHECKED: _, ...env } = process.env;
    const args = ['--disable-warning=ExperimentalWarning', '--import', preload, main, 'edge', join(dir, 'site.yaml')];
    const { status, stderr } = spawnSync(process.execPath, [...args, '--data', dir], {
      encoding: 'utf8',
      env,
      timeout: 60_000,
    });
    expect(stderr).toContain('does not survive a Brainpool certificate (signal SIGSEGV)');
    expect(status).toBe(1);
  } finally {
    rmSync(dir, { recursive: true });
  }
});
