import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { DeviceTransport, type SocketAddress, SocketTransport, TpmClient, type TpmTransport } from '../../src/index.ts';
import { commandOf, responseOf } from './recording.ts';

const cleanup: (() => unknown)[] = [];
afterEach(async () => {
  for (const each of cleanup.splice(0).reverse()) await each();
});
const folder = () => {
  const path = mkdtempSync(join(tmpdir(), 'tpm2-'));
  cleanup.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
};

/** A server that answers each connection’s commands as told. */
async function serve(
  at: 'unix' | 'tcp',
  onCommand: (socket: Socket, command: Uint8Array) => void,
): Promise<SocketAddress> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', (chunk) => onCommand(socket, chunk));
  });
  const address = at === 'unix' ? { path: join(folder(), 's') } : { host: '127.0.0.1', port: 0 };
  await new Promise<void>((resolve) => server.listen(address, resolve));
  cleanup.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  const listening = server.address();
  return typeof listening === 'object' && listening !== null
    ? { host: '127.0.0.1', port: listening.port }
    : { path: listening! };
}

const transport = (address: SocketAddress): TpmTransport => {
  const made = new SocketTransport(address);
  cleanup.push(() => made.disconnect());
  return made;
};

describe.each(['unix', 'tcp'] as const)('a %s socket', (kind) => {
  it('carries a command and its response, in however many pieces it comes', async () => {
    const address = await serve(kind, (socket, command) => {
      expect(Buffer.from(command)).toEqual(Buffer.from(commandOf('getRandom')));
      for (const octet of responseOf('getRandom')) socket.write(Buffer.of(octet));
    });
    const tpm = transport(address);
    for (let i = 0; i < 3; i++)
      expect(Buffer.from(await tpm.transact(commandOf('getRandom')))).toEqual(responseOf('getRandom'));
  });

  it('that closes under a command fails it, and the next command opens a new one', async () => {
    let count = 0;
    const address = await serve(kind, (socket) => {
      if (count++ === 0) socket.destroy();
      else socket.write(responseOf('getRandom'));
    });
    const tpm = transport(address);
    await expect(tpm.transact(commandOf('getRandom'))).rejects.toMatchObject({
      code: 'tpm2.transport',
      fault: 'environment',
    });
    expect(await tpm.transact(commandOf('getRandom'))).toHaveLength(20);
  });

  it.each([
    ['a response that claims gigabytes', '80017fffffff00000000'],
    ['a response shorter than its header', '80010000000900000000'],
    ['more than was asked for', '80010000000a0000000000'],
  ])('that sends %s is given up', async (_, hex) => {
    const tpm = transport(await serve(kind, (socket) => socket.write(Buffer.from(hex, 'hex'))));
    await expect(tpm.transact(commandOf('getRandom'))).rejects.toMatchObject({ code: 'tpm2.transport', fault: 'peer' });
  });

  it('is left at once when its answer is not wanted any more', async () => {
    let asked: () => void = () => {};
    const arrived = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const tpm = transport(await serve(kind, () => asked()));
    const answer = tpm.transact(commandOf('getRandom')).catch((error: unknown) => error);
    await arrived;
    await tpm.disconnect();
    expect(await answer).toMatchObject({ code: 'tpm2.transport' });
  });
});

describe('an address', () => {
  it.each<[string, () => SocketAddress]>([
    ['of a socket that is not there', () => ({ path: join(folder(), 'nothing') })],
    ['where nobody listens', () => ({ host: '127.0.0.1', port: 1 })],
  ])('%s is said to be so', async (_, address) => {
    const tpm = new TpmClient(address());
    await expect(tpm.getRandom(1)).rejects.toMatchObject({ code: 'tpm2.transport', fault: 'environment' });
    expect(tpm.counters.broken).toBe(1);
  });
});

describe('a device', () => {
  it('takes a command in one write and gives its response in one read', async () => {
    // A FIFO gives back what was written: here a response, which has the form of a command.
    const path = join(folder(), 'device');
    execFileSync('mkfifo', [path]);
    const device = new DeviceTransport(path);
    expect(Buffer.from(await device.transact(responseOf('readClock')))).toEqual(responseOf('readClock'));
    await device.disconnect();
  });

  it('that is not there is said to be so', async () => {
    const device = new DeviceTransport(join(folder(), 'nothing'));
    await expect(device.transact(commandOf('getRandom'))).rejects.toMatchObject({
      code: 'tpm2.transport',
      fault: 'environment',
    });
  });
});
