import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { assignPorts } from '../src/ports.ts';

const NAMES = ['a', 'b', 'c'];
const HOST = '127.0.0.1';
const logger = pino({ level: 'silent' });
let folder: string;
let server: Server | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ports-'));
});
afterEach(async () => {
  if (server) await new Promise((done) => server!.close(done));
  server = undefined;
  rmSync(folder, { recursive: true, force: true });
});

test('ports are chosen once and kept, also when a device is added', async () => {
  const first = await assignPorts(folder, NAMES, HOST, 0, logger);
  expect(new Set(first.values()).size).toBe(3);
  for (const port of first.values()) expect(port).toBeLessThan(30_000);
  const second = await assignPorts(folder, ['new', ...NAMES], HOST, 0, logger);
  expect(NAMES.map((name) => second.get(name))).toEqual(NAMES.map((name) => first.get(name)));
  expect(new Set(second.values()).size).toBe(4);
});

test('a port that somebody else has taken is given up, the others stay', async () => {
  const first = await assignPorts(folder, NAMES, HOST, 0, logger);
  server = createServer();
  await new Promise<void>((done) => server!.listen(first.get('b'), HOST, done));
  const second = await assignPorts(folder, NAMES, HOST, 0, logger);
  expect(second.get('a')).toBe(first.get('a'));
  expect(second.get('b')).not.toBe(first.get('b'));
});

test('a base port gives the ports behind it', async () => {
  expect([...(await assignPorts(folder, NAMES, HOST, 2404, logger)).values()]).toEqual([2404, 2405, 2406]);
});
