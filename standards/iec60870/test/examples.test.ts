/** The examples run as they are printed in the README. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';

const example = (name: string) => join(import.meta.dirname, '../examples', name);
const running: ChildProcess[] = [];
afterEach(() => {
  for (const child of running.splice(0)) child.kill();
});

function run(
  name: string,
  ...args: string[]
): { child: ChildProcess; output: (pattern: RegExp) => Promise<RegExpExecArray> } {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', example(name), ...args]);
  running.push(child);
  let text = '';
  const waiting = new Set<() => void>();
  const more = (chunk: Buffer) => {
    text += chunk.toString();
    for (const look of waiting) look();
  };
  child.stdout?.on('data', more);
  child.stderr?.on('data', more);
  return {
    child,
    output: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const match = pattern.exec(text);
          if (!match) return;
          waiting.delete(look);
          resolve(match);
        };
        waiting.add(look);
        child.on('exit', () => reject(new Error(`${name} ended without ${pattern}: ${text}`)));
        look();
      }),
  };
}

test('client and server talk to each other; a second client acknowledges what it has on disk', async () => {
  const server = run('server.ts', '0');
  const port = (await server.output(/listening on 127\.0\.0\.1:(\d+)/))[1]!;
  const client = run('client.ts', '127.0.0.1', port);
  await client.output(/interrogation \{ terminated: true, asdus: 1, objects: 1 \}/);
  await client.output(/command \{ kind: 'confirmed', terminated: true \}/);
  const folder = mkdtempSync(join(tmpdir(), 'iec104-example-'));
  const file = join(folder, 'values.jsonl');
  run('manual-acknowledge.ts', '127.0.0.1', port, file);
  for (let i = 0; i < 600 && !readSafely(file).includes('"typeId":36'); i++)
    await new Promise((resolve) => setTimeout(resolve, 100));
  expect(readSafely(file)).toContain('"typeId":36');
  rmSync(folder, { recursive: true });
});

function readSafely(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

test('the decoder prints frames, and a sentence for what is none', () => {
  const decode = (input: string) =>
    spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', example('decode.ts')], {
      input,
      encoding: 'utf8',
    });
  expect(JSON.parse(decode('68 0e 02 00 00 00 01 01 03 00 07 00 01 00 00 01').stdout)).toMatchObject({
    kind: 'I',
    sent: 1,
    asdu: { typeId: 1, commonAddress: 7 },
  });
  expect(decode('680e0200000001020300070001000001').stderr).toBe(
    'asdu.truncated: M_SP_NA_1 at offset 6: 2 objects of 4 octets need 8, the ASDU has 4\n',
  );
});
