import { afterEach, describe, expect, it } from 'vitest';
import { asdu } from '../../src/codec/asdu.ts';
import { cp56FromEpochMillis } from '../../src/codec/zone.ts';
import { FileClient } from '../../src/files/file-client.ts';
import { FileServer, type FileServerOptions, type FileStore } from '../../src/files/file-server.ts';
import type { ServerConnection } from '../../src/server/server-connection.ts';
import { type Master, turn, VirtualClock, type World, worlds } from '../server/support.ts';

const bytes = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 13 + 5) & 0xff);
const time = cp56FromEpochMillis(Date.UTC(2026, 4, 1, 12));

/** A store in memory: key `address/file`. */
class MemoryStore implements FileStore {
  readonly files = new Map<string, Uint8Array>();
  list() {
    return [...this.files].map(([key, content]) => {
      const [address, file] = key.split('/').map(Number);
      return { address: address!, file: file!, length: content.length, time };
    });
  }
  read(_ca: number, address: number, file: number) {
    return this.files.get(`${address}/${file}`);
  }
  write(_ca: number, address: number, file: number, content: Uint8Array) {
    if (file === 666) throw new Error('disk full');
    this.files.set(`${address}/${file}`, content);
  }
  delete(_ca: number, address: number, file: number) {
    return this.files.delete(`${address}/${file}`);
  }
  query(_ca: number, address: number, file: number) {
    return this.read(_ca, address, file)?.subarray(0, 10);
  }
}

const worldsOpen: World[] = [];
afterEach(async () => {
  for (const world of worldsOpen.splice(0)) await world.close();
});

async function open(kind: 'memory' | 'tcp', options: Partial<FileServerOptions> = {}) {
  const store = new MemoryStore();
  const clock = kind === 'memory' ? new VirtualClock() : undefined;
  const files = new FileServer<ServerConnection>({ store, ...(clock ? { clock } : {}), ...options });
  const world = await worlds[kind]({ files, commonAddresses: [1], redundancy: 'per-connection' });
  worldsOpen.push(world);
  const connect = async (): Promise<{ master: Master; client: FileClient }> => {
    const master = await world.connect();
    const client = new FileClient({ send: (a) => master.connection.send(a) > 0, clock: world.clock });
    // The master keeps what it hears; the client listens at the same place.
    const push = master.asdus.push.bind(master.asdus);
    master.asdus.push = (...heard) => {
      for (const a of heard) client.receive(a);
      return push(...heard);
    };
    return { master, client };
  };
  /** In virtual time a closed window is looked at again when the clock moves. */
  const run = async <T>(promise: Promise<T>): Promise<T> => {
    let over = false;
    const ended = promise.finally(() => {
      over = true;
    });
    ended.catch(() => {});
    for (let i = 0; i < 5000 && !over && kind === 'memory'; i++) await (world.clock as VirtualClock).advance(5);
    return ended;
  };
  return { store, files, world, connect, run, clock };
}

