import { type CommandStep, EnerchainError, type Point } from '@enerchain/model';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Principal } from '../src/accounts/accounts.ts';
import { rightsOf } from '../src/accounts/rights.ts';
import { Commands } from '../src/commands/commands.ts';
import { COMMAND_TIMERS } from '../src/commands/machine.ts';
import { Derivation } from '../src/events/derivation.ts';
import { MemoryLive, MemoryLog, MemoryPoints, MemorySources, mRID, observations, siteOf, T0 } from './doubles.ts';

const position: Point = { mRID: mRID(1), name: 'CB position', kind: 'discrete', cdc: 'DPS' };
const breaker: Point = {
  mRID: mRID(2),
  name: 'CB',
  kind: 'command',
  cdc: 'DPC',
  ctlModel: 'sbo',
  feedback: position.mRID,
};
const setpoint: Point = { mRID: mRID(3), name: 'P max', kind: 'setpoint', ctlModel: 'direct', minimum: 0, maximum: 5 };
const operator = (name: string): Principal => ({
  name,
  kind: 'user',
  roles: ['OPERATOR'],
  rights: new Set(rightsOf(['OPERATOR'])),
});
const anna = operator('anna');
const site = siteOf('edge-a', [position, breaker, setpoint]);

/** A clock of the faked timers. */
const clock = { now: () => T0 + BigInt(Math.round(performance.now() * 1e6)), monotonic: () => performance.now() };
const elapse = (millis: number) => vi.advanceTimersByTimeAsync(millis);

