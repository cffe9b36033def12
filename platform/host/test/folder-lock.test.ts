import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { lockFolder } from '../src/index.ts';

it('gives a data folder to one at a time, and frees it on release', () => {
  const folder = mkdtempSync(join(tmpdir(), 'enerchain-lock-'));
  const first = lockFolder(folder, 'a centre');
  expect(() => lockFolder(folder, 'a centre')).toThrow(/a centre already runs on .*\(process \d+\)/);
  first.release();
  first.release();
  lockFolder(folder, 'a centre').release();
  rmSync(folder, { recursive: true });
});
