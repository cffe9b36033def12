/**
 * Commands of the centre: prepare, check, select, operate, cancel, and what became of them. Every step is durable in
 * the log before it takes effect; what the edge reports comes back through the log. Nothing is ever repeated.
 *
 * The machine of a command decides (`machine.ts`); here its effects are carried out, and what happens reaches it.
 */
import {
  type BreakGlass,
  type Clock,
  type CommandAction,
  type CommandEvent,
  describeError,
  EnerchainError,
  type Mrid,
  newMrid,
} from '@enerchain/model';
import type { Principal } from '../accounts/accounts.ts';
import type { AssertionJson, RequestOptionsJson } from '../accounts/webauthn-json.ts';
import { CENTRE } from '../ingest/own-chain.ts';
import type {
  LiveState,
  LogEntry,
  LogPublisher,
  LogReader,
  LogWriter,
  PointDirectory,
  PointInfo,
  Sources,
} from '../ports.ts';
import { ApprovalDesk } from './approval.ts';
import { CommandBook, type OpenCommand, refused } from './book.ts';
import { type CommandCheck, type CommandCheckInput, runChecks, standardChecks, takenBy } from './checks.ts';
import { countStep, noCounters } from './counters.ts';
import { FeedbackWatch } from './feedback-watch.ts';
import {
  COMMAND_TIMERS,
  type CommandInput,
  type CommandTimers,
  isOver,
  newCommand,
  nextDeadline,
  stepCommand,
} from './machine.ts';
import { orderOf } from './order.ts';
import { CommandRecords, type RecordEffect } from './records.ts';
import { type SecondPerson, secondPersonCheck } from './second-person.ts';
import { type CommandCheckJson, type CommandJson, type StepRecord, withStep } from './view.ts';

export interface CommandsOptions {
  readonly log: LogReader & LogWriter & Pick<LogPublisher, 'publish'>;
  readonly points: PointDirectory;
  readonly sources: Sources;
  readonly live: LiveState;
  readonly clock: Clock;
  /** Checks beside the standard ones. */
  readonly checks?: readonly CommandCheck[];
  /** Absent: one person is always enough. */
  readonly secondPerson?: SecondPerson;
  readonly timers?: CommandTimers;
  /** Called when something failed that no caller waits for. */
  readonly onError?: (error: unknown) => void;
}

/** What somebody wants to have done. */
export interface CommandRequest {
  readonly point: Mrid;
  readonly value: number;
  readonly test?: boolean;
  /** Pass over what the path and the second person have against it. */
  readonly breakGlass?: BreakGlass;
}

export class Commands {
  readonly counters = noCounters();
  readonly #options: CommandsOptions;
  readonly #timers: CommandTimers;
  readonly #checks: readonly CommandCheck[];
  readonly #book = new CommandBook();
  readonly #records: CommandRecords;
  readonly #approvals: ApprovalDesk;
  readonly #feedback: FeedbackWatch;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #followed = 0;

  constructor(options: CommandsOptions) {
    this.#options = options;
    const { log, points, sources, live, clock, secondPerson } = options;
    this.#timers = options.timers ?? COMMAND_TIMERS;
    this.#records = new CommandRecords(log, clock);
    this.#approvals = new ApprovalDesk(secondPerson, sources);
    this.#feedback = new FeedbackWatch(points, live);
    this.#checks = [
      ...standardChecks(sources, (point) => this.#book.runningOn(point)),
      ...(options.checks ?? []),
      ...(secondPerson ? [secondPersonCheck(secondPerson)] : []),
    ];
  }

  /** The next record of the log that it will read. */
  get followed(): number {
    return this.#followed;
  }

  /** Number of commands that are not over. */
  get running(): number {
    return this.#book.size;
  }

  /** Commands of this run of the centre: those that are open, and the last of those that are over. */
  recent(): CommandJson[] {
    return this.#book.views();
  }

  get(id: string): CommandJson | undefined {
    return this.#book.view(id);
  }

