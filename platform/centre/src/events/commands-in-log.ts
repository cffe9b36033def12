/** Commands as the log tells them: audit records of the centre and reports of the sources, folded into their state. */
import type { CommandEvent, CommandStep, Mrid, Point, UtcNanos } from '@enerchain/model';
import { word } from '../alarms/conditions.ts';
import { type CommandJson, STEP_WORDS, withStep } from '../commands/view.ts';
import type { AuditRecord } from '../ports.ts';
import type { RowWriter } from './row-writer.ts';

/** Finished commands for which late reports are still taken in. */
const MAX_FINISHED = 200;

/** A command and the number of the row that first told of it. */
export interface NumberedCommand {
  readonly view: CommandJson;
  readonly createdId: number;
}

export class CommandsInLog {
  readonly #writer: RowWriter;
  readonly #pointOf: (mRID: Mrid) => Point | undefined;
  readonly #commands = new Map<string, NumberedCommand>();
  #changed = new Map<string, NumberedCommand>();

  constructor(
    writer: RowWriter,
    pointOf: (mRID: Mrid) => Point | undefined,
    known: Iterable<readonly [CommandJson, number]> = [],
  ) {
    this.#writer = writer;
    this.#pointOf = pointOf;
    for (const [view, createdId] of known) this.#commands.set(view.id, { view, createdId });
  }

  begin(): void {
    this.#changed = new Map();
  }

  /** What the record has changed. */
  changed(): NumberedCommand[] {
    return [...this.#changed.values()];
  }

  state(): (readonly [CommandJson, number])[] {
    return [...this.#commands.values()].map(({ view, createdId }) => [view, createdId] as const);
  }

  /** Commands that are not over, by the log. */
  open(): CommandJson[] {
    return [...this.#commands.values()].filter(({ view }) => !view.final).map(({ view }) => view);
  }

  onAudit({ action, actor, outcome, subject, detail }: AuditRecord): void {
    const { at } = this.#writer.entry;
    if (action === 'command.prepare' && detail?.command) {
      const view = detail.command as CommandJson;
      this.#put(view, undefined);
      this.#event(view, view.state, at, view.events.at(-1)?.reason, actor);
    } else if (subject && typeof detail?.step === 'string') {
      const known = this.#commands.get(subject);
      if (!known) return;
      const step = detail.step as CommandStep;
      const stepAt = typeof detail.at === 'string' ? BigInt(detail.at) : at;
      const reason = typeof detail.reason === 'string' ? detail.reason : undefined;
      const order = detail.action as CommandJson['events'][number]['action'];
      const expiresAt = typeof detail.expiresAt === 'string' ? detail.expiresAt : undefined;
      const final = detail.final === true;
      const view = withStep(known.view, { step, action: order, at: stepAt, reason, final, by: actor, expiresAt });
      this.#put(view, known.createdId);
      this.#event(view, step, stepAt, reason, actor, order);
    } else {
      const point = typeof detail?.point === 'string' ? detail.point : undefined;
      const name = (point && this.#pointOf(point)?.name) ?? point ?? subject ?? '';
      const reason = typeof detail?.reason === 'string' ? `: ${detail.reason}` : '';
      const text = `${name}: ${action.slice('command.'.length)} by ${actor} ${outcome}${reason}`;
      this.#writer.event('command', at, text, { point });
    }
  }

  onEvent(event: CommandEvent): void {
    const known = this.#commands.get(event.command);
    const { source } = this.#writer.entry;
    // A source speaks for the commands it was given, and for no others.
    if (!known || known.view.target !== source) return;
    const at = BigInt(event.at);
    const view = withStep(known.view, { step: event.step, action: event.action, at, reason: event.reason });
    this.#put(view, known.createdId);
    this.#event(view, event.step, at, event.reason, source, event.action);
  }

  #put(view: CommandJson, createdId: number | undefined): void {
    const entry = { view, createdId: createdId ?? this.#writer.nextId() };
    this.#commands.delete(view.id);
    this.#commands.set(view.id, entry);
    this.#changed.set(view.id, entry);
    const { at } = this.#writer.entry;
    this.#writer.push({ stream: 'command', at, point: view.point, body: JSON.stringify(view) });
    let finished = 0;
    for (const each of this.#commands.values()) if (each.view.final) finished++;
    for (const [key, each] of this.#commands) {
      if (finished <= MAX_FINISHED) break;
      if (each.view.final && this.#commands.delete(key)) finished--;
    }
  }

  #event(
    view: CommandJson,
    step: CommandStep,
    at: UtcNanos,
    reason: string | undefined,
    by: string,
    action?: string,
  ): void {
    const point = this.#pointOf(view.point);
    const what = point ? `${point.name} to ${word(point, view.value)}` : `${view.point} to ${view.value}`;
    const order = action && action !== 'operate' ? ` (${action})` : '';
    const text = `Command ${what}${order}: ${STEP_WORDS[step]}${reason ? ` — ${reason}` : ''} (${by}).`;
    this.#writer.event('command', at, text, { point: view.point, source: view.target || undefined, value: view.value });
  }
}
