/** The state estimation of the centre, asked for every two seconds while somebody looks; absent where no service makes one. */
import { createMemo, createSignal } from 'solid-js';
import { type EstimatedMeasurementJson, type EstimateJson, gridStateApi, routesOf } from '../api/grid-state.ts';

/** ms between two looks. */
const EVERY = 2000;
/** ms after which a result is called old. */
const OLD = 15_000;

export class EstimateBook {
  readonly #estimate = createSignal<EstimateJson>();
  readonly #routes = createSignal<ReadonlySet<string>>(new Set());
  readonly #problem = createSignal<string>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #looking = 0;
  #heard = 0;

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
    await routesOf().then(
      (routes) => setRoutes(routes),
      () => {}, // what is known stays; the next connect asks again
    );
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
