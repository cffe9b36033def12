/** The newest events in memory, by descending id; older ones are fetched by the page that shows them. */
import { createSignal } from 'solid-js';
import type { EventJson } from '../api/types.ts';

const KEPT = 5_000;

/** Merges by id into descending order; of two with one id the newer statement stays. */
export function mergeEvents(known: readonly EventJson[], added: readonly EventJson[], kept = KEPT): EventJson[] {
  const byId = new Map(known.map((event) => [event.id, event]));
  for (const event of added) byId.set(event.id, event);
  return [...byId.values()].sort((a, b) => b.id - a.id).slice(0, kept);
}

export class EventBook {
  #events: EventJson[] = [];
  readonly #version = createSignal(0);

  /** Reactive. */
  newest(): readonly EventJson[] {
    this.#version[0]();
    return this.#events;
  }

  apply(event: EventJson): void {
    const newest = this.#events[0];
    // The usual case, one newer event, needs no merge.
    this.#events =
      newest === undefined || event.id > newest.id
        ? [event, ...this.#events.slice(0, KEPT - 1)]
        : mergeEvents(this.#events, [event]);
    this.#version[1]((version) => version + 1);
  }

  add(events: readonly EventJson[]): void {
    this.#events = mergeEvents(this.#events, events);
    this.#version[1]((version) => version + 1);
  }
}
