/** The drawings of a model's displays, laid out by a worker and kept for when a display is opened again. */
import type { GridModel } from '@enerchain/model';
import type { Drawing, Place } from './drawing.ts';
import { layout } from './layout.ts';
import type { LayoutAnswer, LayoutOrder } from './layout-worker.ts';

/** Drawings kept of the model in use; the oldest goes first. */
const KEPT = 32;

/** What of a `Worker` is needed. */
export interface LayoutWorker {
  onmessage: ((event: MessageEvent<LayoutAnswer>) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
  postMessage(order: LayoutOrder): void;
}

interface Waiting {
  readonly model: GridModel;
  readonly place: Place | undefined;
  readonly done: (drawing: Drawing) => void;
  readonly failed: (error: Error) => void;
}

export class Drawings {
  #worker: LayoutWorker | undefined;
  /** What the worker has. */
  #model: GridModel | undefined;
  #kept = new Map<string, Promise<Drawing>>();
  readonly #waiting = new Map<number, Waiting>();
  #last = 0;

  /** @param worker none where there can be none: then everything is laid out here */
  constructor(worker: LayoutWorker | undefined) {
    this.#worker = worker;
    if (!worker) return;
    worker.onmessage = ({ data: answer }) => {
      const waiting = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      if ('drawing' in answer) waiting?.done(answer.drawing);
      else waiting?.failed(new Error(answer.problem));
    };
    // It could not be loaded, or has stopped: the page does its work.
    worker.onerror = () => {
      this.#worker = undefined;
      for (const [id, waiting] of this.#waiting) {
        this.#waiting.delete(id);
        layOutHere(waiting);
      }
    };
  }

  /**
   * @param place nothing for the overview
   * @returns rejected with what the layout found wrong with the model
   */
  draw(model: GridModel, place: Place | undefined): Promise<Drawing> {
    const isNew = this.#model !== model;
    if (isNew) this.#kept = new Map();
    this.#model = model;
    const key = `${place?.substation ?? ''} ${place?.bay ?? ''}`;
    const known = this.#kept.get(key);
    if (known) return known;
    const drawing = new Promise<Drawing>((done, failed) => {
      const waiting: Waiting = { model, place, done, failed };
      if (!this.#worker) return layOutHere(waiting);
      const id = ++this.#last;
      this.#waiting.set(id, waiting);
      this.#worker.postMessage({ id, ...(isNew ? { model } : {}), ...(place ? { place } : {}) });
    });
    if (this.#kept.size >= KEPT) this.#kept.delete(this.#kept.keys().next().value!);
    this.#kept.set(key, drawing);
    return drawing;
  }
}

function layOutHere({ model, place, done, failed }: Waiting): void {
  try {
    done(layout(model, place));
  } catch (error) {
    failed(error instanceof Error ? error : new Error(String(error)));
  }
}
