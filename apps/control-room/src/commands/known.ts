/**
 * What is known of commands. A command comes by two ways, as the answer to a request and over the stream, and the
 * answer may come after what followed it. Its steps are only ever added to, so the one with more of them is the later
 * one. Pure.
 */
import type { CommandJson } from '../api/types.ts';

export type KnownCommands = ReadonlyMap<string, CommandJson>;

export function laterOf(known: CommandJson | undefined, told: CommandJson): CommandJson {
  return known && known.events.length > told.events.length ? known : told;
}

/** With what was told last; of more than `kept` commands the longest known ones are forgotten. */
export function withCommand(known: KnownCommands, told: CommandJson, kept: number): KnownCommands {
  const next = new Map(known).set(told.id, laterOf(known.get(told.id), told));
  for (const id of next.keys()) if (next.size > kept) next.delete(id);
  return next;
}
