/** The newest events in memory, the latest source time first; older ones are fetched by the page that shows them. */
import { createSignal } from 'solid-js';
import type { EventJson } from '../api/types.ts';

const KEPT = 5_000;

const latestFirst = (a: EventJson, b: EventJson): number =>
  a.at === b.at ? b.id - a.id : Date.parse(b.at) - Date.parse(a.at) || b.id - a.id;

/** Merges by id into the order of source times, latest first; of two with one id the newer statement stays. */
export function mergeEvents(known: readonly EventJson[], added: readonly EventJson[], kept = KEPT): EventJson[] {
  const byId = new Map(known.map((event) => [event.id, event]));
  for (const event of added) byId.set(event.id, event);
  return [...byId.values()].sort(latestFirst).slice(0, kept);
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
    // The usual case, one newer event that was not there before, needs no merge.
    const simple = newest === undefined || (event.id > newest.id && latestFirst(event, newest) < 0);
    this.#events = simple ? [event, ...this.#events.slice(0, KEPT - 1)] : mergeEvents(this.#events, [event]);
    this.#version[1]((version) => version + 1);
  }

  add(events: readonly EventJson[]): void {
    this.#events = mergeEvents(this.#events, events);
    this.#version[1]((version) => version + 1);
  }
}
