import { type NodeTrust, PRODUCTION_POLICY, type TrustPolicy } from '@enerchain/attestation';
import type { Command, Point } from '@enerchain/model';
import { describe, expect, test } from 'vitest';
import type { SitePolicy } from '../src/site/site.ts';
import { byOwnView, CommandGate, type MayCommand } from '../src/uplink/gate.ts';
import { bound, pointOf } from './helpers.ts';

const OPEN: SitePolicy = {
  forbidCommands: [],
  essential: [],
  secondPerson: [],
  breakGlass: false,
  inspection: 'files',
};
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
  brokenBy = nobody,
) =>
  new CommandGate({ policy: { ...OPEN, ...policy }, mayCommand, approvedBy, brokenBy }).refusal(
    command(fields),
    breaker,
    'rtu',
  );
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
    const signed = { ...asked, breakGlass: 'authenticator' } as const;
    expect(refusal(signed, { breakGlass }, distrust, () => 'bert')).toMatch(/nobody has approved/);
    expect(refusal(signed, { breakGlass }, distrust, nobody, () => 'anna')).toBeUndefined();
    const forbidden = { breakGlass: true, forbidCommands: ['Q0'] };
    expect(refusal(forbidden, { breakGlass })).toBe("forbidden by the local policy 'Q0'");
  });
});

describe('what a gateway sees itself of the way', () => {
  const hop = (fields: Partial<NodeTrust> = {}): NodeTrust => ({
    node: 'net-2',
    role: 'network',
    tier: 'tpm',
    status: 'affirming',
    trustedUntil: 1_000n,
    reaction: 'none',
    reason: 'fresh evidence, as it should be',
    since: 0n,
    neighbours: [],
    ...fields,
  });
  const may = (path: NodeTrust[], policy: TrustPolicy | undefined = PRODUCTION_POLICY, now = 999n) =>
    byOwnView({ policy, path: () => path }, { now: () => now, monotonic: () => 0 })(breaker, 'rtu');

  test('lets commands pass over good nodes only, and says which one is not, and why', () => {
    expect(may([hop()])).toEqual({ ok: true });
    expect(may([hop()], PRODUCTION_POLICY, 1_000n)).toMatchObject({ ok: false, reason: /net-2 ran out/ });
    const changed = hop({ status: 'contraindicated', trustedUntil: undefined, reason: 'its firmware changed' });
    expect(may([hop(), changed])).toEqual({
      ok: false,
      reason: 'net-2 is not trusted (contraindicated): its firmware changed.',
    });
    expect(may([hop({ tier: 'software' })])).toMatchObject({ ok: false, reason: /by software only/ });
  });

  test('knows no good node without a policy, and leaves essential functions alone', () => {
    expect(
      byOwnView({ policy: undefined, path: () => [hop()] }, { now: () => 0n, monotonic: () => 0 })(breaker, 'rtu'),
    ).toMatchObject({ ok: false });
    const bad = hop({ reaction: 'quarantine' });
    expect(may([bad], { ...PRODUCTION_POLICY, essential: ['endpoint:rtu'] })).toEqual({ ok: true });
    expect(may([bad])).toMatchObject({ ok: false, reason: /in quarantine/ });
  });
});
