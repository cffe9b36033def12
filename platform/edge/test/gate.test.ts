import type { Command, Point } from '@enerchain/model';
import { describe, expect, test } from 'vitest';
import type { SitePolicy } from '../src/site/site.ts';
import { CommandGate, type MayCommand } from '../src/uplink/gate.ts';
import { bound, pointOf } from './helpers.ts';

const OPEN: SitePolicy = { forbidCommands: [], essential: [], secondPerson: [], breakGlass: false };
const breaker = { ...bound(1), point: { ...bound(1).point, name: 'Q0', kind: 'command' } satisfies Point };
const command = (fields: Partial<Command> = {}): Command => ({
  id: pointOf(100),
  point: breaker.point.mRID,
  action: 'operate',
  value: 1,
  validFor: 5000,
  issuedAt: '1',
  origin: { orCat: 'remoteControl', orIdent: 'anna' },
  target: 'edge-test',
  session: '00'.repeat(16),
  elapsed: 0,
  counter: 1,
  ...fields,
});
const distrust: MayCommand = () => ({ ok: false, reason: 'net-2 is contraindicated: its firmware changed' });
const nobody = (): string => {
  throw new Error('nobody has approved it');
};
const refusal = (
  policy: Partial<SitePolicy>,
  fields: Partial<Command> = {},
  mayCommand?: MayCommand,
  approvedBy = nobody,
) =>
  new CommandGate({ policy: { ...OPEN, ...policy }, mayCommand, approvedBy }).refusal(command(fields), breaker, 'rtu');
const breakGlass = { reason: 'the busbar burns, and nobody else is here' };

describe('the gate before the device', () => {
  test('lets commands pass that nothing speaks against', () => {
    expect(refusal({})).toBeUndefined();
    expect(refusal({}, {}, () => ({ ok: true }))).toBeUndefined();
  });

  test('refuses by the own view of the nodes on the way, with its reason', () => {
    expect(refusal({}, {}, distrust)).toBe('net-2 is contraindicated: its firmware changed');
    expect(refusal({}, { action: 'select' }, distrust)).toMatch(/contraindicated/);
  });

  test.each(['Q*', 'endpoint:rtu', pointOf(1)])('leaves essential functions in reach: %s', (entry) => {
    expect(refusal({ essential: [entry] }, {}, distrust)).toBeUndefined();
    // That no node is distrusted for it does not mean that one person is two.
    expect(refusal({ essential: [entry], secondPerson: ['Q0'] }, {}, distrust)).toMatch(/nobody has approved/);
  });

  test('asks for the second person where the site says so, by name, identifier or endpoint', () => {
    for (const entry of ['q0', 'endpoint:rtu', pointOf(1)]) {
      expect(refusal({ secondPerson: [entry] })).toMatch(/nobody has approved it/);
      expect(refusal({ secondPerson: [entry] }, {}, undefined, () => 'bert')).toBeUndefined();
    }
    expect(refusal({ secondPerson: ['Q1', 'endpoint:other'] })).toBeUndefined();
  });

  test('always lets a selection be given back', () => {
    expect(refusal({ secondPerson: ['*'] }, { action: 'cancel' }, distrust)).toBeUndefined();
  });

  test('breaks the glass where the site allows it, past path and second person, never past what is forbidden', () => {
    const asked = { secondPerson: ['*'] };
    expect(refusal(asked, { breakGlass }, distrust)).toBe('break-glass is not allowed by the local policy');
    expect(refusal({ ...asked, breakGlass: true }, { breakGlass }, distrust)).toBeUndefined();
    const forbidden = { breakGlass: true, forbidCommands: ['Q0'] };
    expect(refusal(forbidden, { breakGlass })).toBe("forbidden by the local policy 'Q0'");
  });
});
