/** Commands that take two people, with everything real but the devices: link, signatures, lists on disk. */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CommandOrder } from '@enerchain/model';
import { encodeOperatorList } from '@enerchain/trust';
import { SoftwareAuthenticator } from '@enerchain/trust/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type EdgeHandle, runEdge } from '../src/edge.ts';
import { commandFor, TestCentre, until } from './centre.ts';
import { silent } from './helpers.ts';
import { TestStation } from './station.ts';

let centre: TestCentre;
let station: TestStation;
let edge: EdgeHandle;
const anna = new SoftwareAuthenticator('anna');
const bert = new SoftwareAuthenticator('bert');
const eve = new SoftwareAuthenticator('eve');
const payloadOf = (version: number, ...who: SoftwareAuthenticator[]) =>
  encodeOperatorList({ version, keys: who.map(({ entry }) => entry) });
const first = { payload: payloadOf(1, anna) };
const second = { payload: payloadOf(2, anna, bert), approval: anna.approveList(payloadOf(2, anna, bert)) };

const start = async () => {
  const { challenges } = centre;
  edge = await runEdge({
    siteFile: station.write(),
    dataDir: join(station.folder, 'data'),
    centre: { url: centre.url, token: await centre.token('edge-test') },
    logger: silent,
  });
  await until(() => centre.online && centre.challenges > challenges, 'the session');
  await until(() => centre.report?.endpoints[0]?.state === 'up', 'the device');
};
/** Anna's order, and whoever approves it under the challenge that stands. */
const order = (over: Partial<CommandOrder> = {}) =>
  commandFor(station.mrid('ca=1 ioa=10 control'), { origin: { orCat: 'remoteControl', orIdent: 'anna' }, ...over });
const approved = (by: SoftwareAuthenticator, made: CommandOrder, session = centre.session.challenge!): CommandOrder => {
  const { id, point, value, target, test = false, origin } = made;
  const subject = { id, point, value, target, test, requestedBy: origin.orIdent, session };
  return { ...made, approvals: [by.approve(subject)] };
};
const outcome = async (sent: CommandOrder) => {
  await centre.send(sent);
  const last = () => centre.commandEvents().findLast(({ command }) => command === sent.id);
  await until(() => ['terminated', 'refusedByEdge'].includes(last()?.step ?? ''), 'the outcome');
  return last()!.reason ?? last()!.step;
};
const told = (code: string) => centre.sourceEvents().filter((event) => event.code === code).length;

beforeEach(async () => {
  centre = await TestCentre.open();
  station = new TestStation();
  station.policy = "{ secondPerson: ['switch'], breakGlass: true, forbidCommands: ['forbidden*'] }";
  await station.open();
  await start();
});
afterEach(async () => {
  await edge.close();
  await station.close();
  await centre.close();
});

describe('a gateway that asks for a second person', () => {
  test('carries out what another one has approved with a key it holds, and nothing else', async () => {
    expect(await outcome(order())).toMatch(/a second person has to approve it, and nobody has/);
    expect(await outcome(approved(bert, order()))).toMatch(/not on the list/);
    expect(await centre.giveOperators(first, second)).toBe(2);
    expect(await outcome(approved(bert, order()))).toBe('terminated');
    expect(await outcome(approved(anna, order()))).toMatch(/anna approved the own command/);
    expect(await outcome(approved(eve, order()))).toMatch(/not on the list/);
    // Bert's approval is for one order, not for the next.
    const other = approved(bert, order()).approvals!;
    expect(await outcome({ ...order(), approvals: other })).toMatch(/not what was asked for/);
    expect(station.commands).toEqual(['execute 10 1']);
  });

  test('takes no approval over a broken link: who approves, approves for now', async () => {
    await centre.giveOperators(first, second);
    const waiting = approved(bert, order());
    const { challenges } = centre;
    centre.cut();
    await until(() => centre.challenges > challenges && centre.online, 'another session');
    expect(await outcome(waiting)).toMatch(/given in another session/);
    expect(station.commands).toEqual([]);
  });

  test('holds its list over a restart, and is not set back to an older one by a centre in other hands', async () => {
    await centre.giveOperators(first, second);
    await edge.close();
    await start();
    expect(await centre.giveOperators(first)).toBe('trust.operators.version');
    const evil = payloadOf(3, anna, bert, eve);
    expect(await centre.giveOperators({ payload: evil })).toBe('trust.operators.approval');
    expect(await centre.giveOperators({ payload: evil, approval: eve.approveList(evil) })).toBe(
      'trust.operators.approval',
    );
    await until(() => told('trust.operators.version') === 1 && told('trust.operators.approval') === 2, 'it is told');
    expect(await outcome(approved(eve, order()))).toMatch(/not on the list/);
    expect(await outcome(approved(bert, order()))).toBe('terminated');
  });

  test('does not start with a list that it cannot read, since any would be the first then', async () => {
    await centre.giveOperators(first);
    await edge.close();
    const file = join(station.folder, 'data', 'operators');
    expect(existsSync(file)).toBe(true);
    writeFileSync(file, 'nonsense');
    await expect(start()).rejects.toMatchObject({ code: 'edge.operators' });
    rmSync(file);
    await start();
  });

  test('lets the glass be broken, says so on its own chain, and still refuses what is forbidden or replayed', async () => {
    const breakGlass = { reason: 'the busbar burns, and nobody else is here' };
    const alone = order({ breakGlass });
    expect(await outcome(alone)).toBe('terminated');
    await until(() => told('edge.command.break-glass') === 1, 'it is told');
    const { detail } = centre.sourceEvents().find(({ code }) => code === 'edge.command.break-glass')!;
    expect(detail).toMatch(/on 'switch' by anna: the busbar burns/);
    const forbidden = order({ breakGlass, point: station.mrid('ca=1 ioa=11 control') });
    expect(await outcome(forbidden)).toMatch(/forbidden by the local policy/);
    await centre.send(alone);
    await until(() => told('trust.command.replay') === 1, 'the replay is told');
    expect(await outcome(order({ breakGlass, point: station.mrid('ca=1 ioa=2') }))).toMatch(/not bound|no control/);
    expect(station.commands).toEqual(['execute 10 1']);
    expect(edge.report().counters).toMatchObject({ 'commands.brokenGlass': 1 });
  });
});
