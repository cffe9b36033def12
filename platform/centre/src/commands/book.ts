/** The commands of this run of the centre: those that are open, and the last of those that are over. */
import { type CommandApproval, EnerchainError, type Mrid, type UtcNanos, type Value } from '@enerchain/model';
import type { PointInfo } from '../ports.ts';
import type { CommandMachine } from './machine.ts';
import type { CommandJson } from './view.ts';

/** A command that is not over. */
export interface OpenCommand {
  view: CommandJson;
  machine: CommandMachine;
  readonly point: PointInfo;
  /** Challenges of the edge under which somebody was asked for an approval, by who was asked. */
  readonly asked: Map<string, string>;
  approval?: CommandApproval;
  /** The alarm of a broken glass stands. */
  alarmed?: boolean;
  /** When operate was sent, and where the feedback stood then. */
  operated?: { readonly at: UtcNanos; readonly before: Value | undefined };
}

/** Prepared and running commands at one time. */
const MAX_OPEN = 500;
/** Finished commands kept at hand; the rest is in the database. */
const MAX_FINISHED = 500;

export class CommandBook {
  readonly #open = new Map<string, OpenCommand>();
  readonly #finished = new Map<string, CommandJson>();

  get size(): number {
    return this.#open.size;
  }

  open(): Iterable<OpenCommand> {
    return this.#open.values();
  }

  /** All of them, those that are open first. */
  views(): CommandJson[] {
    return [...[...this.#open.values()].map(({ view }) => view), ...this.#finished.values()];
  }

  view(id: string): CommandJson | undefined {
    return this.#open.get(id)?.view ?? this.#finished.get(id);
  }

  find(id: string): OpenCommand | undefined {
    return this.#open.get(id);
  }

  /** @throws EnerchainError `centre.command.refused` when it is over, `centre.command.unknown` */
  get(id: string): OpenCommand {
    const command = this.#open.get(id);
    if (command) return command;
    if (this.#finished.has(id)) throw refused('This command is over; prepare a new one.');
    throw new EnerchainError('caller', 'centre.command.unknown', `There is no open command ${id}.`);
  }

  /** Id of the command that holds a point: there is one at a time. */
  runningOn(point: Mrid): string | undefined {
    for (const { view, machine } of this.#open.values()) {
      if (view.point === point && machine.phase !== 'done') return view.id;
    }
    return undefined;
  }

  /** @throws EnerchainError `centre.commands.too-many` */
  ensureRoom(): void {
    if (this.#open.size < MAX_OPEN) return;
    const text = `${MAX_OPEN} commands are open; this one was not prepared. Wait until some are over.`;
    throw new EnerchainError('environment', 'centre.commands.too-many', text);
  }

  add(command: OpenCommand): void {
    this.#open.set(command.view.id, command);
  }

  /** As if it had never been added. */
  remove(id: string): void {
    this.#open.delete(id);
  }

  /** It is over, or something more is known of it that was over already; the oldest of those make room. */
  finish(view: CommandJson): void {
    this.#open.delete(view.id);
    this.#finished.delete(view.id);
    this.#finished.set(view.id, view);
    for (const id of this.#finished.keys()) {
      if (this.#finished.size <= MAX_FINISHED) break;
      this.#finished.delete(id);
    }
  }
}

export function refused(text: string): EnerchainError {
  return new EnerchainError('caller', 'centre.command.refused', text);
}
