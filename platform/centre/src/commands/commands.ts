/**
 * Commands of the centre: prepare, check, select, operate, cancel, and what became of them. Every step is durable in
 * the log before it takes effect; what the edge reports comes back through the log. Nothing is ever repeated.
 */
import {
  type BreakGlass,
  type Clock,
  type CommandAction,
  type CommandApproval,
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
import type { ApprovalSubject } from '@enerchain/trust';
import type { Principal } from '../accounts/accounts.ts';
import type { AssertionJson, RequestOptionsJson } from '../accounts/webauthn-json.ts';
import type {
  AuditRecord,
  LiveState,
  LogEntry,
  LogPublisher,
  LogReader,
  LogWriter,
  PointDirectory,
  PointInfo,
  Sources,
} from '../ports.ts';
import { breakGlassAlarm } from './break-glass.ts';
import { breakGlassCheck, type CommandCheck, type CommandCheckInput, standardChecks } from './checks.ts';
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

interface Entry {
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
    approved: 0,
    brokenGlass: 0,
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
    this.#checks = [
      ...standardChecks(options.sources, (point) => this.#runningOn(point)),
      ...(options.checks ?? []),
      ...(options.secondPerson ? [secondPersonCheck(options.secondPerson)] : []),
    ];
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
      if (view.breakGlass)
        await this.#options.log.publish(breakGlassAlarm(view, undefined, this.#options.clock, false));
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
    request: {
      readonly point: Mrid;
      readonly value: number;
      readonly test?: boolean;
      /** Pass over what the path and the second person have against it. */
      readonly breakGlass?: BreakGlass;
    },
  ): Promise<CommandJson> {
    if (this.#entries.size >= MAX_RUNNING)
      throw new EnerchainError(
        'environment',
        'centre.commands.too-many',
        `${MAX_RUNNING} commands are open; this one was not prepared. Wait until some are over.`,
      );
    const id = newMrid();
    const point = this.#options.points.get(request.point);
    const { value, breakGlass } = request;
    const input = { principal, mRID: request.point, point, value, command: id, ...(breakGlass ? { breakGlass } : {}) };
    const checks = await this.#runChecks(input);
    // While the checks ran, another request may have taken the point; from here to its entry nothing waits.
    const other = this.#runningOn(request.point);
    if (other !== undefined) {
      const at = checks.findIndex(({ name }) => name === 'exclusive');
      checks[at] = { name: 'exclusive', ok: false, text: `The command ${other} is still running on this point.` };
    }
    const ok = checks.every((check) => check.ok) && point !== undefined;
    const { secondPerson, clock } = this.#options;
    const needsApproval =
      !breakGlass && point !== undefined && secondPerson?.needed(point, point.endpoint) !== undefined;
    const now = clock.now();
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
    const reason = checks
      .filter((check) => !check.ok)
      .map((check) => check.text)
      .join(' ');
    const step = ok ? (needsApproval ? 'approvalPending' : 'prepared') : 'refusedByCentre';
    const view = withStep(base, { step, at: now, ...(ok ? {} : { reason }) });
    const entry: Entry | undefined = ok
      ? {
          view,
          point,
          machine: newCommand(
            view.ctlModel,
            point.feedback !== undefined && !view.test,
            clock.monotonic(),
            this.#timers,
            needsApproval,
          ),
          asked: new Map(),
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
    const entry = this.#open(id);
    if (action !== 'cancel') {
      if (entry.view.by !== principal.name)
        throw refused(`The command was prepared by ${entry.view.by}, who alone can ${action} it.`);
      const failed = (await this.#runChecks(this.#inputOf(entry, principal))).filter((check) => !check.ok);
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

  /**
   * What the browser of the second person asks its authenticator to sign.
   * @throws EnerchainError `centre.command.unknown`, `centre.command.refused`, `centre.authenticator.*`
   */
  approvalOptions(principal: Principal, id: string): RequestOptionsJson {
    const entry = this.#open(id);
    const { approvers } = this.#mayApprove(entry, principal);
    const session = this.#options.sources.commandChallenge(entry.view.target);
    if (session === undefined)
      throw refused(`The gateway ${entry.view.target} is not there to be asked for a challenge.`);
    entry.asked.set(principal.name, session);
    return approvers.approvalOptions(principal, subjectOf(entry.view, session));
  }

  /** @throws EnerchainError as `approvalOptions`, and when it is not the approval of this person for this command */
  async approve(principal: Principal, id: string, assertion: AssertionJson): Promise<CommandJson> {
    const entry = this.#open(id);
    const { approvers } = this.#mayApprove(entry, principal);
    const session = entry.asked.get(principal.name);
    if (session === undefined) throw refused(`${principal.name} was not asked to approve this command; ask again.`);
    entry.asked.delete(principal.name);
    try {
      const approval = await approvers.verifyApproval(principal, subjectOf(entry.view, session), assertion);
      // Somebody else may have been quicker, or the time is over.
      this.#mayApprove(entry, principal);
      if (entry.view.breakGlass) {
        await this.#audit('command.break-glass', principal.name, 'ok', entry.view, {
          reason: entry.view.breakGlass.reason,
        });
        entry.approval = approval;
        return entry.view;
      }
      entry.approval = approval;
    } catch (error) {
      this.counters.refused++;
      await this.#audit('command.approve', principal.name, 'refused', entry.view, { reason: describeError(error) });
      throw error;
    }
    const { machine } = entry;
    try {
      await this.#apply(entry, { kind: 'approved', by: principal.name }, principal.name);
    } catch (error) {
      // What is not in the log has not happened.
      entry.machine = machine;
      delete entry.approval;
      throw error;
    }
    return entry.view;
  }

  /** A token or a service has no hand with which to touch an authenticator, and nobody is two people. Who breaks the glass signs alone. */
  #mayApprove({ view, machine }: Entry, principal: Principal): SecondPerson {
    const { secondPerson } = this.#options;
    const phase = view.breakGlass ? 'prepared' : 'approving';
    if (!secondPerson || machine.phase !== phase) throw refused('This command waits for no approval.');
    const refuse = (text: string) => new EnerchainError('caller', 'centre.command.approver', text);
    if (principal.kind !== 'user') throw refuse(`${principal.name} is no person who is logged in, and cannot approve.`);
    if (view.breakGlass) {
      if (principal.name === view.by) return secondPerson;
      throw refuse(`${view.by} breaks the glass, and nobody else can sign for that.`);
    }
    if (principal.name === view.by)
      throw refuse(`${view.by} has prepared the command and cannot be the second person.`);
    return secondPerson;
  }

  #open(id: string): Entry {
    const entry = this.#entries.get(id);
    if (entry) return entry;
    if (this.#finished.has(id)) throw refused('This command is over; prepare a new one.');
    throw new EnerchainError('caller', 'centre.command.unknown', `There is no open command ${id}.`);
  }

  #inputOf({ view, approval }: Entry, principal: Principal): CommandCheckInput {
    const { id, point, value, target, breakGlass } = view;
    const by = view.approval?.by;
    return {
      principal,
      mRID: point,
      point: this.#options.points.get(point),
      value,
      command: id,
      ...(approval && by
        ? { approval: { by, stands: this.#options.sources.knowsChallenge(target, approval.session) } }
        : {}),
      ...(breakGlass ? { breakGlass } : {}),
    };
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
      ...(entry.approval ? { approvals: [entry.approval] } : {}),
      ...(view.breakGlass ? { breakGlass: view.breakGlass } : {}),
    };
    try {
      await this.#alarm(entry);
      await this.#options.sources.sendCommand(view.target, order);
      this.counters.sent++;
    } catch (error) {
      if (entry.machine.phase === 'done') return;
      const certain = error instanceof EnerchainError && error.code.startsWith('centre.source.');
      await this.#apply(entry, { kind: 'notSent', action, reason: describeError(error), certain });
    }
  }

  /** Before the order leaves: whoever breaks the glass cannot do it in silence, not even when the log fails. */
  async #alarm(entry: Entry): Promise<void> {
    if (!entry.view.breakGlass || entry.alarmed) return;
    const { log, clock } = this.#options;
    try {
      await log.publish(breakGlassAlarm(entry.view, entry.point, clock, true));
    } catch (cause) {
      const text = 'the alarm of the broken glass could not be written; the command was not sent';
      throw new EnerchainError('environment', 'centre.source.unsigned', text, { cause });
    }
    entry.alarmed = true;
    this.counters.brokenGlass++;
  }

  async #record(view: CommandJson, effect: CommandEffect & { kind: 'record' }, by = 'centre'): Promise<StepRecord> {
    const at = this.#options.clock.now();
    const { step, action, reason, final } = effect;
    const name =
      step === 'approved'
        ? 'command.approve'
        : step === 'sent' || (step === 'cancelled' && by !== 'centre')
          ? `command.${action}`
          : 'command.step';
    const expiresAt = step === 'approved' ? this.#after(this.#timers.prepared) : undefined;
    await this.#audit(name, by, 'ok', view, {
      step,
      at: String(at),
      ...(action ? { action } : {}),
      ...(reason ? { reason } : {}),
      ...(final ? { final } : {}),
      ...(expiresAt ? { expiresAt } : {}),
      ...(step === 'sent' && view.breakGlass ? { breakGlass: view.breakGlass.reason } : {}),
    });
    if (!final) this.#count(step);
    return { step, action, at, reason, final, by, expiresAt };
  }

  #after(millis: number): string {
    return new Date(Number(this.#options.clock.now() / 1_000_000n) + millis).toISOString();
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
    if (isOver(entry.machine) && this.#entries.delete(entry.view.id)) {
      this.#keepFinished(entry.view);
      if (entry.alarmed) {
        const { log, clock, onError } = this.#options;
        log.publish(breakGlassAlarm(entry.view, entry.point, clock, false)).catch((error) => onError?.(error));
      }
    }
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
    const checks = input.breakGlass ? [...this.#checks, breakGlassCheck] : this.#checks;
    for (const { name, overridable, check } of checks) {
      // A check that fails to run has not been passed.
      const result = await Promise.resolve()
        .then(() => check(input))
        .catch((error: unknown) => ({ ok: false, text: `The check '${name}' failed: ${describeError(error)}` }));
      if (!result) continue;
      const overridden = overridable === true && input.breakGlass !== undefined && !result.ok;
      results.push({ name, ...result, ...(overridden ? { ok: true, overridden } : {}) } as CommandCheckJson);
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

const subjectOf = (
  { id, point, value, target, test, by, breakGlass }: CommandJson,
  session: string,
): ApprovalSubject => ({
  id,
  point,
  value,
  target,
  test,
  requestedBy: by.slice(0, 64),
  session,
  ...(breakGlass ? { breakGlass: breakGlass.reason } : {}),
});

function refused(text: string): EnerchainError {
  return new EnerchainError('caller', 'centre.command.refused', text);
}
