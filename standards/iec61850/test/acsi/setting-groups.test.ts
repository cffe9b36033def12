import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import {
  type AccessRequest,
  type ReceivedReport,
  type SettingGroupChange,
  type SettingGroupState,
  type SettingGroupStore,
  SettingsFile,
} from '../../src/index.ts';
import { servicesModel } from './services-sample.ts';
import { ANYBODY, float, PAIRS, station, turn } from './support.ts';

const LD = 'PROT1LD';
const SETTING = `${LD}/PTOC1.StrVal.setMag.f`;
const DELAY = `${LD}/PTOC1.OpDlTmms.setVal`;
const int = (value: number) => ({ kind: 'integer', value }) as const;

describe.each(PAIRS)('setting groups over $name', (pair) => {
  const open = (options = ANYBODY) => station(pair, options, servicesModel());

  test('the file says which there are, which is in effect, and what each has', async () => {
    const { connect } = open();
    const { settingGroups } = await connect();
    expect(await settingGroups.info(LD)).toMatchObject({ groups: 4, active: 2, edited: 0, reservation: 30 });
    expect(await settingGroups.value(SETTING)).toEqual(float(200));
    for (const [group, value] of [100, 200, 300, 300].entries())
      expect(await settingGroups.read(LD, group + 1, [SETTING, DELAY])).toEqual([float(value), int(50)]);
    expect(await settingGroups.info(LD)).toMatchObject({ active: 2, edited: 0 });
  });

  test('another group comes into effect; reports and the time of it follow', async () => {
    const { connect, clock } = open();
    const client = await connect();
    const reports: ReceivedReport[] = [];
    await client.subscribe(`${LD}/LLN0.RP.settings`, {
      onReport: (report) => reports.push(report),
      interrogate: false,
      triggers: ['dchg'],
    });
    await clock.advance(5_000);
    await client.settingGroups.activate(LD, 1);
    expect(await client.settingGroups.value(SETTING)).toEqual(float(100));
    expect(await client.settingGroups.info(LD)).toMatchObject({ active: 1, activatedAt: clock.now() });
    await turn();
    expect(reports.map(({ members }) => members.map(({ value }) => value))).toEqual([
      [{ kind: 'structure', value: [{ kind: 'structure', value: [float(100)] }] }],
    ]);
    for (const group of [0, 5, 255])
      await expect(client.settingGroups.activate(LD, group)).rejects.toMatchObject({
        code: 'access.value-invalid',
      });
    for (const part of ['NumOfSG', 'ResvTms'])
      await expect(client.write(`${LD}/LLN0.SGCB.${part}`, 'SP', { kind: 'unsigned', value: 9 })).rejects.toMatchObject(
        { code: 'access.access-denied' },
      );
  });

  test('what is edited comes into its group when it is confirmed, all at once', async () => {
    const { connect } = open();
    const { settingGroups } = await connect();
    await settingGroups.edit(LD, 2);
    await settingGroups.set(SETTING, float(250));
    await settingGroups.set(DELAY, int(70));
    expect(await settingGroups.value(SETTING)).toEqual(float(200));
    expect(await settingGroups.value(SETTING, 'edited')).toEqual(float(250));
    await settingGroups.confirm(LD);
    expect(await settingGroups.value(SETTING)).toEqual(float(250));
    expect(await settingGroups.value(DELAY)).toEqual(int(70));
    expect(await settingGroups.info(LD)).toMatchObject({ active: 2, edited: 0 });
    await settingGroups.change(LD, 3, [{ reference: SETTING, value: float(333) }]);
    expect(await settingGroups.value(SETTING)).toEqual(float(250));
    await settingGroups.activate(LD, 3);
    expect(await settingGroups.value(SETTING)).toEqual(float(333));
  });

  test('a structure of settings is written as one; outside of its bounds nothing is', async () => {
    const { connect } = open();
    const client = await connect();
    const { settingGroups } = client;
    await settingGroups.edit(LD, 1);
    const structure = (value: number) => ({ kind: 'structure', value: [float(value)] }) as const;
    await settingGroups.set(`${LD}/PTOC1.StrVal.setMag`, structure(20));
    expect(await settingGroups.value(SETTING, 'edited')).toEqual(float(20));
    for (const value of [9, 1001, Number.NaN])
      await expect(settingGroups.set(`${LD}/PTOC1.StrVal.setMag`, structure(value))).rejects.toMatchObject({
        code: 'access.value-invalid',
      });
    await expect(settingGroups.set(SETTING, int(20))).rejects.toMatchObject({ code: 'access.type-inconsistent' });
    expect(await settingGroups.value(SETTING, 'edited')).toEqual(float(20));
    await expect(client.write(SETTING, 'SG', float(1))).rejects.toMatchObject({ code: 'access.access-denied' });
  });

  test('one association edits; the others wait until it confirms, gives up, leaves, or takes too long', async () => {
    const { connect, clock } = open();
    const [one, two] = [await connect(), await connect()];
    const busy = { code: 'access.temporarily-unavailable' };
    const editing = async () => {
      await one.settingGroups.edit(LD, 1);
      await one.settingGroups.set(SETTING, float(11));
    };
    await editing();
    await expect(two.settingGroups.edit(LD, 1)).rejects.toMatchObject(busy);
    await expect(two.settingGroups.value(SETTING, 'edited')).rejects.toMatchObject(busy);
    await expect(two.settingGroups.set(SETTING, float(12))).rejects.toMatchObject(busy);
    await expect(two.settingGroups.confirm(LD)).rejects.toMatchObject(busy);
    await expect(two.settingGroups.release(LD)).rejects.toMatchObject(busy);
    await one.settingGroups.release(LD);
    expect(await two.settingGroups.read(LD, 1, [SETTING])).toEqual([float(100)]);

    await editing();
    await clock.advance(29_000);
    await one.settingGroups.set(SETTING, float(12));
    await clock.advance(29_000);
    await expect(two.settingGroups.edit(LD, 1)).rejects.toMatchObject(busy);
    await clock.advance(1_000);
    await expect(one.settingGroups.confirm(LD)).rejects.toMatchObject(busy);
    expect(await two.settingGroups.read(LD, 1, [SETTING])).toEqual([float(100)]);

    await editing();
    one.abort();
    await turn();
    expect(await two.settingGroups.read(LD, 1, [SETTING])).toEqual([float(100)]);
  });

  test('a change that fails gives up what it has edited', async () => {
    const { connect } = open();
    const [one, two] = [await connect(), await connect()];
    const values = [
      { reference: DELAY, value: int(1) },
      { reference: SETTING, value: float(5_000) },
    ];
    await expect(one.settingGroups.change(LD, 1, values)).rejects.toMatchObject({ code: 'access.value-invalid' });
    expect(await two.settingGroups.read(LD, 1, [DELAY])).toEqual([int(50)]);
  });

  test('settings outlast a restart; what the store does not take does not take effect', async () => {
    const saved = new Map<string, SettingGroupState>();
    let full = false;
    const waiting: (() => void)[] = [];
    const store: SettingGroupStore = {
      load: (device) => saved.get(device),
      save: async (device, state) => {
        await new Promise<void>((resolve) => void waiting.push(resolve));
        if (full) throw new Error('no space left');
        saved.set(device, state);
      },
    };
    const seen: SettingGroupChange[] = [];
    const options = {
      ...ANYBODY,
      settingGroups: { store, onChange: (change: SettingGroupChange) => seen.push(change) },
    };
    const first = open(options);
    const client = await first.connect();
    const done = client.settingGroups.change(LD, 4, [{ reference: SETTING, value: float(444) }]);
    while (waiting.length < 1) await turn();
    // Meanwhile nothing else changes.
    const other = await first.connect();
    await expect(other.settingGroups.activate(LD, 1)).rejects.toMatchObject({ code: 'access.temporarily-unavailable' });
    waiting[0]!();
    await done;
    const active = client.settingGroups.activate(LD, 4);
    while (waiting.length < 2) await turn();
    waiting[1]!();
    await active;
    expect(seen).toMatchObject([{ kind: 'activate', group: 4, values: { 'PTOC1.StrVal.setMag.f': float(444) } }]);
    full = true;
    const refused = client.settingGroups.activate(LD, 1);
    while (waiting.length < 3) await turn();
    waiting[2]!();
    await expect(refused).rejects.toMatchObject({ code: 'access.hardware-fault' });
    expect(first.errors).toMatchObject([{ message: 'no space left' }]);
    expect(await client.settingGroups.info(LD)).toMatchObject({ active: 4 });

    const { settingGroups } = await open(options).connect();
    expect(await settingGroups.info(LD)).toMatchObject({ active: 4 });
    expect(await settingGroups.value(SETTING)).toEqual(float(444));
    saved.set(LD, { active: 9, groups: [{ 'PTOC1.StrVal.setMag.f': int(1), 'PTOC9.Gone.setVal': int(1) }] });
    const changed = (await open(options).connect()).settingGroups;
    expect(await changed.info(LD)).toMatchObject({ active: 1 });
    expect(await changed.value(SETTING)).toEqual(float(100));
  });

  test('the process looks at a change; somebody at the device makes one too', async () => {
    const { connect, server } = open({
      ...ANYBODY,
      settingGroups: { check: ({ group, values }) => group !== 3 && values['PTOC1.OpDlTmms.setVal']!.value !== 0 },
    });
    const { settingGroups } = await connect();
    await expect(settingGroups.activate(LD, 3)).rejects.toMatchObject({ code: 'access.value-invalid' });
    await expect(settingGroups.change(LD, 1, [{ reference: DELAY, value: int(0) }])).rejects.toMatchObject({
      code: 'access.value-invalid',
    });
    await server.activateSettingGroup(LD, 4);
    expect(await settingGroups.info(LD)).toMatchObject({ active: 4 });
    await expect(server.activateSettingGroup(LD, 3)).rejects.toMatchObject({ fault: 'caller' });
    await expect(server.activateSettingGroup('NONE', 1)).rejects.toMatchObject({ code: 'server.reference' });
    expect(() => server.update(`${LD}/PTOC1.StrVal`, { 'setMag.f': float(1) })).toThrow(/no attribute/);
  });

  test('nobody changes anything unless it is allowed; who asks for what is told', async () => {
    const { settingGroups } = await open({}).connect();
    const denied = { code: 'access.access-denied' };
    await expect(settingGroups.activate(LD, 1)).rejects.toMatchObject(denied);
    await expect(settingGroups.edit(LD, 1)).rejects.toMatchObject(denied);
    const asked: AccessRequest[] = [];
    const { connect } = open({
      access: (request) => {
        asked.push(request);
        return request.right === 'read' || request.service === 'SelectEditSG';
      },
    });
    const client = await connect({}, 'engineer-7');
    await client.settingGroups.edit(LD, 1);
    await expect(client.settingGroups.set(SETTING, float(1))).rejects.toMatchObject(denied);
    await expect(client.settingGroups.confirm(LD)).rejects.toMatchObject(denied);
    await expect(client.settingGroups.activate(LD, 1)).rejects.toMatchObject(denied);
    expect(
      asked.map(({ service, right, reference, client: { subject } }) => [service, right, reference, subject]),
    ).toEqual([
      ['SelectEditSG', 'setting-group', `${LD}/LLN0.SGCB`, 'engineer-7'],
      ['SetEditSGValue', 'setting-group', SETTING, 'engineer-7'],
      ['ConfirmEditSGValues', 'setting-group', `${LD}/LLN0.SGCB`, 'engineer-7'],
      ['SelectActiveSG', 'setting-group', `${LD}/LLN0.SGCB`, 'engineer-7'],
    ]);
  });
});

