/** Commands that take two people, from the registration of authenticators on, over the API as a browser uses it. */
import type { Command, CommandOrder, Point } from '@enerchain/model';
import { checkApproval, checkBreakGlass, decodeOperatorList } from '@enerchain/trust';
import { SoftwareAuthenticator } from '@enerchain/trust/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Derivation } from '../src/events/derivation.ts';
import { mRID, siteOf } from './doubles.ts';
import { type Face, newFace, PASSWORD } from './face.ts';

const HOST = { host: 'localhost:8080', 'x-enerchain-request': '1' };
const setpoint: Point = { mRID: mRID(3), name: 'P max', kind: 'setpoint', ctlModel: 'direct', minimum: 0, maximum: 5 };
const other: Point = { ...setpoint, mRID: mRID(4), name: 'Q max' };

let face: Face;
let anna: Person;
let bert: Person;

interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: answers are checked by what the tests expect of them
  readonly body: any;
}

/** Somebody with a browser, and an authenticator at hand. */
class Person {
  readonly key: SoftwareAuthenticator;
  readonly #cookies: Record<string, string>;

  constructor(name: string, secret: string) {
    this.key = new SoftwareAuthenticator(name);
    this.#cookies = { enerchain_session: secret };
  }

  static async login(name: string): Promise<Person> {
    return new Person(name, (await face.accounts.login(name, PASSWORD, '127.0.0.1')).secret);
  }

  async ask(method: 'GET' | 'POST' | 'DELETE', path: string, payload?: unknown): Promise<Answer> {
    const answer = await face.app.inject({
      method,
      url: `/api/v1${path}`,
      headers: HOST,
      cookies: this.#cookies,
      ...(payload === undefined ? {} : { payload: payload as object }),
    });
    return { status: answer.statusCode, body: answer.body ? answer.json() : undefined };
  }

  async register(key = this.key) {
    const { body: options } = await this.ask('POST', '/operators/authenticators/options');
    const made = key.create({ challenge: Buffer.from(options.challenge, 'base64url') });
    return this.ask('POST', '/operators/authenticators/register', {
      label: 'key ring',
      credential: { id: key.credential, response: base64url(made) },
    });
  }

  /** Does what the options ask for with the own authenticator, or another one. */
  sign(options: { challenge: string }, key = this.key) {
    const { challenge } = options;
    return { id: key.credential, response: base64url(key.get({ challenge: Buffer.from(challenge, 'base64url') })) };
  }

  async approveList(id: string, change: 'add' | 'remove', key = this.key) {
    const asked = await this.ask('POST', `/operators/authenticators/${id}/list/options`, { change });
    if (asked.status !== 200) return asked;
    const credential = this.sign(asked.body, key);
    return this.ask('POST', `/operators/authenticators/${id}/list/approve`, { change, credential });
  }

  async approve(id: string, key = this.key) {
    const asked = await this.ask('POST', `/commands/${id}/approval/options`);
    if (asked.status !== 200) return asked;
    return this.ask('POST', `/commands/${id}/approval/approve`, { credential: this.sign(asked.body, key) });
  }

  async prepare(point: Point = setpoint) {
    return (await this.ask('POST', '/commands', { point: point.mRID, value: 2 })).body;
  }
}

const base64url = (parts: object) =>
  Object.fromEntries(Object.entries(parts).map(([name, octets]) => [name, Buffer.from(octets).toString('base64url')]));
const held = () => decodeOperatorList(face.authenticators.listsAfter(0)[0]!.payload);
/** Anna's key makes the first list; with it she approves Bert's. */
const both = async () => {
  await anna.register();
  await bert.register();
  await anna.approveList(bert.key.credential, 'add');
};

beforeEach(async () => {
  face = await newFace({ secondPerson: ['P max'] });
  face.announce(siteOf('edge-a', [setpoint, other]));
  face.sources.set('edge-a', true);
  await face.accounts.createUser(face.principal, 'bert', PASSWORD, ['OPERATOR']);
  anna = await Person.login('anna');
  bert = await Person.login('bert');
});
afterEach(() => face.close());

