/**
 * A Unix socket through which several programs use one TPM, a command at a time each: swtpm itself takes one connection. The lab
 * is one of them: it measures the boot before it lets anybody in, and extends a PCR when a fault asks for it.
 */
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { EnerchainError } from '@enerchain/model';
import { TPM_HEADER, TPM_MAX_FRAME, type TpmTransport } from '@enerchain/tpm2';

/** Most programs at once. */
const MOST = 16;

export class TpmRelay {
  readonly path: string;
  readonly #upstream: TpmTransport;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(path: string, upstream: TpmTransport) {
    this.path = path;
    this.#upstream = upstream;
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

  #forward(command: Uint8Array): Promise<Uint8Array> {
    const answer = this.#tail.then(() => this.#upstream.transact(command));
    this.#tail = answer.catch(() => {});
    return answer;
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => this.#sockets.delete(socket));
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
      this.#forward(command).then(
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