describe('a file of settings', () => {
  const folder = mkdtempSync(join(tmpdir(), 'iec61850-settings-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  test('has what was saved after a restart, of each device, with values of any kind', () => {
    const path = join(folder, 'new', 'BCU1.json');
    const state: SettingGroupState = {
      active: 2,
      groups: [
        { 'PTOC1.StrVal.setMag.f': float(1.5), 'PTOC1.OpDlTmms.setVal': int(-3) },
        { 'PTOC1.StrVal.setMag.f': float(2.5), 'PTOC1.TmASt.setCharact': { kind: 'unsigned', value: 2n ** 60n } },
      ],
    };
    const first = new SettingsFile(path);
    expect(first.load(LD)).toBeUndefined();
    first.save(LD, state);
    first.save('OTHER', { active: 1, groups: [{}] });
    const second = new SettingsFile(path);
    expect(second.load(LD)).toEqual(state);
    expect(second.load('OTHER')).toEqual({ active: 1, groups: [{}] });
  });

  test('that is damaged is told, and left as it is', () => {
    const path = join(folder, 'damaged.json');
    for (const text of [
      '',
      '{',
      '[]x',
      '{"A":{"active":1}}',
      '{"A":{"active":1,"groups":[{"x":"87"}]}}',
      '{"A":null}',
    ]) {
      writeFileSync(path, text);
      expect(() => new SettingsFile(path), text).toThrow(
        expect.objectContaining({ code: 'settings.file', message: expect.stringContaining(path) }),
      );
      expect(readFileSync(path, 'utf8')).toBe(text);
    }
  });
});
