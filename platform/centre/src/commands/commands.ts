/**
 * Commands of the centre: prepare, check, select, operate, cancel, and what became of them. Every step is durable in
 * the log before it takes effect; what the edge reports comes back through the log. Nothing is ever repeated.
 */
import {
  type Clock,
  type CommandAction,
  type CommandEvent,
  type CommandOrder,
  type CommandStep,
  describeError,
  EnerchainError,
  type Mrid,
  newMrid,
  type Quality,
  type UtcNanos,
  type Value,
  validity,
} from '@enerchain/model';
import type { Principal } from '../accounts/accounts.ts';
import type {
  AuditRecord,
  LiveState,
  LogEntry,
  LogReader,
  LogWriter,
  PointDirectory,
  PointInfo,
  Sources,
} from '../ports.ts';
import { type CommandCheck, type CommandCheckInput, standardChecks } from './checks.ts';
import { feedbackReached } from './feedback.ts';
import {
  COMMAND_TIMERS,
  type CommandEffect,
  type CommandInput,
  type CommandMachine,
  type CommandTimers,
  isOver,
  newCommand,
  nextDeadline,
  stepCommand,
} from './machine.ts';
import { type CommandCheckJson, type CommandJson, type StepRecord, withStep } from './view.ts';

export interface CommandsOptions {
  readonly log: LogReader & LogWriter;
  readonly points: PointDirectory;
  readonly sources: Sources;
  readonly live: LiveState;
  readonly clock: Clock;
  /** Checks beside the standard ones. */
  readonly checks?: readonly CommandCheck[];
  readonly timers?: CommandTimers;
  /** Called when something failed that no caller waits for. */
  readonly onError?: (error: unknown) => void;
}

interface Entry {
  view: CommandJson;
  machine: CommandMachine;
  readonly point: PointInfo;
  /** When operate was sent, and where the feedback stood then. */
  operated?: { readonly at: UtcNanos; readonly before: Value | undefined };
}

/** Prepared and running commands at one time. */
const MAX_RUNNING = 500;
/** Finished commands kept at hand; the rest is in the database. */
const MAX_FINISHED = 500;
/** An edge refuses an order older than this many milliseconds. */
const VALID_FOR_MILLIS = 10_000;
/** Clocks of centre and edge may differ by so much when a feedback is told from an old value in a backlog. */
const SKEW_NANOS = 5_000_000_000n;

export class Commands {
  readonly #options: CommandsOptions;
  readonly #timers: CommandTimers;
  readonly #entries = new Map<string, Entry>();
  readonly #finished = new Map<string, CommandJson>();
  readonly #checks: CommandCheck[];
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #followed = 0;
  readonly counters = {
    prepared: 0,
    refused: 0,
    sent: 0,
    confirmed: 0,
    negative: 0,
    timedOut: 0,
    outcomeUnknown: 0,
    feedbackMissing: 0,
  };

  constructor(options: CommandsOptions) {
    this.#options = options;
    this.#timers = options.timers ?? COMMAND_TIMERS;
    this.#checks = [...standardChecks(options.sources, (point) => this.#runningOn(point)), ...(options.checks ?? [])];
  }

  /** The next record of the log that it will read. */
  get followed(): number {
    return this.#followed;
  }

  get running(): number {
    return this.#entries.size;
  }