function setUp(checks = {}) {
  const log = new MemoryLog(clock);
  const points = new MemoryPoints();
  const sources = new MemorySources();
  const live = new MemoryLive();
  points.announce(site);
  sources.set('edge-a', true);
  log.add('edge-a', { kind: 'site', document: site });
  const commands = new Commands({ log, points, sources, live, clock, ...checks });
  const stop = new AbortController();
  void commands.follow(0, stop.signal);
  const report = (id: string, action: 'select' | 'operate', ...steps: CommandStep[]) => {
    const events = steps.map((step) => ({ command: id, point: breaker.mRID, action, step, at: String(clock.now()) }));
    log.add('edge-a', { kind: 'commandEvents', events });
    return elapse(0);
  };
  const steps = (id: string) => commands.get(id)?.events.map(({ step }) => step);
  return { log, points, sources, live, commands, report, steps, stop };
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('commands', () => {
  it('run from prepare over select and operate to the feedback, every step in the log before it takes effect', async () => {
    const { commands, log, sources, report, steps } = setUp();
    const { id, state, checks } = await commands.prepare(anna, { point: breaker.mRID, value: 2 });
    expect(state).toBe('prepared');
    expect(checks.map(({ name, ok }) => [name, ok])).toEqual(
      ['role', 'point', 'binding', 'value', 'source', 'exclusive'].map((name) => [name, true]),
    );
    expect(sources.sent).toEqual([]);
    await commands.order(anna, id, 'select');
    await report(id, 'select', 'received', 'selected');
    await commands.order(anna, id, 'operate');
    await report(id, 'operate', 'received', 'operateSent', 'confirmed', 'terminated');
    log.add('edge-a', observations({ point: position.mRID, value: 2, at: performance.now() / 1000 + 1 }));
    await elapse(0);
    expect(steps(id)).toEqual([
      'prepared',
      'sent',
      'received',
      'selected',
      'sent',
      'received',
      'operateSent',
      'confirmed',
      'terminated',
      'feedbackSeen',
    ]);
    expect(sources.sent.map(({ action, value, origin }) => [action, value, origin.orIdent])).toEqual([
      ['select', 2, 'anna'],
      ['operate', 2, 'anna'],
    ]);
    expect(log.audits().map(({ action, actor }) => `${action} ${actor}`)).toEqual([
      'command.prepare anna',
      'command.select anna',
      'command.operate anna',
      'command.step centre',
    ]);
    expect(commands.running).toBe(0);
  });

  it('look the same derived from the log as in the memory of the centre', async () => {
    const { commands, log, report } = setUp();
    const { id } = await commands.prepare(anna, { point: breaker.mRID, value: 2 });
    await commands.order(anna, id, 'select');
    await report(id, 'select', 'received', 'selected');
    await elapse(COMMAND_TIMERS.selected);
    const derivation = new Derivation();
    let last: unknown;
    for (const entry of log.entries) last = derivation.apply(entry).commands.at(-1)?.view ?? last;
    expect(last).toEqual(commands.get(id));
    expect(commands.get(id)).toMatchObject({ state: 'cancelled', final: true });
  });

  it.each([
    ['a value outside the range', setpoint.mRID, 6, 'value'],
    ['a state that the control does not know', breaker.mRID, 3, 'value'],
    ['a measurement', position.mRID, 1, 'point'],
    ['a point that nobody announces', mRID(77), 1, 'point'],
  ])('refuse %s, with the check that says why', async (_name, point, value, check) => {
    const { commands, sources, log } = setUp();
    const refused = await commands.prepare(anna, { point, value });
    expect(refused).toMatchObject({ state: 'refusedByCentre', final: true });
    expect(refused.checks.find(({ ok }) => !ok)?.name).toBe(check);
    expect(log.audits().at(-1)).toMatchObject({ action: 'command.prepare', outcome: 'refused' });
    expect(sources.sent).toEqual([]);
  });

  it('are refused when the gateway is away, also between prepare and operate', async () => {
    const { commands, sources } = setUp();
    const { id } = await commands.prepare(anna, { point: setpoint.mRID, value: 1 });
    sources.set('edge-a', false);
    await expect(commands.order(anna, id, 'operate')).rejects.toThrow('The gateway edge-a is not connected.');
    sources.set('edge-a', true);
    await commands.order(anna, id, 'operate');
    expect(sources.sent).toHaveLength(1);
  });

  it('leave one point to one command at a time, and one command to who prepared it', async () => {
    const { commands } = setUp();
    const { id } = await commands.prepare(anna, { point: setpoint.mRID, value: 1 });
    const second = await commands.prepare(anna, { point: setpoint.mRID, value: 2 });
    expect(second.checks.find(({ ok }) => !ok)).toMatchObject({ name: 'exclusive' });
    await expect(commands.order(operator('bert'), id, 'operate')).rejects.toThrow(/prepared by anna/);
    await commands.order(operator('bert'), id, 'cancel');
    expect(await commands.prepare(anna, { point: setpoint.mRID, value: 2 })).toMatchObject({ state: 'prepared' });
  });

  it('prepared twice in the same moment on one point exist once', async () => {
    const { commands } = setUp();
    const both = await Promise.all([
      commands.prepare(anna, { point: setpoint.mRID, value: 1 }),
      commands.prepare(anna, { point: setpoint.mRID, value: 2 }),
    ]);
    expect(both.map(({ state }) => state)).toEqual(['prepared', 'refusedByCentre']);
    expect(commands.running).toBe(1);
  });

  it('go out once, however often operate is pressed', async () => {
    const { commands, sources } = setUp();
    const { id } = await commands.prepare(anna, { point: setpoint.mRID, value: 1 });
    const pressed = await Promise.allSettled([1, 2, 3].map(() => commands.order(anna, id, 'operate')));
    expect(pressed.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(sources.sent).toHaveLength(1);
  });

  it('do not go out when the log cannot be written', async () => {
    const { commands, log, sources } = setUp();
    const { id } = await commands.prepare(anna, { point: setpoint.mRID, value: 1 });
    log.failing = true;
    await expect(commands.order(anna, id, 'operate')).rejects.toThrow('the disk is full');
    expect(sources.sent).toEqual([]);
    expect(commands.get(id)).toMatchObject({ state: 'refusedByCentre', final: true });
  });

  it('have an unknown outcome when sending broke off, and are not sent again', async () => {
    const { commands, sources } = setUp();
    const { id } = await commands.prepare(anna, { point: setpoint.mRID, value: 1 });
    sources.failure = new EnerchainError('environment', 'link.closed', 'the link broke while the command was written');
    expect(await commands.order(anna, id, 'operate')).toMatchObject({ state: 'outcomeUnknown', final: true });
    await elapse(120_000);
    expect(sources.sent).toEqual([]);
  });

  it('end in an unknown outcome when nothing is heard, and notice the feedback that does not come', async () => {
    const { commands, report, steps } = setUp();
    const { id } = await commands.prepare(anna, { point: breaker.mRID, value: 2 });
    await commands.order(anna, id, 'select');
    await report(id, 'select', 'selected');
    await commands.order(anna, id, 'operate');
    await elapse(COMMAND_TIMERS.operate);
    expect(commands.get(id)).toMatchObject({ state: 'outcomeUnknown', final: true });
    await elapse(COMMAND_TIMERS.feedback);
    expect(steps(id)?.slice(-2)).toEqual(['outcomeUnknown', 'feedbackMissing']);
  });

  it('do not take an old value from a backlog for the feedback', async () => {
    const { commands, report, steps, log } = setUp();
    await elapse(60_000);
    const { id } = await commands.prepare(anna, { point: breaker.mRID, value: 2 });
    await commands.order(anna, id, 'select');
    await report(id, 'select', 'selected');
    await commands.order(anna, id, 'operate');
    log.add('edge-a', observations({ point: position.mRID, value: 2, at: 10 }));
    await elapse(0);
    expect(steps(id)).not.toContain('feedbackSeen');
    log.add('edge-a', observations({ point: position.mRID, value: 2, at: 61 }));
    await elapse(0);
    expect(steps(id)).toContain('feedbackSeen');
  });

  it('ignore reports of a source that was not given the command', async () => {
    const { commands, log, steps } = setUp();
    const { id } = await commands.prepare(anna, { point: setpoint.mRID, value: 1 });
    await commands.order(anna, id, 'operate');
    const event = {
      command: id,
      point: setpoint.mRID,
      action: 'operate' as const,
      step: 'terminated' as const,
      at: '1',
    };
    log.add('edge-evil', { kind: 'commandEvents', events: [event] });
    await elapse(0);
    expect(steps(id)).toEqual(['prepared', 'sent']);
  });

  it('that a restart of the centre finds open have an unknown outcome if they were sent, else are cancelled', async () => {
    const first = setUp();
    const sent = await first.commands.prepare(anna, { point: setpoint.mRID, value: 1 });
    await first.commands.order(anna, sent.id, 'operate');
    const waiting = await first.commands.prepare(anna, { point: breaker.mRID, value: 2 });
    first.stop.abort();
    first.commands.close();
    const derivation = new Derivation();
    for (const entry of first.log.entries) derivation.apply(entry);
    expect(derivation.openCommands().map(({ id }) => id)).toEqual([sent.id, waiting.id]);
    const { log, points, sources, live } = first;
    const second = new Commands({ log, points, sources, live, clock });
    await second.recover(derivation.openCommands());
    expect(second.get(sent.id)).toMatchObject({ state: 'outcomeUnknown', final: true });
    expect(second.get(waiting.id)).toMatchObject({ state: 'cancelled', final: true });
    for (const entry of log.entries.slice(-2)) derivation.apply(entry);
    expect(derivation.openCommands()).toEqual([]);
    expect(sources.sent).toHaveLength(1);
  });

  it('pass through checks that later work adds, and stop when such a check fails to run', async () => {
    const { commands } = setUp({
      checks: [
        {
          name: 'interlock',
          check: () => {
            throw new Error('no topology');
          },
        },
      ],
    });
    const refused = await commands.prepare(anna, { point: setpoint.mRID, value: 1 });
    expect(refused.checks.at(-1)).toEqual({
      name: 'interlock',
      ok: false,
      text: "The check 'interlock' failed: no topology",
    });
    expect(refused.state).toBe('refusedByCentre');
  });
});
