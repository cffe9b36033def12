/**
 * A TPM behind a character device of Linux (`/dev/tpmrm0`, the kernel’s resource manager). Reading blocks until the TPM has
 * answered: it happens on libuv’s thread pool, never on the event loop.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { Tpm2Error } from '../error.ts';
import { HEADER, MAX_FRAME, responseSize, type Transport } from './transport.ts';

export class DeviceTransport implements Transport {
  readonly description: string;
  readonly #path: string;
  #file: FileHandle | undefined;

  constructor(path = '/dev/tpmrm0') {
    this.#path = path;
    this.description = `device:${path}`;
  }

  async transact(command: Uint8Array): Promise<Uint8Array> {
    const buffer = new Uint8Array(MAX_FRAME);
    try {
      this.#file ??= await open(this.#path, 'r+');
      // The device takes a command in one write and gives its response in one read.
      await this.#file.write(command);
      const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, null);
      const response = buffer.slice(0, bytesRead);
      if (bytesRead < HEADER || responseSize(response, this.description) !== bytesRead) {
        throw new Tpm2Error(
          'peer',
          'tpm2.transport',
          `${this.description} answered ${bytesRead} bytes, which is no response`,
        );
      }
      return response;
    } catch (cause) {
      if (cause instanceof Tpm2Error) throw cause;
      throw new Tpm2Error('environment', 'tpm2.transport', `${this.description} cannot be used`, { cause });
    }
  }

  async disconnect(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    // A read that still blocks ends with the answer of the TPM; the handle closes then.
    await file?.close();
  }
}