describe('authenticators', () => {
  it('are registered: the first makes the list, the next waits until the first approves it', async () => {
    expect(await anna.register()).toMatchObject({
      status: 201,
      body: { state: 'active', user: 'anna', rpId: 'localhost' },
    });
    expect(await bert.register()).toMatchObject({ status: 201, body: { state: 'waiting', user: 'bert' } });
    expect(held().keys.map(({ name }) => name)).toEqual(['anna']);
    expect(await anna.approveList(bert.key.credential, 'add')).toMatchObject({ status: 200, body: { version: 2 } });
    const { body } = await anna.ask('GET', '/operators/authenticators');
    expect(body.version).toBe(2);
    expect(body.items.map(({ user, state }: { user: string; state: string }) => [user, state])).toEqual([
      ['anna', 'active'],
      ['bert', 'active'],
    ]);
    expect(face.log.audits().filter(({ action }) => action === 'operators.list')).toHaveLength(2);
  });

  it('are not vouched for by their owner, by who is not on the list, or by another assertion', async () => {
    await anna.register();
    await bert.register();
    expect(await bert.approveList(bert.key.credential, 'add')).toMatchObject({ status: 403 });
    expect(await anna.approveList(bert.key.credential, 'add', bert.key)).toMatchObject({ status: 403 });
    const asked = await anna.ask('POST', `/operators/authenticators/${bert.key.credential}/list/options`, {
      change: 'add',
    });
    const credential = anna.sign({ ...asked.body, challenge: Buffer.alloc(32).toString('base64url') });
    const path = `/operators/authenticators/${bert.key.credential}/list/approve`;
    expect(await anna.ask('POST', path, { change: 'add', credential })).toMatchObject({
      status: 403,
      body: { code: 'trust.webauthn.challenge' },
    });
    expect(held().version).toBe(1);
    // Once Bert is on the list, Anna cannot add a second key of her own by herself.
    await anna.approveList(bert.key.credential, 'add');
    const spare = new SoftwareAuthenticator('anna');
    await anna.register(spare);
    expect(await anna.approveList(spare.credential, 'add')).toMatchObject({ status: 403 });
    expect(await bert.approveList(spare.credential, 'add')).toMatchObject({ status: 200 });
  });

  it('leave the list with an approval, but for the last one; those that never were on it are just removed', async () => {
    await both();
    expect(await bert.ask('DELETE', `/operators/authenticators/${bert.key.credential}`)).toMatchObject({ status: 409 });
    expect(await anna.approveList(bert.key.credential, 'remove')).toMatchObject({ status: 200, body: { version: 3 } });
    expect(held().keys.map(({ name }) => name)).toEqual(['anna']);
    expect(await anna.approveList(anna.key.credential, 'remove')).toMatchObject({ status: 409 });
    await bert.register();
    expect(await bert.ask('DELETE', `/operators/authenticators/${bert.key.credential}`)).toMatchObject({ status: 204 });
  });

  it('need a registration that was begun here, in time, once, and not known yet', async () => {
    const { body: options } = await anna.ask('POST', '/operators/authenticators/options');
    const made = anna.key.create({ challenge: Buffer.from(options.challenge, 'base64url') });
    const body = { label: 'x', credential: { id: anna.key.credential, response: base64url(made) } };
    expect(await bert.ask('POST', '/operators/authenticators/register', body)).toMatchObject({ status: 409 });
    face.clock.millis += 120_001;
    expect(await anna.ask('POST', '/operators/authenticators/register', body)).toMatchObject({ status: 409 });
    expect(await anna.register()).toMatchObject({ status: 201 });
    expect(await anna.register()).toMatchObject({ status: 409, body: { code: 'centre.authenticator.known' } });
  });

  it('are not for tokens, and not for pages where no browser has any', async () => {
    const headers = { ...HOST, authorization: `Bearer ${face.admin}` };
    const url = '/api/v1/operators/authenticators/options';
    const token = await face.app.inject({ method: 'POST', url, headers });
    expect([token.statusCode, token.json().code]).toEqual([403, 'centre.authenticator.person']);
    const cookies = await face.login();
    const address = await face.app.inject({
      method: 'POST',
      url,
      headers: { ...HOST, host: '127.0.0.1:8080' },
      cookies,
    });
    expect(address.json().detail).toMatch(/Open http:\/\/localhost:8080 instead/);
  });

  it('are given up together when no key is left that could approve, by who manages users, for a reason', async () => {
    await both();
    const reason = 'both keys went down with the ship';
    expect(await bert.ask('POST', '/operators/reset', { reason })).toMatchObject({ status: 403 });
    expect(await anna.ask('POST', '/operators/reset', { reason: '' })).toMatchObject({ status: 400 });
    expect(await anna.ask('POST', '/operators/reset', { reason })).toMatchObject({ status: 204 });
    expect(face.authenticatorStore.lists).toEqual([]);
    const spare = new SoftwareAuthenticator('anna');
    expect(await anna.register(spare)).toMatchObject({ status: 201, body: { state: 'active' } });
    expect(held()).toMatchObject({ version: 1, keys: [{ credentialId: spare.credential }] });
    expect(face.log.audits()).toContainEqual(
      expect.objectContaining({ action: 'operators.reset', detail: { reason } }),
    );
  });

  it('outlive the centre with their list', async () => {
    await both();
    const { Authenticators } = await import('../src/accounts/authenticators.ts');
    const again = new Authenticators({
      store: face.authenticatorStore,
      audit: face.log,
      clock: face.clock,
      mayApprove: () => true,
    });
    await again.load();
    expect([again.version, again.all().map(({ state }) => state)]).toEqual([2, ['active', 'active']]);
    expect(again.listsAfter(1).map(({ approval }) => approval?.credential)).toEqual([anna.key.credential]);
  });
});

