/** An intake that keeps what it is given, and lets go of receipts when the test says so. */
import { CAUSES, type SourceEvent } from '@enerchain/model';
import type { Intake, Receipt } from '../src/connector.ts';
import type { BoundPoint } from '../src/site/site.ts';

export interface Taken {
  readonly name: string;
  readonly value: unknown;
  readonly quality: number;
  readonly sourceTime: bigint;
  readonly timeQuality: number;
  readonly cause: string;
}

export class FakeIntake implements Intake {
  readonly taken: Taken[] = [];
  readonly log: string[] = [];
  readonly held: Receipt[] = [];
  readonly events: { kind: string; detail: string | undefined; code: string | undefined }[] = [];
  turn = 0;
  /** Commits by itself, as a disk that is quick. */
  auto = false;
  /** Called after every change, so that a test can wait for one. */
  onChange: (() => void) | undefined;

  add(
    point: BoundPoint,
    value: number | string | null,
    quality: number,
    sourceTime: bigint,
    timeQuality: number,
    _receiveTime: bigint,
    cause: number,
  ): void {
    this.taken.push({ name: point.point.name, value, quality, sourceTime, timeQuality, cause: CAUSES[cause]! });
    this.onChange?.();
  }

  hold(receipt: Receipt): void {
    this.held.push(receipt);
    if (this.auto) setImmediate(() => this.commit());
    this.onChange?.();
  }

  /** As the outbox does after a commit. */
  commit(): void {
    this.turn++;
    for (const receipt of this.held.splice(0)) receipt.release();
  }

  #note(text: string): void {
    this.log.push(text);
    this.onChange?.();
  }

  commitSoon(): void {
    this.#note('commitSoon');
  }
  connected(): void {
    this.#note('connected');
  }
  synchronized(): void {
    this.#note('synchronized');
  }
  lost(): void {
    this.#note('lost');
  }
  overflowed(_at: bigint, detail: string): void {
    this.#note(`overflowed ${detail}`);
  }
  unknown(_key: number | string, address: () => string): void {
    this.#note(`unknown ${address()}`);
  }
  malformed(detail: string): void {
    this.#note(`malformed ${detail}`);
  }
  event(kind: SourceEvent['kind'], detail?: string, code?: string): void {
    this.events.push({ kind, detail, code });
    this.onChange?.();
  }

  /** Resolves once `condition` holds; looked at after every change. */
  until(condition: () => boolean, what = 'the condition'): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`${what} did not come; log: ${this.log.slice(-20).join(', ')}; taken ${this.taken.length}`));
      }, 60_000);
      const look = (): void => {
        if (!condition()) return;
        clearTimeout(timer);
        this.onChange = undefined;
        resolve();
      };
      this.onChange = look;
      look();
    });
  }
}
