/** What needs no swtpm; the fleet itself is in `interop/tpm`. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  COMMANDS,
  encodeCommand,
  fromKeyObject,
  HANDLE_TYPES,
  type HashAlgorithm,
  parseEventLog,
  readEventData,
  replayEventLog,
  TpmClient,
  type TpmTransport,
  tpmCommands,
  writeEventLog,
} from '@enerchain/tpm2';
import { afterEach, describe, expect, it } from 'vitest';
import { bootEvents, CHANGED_FIRMWARE, findSwtpm, LAB_BOOT } from '../../src/tpm/index.ts';
import { TpmRelay } from '../../src/tpm/tpm-relay.ts';

const cleanup: (() => unknown)[] = [];
afterEach(async () => {
  for (const each of cleanup.splice(0).reverse()) await each();
});
const folder = (): string => {
  const path = mkdtempSync(join(tmpdir(), 'lab-tpm-'));
  cleanup.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
};

describe('the boot of a lab machine', () => {
  const banks: readonly HashAlgorithm[] = ['sha1', 'sha256'];
  const logOf = (profile: typeof LAB_BOOT) => parseEventLog(writeEventLog(banks, bootEvents(profile)));

  it('is a log of the profile: every event is known, readable, and what was measured', () => {
    const log = logOf(LAB_BOOT);
    expect(log.events.filter(({ name }) => name === undefined)).toEqual([]);
    expect(log.events.map(readEventData).filter(({ kind }) => kind === 'raw')).toHaveLength(1); // the version
    expect(replayEventLog(log)).toMatchObject({ mismatches: [], incomplete: [] });
    expect(replayEventLog(log).pcrs.map(({ values }) => [...values.keys()].sort())).toEqual([
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    ]);
    const images = log.events.map(readEventData).flatMap((data) => (data.kind === 'image' ? [data.path] : []));
    expect(images).toEqual(['File(\\EFI\\BOOT\\BOOTX64.EFI)']);
  });

  it('with changed firmware differs in PCR 0 and nowhere else', () => {
    const [good, changed] = [LAB_BOOT, CHANGED_FIRMWARE].map(
      (profile) => replayEventLog(logOf(profile)).pcrs[1]!.values,
    );
    const different = [...good!].filter(([pcr, value]) => Buffer.compare(value, changed!.get(pcr)!) !== 0);
    expect(different.map(([pcr]) => pcr)).toEqual([0]);
  });
});

describe('a machine without swtpm', () => {
  it('is told so, with what to do', async () => {
    expect(await findSwtpm(folder())).toMatchObject({ installed: false, reason: expect.stringContaining('apt-get') });
  });
});

describe('the socket of a TPM', () => {
  const COMMAND = Buffer.from('80010000000c0000017b0008', 'hex');

  /** Answers each command with its last octet, when told. */
  function upstream() {
    const waiting: (() => void)[] = [];
    let running = 0;
    const transport: TpmTransport & { most: number; next: () => void; waiting: () => number } = {
      description: 'test',
      most: 0,
      waiting: () => waiting.length,
      next: () => waiting.shift()!(),
      async transact(command) {
        transport.most = Math.max(transport.most, ++running);
        await new Promise<void>((resolve) => waiting.push(resolve));
        running--;
        if (command.at(-1) === 0xff) throw new Error('the TPM is away');
        return Buffer.from([0x80, 1, 0, 0, 0, 11, 0, 0, 0, 0, command.at(-1)!]);
      },
      disconnect: async () => {},
    };
    return transport;
  }
  async function open(transport: TpmTransport) {
    const relay = new TpmRelay(join(folder(), 's'), transport);
    await relay.open();
    cleanup.push(() => relay.shut());
    return relay;
  }
  async function client(relay: TpmRelay): Promise<Socket> {
    const socket = connect(relay.path);
    socket.on('error', () => {});
    await new Promise<void>((resolve) => socket.once('connect', resolve));
    cleanup.push(() => socket.destroy());
    return socket;
  }
  const command = (last: number) => Buffer.from([...COMMAND.subarray(0, -1), last]);
  const answer = (socket: Socket) =>
    new Promise<number>((resolve) => socket.once('data', (chunk: Buffer) => resolve(chunk.at(-1)!)));
  const closed = (socket: Socket) => new Promise<boolean>((resolve) => socket.once('close', () => resolve(true)));
  async function reached(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise((resolve) => setImmediate(resolve));
  }

  it('gives each program its own answers, and the TPM one command at a time', async () => {
    const transport = upstream();
    const relay = await open(transport);
    const [a, b] = [await client(relay), await client(relay)];
    const answers = [answer(a), answer(b)];
    // In pieces, as a stream may bring it.
    a.write(command(1).subarray(0, 5));
    b.write(command(2));
    a.write(command(1).subarray(5));
    for (let i = 0; i < 2; i++) {
      await reached(() => transport.waiting() > 0);
      transport.next();
    }
    expect(await Promise.all(answers)).toEqual([1, 2]);
    expect(transport.most).toBe(1);
  });

  it.each([
    ['claims gigabytes', Buffer.from('80017fffffff00000144', 'hex')],
    ['is shorter than a header', Buffer.from('8001000000060000', 'hex')],
    ['is two', Buffer.concat([COMMAND, COMMAND])],
  ])('ends a program whose command %s', async (_, bytes) => {
    const relay = await open(upstream());
    const socket = await client(relay);
    socket.write(bytes);
    expect(await closed(socket)).toBe(true);
  });

  it('ends the program whose command failed, and no other', async () => {
    const transport = upstream();
    const relay = await open(transport);
    const [a, b] = [await client(relay), await client(relay)];
    a.write(command(0xff));
    await reached(() => transport.waiting() > 0);
    b.write(command(2));
    const [ended, answered] = [closed(a), answer(b)];
    transport.next();
    expect(await ended).toBe(true);
    await reached(() => transport.waiting() > 0);
    transport.next();
    expect(await answered).toBe(2);
  });

  it('shows a program its own objects only, and flushes them when it goes', async () => {
    const flushed: number[] = [];
    const handles = new Set<number>();
    const u32 = (value: number) =>
      Buffer.from([value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff]);
    const frame = (...parts: Uint8Array[]) => {
      const body = Buffer.concat(parts);
      return Buffer.concat([Buffer.of(0x80, 1), u32(10 + body.length), u32(0), body]);
    };
    const relay = await open({
      description: 'test',
      disconnect: async () => {},
      async transact(sent) {
        const code = Buffer.from(sent).readUInt32BE(6);
        if (code === COMMANDS.LoadExternal) {
          const handle = 0x80000000 + handles.size;
          handles.add(handle);
          return frame(u32(handle), Buffer.of(0, 0));
        }
        if (code === COMMANDS.FlushContext) {
          flushed.push(Buffer.from(sent).readUInt32BE(10));
          return frame();
        }
        return frame(Buffer.of(0), u32(1), u32(handles.size), ...[...handles].map(u32));
      },
    });
    const key = fromKeyObject(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey, { attributes: ['sign'] });
    const [a, b] = [new TpmClient({ path: relay.path }), new TpmClient({ path: relay.path })];
    await a.loadExternal(key);
    await b.loadExternal(key);
    expect(await a.handles(HANDLE_TYPES.transient)).toEqual([0x80000000]);
    expect(await b.handles(HANDLE_TYPES.transient)).toEqual([0x80000001]);
    const gone = await client(relay);
    const loaded = answer(gone);
    gone.write(encodeCommand(tpmCommands.loadExternal(key, 'null')));
    await loaded;
    gone.destroy();
    await reached(() => flushed.length > 0);
    expect(flushed).toEqual([0x80000002]);
    await a.close();
    await b.close();
    expect(flushed).toEqual([0x80000002, 0x80000000, 0x80000001]);
  });

  it('is shut for everybody when the machine goes off, and opens again', async () => {
    const transport = upstream();
    const relay = await open(transport);
    const socket = await client(relay);
    const ended = closed(socket);
    await relay.shut();
    expect(await ended).toBe(true);
    await relay.open();
    const again = await client(relay);
    const answered = answer(again);
    again.write(command(3));
    await reached(() => transport.waiting() > 0);
    transport.next();
    expect(await answered).toBe(3);
  });
});