describe('a command that takes two', () => {
  it('waits, is approved by the other one, and goes out with an approval that the gateway verifies', async () => {
    await both();
    const prepared = await anna.prepare();
    expect(prepared).toMatchObject({ state: 'approvalPending', approval: {} });
    expect(prepared.checks.at(-1)).toMatchObject({ name: 'secondPerson', ok: true, text: /Needs .* bert/ });
    const early = await anna.ask('POST', `/commands/${prepared.id}/operate`);
    expect([early.status, early.body.detail]).toEqual([409, 'A second person has to approve this command first.']);
    face.clock.millis += 100_000;
    const approved = await bert.approve(prepared.id);
    expect(approved.body).toMatchObject({ state: 'approved', approval: { by: 'bert' } });
    expect(approved.body.expiresAt).toBe('2027-01-15T08:02:40.000Z');
    expect((await anna.ask('POST', `/commands/${prepared.id}/operate`)).body).toMatchObject({ state: 'sent' });
    const [sent] = face.sources.sent as [CommandOrder];
    expect(sent.approvals).toHaveLength(1);
    const session = face.sources.challenge!;
    const command: Command = { ...sent, session, elapsed: 0, counter: 1 };
    expect(checkApproval(command, held(), (name) => name === session)).toBe('bert');
    expect(() => checkApproval({ ...command, value: 3 }, held(), () => true)).toThrow(/not what was asked for/);
    // What people see derived from the log is what the centre has in its memory.
    const derivation = new Derivation();
    let last: unknown;
    for (const entry of face.log.entries) last = derivation.apply(entry).commands.at(-1)?.view ?? last;
    expect(last).toEqual(face.commands.get(prepared.id));
    expect(face.log.audits()).toContainEqual(expect.objectContaining({ action: 'command.approve', actor: 'bert' }));
  });

  it('does not wait where one is enough', async () => {
    expect(await anna.prepare(other)).toMatchObject({ state: 'prepared' });
  });

  it('is refused while there is nobody who could be the second', async () => {
    await anna.register();
    const refused = await anna.prepare();
    expect(refused.state).toBe('refusedByCentre');
    expect(refused.checks.at(-1).text).toMatch(/nobody else has an authenticator/);
    // A key outlives the account of its owner, who cannot approve any more.
    await both();
    await face.accounts.changeUser(face.principal, 'bert', { disabled: true });
    expect((await anna.prepare()).checks.at(-1).text).toMatch(/nobody else has an authenticator/);
  });

  it('is not approved by who prepared it, not with a foreign key, and not by a token, stolen or not', async () => {
    await both();
    const { id } = await anna.prepare();
    expect(await anna.approve(id)).toMatchObject({ status: 403, body: { code: 'centre.command.approver' } });
    expect(await bert.approve(id, anna.key)).toMatchObject({ status: 403 });
    expect(await bert.approve(id, new SoftwareAuthenticator('bert'))).toMatchObject({ status: 403 });
    // The token of the command line may operate; it cannot approve, nor pass over the approval.
    const headers = { ...HOST, authorization: `Bearer ${face.admin}` };
    const post = (path: string, payload: object) =>
      face.app.inject({ method: 'POST', url: `/api/v1${path}`, headers, payload });
    expect((await post(`/commands/${id}/approval/options`, {})).statusCode).toBe(403);
    const { body: asked } = await bert.ask('POST', `/commands/${id}/approval/options`);
    const stolen = await post(`/commands/${id}/approval/approve`, { credential: bert.sign(asked) });
    expect([stolen.statusCode, stolen.json().code]).toEqual([403, 'centre.command.approver']);
    const broken = await post('/commands/break-glass', { point: other.mRID, value: 1, reason: 'because I can do it' });
    expect(broken.json()).toMatchObject({ state: 'refusedByCentre' });
    expect(face.commands.get(id)?.state).toBe('approvalPending');
    expect(face.sources.sent).toEqual([]);
  });

  it('is not approved by what was signed for another command, or for an earlier challenge of the gateway', async () => {
    await both();
    const first = await anna.prepare();
    const { body: asked } = await bert.ask('POST', `/commands/${first.id}/approval/options`);
    const credential = bert.sign(asked);
    await anna.ask('POST', `/commands/${first.id}/cancel`);
    const second = await anna.prepare();
    const path = `/commands/${second.id}/approval`;
    const approve = () => bert.ask('POST', `${path}/approve`, { credential });
    expect(await approve()).toMatchObject({ status: 409 });
    await bert.ask('POST', `${path}/options`);
    expect(await approve()).toMatchObject({ status: 403, body: { code: 'trust.webauthn.challenge' } });
    const { body: before } = await bert.ask('POST', `${path}/options`);
    face.sources.challenge = 'ee'.repeat(16);
    await bert.ask('POST', `${path}/options`);
    const late = await bert.ask('POST', `${path}/approve`, { credential: bert.sign(before) });
    expect(late).toMatchObject({ status: 403, body: { code: 'trust.webauthn.challenge' } });
    expect(
      face.log.audits().filter(({ action, outcome }) => action === 'command.approve' && outcome === 'refused'),
    ).toHaveLength(2);
  });

  it('is not sent on an approval for a session of the gateway that is over', async () => {
    await both();
    const { id } = await anna.prepare();
    await bert.approve(id);
    face.sources.challenge = 'ee'.repeat(16);
    const late = await anna.ask('POST', `/commands/${id}/operate`);
    expect([late.status, late.body.detail]).toEqual([
      409,
      expect.stringMatching(/session of the gateway that is over/),
    ]);
  });

  it('notices an authenticator whose counter went back', async () => {
    await both();
    const { id } = await anna.prepare();
    bert.key.counter = 1;
    await face.authenticatorStore.save({ ...face.authenticatorStore.kept.get(bert.key.credential)!, signCount: 50 });
    const { Authenticators } = await import('../src/accounts/authenticators.ts');
    const again = new Authenticators({
      store: face.authenticatorStore,
      audit: face.log,
      clock: face.clock,
      mayApprove: () => true,
    });
    await again.load();
    const subject = {
      id,
      point: setpoint.mRID,
      value: 2,
      target: 'edge-a',
      test: false,
      requestedBy: 'anna',
      session: '00'.repeat(16),
    };
    const person = { ...face.principal, name: 'bert' };
    const asked = again.approvalOptions(person, subject);
    await expect(again.verifyApproval(person, subject, bert.sign(asked) as never)).rejects.toMatchObject({
      code: 'trust.webauthn.counter',
    });
  });

  it('has not been approved when that cannot be written to the log', async () => {
    await both();
    const { id } = await anna.prepare();
    face.log.failing = true;
    expect((await bert.approve(id)).status).toBe(503);
    face.log.failing = false;
    expect((await anna.ask('POST', `/commands/${id}/operate`)).status).toBe(409);
    expect(await bert.approve(id)).toMatchObject({ status: 200, body: { state: 'approved' } });
  });
});

