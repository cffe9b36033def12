/** TPM commands over a Unix or TCP socket, without any framing of its own: what `swtpm socket --server` speaks. */
import { connect, type Socket } from 'node:net';
import { Tpm2Error } from '../error.ts';
import { responseSize, type Transport } from './transport.ts';

export type SocketAddress = { readonly path: string } | { readonly host: string; readonly port: number };

interface Pending {
  readonly resolve: (response: Uint8Array) => void;
  readonly reject: (error: Tpm2Error) => void;
}

export class SocketTransport implements Transport {
  readonly description: string;
  readonly #address: SocketAddress;
  #socket: Socket | undefined;
  #pending: Pending | undefined;
  #received: Uint8Array = new Uint8Array(0);

  constructor(address: SocketAddress) {
    this.#address = address;
    this.description = 'path' in address ? `unix:${address.path}` : `tcp:${address.host}:${address.port}`;
  }

  async transact(command: Uint8Array): Promise<Uint8Array> {
    const socket = this.#socket ?? (await this.#connect());
    return new Promise<Uint8Array>((resolve, reject) => {
      this.#pending = { resolve, reject };
      socket.write(command);
    });
  }

  #connect(): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connect({ ...this.#address });
      socket.setNoDelay(true);
      this.#socket = socket;
      this.#received = new Uint8Array(0);
      let opened = false;
      socket.once('connect', () => {
        opened = true;
        resolve(socket);
      });
      socket.on('data', (chunk) => {
        if (this.#socket === socket) this.#take(chunk);
      });
      socket.once('error', (cause) => {
        const error = this.#failure(opened ? 'broke' : 'cannot be opened', cause);
        if (opened) this.#drop(socket, error);
        else this.#forget(socket);
        reject(error);
      });
      socket.once('close', () => {
        const error = this.#failure('was closed by the TPM');
        this.#drop(socket, error);
        reject(error);
      });
    });
  }

  #failure(what: string, cause?: unknown): Tpm2Error {
    return new Tpm2Error('environment', 'tpm2.transport', `the connection to ${this.description} ${what}`, { cause });
  }

  #take(chunk: Uint8Array): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const socket = this.#socket!;
    try {
      const size = responseSize(this.#received, this.description);
      const pending = this.#pending;
      if (pending === undefined || (size !== undefined && this.#received.length > size)) {
        throw new Tpm2Error('peer', 'tpm2.transport', `${this.description} sent what nobody asked for`);
      }
      if (size === undefined || this.#received.length < size) return;
      const response = this.#received;
      this.#received = new Uint8Array(0);
      this.#pending = undefined;
      pending.resolve(response);
    } catch (error) {
      this.#drop(socket, error as Tpm2Error);
    }
  }

  #forget(socket: Socket): void {
    if (this.#socket === socket) this.#socket = undefined;
    socket.destroy();
  }

  #drop(socket: Socket, error: Tpm2Error): void {
    if (this.#socket !== socket) return;
    this.#forget(socket);
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.reject(error);
  }

  async disconnect(): Promise<void> {
    const socket = this.#socket;
    if (socket === undefined) return;
    const closed = new Promise<void>((resolve) => {
      socket.once('close', () => resolve());
    });
    this.#drop(socket, this.#failure('was closed'));
    await closed;
  }
}
