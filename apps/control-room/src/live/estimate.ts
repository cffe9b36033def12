/** The state estimation of the centre, asked for every two seconds while somebody looks; absent where no service makes one. */
import { createMemo, createSignal } from 'solid-js';
import { type EstimatedMeasurementJson, type EstimateJson, gridStateApi, routesOf } from '../api/grid-state.ts';
import type { PointInfo } from '../api/types.ts';

/** ms between two looks. */
const EVERY = 2000;
/** ms between two looks for a service that is not there. */
const FIND_EVERY = 15_000;
/** ms after which a result is called old. */
const OLD = 15_000;

export class EstimateBook {
  readonly #estimate = createSignal<EstimateJson>();
  readonly #routes = createSignal<ReadonlySet<string>>(new Set());
  readonly #problem = createSignal<string>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #looking = 0;
  #heard = 0;
  #foundAt = 0;

  readonly current = () => this.#estimate[0]();
  /** Why there is none at the moment, in a sentence. */
  readonly problem = () => this.#problem[0]();
  /** Measurements by the mRID of their point. */
  readonly byPoint = createMemo<ReadonlyMap<string, EstimatedMeasurementJson>>(
    () => new Map((this.current()?.measurements ?? []).flatMap((each) => (each.point ? [[each.point, each]] : []))),
  );

  /** Whether the service has a route, `/what-if` for example. */
  has(route: string): boolean {
    return this.#routes[0]().has(route);
  }

  async findRoutes(): Promise<void> {
    const [, setRoutes] = this.#routes;
    this.#foundAt = performance.now();
    await routesOf().then(
      (routes) => setRoutes(routes),
      () => {}, // what is known stays; the next connect asks again
    );
  }

  /** The centre, or the service, has gone: nothing is asked for until its routes are found again. */
  forgetRoutes(): void {
    this.#routes[1](new Set<string>());
  }

  /** Keeps it up to date until the answer is called. @param ready whether the service has spoken yet */
  look(ready: () => boolean): () => void {
    this.#looking += 1;
    if (this.#looking === 1) void this.#ask(ready);
    return () => {
      this.#looking -= 1;
      if (this.#looking === 0) clearTimeout(this.#timer);
    };
  }

  async #ask(ready: () => boolean): Promise<void> {
    const [, setEstimate] = this.#estimate;
    const [, setProblem] = this.#problem;
    if (!this.has('/estimate') && performance.now() - this.#foundAt > FIND_EVERY) await this.findRoutes();
    if (this.has('/estimate') && ready() && document.visibilityState === 'visible') {
      try {
        setEstimate(await gridStateApi.estimate());
        this.#heard = performance.now();
        setProblem(undefined);
      } catch (error) {
        setProblem(error instanceof Error ? error.message : String(error));
        if (performance.now() - this.#heard > OLD) setEstimate(undefined);
      }
    }
    clearTimeout(this.#timer);
    if (this.#looking > 0) this.#timer = setTimeout(() => void this.#ask(ready), EVERY);
  }
}

const BASE: Readonly<Record<EstimatedMeasurementJson['kind'], number>> = {
  voltage: 1e3,
  angle: 1,
  p: 1e6,
  q: 1e6,
  current: 1,
};
const FACTOR: Readonly<Record<string, number>> = { n: 1e-9, micro: 1e-6, m: 1e-3, none: 1, k: 1e3, M: 1e6, G: 1e9 };

/** A value of the estimation as its point would say it: in its unit, and with its direction. */
export function asPoint(
  point: Pick<PointInfo, 'unitMultiplier' | 'positiveFlowIn' | 'measurementType'>,
  kind: EstimatedMeasurementJson['kind'],
  value: number,
): number {
  // The estimation knows voltages between phases.
  const phase = point.measurementType === 'PhaseVoltage' ? Math.sqrt(3) : 1;
  const sign = (kind === 'p' || kind === 'q') && point.positiveFlowIn === false ? -1 : 1;
  return (sign * value * BASE[kind]) / phase / (FACTOR[point.unitMultiplier ?? 'none'] ?? 1);
}