describe.each(['memory', 'tcp'] as const)('files over %s', (kind) => {
  it('lists, reads, writes, queries and deletes', async () => {
    const { store, files, connect, run } = await open(kind);
    store.files.set('100/1', bytes(70_000));
    store.files.set('101/2', bytes(10));
    const { client } = await connect();
    expect(await run(client.directory(1))).toEqual([
      { address: 100, file: 1, length: 70_000, time },
      { address: 101, file: 2, length: 10, time },
    ]);
    expect(await run(client.read(1, 100, 1))).toEqual(bytes(70_000));
    await run(client.write(1, 102, 3, bytes(5000)));
    expect(store.files.get('102/3')).toEqual(bytes(5000));
    expect(await run(client.query(1, 100, 1, time, time))).toEqual(bytes(10));
    await run(client.delete(1, 101, 2));
    expect(await run(client.directory(1))).toHaveLength(2);
    expect(files.counters).toEqual({ sent: 2, received: 1, directories: 2, deleted: 1, refused: 0, failed: 0 });
  });

  it('refuses what is not there, too long, or cannot be stored', async () => {
    const { connect, run, files } = await open(kind, { maxLength: 100 });
    const { client } = await connect();
    await expect(run(client.read(1, 100, 1))).rejects.toMatchObject({ fault: 'peer', code: 'file.refused' });
    await expect(run(client.delete(1, 100, 1))).rejects.toMatchObject({ code: 'file.refused' });
    await expect(run(client.write(1, 100, 1, bytes(101)))).rejects.toMatchObject({ code: 'file.too-long' });
    await expect(run(client.write(1, 100, 666, bytes(10)))).rejects.toMatchObject({ code: 'file.too-long' });
    await expect(run(client.read(9, 100, 1))).rejects.toMatchObject({ code: 'file.refused' });
    expect(await run(client.directory(1))).toEqual([]);
    expect(files.transfers).toBe(0);
  });

  it('a file belongs to the connection that selected it', async () => {
    const { store, connect, run, world, files } = await open(kind);
    store.files.set('100/1', bytes(100));
    const first = await connect();
    const second = await connect();
    const fileCall = (qualifier: number, section = 0) =>
      asdu({
        typeId: 122,
        cause: 13,
        commonAddress: 1,
        objects: [{ address: 100, element: { kind: 'fileCall', file: 1, section, qualifier } }],
      });
    first.master.connection.send(fileCall(1));
    await world.settle(() => first.master.asdus.length === 1, 'file ready');
    await expect(run(second.client.read(1, 100, 1))).rejects.toMatchObject({ code: 'file.refused' });
    // Calling what another has selected gives nothing.
    second.master.connection.send(fileCall(2));
    await world.settle(() => second.master.asdus.at(-1)?.typeId === 123, 'deactivation');
    expect(files.transfers).toBe(1);
    first.master.connection.close();
    await world.settle(() => files.transfers === 0, 'release with the connection');
    expect(await run(second.client.read(1, 100, 1))).toEqual(bytes(100));
  });
});

describe('files in virtual time', () => {
  it('a transfer that has been idle too long gives the file to the next', async () => {
    const { store, connect, run, world, clock } = await open('memory', { idleTimeout: 20 });
    store.files.set('100/1', bytes(100));
    const first = await connect();
    const second = await connect();
    first.master.connection.send(
      asdu({
        typeId: 122,
        cause: 13,
        commonAddress: 1,
        objects: [{ address: 100, element: { kind: 'fileCall', file: 1, section: 0, qualifier: 1 } }],
      }),
    );
    await world.settle(() => first.master.asdus.length === 1, 'file ready');
    await clock!.advance(19_000);
    await expect(run(second.client.read(1, 100, 1))).rejects.toMatchObject({ code: 'file.refused' });
    await clock!.advance(1000);
    expect(await run(second.client.read(1, 100, 1))).toEqual(bytes(100));
  });

  it('a station that says nothing fails the transfer after its timeout, the end of the connection at once', async () => {
    const clock = new VirtualClock();
    const client = new FileClient({ send: () => true, clock, timeout: 7 });
    const reading = client.read(1, 100, 1);
    reading.catch(() => {});
    await expect(client.directory(1)).rejects.toMatchObject({ fault: 'caller', code: 'file.busy' });
    await clock.advance(7000);
    await expect(reading).rejects.toMatchObject({ fault: 'environment', code: 'file.timeout' });
    const again = client.read(1, 100, 1);
    again.catch(() => {});
    client.end();
    await expect(again).rejects.toMatchObject({ code: 'file.connection-ended' });
    await turn();
    expect(clock.pending).toBe(0);
  });

  it('stray segments cost the peer nothing but their count', async () => {
    const { connect, world, files } = await open('memory');
    const { master } = await connect();
    for (let i = 0; i < 10; i++) {
      master.connection.send(
        asdu({
          typeId: 125,
          cause: 13,
          commonAddress: 1,
          objects: [{ address: 100, element: { kind: 'segment', file: 1, section: 1, data: bytes(10) } }],
        }),
      );
    }
    await world.settle(() => files.counters.refused === 10, 'ten refusals');
    expect(master.asdus.length).toBe(0);
  });
});
