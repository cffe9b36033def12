/** Questions of the centre about devices, on the side of the gateway: what may be asked, how much, how long. */
import type { RequestContext } from '@enerchain/link';
import { type After, EnerchainError, type SourceEvent, systemClock } from '@enerchain/model';
import type { CborValue } from '@enerchain/trust';
import { describe, expect, test } from 'vitest';
import type { Inspector } from '../src/connector.ts';
import {
  InspectionDesk,
  type InspectionDeskOptions,
  MOST_INSPECTIONS,
  VIEW_WITHIN,
} from '../src/uplink/inspections.ts';
import { silent } from './helpers.ts';

const goose = { at: '1', subscriptions: [] };
const question = (ask: string, more: object = {}): CborValue => ({ ask, endpoint: 'bcu-1', by: 'anna', ...more });

/** Timers that fire when the test says so. */
class Timers {
  #due: { wait: number; action: () => void }[] = [];
  readonly after: After = (wait, action) => {
    const timer = { wait, action };
    this.#due.push(timer);
    return () => {
      this.#due = this.#due.filter((each) => each !== timer);
    };
  };
  get waiting(): number[] {
    return this.#due.map(({ wait }) => wait);
  }
  fire(): void {
    for (const { action } of this.#due.splice(0)) action();
  }
}

function desk(inspector: Partial<Inspector> | undefined, more: Partial<InspectionDeskOptions> = {}) {
  const timers = new Timers();
  const events: SourceEvent[] = [];
  const sent: Uint8Array[] = [];
  const abort = new AbortController();
  const made = new InspectionDesk({
    source: 'edge-nord',
    policy: { inspection: 'files' },
    connectors: new Map([['bcu-1', inspector ? { inspector: inspector as Inspector } : {}]]),
    ready: async () => undefined,
    clock: systemClock,
    after: timers.after,
    logger: silent,
    writeSourceEvents: async (list) => void events.push(...list),
    ...more,
  });
  const context: RequestContext = {
    signal: abort.signal,
    write: async (item, before) => {
      await before?.();
      sent.push(item as Uint8Array);
    },
  };
  const ask = (params: CborValue) => made.answer(params, context);
  return { ask, made, timers, events, text: () => Buffer.concat(sent).toString('utf8') };
}
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'ok',
    (error: EnerchainError) => error.code,
  );
const showing = { view: async () => goose as never };
const withFile = {
  ...showing,
  async *file() {
    yield Buffer.from('station,dev,1999\r\n');
    yield Buffer.from('2,1A,1D');
  },
};

describe('questions about devices', () => {
  test('are answered with what the device is', async () => {
    const { ask, text, made } = desk(showing);
    expect(await ask(question('goose'))).toEqual({ size: text().length });
    expect(JSON.parse(text())).toEqual(goose);
    expect(made.counters).toMatchObject({ asked: 1, answered: 1, refused: 0, failed: 0 });
  });

  test('pass only as far as the policy of the site lets them', async () => {
    const file = question('file', { name: 'fault.cfg' });
    for (const [inspection, view, fetched] of [
      ['files', 'ok', 'ok'],
      ['views', 'ok', 'inspection.refused'],
      ['none', 'inspection.refused', 'inspection.refused'],
    ] as const) {
      const { ask, events } = desk(withFile, { policy: { inspection } });
      expect([inspection, await codeOf(ask(question('goose'))), await codeOf(ask(file))]).toEqual([
        inspection,
        view,
        fetched,
      ]);
      expect(events).toHaveLength(fetched === 'ok' ? 1 : 0);
    }
  });

  test('put a file on the chain before its first octet leaves, and who has it', async () => {
    const order: string[] = [];
    const { ask, events, text } = desk(
      {
        async *file() {
          order.push('read');
          yield Buffer.from('x');
        },
      },
      { writeSourceEvents: async (list) => void order.push(...list.map(({ kind }) => kind)) },
    );
    await ask(question('file', { name: 'COMTRADE/fault.cfg' }));
    expect(order).toEqual(['fileFetched', 'read']);
    expect(text()).toBe('x');
    expect(events).toEqual([]);
    const failing = desk(withFile, { writeSourceEvents: () => Promise.reject(new Error('the disk is full')) });
    await expect(failing.ask(question('file', { name: 'f' }))).rejects.toThrow('the disk is full');
    expect(failing.text()).toBe('');
  });

  test('about what is not there, or cannot tell, are refused with a reason', async () => {
    const { ask } = desk(undefined);
    expect(await codeOf(ask(question('model')))).toBe('inspection.none');
    expect(await codeOf(ask({ ...(question('model') as object), endpoint: 'rtu-9' } as CborValue))).toBe(
      'inspection.endpoint',
    );
    expect(await codeOf(ask({ ask: 'operate', endpoint: 'bcu-1', by: 'x' }))).toBe('inspection.question');
  });

  test('are a few at a time', async () => {
    const waiting: (() => void)[] = [];
    const slow = { view: () => new Promise<never>((resolve) => waiting.push(() => resolve(goose as never))) };
    const { ask, made } = desk(slow);
    const asked = Array.from({ length: MOST_INSPECTIONS }, () => codeOf(ask(question('goose'))));
    expect(await codeOf(ask(question('goose')))).toBe('inspection.busy');
    for (const answer of waiting) answer();
    expect(await Promise.all(asked)).toEqual(Array(MOST_INSPECTIONS).fill('ok'));
    expect(made.counters).toMatchObject({ refused: 1, answered: MOST_INSPECTIONS });
    const again = codeOf(ask(question('goose')));
    waiting.at(-1)!();
    expect(await again).toBe('ok');
  });

  test('that a device does not answer end in time, and free their place', async () => {
    const { ask, timers, made } = desk({ view: () => new Promise<never>(() => undefined) });
    for (let round = 0; round <= MOST_INSPECTIONS; round++) {
      const late = codeOf(ask(question('model')));
      expect(timers.waiting).toEqual([VIEW_WITHIN]);
      timers.fire();
      expect(await late).toBe('inspection.late');
    }
    expect(made.counters.failed).toBe(MOST_INSPECTIONS + 1);
  });

  test('keep what a connector says was wrong', async () => {
    const error = new EnerchainError('environment', 'edge.iec61850.away', 'bcu-1 is not connected');
    const { ask } = desk({ view: () => Promise.reject(error) });
    await expect(ask(question('identity'))).rejects.toBe(error);
  });
});
