/**
 * A Unix socket through which several programs use one TPM, a command at a time each: swtpm itself takes one connection. The lab
 * is one of them: it measures the boot before it lets anybody in, and extends a PCR when a fault asks for it.
 */
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { EnerchainError } from '@enerchain/model';
import { TPM_HEADER, TPM_MAX_FRAME, type TpmTransport } from '@enerchain/tpm2';
import { flushCommand, RelaySession } from './relay-session.ts';

/** Most programs at once. */
const MOST = 16;

export class TpmRelay {
  readonly path: string;
  readonly #upstream: TpmTransport;
  readonly #isolate: boolean;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #tail: Promise<unknown> = Promise.resolve();

  /** @param isolate whether programs are kept apart (see `RelaySession`) */
  constructor(path: string, upstream: TpmTransport, isolate = true) {
    this.path = path;
    this.#upstream = upstream;
    this.#isolate = isolate;
  }

  /** Lets programs in. */
  async open(): Promise<void> {
    rmSync(this.path, { force: true });
    const server = createServer((socket) => this.#accept(socket));
    server.maxConnections = MOST;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) =>
        reject(new EnerchainError('environment', 'lab.tpm.socket', `${this.path} cannot be opened`, { cause })),
      );
      server.listen(this.path, resolve);
    });
    chmodSync(this.path, 0o600);
    this.#server = server;
  }

  /** Ends every connection and takes no new ones: the machine of this TPM is off. */
  async shut(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    for (const socket of this.#sockets) socket.destroy();
    if (server) await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  /** The lab’s own way in, in the same queue. */
  get transport(): TpmTransport {
    return {
      description: this.#upstream.description,
      transact: (command) => this.#forward(command),
      // The connection is everybody’s: one who gives up leaves it alone.
      disconnect: async () => {},
    };
  }

  #forward(command: Uint8Array, session?: RelaySession): Promise<Uint8Array> {
    const answer = this.#tail.then(async () => {
      const response = await this.#upstream.transact(command);
      return session?.answered(command, response) ?? response;
    });
    this.#tail = answer.catch(() => {});
    return answer;
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    const session = this.#isolate ? new RelaySession() : undefined;
    socket.once('close', () => {
      this.#sockets.delete(socket);
      // Behind its last command, whose answer may bring one more.
      this.#tail = this.#tail.then(async () => {
        for (const handle of session?.owned ?? []) await this.#upstream.transact(flushCommand(handle)).catch(() => {});
      });
    });
    let received: Uint8Array = new Uint8Array(0);
    socket.on('data', (chunk: Uint8Array) => {
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
      const size = sizeOf(received);
      if (size === undefined) return;
      if (size < TPM_HEADER || size > TPM_MAX_FRAME || received.length > size) {
        // Not a command, or more than one at a time: no TPM takes that.
        socket.destroy();
        return;
      }
      if (received.length < size) return;
      const command = received;
      received = new Uint8Array(0);
      this.#forward(command, session).then(
        (response) => socket.write(response),
        () => socket.destroy(),
      );
    });
  }
}

/** What a command claims; `undefined` before its header is there. */
function sizeOf(bytes: Uint8Array): number | undefined {
  if (bytes.length < 6) return undefined;
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(2);
}
