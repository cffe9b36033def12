import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { nodeFiles } from '../../src/log/files.ts';

const folder = mkdtempSync(join(tmpdir(), 'enerchain-files-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a file that is replaced', () => {
  it('is what the last call made it, however many come at once', async () => {
    const path = join(folder, 'certificates');
    await Promise.all(Array.from({ length: 50 }, (_, i) => nodeFiles.writeAll(path, Buffer.from(`version ${i}`))));
    expect(readFileSync(path, 'utf8')).toBe('version 49');
    expect(readdirSync(folder)).toEqual(['certificates']);
  });

  it('can be written after a write that failed', async () => {
    const path = join(folder, 'later', 'certificates');
    const failed = nodeFiles.writeAll(path, Buffer.from('too early'));
    await expect(failed).rejects.toMatchObject({ code: 'ENOENT' });
    await nodeFiles.makeFolder(join(folder, 'later'));
    await nodeFiles.writeAll(path, Buffer.from('in time'));
    expect(readFileSync(path, 'utf8')).toBe('in time');
  });
});
