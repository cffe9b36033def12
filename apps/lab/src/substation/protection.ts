/**
 * Functions of protection as machines: what they see comes in, starts and trips go out, time is injected. Definite time; the
 * simulated grid gives magnitudes, so there is nothing to filter.
 */
import type { Clock } from '@enerchain/transport';

/** A quantity has to come back this far before a stage that has started drops off. */
const DROP_OFF = 0.95;

export interface StagePorts {
  readonly clock: Clock;
  /** In the unit of what it sees. */
  readonly pickUp: () => number;
  /** Milliseconds from start to operation. */
  readonly delay: () => number;
  /** `over`: starts above the pick-up (PTOC, PDIF); `under`: below it (PTUV). */
  readonly when: 'over' | 'under';
  /** It has started, operated, been blocked, or dropped off. */
  readonly onChange: (stage: Stage) => void;
}

/** One stage: PTOC, PTUV, PDIF. */
export class Stage {
  readonly #ports: StagePorts;
  #started = false;
  #operated = false;
  #blocked = false;
  #cancel: (() => void) | undefined;

  constructor(ports: StagePorts) {
    this.#ports = ports;
  }

  get started(): boolean {
    return this.#started;
  }

  get operated(): boolean {
    return this.#operated;
  }

  get blocked(): boolean {
    return this.#blocked;
  }

  see(value: number): void {
    const { pickUp, when } = this.#ports;
    const limit = pickUp();
    const beyond =
      when === 'over'
        ? value >= (this.#started ? limit * DROP_OFF : limit)
        : value <= (this.#started ? limit / DROP_OFF : limit);
    if (beyond === this.#started) return;
    this.#started = beyond;
    if (!beyond) this.#operated = false;
    this.#time();
    this.#ports.onChange(this);
  }

  /** A blocked stage starts and does not operate; released, its time begins anew. */
  block(blocked: boolean): void {
    if (blocked === this.#blocked) return;
    this.#blocked = blocked;
    if (blocked) this.#operated = false;
    this.#time();
    this.#ports.onChange(this);
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #time(): void {
    this.stop();
    if (!this.#started || this.#blocked || this.#operated) return;
    this.#cancel = this.#ports.clock.schedule(this.#ports.delay(), () => {
      this.#cancel = undefined;
      this.#operated = true;
      this.#ports.onChange(this);
    });
  }
}

export interface BreakerFailurePorts {
  readonly clock: Clock;
  /** Milliseconds that the breaker has. */
  readonly delay: () => number;
  /** It is still closed, or current still flows. */
  readonly failed: () => boolean;
  readonly onChange: (failure: BreakerFailure) => void;
}

/** RBRF: a breaker that was told to trip and has not; others then have to. */
export class BreakerFailure {
  readonly #ports: BreakerFailurePorts;
  #started = false;
  #retripped = false;
  #external = false;
  #cancel: (() => void) | undefined;

  constructor(ports: BreakerFailurePorts) {
    this.#ports = ports;
  }

  get started(): boolean {
    return this.#started;
  }

  /** OpIn: the own breaker is told once more. */
  get internal(): boolean {
    return this.#retripped;
  }

  /** OpEx: the breakers around it are told. */
  get external(): boolean {
    return this.#external;
  }

  /** The breaker was told to trip. */
  tripped(): void {
    if (this.#started) return;
    this.#started = true;
    this.#ports.onChange(this);
    const half = this.#ports.delay() / 2;
    this.#cancel = this.#ports.clock.schedule(half, () => {
      if (!this.#ports.failed()) return this.reset();
      this.#retripped = true;
      this.#ports.onChange(this);
      this.#cancel = this.#ports.clock.schedule(half, () => {
        this.#cancel = undefined;
        if (!this.#ports.failed()) return this.reset();
        this.#external = true;
        this.#ports.onChange(this);
      });
    });
  }

  /** The breaker is open, or nothing is left that it should have interrupted. */
  reset(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    if (!this.#started) return;
    this.#started = this.#retripped = this.#external = false;
    this.#ports.onChange(this);
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