  /**
   * Ends what a centre that stopped has left open, by the log: an order that had been sent has an unknown outcome,
   * one that had not is cancelled.
   */
  async recover(open: readonly CommandJson[]): Promise<void> {
    for (const view of open) {
      const operated = view.events.some(({ step, action }) => step === 'sent' && action === 'operate');
      const end: RecordEffect = operated
        ? { kind: 'record', step: 'outcomeUnknown', reason: 'the centre was restarted before the result came' }
        : { kind: 'record', step: 'cancelled', reason: 'the centre was restarted before it was operated' };
      this.#book.finish(withStep(view, await this.#record(view, end)));
      if (view.breakGlass) await this.#records.endAlarm(view);
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

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  // --- what people ask for -------------------------------------------------------------------------------------------

  /**
   * @returns the command, prepared, or refused with the checks that say why
   * @throws EnerchainError `centre.commands.too-many`
   */
  async prepare(principal: Principal, request: CommandRequest): Promise<CommandJson> {
    this.#book.ensureRoom();
    const { points, clock } = this.#options;
    const { value, breakGlass } = request;
    const id = newMrid();
    const point = points.get(request.point);
    const checks = await runChecks(this.#checks, {
      principal,
      mRID: request.point,
      point,
      value,
      command: id,
      ...(breakGlass ? { breakGlass } : {}),
    });
    // While the checks ran, another request may have taken the point; from here to its entry nothing waits.
    const other = this.#book.runningOn(request.point);
    if (other !== undefined) {
      checks[checks.findIndex(({ name }) => name === 'exclusive')] = { name: 'exclusive', ...takenBy(other) };
    }
    const ok = checks.every((check) => check.ok) && point !== undefined;
    const needsApproval = this.#needsApproval(point, request);
    const base: CommandJson = {
      id,
      point: request.point,
      value,
      ctlModel: point?.ctlModel ?? 'direct',
      target: point?.source ?? '',
      by: principal.name,
      test: request.test ?? false,
      ...(ok && needsApproval ? { approval: {} } : {}),
      ...(breakGlass ? { breakGlass } : {}),
      state: 'prepared',
      final: false,
      checks,
      expiresAt: this.#after(needsApproval ? this.#timers.approval : this.#timers.prepared),
      events: [],
    };
    const step = ok ? (needsApproval ? 'approvalPending' : 'prepared') : 'refusedByCentre';
    const reason = ok ? undefined : reasonOf(checks);
    const view = withStep(base, { step, at: clock.now(), reason });
    if (ok) {
      const hasFeedback = point.feedback !== undefined && !view.test;
      const machine = newCommand(view.ctlModel, hasFeedback, clock.monotonic(), this.#timers, needsApproval);
      this.#book.add({ view, point, machine, asked: new Map() });
    }
    try {
      await this.#records.audit('command.prepare', principal.name, ok ? 'ok' : 'refused', view, { command: view });
    } catch (error) {
      this.#book.remove(id);
      throw error;
    }
    this.counters[ok ? 'prepared' : 'refused']++;
    if (!ok) this.#book.finish(view);
    this.#schedule();
    return view;
  }

  /**
   * Select, operate or cancel.
   * @throws EnerchainError `centre.command.unknown`, `centre.command.refused` (a check, another person, a wrong moment)
   */
  async order(principal: Principal, id: string, action: CommandAction): Promise<CommandJson> {
    const command = this.#book.get(id);
    const { view } = command;
    if (action !== 'cancel') {
      if (view.by !== principal.name)
        throw refused(`The command was prepared by ${view.by}, who alone can ${action} it.`);
      const checks = await runChecks(this.#checks, this.#inputOf(command, principal));
      if (!checks.every(({ ok }) => ok)) {
        const reason = reasonOf(checks);
        this.counters.refused++;
        await this.#records.audit(`command.${action}`, principal.name, 'refused', command.view, { action, reason });
        throw refused(reason);
      }
    }
    await this.#apply(command, { kind: 'order', action }, principal.name);
    return command.view;
  }

  /**
   * What the browser of the second person asks its authenticator to sign.
   * @throws EnerchainError `centre.command.unknown`, `centre.command.refused`, `centre.authenticator.*`
   */
  approvalOptions(principal: Principal, id: string): RequestOptionsJson {
    return this.#approvals.ask(this.#book.get(id), principal);
  }

  /** @throws EnerchainError as `approvalOptions`, and when it is not the approval of this person for this command */
  async approve(principal: Principal, id: string, assertion: AssertionJson): Promise<CommandJson> {
    const command = this.#book.get(id);
    const session = this.#approvals.answered(command, principal);
    try {
      const approval = await this.#approvals.verify(command, principal, session, assertion);
      const { breakGlass } = command.view;
      if (breakGlass) {
        const { reason } = breakGlass;
        await this.#records.audit('command.break-glass', principal.name, 'ok', command.view, { reason });
      }
      command.approval = approval;
    } catch (error) {
      this.counters.refused++;
      const reason = describeError(error);
      await this.#records.audit('command.approve', principal.name, 'refused', command.view, { reason });
      throw error;
    }
    if (command.view.breakGlass) return command.view;
    const { machine } = command;
    try {
      await this.#apply(command, { kind: 'approved', by: principal.name }, principal.name);
    } catch (error) {
      // What is not in the log has not happened.
      command.machine = machine;
      delete command.approval;
      throw error;
    }
    return command.view;
  }

  #needsApproval(point: PointInfo | undefined, { breakGlass }: CommandRequest): boolean {
    if (breakGlass || !point) return false;
    return this.#options.secondPerson?.needed(point, point.endpoint) !== undefined;
  }

  #inputOf({ view, approval }: OpenCommand, principal: Principal): CommandCheckInput {
    const { points, sources } = this.#options;
    const { id, point, value, target, breakGlass } = view;
    const by = view.approval?.by;
    return {
      principal,
      mRID: point,
      point: points.get(point),
      value,
      command: id,
      ...(approval && by ? { approval: { by, stands: sources.knowsChallenge(target, approval.session) } } : {}),
      ...(breakGlass ? { breakGlass } : {}),
    };
  }

  // --- what happens to a command -------------------------------------------------------------------------------------

  async #onLog({ source, content }: LogEntry): Promise<void> {
    if (content.kind === 'commandEvents') {
      for (const event of content.events) await this.#onCommandEvent(source, event);
    } else if (content.kind === 'observations') {
      for (const command of this.#book.open()) {
        if (this.#feedback.reachedIn(command, content.batch)) await this.#guarded(command, { kind: 'feedback' });
      }
    }
  }

  async #onCommandEvent(source: string, event: CommandEvent): Promise<void> {
    const { command: id, step, action, reason } = event;
    const view = this.#book.view(id);
    // A source speaks for the commands it was given, and for no others.
    if (!view || view.target !== source) return;
    const next = withStep(view, { step, action, at: BigInt(event.at), reason });
    countStep(this.counters, step);
    const command = this.#book.find(id);
    if (!command) {
      this.#book.finish(next);
      return;
    }
    command.view = next;
    await this.#guarded(command, { kind: 'event', action, step });
    const carriedOut = step === 'confirmed' || step === 'terminated';
    if (command.machine.feedback === 'awaited' && carriedOut && this.#feedback.stands(command)) {
      await this.#guarded(command, { kind: 'feedback' });
    }
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    let next = Number.POSITIVE_INFINITY;
    for (const { machine } of this.#book.open()) next = Math.min(next, nextDeadline(machine));
    if (next === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(() => this.#onTime(), Math.max(0, Math.ceil(next - this.#options.clock.monotonic())));
    this.#timer.unref();
  }

  #onTime(): void {
    const now = this.#options.clock.monotonic();
    const due = [...this.#book.open()].filter(({ machine }) => nextDeadline(machine) <= now);
    for (const command of due) void this.#guarded(command, { kind: 'time' });
    this.#schedule();
  }

  async #guarded(command: OpenCommand, input: CommandInput): Promise<void> {
    try {
      await this.#apply(command, input);
    } catch (error) {
      this.#options.onError?.(error);
    }
  }

  // --- what the machine decides --------------------------------------------------------------------------------------

  /** Moves the machine at once, then carries out what it asked for in order. */
  async #apply(command: OpenCommand, input: CommandInput, by = CENTRE): Promise<void> {
    const { clock } = this.#options;
    const { machine, effects } = stepCommand(command.machine, input, clock.monotonic(), this.#timers);
    const refusal = effects.find((effect) => effect.kind === 'refuse');
    if (refusal) throw refused(refusal.text);
    command.machine = machine;
    if (input.kind === 'order' && input.action === 'operate') {
      command.operated = { at: clock.now(), before: this.#feedback.valueOf(command.point) };
    }
    for (const effect of effects) {
      if (effect.kind === 'record') {
        try {
          // The view is read after the wait: a report of the edge may have come meanwhile.
          const record = await this.#record(command.view, effect, by);
          command.view = withStep(command.view, record);
        } catch (error) {
          // What is not in the log must not happen: the order is not sent, and the command is over.
          if (effect.step === 'sent') this.#finishUnsent(command);
          throw error;
        }
      } else if (effect.kind === 'send') await this.#send(command, effect.action);
    }
    this.#settle(command);
  }

  async #record(view: CommandJson, effect: RecordEffect, by = CENTRE): Promise<StepRecord> {
    const expiresAt = effect.step === 'approved' ? this.#after(this.#timers.prepared) : undefined;
    const record = await this.#records.step(view, effect, by, expiresAt);
    if (!effect.final) countStep(this.counters, effect.step);
    return record;
  }

  async #send(command: OpenCommand, action: CommandAction): Promise<void> {
    const { sources, clock } = this.#options;
    const order = orderOf(command, action, clock.now());
    try {
      if (command.view.breakGlass && !command.alarmed) {
        await this.#records.raiseAlarm(command);
        command.alarmed = true;
        this.counters.brokenGlass++;
      }
      await sources.sendCommand(command.view.target, order);
      this.counters.sent++;
    } catch (error) {
      if (command.machine.phase === 'done') return;
      const certain = error instanceof EnerchainError && error.code.startsWith('centre.source.');
      await this.#apply(command, { kind: 'notSent', action, reason: describeError(error), certain });
    }
  }

  #settle(command: OpenCommand): void {
    if (isOver(command.machine) && this.#book.find(command.view.id)) {
      this.#book.finish(command.view);
      const { onError } = this.#options;
      if (command.alarmed) this.#records.endAlarm(command.view, command.point).catch((error) => onError?.(error));
    }
    this.#schedule();
  }

  #finishUnsent({ view }: OpenCommand): void {
    const reason = 'the step could not be written to the log; nothing was sent';
    this.#book.finish(withStep(view, { step: 'refusedByCentre', at: this.#options.clock.now(), reason }));
  }

  #after(millis: number): string {
    return new Date(Number(this.#options.clock.now() / 1_000_000n) + millis).toISOString();
  }
}

/** What the checks that were not passed say. */
const reasonOf = (checks: readonly CommandCheckJson[]): string =>
  checks
    .filter(({ ok }) => !ok)
    .map(({ text }) => text)
    .join(' ');
