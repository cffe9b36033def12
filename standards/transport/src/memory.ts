import type { Transport, TransportHandler } from './transport.ts';

class MemoryTransport implements Transport {
  readonly remote: string;
  peer!: MemoryTransport;
  #handler: TransportHandler | undefined;
  readonly #inbox: Uint8Array[] = [];
  #bytes = 0;
  #paused = false;
  #ending = false;
  #closed = false;
  #scheduled = false;

  constructor(remote: string) {
    this.remote = remote;
  }

  get bufferedBytes(): number {
    return this.peer.#bytes;
  }

  open(handler: TransportHandler): void {
    this.#handler = handler;
    this.#schedule();
  }

  write(bytes: Uint8Array): void {
    if (this.#closed || this.#ending) return;
    this.peer.#inbox.push(bytes);
    this.peer.#bytes += bytes.length;
    this.peer.#schedule();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#schedule();
  }

  end(): void {
    this.#ending = true;
    this.peer.#ending = true;
    this.peer.#schedule();
    this.#schedule();
  }

  destroy(): void {
    this.#inbox.length = 0;
    this.#bytes = 0;
    this.end();
  }

  #schedule(): void {
    if (this.#scheduled || !this.#handler) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    while (!this.#paused && !this.#closed) {
      const chunk = this.#inbox.shift();
      if (!chunk) break;
      this.#bytes -= chunk.length;
      this.#handler!.onData(chunk);
    }
    if (this.#ending && !this.#closed && this.#inbox.length === 0) {
      this.#closed = true;
      this.#handler!.onClose();
    }
  }
}

/** Two transports that are connected in memory; octets arrive in the next microtask. */
export function memoryPair(): [Transport, Transport] {
  const left = new MemoryTransport('memory:right');
  const right = new MemoryTransport('memory:left');
  left.peer = right;
  right.peer = left;
  return [left, right];
}
