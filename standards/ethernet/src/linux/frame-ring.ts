/** Frames from a thread that reads to the one that uses them, in memory that both share: one writer, one reader, no locks. */

const SLOT = 2048;
/** Time (8 octets) and length (4, and 4 unused) stand before the frame. */
const HEAD = 16;
/** Longest frame that fits. */
export const RING_FRAME = SLOT - HEAD;

/** Words of the control block. */
const [WRITTEN, TAKEN, LOST, STOPPED, ASLEEP] = [0, 1, 2, 3, 4];
const CONTROL_OCTETS = 64;

export type RingMemory = SharedArrayBuffer;

/** @param slots a power of two */
export function ringMemory(slots: number): RingMemory {
  return new SharedArrayBuffer(CONTROL_OCTETS + slots * SLOT);
}

export class FrameRing {
  readonly #control: Int32Array;
  readonly #view: DataView;
  readonly #octets: Uint8Array;
  readonly #mask: number;

  constructor(memory: RingMemory) {
    this.#control = new Int32Array(memory, 0, CONTROL_OCTETS / 4);
    this.#view = new DataView(memory, CONTROL_OCTETS);
    this.#octets = new Uint8Array(memory, CONTROL_OCTETS);
    this.#mask = this.#octets.length / SLOT - 1;
  }

  /** Where the writer may put its next frame, whether or not there is room for it: `commit` says. */
  get free(): Uint8Array {
    const at = (Atomics.load(this.#control, WRITTEN) & this.#mask) * SLOT + HEAD;
    return this.#octets.subarray(at, at + RING_FRAME);
  }

  get full(): boolean {
    return ((Atomics.load(this.#control, WRITTEN) - Atomics.load(this.#control, TAKEN)) | 0) > this.#mask;
  }

  /** @returns whether the reader sleeps and has to be woken */
  commit(length: number, at: bigint): boolean {
    const written = Atomics.load(this.#control, WRITTEN);
    const slot = (written & this.#mask) * SLOT;
    this.#view.setBigInt64(slot, at);
    this.#view.setInt32(slot + 8, length);
    Atomics.store(this.#control, WRITTEN, (written + 1) | 0);
    return Atomics.exchange(this.#control, ASLEEP, 0) === 1;
  }

  lose(): void {
    Atomics.add(this.#control, LOST, 1);
  }

  get lost(): number {
    return Atomics.load(this.#control, LOST);
  }

  stop(): void {
    Atomics.store(this.#control, STOPPED, 1);
  }

  get stopped(): boolean {
    return Atomics.load(this.#control, STOPPED) === 1;
  }

  /** Hands out what is there, at most `most`; each frame is overwritten after its call. @returns how many there were */
  take(most: number, each: (frame: Uint8Array, at: bigint) => void): number {
    let taken = Atomics.load(this.#control, TAKEN);
    const count = Math.min(most, (Atomics.load(this.#control, WRITTEN) - taken) | 0);
    for (let i = 0; i < count; i++) {
      const slot = (taken & this.#mask) * SLOT;
      // A copy: decoders of text refuse memory that another thread may change.
      const length = this.#view.getInt32(slot + 8);
      const frame = this.#octets.slice(slot + HEAD, slot + HEAD + length);
      const at = this.#view.getBigInt64(slot);
      taken = (taken + 1) | 0;
      Atomics.store(this.#control, TAKEN, taken);
      each(frame, at);
    }
    return count;
  }

  /** @returns false when something has come meanwhile: then the reader must not sleep */
  sleep(): boolean {
    Atomics.store(this.#control, ASLEEP, 1);
    if (Atomics.load(this.#control, WRITTEN) === Atomics.load(this.#control, TAKEN)) return true;
    return Atomics.exchange(this.#control, ASLEEP, 0) === 0;
  }
}
