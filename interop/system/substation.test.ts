/** The IEDs of the primary substation in a running system: browsed, commanded, interlocked, tripped. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Api, type CommandItem } from './api.ts';
import { enerchain } from './command-line.ts';
import { type RunningSystem, STARTS_WITHIN, startSystem, until } from './running-system.ts';

const OPEN = 1;
const CLOSED = 2;

describe('the substation with IEC 61850', () => {
  let system: RunningSystem;
  let api: Api;
  /** Addresses by id of the endpoint. */
  const addresses = new Map<string, string>();
  beforeAll(async () => {
    system = await startSystem();
    api = new Api(system);
    const ports = JSON.parse(readFileSync(join(system.data, 'lab', 'ports.json'), 'utf8')) as Record<string, number>;
    for (const [name, port] of Object.entries(ports))
      if (name.startsWith('BRN_')) addresses.set(name.toLowerCase().replace('_', '-'), `127.0.0.1:${port}`);
    await until('all IEDs', async () => {
      const source = await api.source('edge-nord');
      const own = source?.report?.endpoints.filter(({ id }) => addresses.has(id)) ?? [];
      return own.length === addresses.size && own.every(({ state }) => state === 'up');
    });
  }, STARTS_WITHIN);
  afterAll(() => system?.stop());

  const is = (name: string, value: number): Promise<boolean> =>
    until(`${name} to be ${value}`, async () => (await api.value((await api.point(name)).mRID))?.v === value);
  const mms = (command: string, ied: string, ...args: string[]) =>
    enerchain(['mms', command, addresses.get(ied)!, ...args]);

  it('has six of them on the northern gateway, and the start says how they hear each other', () => {
    expect([...addresses.keys()]).toEqual(['brn-e03', 'brn-t2', 'brn-j10', 'brn-j11', 'brn-j12', 'brn-j09']);
    expect(system.output()).toMatch(/GOOSE between the IEDs of the lab: in memory/);
  });

  it('each can be browsed', async () => {
    const { status, stdout } = await mms('browse', 'brn-j11');
    expect(status).toBe(0);
    for (const line of [
      'BRN_J11CTRL',
      'Q0CSWI1.Pos  [CO]',
      'PTOC1.StrVal  [SG]',
      'data set BRN_J11PROT/LLN0.Protection',
    ])
      expect(stdout).toContain(line);
  });

  it('their values stand at the equipment of the grid', async () => {
    const reading = async (name: string) => (await api.value((await api.point(name)).mRID))?.v;
    await until('a current, the same as the RTU’s', async () => {
      const [own, byRtu] = [
        await reading('Brunnfeld J11 bay unit Current A'),
        await reading('Brunnfeld 20 kV B J11 Current'),
      ];
      return typeof own === 'number' && typeof byRtu === 'number' && Math.abs(own - byRtu) < 10;
    });
  });

  it('an earthing switch is refused by interlocking, with the reason in the command', async () => {
    const refused = await mms('control', 'brn-j11', 'BRN_J11CTRL/Q8CSWI1.Pos', 'on');
    expect(refused.status).toBe(1);
    expect(refused.stdout).toContain('blocked-by-interlocking');
    const command = await commanded('Brunnfeld J11 bay unit Q8 command', CLOSED);
    expect(JSON.stringify(command.events)).toContain('blocked-by-interlocking');
    expect(command.state).not.toBe('confirmed');
  });

  it('a breaker opens and closes by a command of the control room', async () => {
    const { id } = await commanded('Brunnfeld J12 bay unit Q0 command', OPEN);
    // A command is over when the feedback stands; what the device says of it may come after that.
    await until('what the device says', async () => {
      const { events } = await api.request<CommandItem>('GET', `/commands/${id}`);
      return ['selected', 'confirmed', 'terminated'].every((wanted) => events.some(({ step }) => step === wanted));
    });
    await is('Brunnfeld J12 bay unit Q0 position', OPEN);
    // The RTU sees the same breaker.
    await is('Brunnfeld 20 kV B J12 Breaker position', OPEN);
    await commanded('Brunnfeld J12 bay unit Q0 command', CLOSED);
    await is('Brunnfeld J12 bay unit Q0 position', CLOSED);
  });

  it('a short circuit trips the feeder and nothing else, and raises its alarm', async () => {
    const fault = await enerchain([
      ...['lab', 'fault', 'short-circuit', 'rtu-01-b', 'bay=J11', 'percent=30', 'seconds=5'],
      ...['--data', system.data],
    ]);
    expect(fault).toMatchObject({ status: 0 });
    await is('Brunnfeld J11 bay unit Q0 position', OPEN);
    await until('the alarm', async () =>
      (await api.alarms('all')).some(({ message }) => /Brunnfeld J11 bay unit Protection trip/.test(message)),
    );
    const incomer = await api.value((await api.point('Brunnfeld J10 bay unit Q0 position')).mRID);
    expect(incomer?.v).toBe(CLOSED);
    // Start and block are in the events of the bay units.
    await until('the record', async () =>
      /1$/m.test((await mms('read', 'brn-j11', 'BRN_J11PROT/RDRE1.FltNum.stVal')).stdout),
    );
    await commanded('Brunnfeld J11 bay unit Q0 command', CLOSED);
    await is('Brunnfeld J11 bay unit Q0 position', CLOSED);
  });

  /** Prepares, selects where it must, operates, and waits for the end. */
  async function commanded(name: string, value: number): Promise<CommandItem> {
    const { mRID } = await api.point(name);
    const { id } = await api.request<CommandItem>('POST', '/commands', { point: mRID, value });
    await api.request('POST', `/commands/${id}/select`, {}).catch(() => {});
    await until('the selection', async () => {
      const command = await api.request<CommandItem>('GET', `/commands/${id}`);
      return command.final || command.events.some(({ step }) => step === 'selected');
    });
    const selected = await api.request<CommandItem>('GET', `/commands/${id}`);
    if (!selected.final) await api.request('POST', `/commands/${id}/operate`, {});
    return until('the end of the command', async () => {
      const command = await api.request<CommandItem>('GET', `/commands/${id}`);
      return command.final && command;
    });
  }
});
