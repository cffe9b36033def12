/** Commands from the centre: checked here once more before a connector carries them out. */
import {
  type Clock,
  type Command,
  type CommandEvent,
  type CommandStep,
  describeError,
  EnerchainError,
  FINAL_STEPS,
  isControl,
  type Mrid,
  type SourceEvent,
} from '@enerchain/model';
import type { AcceptedCommand } from '@enerchain/trust';
import type { Logger } from 'pino';
import type { Connector } from '../connector.ts';
import type { BoundPoint } from '../site/site.ts';
import type { CommandGate } from './gate.ts';

/** Each one grows only. */
export interface CommandCounters {
  received: number;
  /** Signature, addressee, age or replay: not acted upon, and said as a security event. */
  refusedByGuard: number;
  /** Not bound, no control, out of range, or refused by the gate. */
  refusedByPolicy: number;
  /** Carried out past path and second person. */
  brokenGlass: number;
  carriedOut: number;
}

export interface CommandDeskOptions {
  readonly points: ReadonlyMap<Mrid, { readonly bound: BoundPoint; readonly endpoint: string }>;
  readonly connectors: ReadonlyMap<string, Connector>;
  /** @returns why a command must not go to its device */
  readonly gate: Pick<CommandGate, 'refusal'>;
  /** @throws EnerchainError when the command must not be believed */
  readonly guard: { accept(bytes: Uint8Array): AcceptedCommand; isFresh(accepted: AcceptedCommand): boolean };
  readonly clock: Clock;
  readonly logger: Logger;
  /** Puts the step on the chain; resolves when durable. */
  readonly writeEvents: (events: readonly CommandEvent[]) => Promise<void>;
  readonly writeSourceEvents: (events: readonly SourceEvent[]) => Promise<void>;
}

/** Orders under way at the same time; further ones are refused. */
const MOST_UNDER_WAY = 100;

export class CommandDesk {
  readonly counters: CommandCounters = {
    received: 0,
    refusedByGuard: 0,
    refusedByPolicy: 0,
    brokenGlass: 0,
    carriedOut: 0,
  };
  readonly #options: CommandDeskOptions;
  readonly #underWay = new Set<Promise<void>>();

  constructor(options: CommandDeskOptions) {
    this.#options = options;
  }

  /** Takes a signed command off the link. Never throws: every outcome is an event. */
  receive(bytes: Uint8Array): void {
    this.counters.received++;
    let accepted: AcceptedCommand;
    try {
      accepted = this.#options.guard.accept(bytes);
    } catch (error) {
      this.#suspicious(error);
      return;
    }
    const task = this.#carryOut(accepted).finally(() => this.#underWay.delete(task));
    this.#underWay.add(task);
  }

  /** Resolves when no command is under way any more. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#underWay]);
  }

  /** Whoever sends what cannot be believed is a matter for the security officer; nothing of it is acted upon. */
  #suspicious(error: unknown): void {
    this.counters.refusedByGuard++;
    const text = describeError(error);
    this.#options.logger.error({ reason: text }, 'a command was refused');
    void this.#options.writeSourceEvents([
      {
        kind: 'security',
        at: String(this.#options.clock.now()),
        code: error instanceof EnerchainError ? error.code : 'edge.command.refused',
        detail: `command refused: ${text}`.slice(0, 1000),
      },
    ]);
  }

  async #carryOut(accepted: AcceptedCommand): Promise<void> {
    const { command } = accepted;
    const report = (step: CommandStep, reason?: string): Promise<void> => this.#report(command, step, reason);
    const checked = this.#check(command);
    if (typeof checked === 'string') {
      this.counters.refusedByPolicy++;
      await report('refusedByEdge', checked);
      return;
    }
    // On the chain before the device hears of it: what was done must never be unknown to the centre.
    if (command.breakGlass) await this.#broken(command, checked.bound);
    await report('received');
    if (!this.#options.guard.isFresh(accepted)) {
      this.counters.refusedByPolicy++;
      await report(
        'refusedByEdge',
        `the command expired ${command.validFor} ms after it had arrived, before it could be carried out`,
      );
      return;
    }
    this.counters.carriedOut++;
    let last: CommandStep = 'received';
    try {
      await checked.connector.operate({ command, point: checked.bound }, (step, reason) => {
        last = step;
        void report(step, reason);
      });
    } catch (error) {
      this.#options.logger.error(
        { error: describeError(error), command: command.id },
        'a connector failed on a command',
      );
      if (!FINAL_STEPS.has(last)) await report('outcomeUnknown', describeError(error).slice(0, 500));
    }
  }

  /** Loud on this side too: it stands on the chain of the gateway, which the centre cannot write. */
  #broken({ id, origin, breakGlass }: Command, { point }: BoundPoint): Promise<void> {
    this.counters.brokenGlass++;
    const detail = `break-glass: command ${id} on '${point.name}' by ${origin.orIdent}: ${breakGlass?.reason}`;
    this.#options.logger.warn({ command: id }, detail);
    const at = String(this.#options.clock.now());
    return this.#options.writeSourceEvents([{ kind: 'security', at, code: 'edge.command.break-glass', detail }]);
  }

  /** @returns what carries the command out, or why it is refused */
  #check(command: Command): { readonly bound: BoundPoint; readonly connector: Connector } | string {
    const found = this.#options.points.get(command.point);
    if (!found) return 'the point is not bound as a control on this edge';
    const { bound, endpoint } = found;
    const { point } = bound;
    if (!isControl(point)) return `'${point.name}' is no control`;
    if (!Number.isFinite(command.value)) return `${command.value} is no value`;
    if (point.minimum !== undefined && command.value < point.minimum) {
      return `${command.value} is below the smallest value ${point.minimum} of '${point.name}'`;
    }
    if (point.maximum !== undefined && command.value > point.maximum) {
      return `${command.value} is above the largest value ${point.maximum} of '${point.name}'`;
    }
    const connector = this.#options.connectors.get(endpoint);
    if (!connector) return `endpoint '${endpoint}' is not in operation`;
    if (this.#underWay.size >= MOST_UNDER_WAY) return `${this.#underWay.size} commands are under way already`;
    return this.#options.gate.refusal(command, bound, endpoint) ?? { bound, connector };
  }

  #report(command: Command, step: CommandStep, reason?: string): Promise<void> {
    const event: CommandEvent = {
      command: command.id,
      point: command.point,
      action: command.action,
      step,
      at: String(this.#options.clock.now()),
      ...(reason === undefined ? {} : { reason: reason.slice(0, 500) }),
    };
    this.#options.logger.info({ command: command.id, action: command.action, step, reason }, 'command');
    return this.#options.writeEvents([event]);
  }
}
