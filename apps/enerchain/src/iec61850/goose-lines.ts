/**
 * What `enerchain goose listen` prints. With `--json` one line per data object or attribute that has changed; the names of its fields
 * are a promise to scripts: `at`, `gocbRef`, `reference`, `fc`, `value`, `stNum`, `sqNum`, `t`, and `event` with `text` where
 * something is not as it should be.
 */
import { decodeFrame, formatMac } from '@enerchain/ethernet';
import {
  type GooseControl,
  type GooseEvent,
  type GooseLinkEvent,
  type GooseOutcome,
  type GooseState,
  type GooseSubscriber,
  type GooseView,
  type Plain,
  plainOf,
  timeText,
} from '@enerchain/iec61850';

/** A value of a message: a member, or a part of one. */
export interface Leaf {
  readonly reference: string;
  readonly fc?: string;
  readonly value: Plain;
}

/** ISO 8601 with microseconds. @param at ns since the Unix epoch */
export function momentText(at: bigint): string {
  const millis = at / 1_000_000n;
  const micros = String((at / 1000n) % 1000n).padStart(3, '0');
  return new Date(Number(millis)).toISOString().replace('Z', `${micros}Z`);
}

/** Members by reference as the SCL file has them, by number where there is none. */
export function leavesOf({ values }: Pick<GooseState, 'values'>, control: GooseControl | undefined): Leaf[] {
  const list: Leaf[] = [];
  values.forEach((data, index) => {
    const member = control?.members?.[index];
    const reference = member?.reference ?? `[${index}]`;
    const plain = plainOf(data, member?.type, member?.names.at(-1));
    below(plain, reference, (path, value) =>
      list.push({ reference: path, ...(member ? { fc: member.fc } : {}), value }),
    );
  });
  return list;
}

function below(plain: Plain, path: string, each: (path: string, value: Plain) => void): void {
  if (Array.isArray(plain)) for (const [index, part] of plain.entries()) below(part, `${path}(${index})`, each);
  else if (plain === null || typeof plain !== 'object') each(path, plain);
  else for (const [name, part] of Object.entries(plain)) below(part as Plain, `${path}.${name}`, each);
}

export class GooseLines {
  readonly #json: boolean;
  readonly #print: (line: string) => void;
  readonly #controls: ReadonlyMap<string, GooseControl>;
  /** What was printed last, by control block and reference. */
  readonly #before = new Map<string, ReadonlyMap<string, Plain>>();

  constructor(json: boolean, controls: ReadonlyMap<string, GooseControl>, print: (line: string) => void) {
    this.#json = json;
    this.#controls = controls;
    this.#print = print;
  }

  /** A message with a new state: everything the first time, then what is different. */
  state({ gocbRef }: GooseSubscriber, outcome: GooseOutcome, view: GooseView, at: bigint): void {
    const { state } = outcome;
    if (!state) return;
    const before = this.#before.get(gocbRef);
    const leaves = leavesOf(state, this.#controls.get(gocbRef));
    this.#before.set(gocbRef, new Map(leaves.map(({ reference, value }) => [reference, value])));
    const changed = leaves.filter(({ reference, value }) => !before?.has(reference) || before.get(reference) !== value);
    const [moment, t] = [momentText(at), timeText(state.t)];
    if (this.#json) {
      const { stNum, sqNum, simulated } = state;
      const more = simulated ? { simulated } : {};
      for (const leaf of changed)
        this.#print(JSON.stringify({ at: moment, gocbRef, ...leaf, stNum, sqNum, t, ...more }));
      return;
    }
    this.#print(
      `${moment}  ${gocbRef}  stNum ${state.stNum} sqNum ${state.sqNum}  ${header(view)}${before ? '' : where(view)}`,
    );
    this.#print(`    t ${t}`);
    for (const { reference, fc, value } of changed) {
      const old = before?.get(reference);
      const from = old === undefined ? '' : `${String(old)} → `;
      this.#print(`    ${reference}${fc === undefined ? '' : ` [${fc}]`}  ${from}${String(value)}`);
    }
  }

  event(event: GooseEvent | GooseLinkEvent, subscriber: GooseSubscriber | undefined, at: bigint): void {
    const gocbRef = subscriber?.gocbRef ?? ('gocbRef' in event ? event.gocbRef : undefined);
    const moment = momentText(at);
    if (this.#json) {
      const { kind, ...rest } = event;
      const which = gocbRef === undefined ? {} : { gocbRef };
      this.#print(JSON.stringify({ at: moment, ...which, event: kind, ...rest }));
    } else this.#print(`${moment}  ! ${event.text}`);
  }

  /** How each control block stands, at the end. */
  summary(subscribers: Iterable<GooseSubscriber>, at: bigint): void {
    for (const { gocbRef, status, counters, state, sqNum, problem } of subscribers) {
      if (this.#json) {
        this.#print(JSON.stringify({ at: momentText(at), gocbRef, event: 'summary', status, ...counters }));
        continue;
      }
      const numbers = state ? `, stNum ${state.stNum} sqNum ${sqNum}` : '';
      const { messages, states, lost, duplicates, refused } = counters;
      this.#print(
        `${gocbRef}: ${status}${numbers}; ${messages} messages, ${states} states, ${lost} lost, ${duplicates} copies, ${refused} refused${problem ? ` (${problem.text})` : ''}`,
      );
    }
  }
}

function header({ timeAllowedToLive, confRev, ndsCom, simulated }: GooseView): string {
  const flags = [ndsCom ? 'ndsCom' : '', simulated ? 'simulated' : ''].filter(Boolean).join(' ');
  return `TAL ${timeAllowedToLive} ms confRev ${confRev}${flags ? ` ${flags}` : ''}`;
}

/** Addresses of the frame, told once. */
function where({ bytes, appId }: GooseView): string {
  const { source, destination, vlan, redundancy } = decodeFrame(bytes);
  const tag = vlan ? ` VLAN ${vlan.id} priority ${vlan.priority}` : '';
  const way = redundancy ? ` ${redundancy.protocol}` : '';
  return `  ${formatMac(source)} → ${formatMac(destination)}${tag}${way} APPID ${appId.toString(16).toUpperCase().padStart(4, '0')}`;
}
