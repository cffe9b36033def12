import { describe, expect, test } from 'vitest';
import { ACSI_SERVICES, accessByRoles, type ClientIdentity, type Right, ROLE_RIGHTS } from '../../src/index.ts';
import { servicesModel } from './services-sample.ts';
import { bool, float, PAIRS, station, turn } from './support.ts';

const LD = 'PROT1LD';
const BLOCK = `${LD}/LLN0.events`;

describe.each(PAIRS)('who may what, over $name', (pair) => {
  const open = (options = {}) => station(pair, options, servicesModel());
  const owner = async (client: Awaited<ReturnType<ReturnType<typeof open>['connect']>>) => {
    const { value } = await client.read(`${BLOCK}.Owner`, 'BR');
    return Buffer.from(value as Uint8Array);
  };

  test('a report control block says who has it, until it is free', async () => {
    const { connect, clock } = open();
    const [one, two] = [await connect({}, 'gateway-1'), await connect({}, 'gateway-2')];
    expect(await owner(two)).toHaveLength(0);
    await one.subscribe(BLOCK.replace('LLN0.', 'LLN0.BR.'), { onReport: () => {}, reserve: 20 });
    const there = await owner(two);
    // The address where there is one; else the name.
    expect(there.toString('latin1')).toBe(pair.name === 'TCP' ? '\x7f\0\0\x01' : 'gateway-1');
    await expect(
      two.write(`${BLOCK}.Owner`, 'BR', { kind: 'octetString', value: Uint8Array.of(1) }),
    ).rejects.toMatchObject({ code: 'access.temporarily-unavailable' });
    await expect(
      one.write(`${BLOCK}.Owner`, 'BR', { kind: 'octetString', value: Uint8Array.of(1) }),
    ).rejects.toMatchObject({ code: 'access.access-denied' });
    one.abort();
    await turn();
    expect(await owner(two)).toEqual(there);
    await clock.advance(20_000);
    expect(await owner(two)).toHaveLength(0);
    await two.write(`${BLOCK}.ResvTms`, 'BR', { kind: 'integer', value: 5 });
    expect(await owner(two)).not.toHaveLength(0);
    await two.write(`${BLOCK}.ResvTms`, 'BR', { kind: 'integer', value: 0 });
    expect(await owner(two)).toHaveLength(0);
  });

  test('a client with the model from SCL has the same services', async () => {
    const model = servicesModel();
    const { connect, server } = station(pair, { access: () => true }, model);
    const { settingGroups, logs, substitution } = await connect({ model });
    const setting = `${LD}/PTOC1.StrVal.setMag.f`;
    await settingGroups.change(LD, 1, [{ reference: setting, value: float(11) }]);
    await settingGroups.activate(LD, 1);
    expect(await settingGroups.info(LD)).toMatchObject({ active: 1 });
    expect(await settingGroups.value(setting)).toEqual(float(11));
    await substitution.begin(`${LD}/GGIO1.Ind1`, bool(true));
    expect(server.value(`${LD}/GGIO1.Ind1.stVal`, 'ST')).toEqual(bool(true));
    expect(await substitution.state(`${LD}/GGIO1.Ind1`)).toMatchObject({ enabled: true });
    expect(await logs.info(`${LD}/LLN0.log`)).toMatchObject({ enabled: true, newest: { time: expect.any(Number) } });
  });

  test('roles decide; nobody known is nobody allowed', async () => {
    const roles: Record<string, readonly string[]> = { eve: ['VIEWER'], otto: ['OPERATOR'], ines: ['ENGINEER'] };
    const access = accessByRoles(({ subject = '' }: Pick<ClientIdentity, 'subject'>) => roles[subject] ?? []);
    const { connect } = open({ access });
    const can = async (subject: string | undefined) => {
      const client = await connect({}, subject);
      const tried: Record<string, () => Promise<unknown>> = {
        read: () => client.read(`${LD}/GGIO1.Ind1.stVal`, 'ST'),
        report: () => client.subscribe(`${LD}/LLN0.RP.settings`, { onReport: () => {} }).then((one) => one.end()),
        substitute: () => client.substitution.begin(`${LD}/GGIO1.Ind1`, bool(true)),
        configure: () => client.write(`${LD}/MMXU1.TotW.db`, 'CF', { kind: 'unsigned', value: 1 }),
        dataSet: () => client.createDataSet(`@${subject}`, [{ reference: `${LD}/GGIO1.Ind1`, fc: 'ST' }]),
        activate: () => client.settingGroups.activate(LD, 1),
        clear: () => client.logs.clear(`${LD}/LLN0.EventLog`),
      };
      const done: string[] = [];
      for (const [name, attempt] of Object.entries(tried)) {
        await attempt().then(
          () => done.push(name),
          () => {},
        );
      }
      await client.close();
      await turn();
      return done;
    };
    expect(await can('eve')).toEqual(['read', 'report']);
    expect(await can('otto')).toEqual(['read', 'report', 'substitute', 'dataSet']);
    expect(await can('ines')).toEqual(['read', 'report', 'substitute', 'configure', 'dataSet', 'activate', 'clear']);
    expect(await can('mallory')).toEqual([]);
    expect(await can(undefined)).toEqual([]);
  });

  test('without anybody to decide, what changes the device is refused', async () => {
    const client = await open().connect();
    const denied = { code: 'access.access-denied' };
    await expect(client.write(`${LD}/MMXU1.TotW.db`, 'CF', { kind: 'unsigned', value: 1 })).rejects.toMatchObject(
      denied,
    );
    await expect(client.write(`${LD}/GGIO1.Ind1.subEna`, 'SV', bool(true))).rejects.toMatchObject(denied);
    await expect(client.settingGroups.activate(LD, 1)).rejects.toMatchObject(denied);
    expect(await client.read(`${LD}/GGIO1.Ind1.stVal`, 'ST')).toEqual(bool(false));
  });
});

test('every right of a role is one that a service needs, and what is not a role has none', () => {
  const needed = new Set<Right>();
  const everything = accessByRoles(() => ['all'], { all: [] });
  for (const service of ACSI_SERVICES) {
    expect(everything({ service, right: 'read', reference: '', client: { remote: '', subject: undefined } })).toBe(
      false,
    );
  }
  for (const rights of Object.values(ROLE_RIGHTS)) for (const right of rights) needed.add(right);
  const request = (right: Right) =>
    ({ service: 'GetDataValues', right, reference: '', client: { remote: '', subject: undefined } }) as const;
  for (const right of needed) {
    expect(accessByRoles(() => ['ENGINEER'])(request(right))).toBe(true);
    for (const role of ['', 'engineer', 'constructor', '__proto__', 'toString'])
      expect(accessByRoles(() => [role])(request(right))).toBe(false);
  }
});