  /** Commands of this run of the centre, newest first. */
  recent(): CommandJson[] {
    return [...[...this.#entries.values()].map(({ view }) => view), ...this.#finished.values()];
  }

  get(id: string): CommandJson | undefined {
    return this.#entries.get(id)?.view ?? this.#finished.get(id);
  }

  /**
   * Ends what a centre that stopped has left open, by the log: an order that had been sent has an unknown outcome,
   * one that had not is cancelled.
   */
  async recover(open: readonly CommandJson[]): Promise<void> {
    for (const view of open) {
      const operated = view.events.some(({ step, action }) => step === 'sent' && action === 'operate');
      const record: CommandEffect & { kind: 'record' } = operated
        ? { kind: 'record', step: 'outcomeUnknown', reason: 'the centre was restarted before the result came' }
        : { kind: 'record', step: 'cancelled', reason: 'the centre was restarted before it was operated' };
      this.#keepFinished(withStep(view, await this.#record(view, record)));
    }
  }

  /** Follows the log from `from` until `signal` aborts: command events and the feedback of operated points. */
  async follow(from: number, signal: AbortSignal): Promise<void> {
    for await (const entries of this.#options.log.read(from, signal)) {
      for (const entry of entries) {
        await this.#onLog(entry);
        this.#followed = entry.offset + 1;
      }
    }
  }

  /** @returns the command, prepared, or refused with the checks that say why */
  async prepare(
    principal: Principal,
    request: { readonly point: Mrid; readonly value: number; readonly test?: boolean },
  ): Promise<CommandJson> {
    if (this.#entries.size >= MAX_RUNNING)
      throw new EnerchainError(
        'environment',
        'centre.commands.too-many',
        `${MAX_RUNNING} commands are open; this one was not prepared. Wait until some are over.`,
      );
    const id = newMrid();
    const point = this.#options.points.get(request.point);
    const { value } = request;
    const checks = await this.#runChecks({ principal, mRID: request.point, point, value, command: id });
    // While the checks ran, another request may have taken the point; from here to its entry nothing waits.
    const other = this.#runningOn(request.point);
    if (other !== undefined) {
      const at = checks.findIndex(({ name }) => name === 'exclusive');
      checks[at] = { name: 'exclusive', ok: false, text: `The command ${other} is still running on this point.` };
    }
    const ok = checks.every((check) => check.ok) && point !== undefined;
    const now = this.#options.clock.now();
    const base: CommandJson = {
      id,
      point: request.point,
      value,
      ctlModel: point?.ctlModel ?? 'direct',
      target: point?.source ?? '',
      by: principal.name,
      test: request.test ?? false,
      state: 'prepared',
      final: false,
      checks,
      expiresAt: new Date(Number(now / 1_000_000n) + this.#timers.prepared).toISOString(),
      events: [],
    };
    const reason = checks
      .filter((check) => !check.ok)
      .map((check) => check.text)
      .join(' ');
    const view = withStep(base, { step: ok ? 'prepared' : 'refusedByCentre', at: now, ...(ok ? {} : { reason }) });
    const entry: Entry | undefined = ok
      ? {
          view,
          point,
          machine: newCommand(
            view.ctlModel,
            point.feedback !== undefined && !view.test,
            this.#options.clock.monotonic(),
            this.#timers,
          ),
        }
      : undefined;
    if (entry) this.#entries.set(id, entry);
    try {
      await this.#audit('command.prepare', principal.name, ok ? 'ok' : 'refused', view, { command: view });
    } catch (error) {
      this.#entries.delete(id);
      throw error;
    }
    this.counters[ok ? 'prepared' : 'refused']++;
    if (!entry) this.#keepFinished(view);
    this.#schedule();
    return view;
  }

  /**
   * Select, operate or cancel.
   * @throws EnerchainError `centre.command.unknown`, `centre.command.refused` (a check, another person, a wrong moment)
   */
  async order(principal: Principal, id: string, action: CommandAction): Promise<CommandJson> {
    const entry = this.#entries.get(id);
    if (!entry) {
      if (this.#finished.has(id)) throw refused('This command is over; prepare a new one.');
      throw new EnerchainError('caller', 'centre.command.unknown', `There is no open command ${id}.`);
    }
    if (action !== 'cancel') {
      if (entry.view.by !== principal.name)
        throw refused(`The command was prepared by ${entry.view.by}, who alone can ${action} it.`);
      const { point, value } = entry.view;
      const input = { principal, mRID: point, point: this.#options.points.get(point), value, command: id };
      const failed = (await this.#runChecks(input)).filter((check) => !check.ok);
      if (failed.length > 0) {
        const text = failed.map((check) => check.text).join(' ');
        this.counters.refused++;
        await this.#audit(`command.${action}`, principal.name, 'refused', entry.view, { action, reason: text });
        throw refused(text);
      }
    }
    await this.#apply(entry, { kind: 'order', action }, principal.name);
    return entry.view;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  /** Moves the machine at once, then carries out what it asked for in order. */
  async #apply(entry: Entry, input: CommandInput, by = 'centre'): Promise<void> {
    const { clock } = this.#options;
    const { machine, effects } = stepCommand(entry.machine, input, clock.monotonic(), this.#timers);
    const refusal = effects.find((effect) => effect.kind === 'refuse');
    if (refusal) throw refused(refusal.text);
    entry.machine = machine;
    if (input.kind === 'order' && input.action === 'operate') {
      const feedback = entry.point.feedback;
      entry.operated = { at: clock.now(), before: feedback ? this.#options.live.get(feedback)?.value : undefined };
    }
    for (const effect of effects) {
      if (effect.kind === 'record') {
        try {
          // The view is read after the wait: a report of the edge may have come meanwhile.
          const record = await this.#record(entry.view, effect, by);
          entry.view = withStep(entry.view, record);
        } catch (error) {
          // What is not in the log must not happen: the order is not sent, and the command is over.
          if (effect.step === 'sent') this.#forgetUnsent(entry);
          throw error;
        }
      } else if (effect.kind === 'send') await this.#send(entry, effect.action);
    }
    this.#settle(entry);
  }

  async #send(entry: Entry, action: CommandAction): Promise<void> {
    const { view } = entry;
    const order: CommandOrder = {
      id: view.id,
      point: view.point,
      action,
      value: view.value,
      validFor: VALID_FOR_MILLIS,
      issuedAt: String(this.#options.clock.now()),
      origin: { orCat: 'remoteControl', orIdent: view.by.slice(0, 64) },
      target: view.target,
      ...(view.test ? { test: true } : {}),
    };
    try {
      await this.#options.sources.sendCommand(view.target, order);
      this.counters.sent++;
    } catch (error) {
      if (entry.machine.phase === 'done') return;
      const certain = error instanceof EnerchainError && error.code.startsWith('centre.source.');
      await this.#apply(entry, { kind: 'notSent', action, reason: describeError(error), certain });
    }
  }

  async #record(view: CommandJson, effect: CommandEffect & { kind: 'record' }, by = 'centre'): Promise<StepRecord> {
    const at = this.#options.clock.now();
    const { step, action, reason, final } = effect;
    const name = step === 'sent' || (step === 'cancelled' && by !== 'centre') ? `command.${action}` : 'command.step';
    await this.#audit(name, by, 'ok', view, {
      step,
      at: String(at),
      ...(action ? { action } : {}),
      ...(reason ? { reason } : {}),
      ...(final ? { final } : {}),
    });
    if (!final) this.#count(step);
    return { step, action, at, reason, final };
  }

  async #onLog(entry: LogEntry): Promise<void> {
    const { content } = entry;
    if (content.kind === 'commandEvents') {
      for (const event of content.events) await this.#onCommandEvent(entry.source, event);
    } else if (content.kind === 'observations') {
      for (const waiting of this.#entries.values()) {
        const { feedback } = waiting.point;
        if (waiting.machine.feedback !== 'awaited' || !waiting.operated || !feedback) continue;
        const column = content.batch.columns.find(({ point }) => point === feedback);
        if (!column) continue;
        for (let i = 0; i < column.value.length; i++) {
          if ((column.receiveTime[i] as bigint) < waiting.operated.at - SKEW_NANOS) continue;
          if (this.#isFeedback(waiting, column.value[i] as Value, column.quality[i] as number)) {
            await this.#guarded(waiting, { kind: 'feedback' });
            break;
          }
        }
      }
    }
  }

  async #onCommandEvent(source: string, event: CommandEvent): Promise<void> {
    const entry = this.#entries.get(event.command);
    const view = entry?.view ?? this.#finished.get(event.command);
    // A source speaks for the commands it was given, and for no others.
    if (!view || view.target !== source) return;
    const next = withStep(view, { step: event.step, action: event.action, at: BigInt(event.at), reason: event.reason });
    this.#count(event.step);
    if (!entry) {
      this.#keepFinished(next);
      return;
    }
    entry.view = next;
    await this.#guarded(entry, { kind: 'event', action: event.action, step: event.step });
    if (entry.machine.feedback === 'awaited' && (event.step === 'confirmed' || event.step === 'terminated')) {
      // A point that stood there already will not report a change.
      const value = entry.point.feedback ? this.#options.live.get(entry.point.feedback) : undefined;
      if (value && this.#isFeedback(entry, value.value, value.quality))
        await this.#guarded(entry, { kind: 'feedback' });
    }
  }

  #isFeedback(entry: Entry, value: Value, quality: Quality): boolean {
    const feedback = entry.point.feedback ? this.#options.points.get(entry.point.feedback) : undefined;
    if (!feedback || validity(quality) === 'invalid') return false;
    return feedbackReached(entry.point, entry.view.value, feedback, entry.operated?.before, value);
  }

  async #guarded(entry: Entry, input: CommandInput): Promise<void> {
    try {
      await this.#apply(entry, input);
    } catch (error) {
      this.#options.onError?.(error);
    }
  }

  #settle(entry: Entry): void {
    if (isOver(entry.machine) && this.#entries.delete(entry.view.id)) this.#keepFinished(entry.view);
    this.#schedule();
  }

  #forgetUnsent(entry: Entry): void {
    this.#entries.delete(entry.view.id);
    const reason = 'the step could not be written to the log; nothing was sent';
    this.#keepFinished(withStep(entry.view, { step: 'refusedByCentre', at: this.#options.clock.now(), reason }));
  }

  #keepFinished(view: CommandJson): void {
    this.#finished.delete(view.id);
    this.#finished.set(view.id, view);
    for (const id of this.#finished.keys()) {
      if (this.#finished.size <= MAX_FINISHED) break;
      this.#finished.delete(id);
    }
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#closed || this.#entries.size === 0) return;
    let next = Number.POSITIVE_INFINITY;
    for (const { machine } of this.#entries.values()) next = Math.min(next, nextDeadline(machine));
    if (next === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(() => this.#onTime(), Math.max(0, Math.ceil(next - this.#options.clock.monotonic())));
    this.#timer.unref();
  }

  #onTime(): void {
    const now = this.#options.clock.monotonic();
    const due = [...this.#entries.values()].filter(({ machine }) => nextDeadline(machine) <= now);
    for (const entry of due) void this.#guarded(entry, { kind: 'time' });
    this.#schedule();
  }

  #runningOn(point: Mrid): string | undefined {
    for (const { view, machine } of this.#entries.values())
      if (view.point === point && machine.phase !== 'done') return view.id;
    return undefined;
  }

  async #runChecks(input: CommandCheckInput): Promise<CommandCheckJson[]> {
    const results: CommandCheckJson[] = [];
    for (const { name, check } of this.#checks) {
      // A check that fails to run has not been passed.
      const result = await Promise.resolve()
        .then(() => check(input))
        .catch((error: unknown) => ({ ok: false, text: `The check '${name}' failed: ${describeError(error)}` }));
      results.push({ name, ...result });
    }
    return results;
  }

  #count(step: CommandStep): void {
    if (step in this.counters) this.counters[step as keyof typeof this.counters]++;
  }

  async #audit(
    action: string,
    actor: string,
    outcome: AuditRecord['outcome'],
    view: CommandJson,
    detail: Record<string, unknown>,
  ): Promise<void> {
    await this.#options.log.append({
      action,
      actor,
      outcome,
      subject: view.id,
      detail: { point: view.point, ...detail },
    });
  }
}

function refused(text: string): EnerchainError {
  return new EnerchainError('caller', 'centre.command.refused', text);
}