describe('break-glass', () => {
  const breakGlass = { point: setpoint.mRID, value: 2, reason: 'the transformer burns, nobody else is here' };

  it('goes out without the second person, as loud as can be', async () => {
    const { body: prepared } = await anna.ask('POST', '/commands/break-glass', breakGlass);
    expect(prepared).toMatchObject({ state: 'prepared', breakGlass: { reason: breakGlass.reason } });
    expect(prepared.checks.filter(({ overridden }: { overridden?: boolean }) => overridden)).toMatchObject([
      { name: 'secondPerson', ok: true, text: /nobody has approved it/ },
    ]);
    expect(face.log.alarms()).toEqual([]);
    await anna.ask('POST', `/commands/${prepared.id}/operate`);
    expect(face.sources.sent).toMatchObject([{ breakGlass: { reason: breakGlass.reason } }]);
    expect(face.log.alarms()).toMatchObject([
      {
        priority: 1,
        active: true,
        point: setpoint.mRID,
        message: /Break-glass by anna.*P max to 2.*the transformer burns/,
      },
    ]);
    const told = face.log.audits().find(({ action }) => action === 'command.operate');
    expect(told).toMatchObject({ actor: 'anna', detail: { breakGlass: breakGlass.reason } });
    const event = {
      command: prepared.id,
      point: setpoint.mRID,
      action: 'operate',
      step: 'terminated',
      at: '1',
    } as const;
    face.log.add('edge-a', { kind: 'commandEvents', events: [event] });
    await face.settled();
    await expect.poll(() => face.log.alarms().at(-1)?.active).toBe(false);
  });

  it('is signed by who does it, who has an authenticator; a gateway may insist on that', async () => {
    await both();
    const { body: prepared } = await anna.ask('POST', '/commands/break-glass', breakGlass);
    expect(await bert.approve(prepared.id)).toMatchObject({ status: 403 });
    expect(await anna.approve(prepared.id)).toMatchObject({ status: 200, body: { state: 'prepared' } });
    await anna.ask('POST', `/commands/${prepared.id}/operate`);
    const session = face.sources.challenge!;
    const command: Command = { ...face.sources.sent[0]!, session, elapsed: 0, counter: 1 };
    expect(checkBreakGlass(command, held(), (name) => name === session)).toBe('anna');
    expect(face.log.audits()).toContainEqual(expect.objectContaining({ action: 'command.break-glass', actor: 'anna' }));
  });

  it('passes over nothing but path and second person', async () => {
    face.sources.set('edge-a', false);
    const { body } = await anna.ask('POST', '/commands/break-glass', { ...breakGlass, value: 99 });
    expect(body.state).toBe('refusedByCentre');
    expect(body.checks.filter(({ ok }: { ok: boolean }) => !ok).map(({ name }: { name: string }) => name)).toEqual([
      'value',
      'source',
    ]);
  });

  it('needs a reason that says something', async () => {
    for (const reason of ['', 'urgent', ' '.repeat(20)])
      expect((await anna.ask('POST', '/commands/break-glass', { ...breakGlass, reason })).status).toBe(400);
  });

  it('sends nothing when the alarm cannot be written', async () => {
    const { body } = await anna.ask('POST', '/commands/break-glass', breakGlass);
    face.log.publish = () => Promise.reject(new Error('the disk is full'));
    await anna.ask('POST', `/commands/${body.id}/operate`);
    expect(face.sources.sent).toEqual([]);
    expect(face.commands.get(body.id)).toMatchObject({ state: 'refusedByCentre', final: true });
  });
});
