/**
 * What moves in the grid, as it moves: switches and tap changers take their time, and whoever watches them is told. One for
 * the whole lab, since a breaker is moved by several devices: by its RTU, its bay unit, and by protection.
 */
import type { ConductingEquipment, Mrid } from '@enerchain/model';
import type { GridSimulation } from './simulation.ts';

/** How long the apparatus takes, ms: stored-energy breaker, motor drives, tap changer. */
export const OPERATING_TIMES = {
  Breaker: 80,
  LoadBreakSwitch: 600,
  Disconnector: 3000,
  GroundDisconnector: 3000,
  tap: 1500,
} as const;

/** Timers come from outside; `after` calls back once. */
export interface Scheduler {
  after(milliseconds: number, callback: () => void): void;
}

export interface Movement {
  /** Of the switch or transformer. */
  readonly mRID: Mrid;
  /** It has begun to move, or is where it was to go. */
  readonly phase: 'moving' | 'arrived';
  /** Who moved it. */
  readonly by: object;
}

type Transformer = Extract<ConductingEquipment, { class: 'PowerTransformer' }>;

export class Switchgear {
  readonly #simulation: GridSimulation;
  readonly #scheduler: Scheduler;
  readonly #times = new Map<Mrid, number>();
  readonly #moving = new Map<Mrid, Promise<void>>();
  readonly #stuck = new Set<Mrid>();
  readonly #listeners = new Set<(movement: Movement) => void>();

  constructor(simulation: GridSimulation, scheduler: Scheduler) {
    this.#simulation = simulation;
    this.#scheduler = scheduler;
    for (const { mRID, class: kind } of simulation.grid.model.equipment) {
      const time = (OPERATING_TIMES as Readonly<Record<string, number>>)[kind];
      if (time !== undefined) this.#times.set(mRID, time);
    }
  }

  /** Called in the order in which they came, once the grid has been solved anew. */
  onMovement(listener: (movement: Movement) => void): void {
    this.#listeners.add(listener);
  }

  isMoving(mRID: Mrid): boolean {
    return this.#moving.has(mRID);
  }

  /** A stuck switch stays where it is, whoever moves it. */
  setStuck(mRID: Mrid, stuck: boolean): void {
    if (stuck) this.#stuck.add(mRID);
    else this.#stuck.delete(mRID);
  }

  /** Resolves when it is there, or has failed to move; a movement under way is waited for. */
  async move(mRID: Mrid, closed: boolean, by: object): Promise<void> {
    for (let under = this.#moving.get(mRID); under; under = this.#moving.get(mRID)) await under;
    if (this.#simulation.isClosed(mRID) === closed || this.#stuck.has(mRID)) return;
    await this.#take(mRID, this.#times.get(mRID) ?? OPERATING_TIMES.Breaker, by, () =>
      this.#simulation.setSwitch(mRID, closed),
    );
  }

  /** One step; nothing at the end of the range. */
  async moveTap(transformer: Transformer, direction: 'higher' | 'lower', by: object): Promise<void> {
    await this.#take(transformer.mRID, OPERATING_TIMES.tap, by, () => {
      this.#simulation.moveTap(transformer, direction);
    });
  }

  #take(mRID: Mrid, milliseconds: number, by: object, arrive: () => void): Promise<void> {
    const done = new Promise<void>((resolve, reject) => {
      this.#scheduler.after(milliseconds, () => {
        this.#moving.delete(mRID);
        try {
          arrive();
          this.#simulation.settle();
          this.#tell({ mRID, phase: 'arrived', by });
          resolve();
        } catch (error) {
          reject(error);
        }
      });
    });
    // Whoever does not wait for the end does not have to hear of its failure.
    done.catch(() => {});
    this.#moving.set(mRID, done);
    this.#tell({ mRID, phase: 'moving', by });
    return done;
  }

  #tell(movement: Movement): void {
    for (const listener of this.#listeners) listener(movement);
  }
}
