/** What the log says of commands: each step as an audit record, and the alarm of a broken glass. Durable when it resolves. */
import { type Clock, EnerchainError } from '@enerchain/model';
import { CENTRE } from '../ingest/own-chain.ts';
import type { AuditRecord, LogPublisher, LogWriter } from '../ports.ts';
import type { OpenCommand } from './book.ts';
import { breakGlassAlarm } from './break-glass.ts';
import type { CommandEffect } from './machine.ts';
import type { CommandJson, StepRecord } from './view.ts';

/** A step that the machine wants to have recorded. */
export type RecordEffect = CommandEffect & { readonly kind: 'record' };

export class CommandRecords {
  readonly #log: LogWriter & Pick<LogPublisher, 'publish'>;
  readonly #clock: Clock;

  constructor(log: LogWriter & Pick<LogPublisher, 'publish'>, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  async audit(
    action: string,
    actor: string,
    outcome: AuditRecord['outcome'],
    view: CommandJson,
    detail: Record<string, unknown>,
  ): Promise<void> {
    await this.#log.append({ action, actor, outcome, subject: view.id, detail: { point: view.point, ...detail } });
  }

  /**
   * @param by who caused it; the centre itself by its timers
   * @param expiresAt until when the command can be operated, where the step changes that
   * @returns the step, to be added to the view
   */
  async step(view: CommandJson, effect: RecordEffect, by: string, expiresAt?: string): Promise<StepRecord> {
    const at = this.#clock.now();
    const { step, action, reason, final } = effect;
    await this.audit(nameOf(effect, by), by, 'ok', view, {
      step,
      at: String(at),
      ...(action ? { action } : {}),
      ...(reason ? { reason } : {}),
      ...(final ? { final } : {}),
      ...(expiresAt ? { expiresAt } : {}),
      ...(step === 'sent' && view.breakGlass ? { breakGlass: view.breakGlass.reason } : {}),
    });
    return { step, action, at, reason, final, by, expiresAt };
  }

  /**
   * Before the order leaves: whoever breaks the glass cannot do it in silence, not even when the log fails.
   * @throws EnerchainError `centre.source.unsigned`: the order must not leave
   */
  async raiseAlarm({ view, point }: OpenCommand): Promise<void> {
    try {
      await this.#log.publish(breakGlassAlarm(view, point, this.#clock, true));
    } catch (cause) {
      const text = 'the alarm of the broken glass could not be written; the command was not sent';
      throw new EnerchainError('environment', 'centre.source.unsigned', text, { cause });
    }
  }

  /** The command is over; the alarm stays until somebody acknowledges it. */
  async endAlarm(view: CommandJson, point?: OpenCommand['point']): Promise<void> {
    await this.#log.publish(breakGlassAlarm(view, point, this.#clock, false));
  }
}

function nameOf({ step, action }: RecordEffect, by: string): string {
  if (step === 'approved') return 'command.approve';
  return step === 'sent' || (step === 'cancelled' && by !== CENTRE) ? `command.${action}` : 'command.step';
}
