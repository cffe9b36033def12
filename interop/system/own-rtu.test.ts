/** README, "Connect your own RTU in five minutes", step by step as it stands there. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cp56FromEpochMillis, Iec104Server } from '@enerchain/iec60870';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Api, type CommandItem } from './api.ts';
import { enerchain } from './command-line.ts';
import { type RunningSystem, startSystem, until } from './running-system.ts';

const folder = mkdtempSync(join(tmpdir(), 'enerchain-own-'));

/** A station with a voltage, a breaker position and the breaker's command. */
class Station {
  readonly orders: string[] = [];
  position: 1 | 2 = 2;
  readonly server = new Iec104Server({
    port: 0,
    commonAddresses: [1],
    handlers: {
      interrogation: () => [
        { typeId: 13, objects: [{ address: 301, element: { kind: 'short', value: 20.3, quality: 0 } }] },
        { typeId: 3, objects: [{ address: 101, element: { kind: 'double', value: this.position, quality: 0 } }] },
      ],
      command: (_context, { phase, address, value }) => {
        this.orders.push(`${phase} ${address} ${value}`);
        if (phase === 'execute') setTimeout(() => this.moveTo(value === 1 ? 1 : 2), 50);
        return 'accept';
      },
    },
  });

  get address(): string {
    return `127.0.0.1:${this.server.address!.port}`;
  }

  moveTo(position: 1 | 2): void {
    this.position = position;
    this.#event(31, 101, { kind: 'double', value: position, quality: 0 });
  }

  measure(value: number): void {
    this.#event(36, 301, { kind: 'short', value, quality: 0 });
  }

  #event(typeId: number, address: number, element: { kind: 'double' | 'short'; value: number; quality: number }): void {
    const time = cp56FromEpochMillis(Date.now());
    this.server.enqueue({ typeId, commonAddress: 1, objects: [{ address, element: element as never, time }] });
  }
}

describe('an RTU of one’s own', () => {
  const station = new Station();
  let system: RunningSystem;
  let api: Api;
  beforeAll(() => station.server.listen());
  afterAll(async () => {
    await system?.stop();
    await station.server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('has its point list drafted by a scan', async () => {
    const scan = await enerchain(['iec104', 'scan', station.address]);
    expect(scan).toMatchObject({ status: 0 });
    const [header, ...rows] = scan.stdout.trim().split('\n');
    expect(header).toMatch(/name.*ioa.*type/);
    expect(rows).toHaveLength(2);
    expect(scan.stdout).toContain('M_DP_NA_1');
    writeFileSync(join(folder, 'rtu.csv'), scan.stdout);
    writeFileSync(
      join(folder, 'scanned.yaml'),
      `source: my-gateway
site: { id: my-station, name: My station }
endpoints:
  - { id: my-rtu, protocol: iec104, host: 127.0.0.1, port: ${station.server.address!.port}, commonAddress: 1, pointsFile: rtu.csv }
`,
    );
    const checked = await enerchain(['edge', '--check', join(folder, 'scanned.yaml')]);
    expect(checked).toMatchObject({ status: 0 });
    expect(checked.stdout).toContain('1 endpoints, 2 points, ready to run');
  });

  it('has its site file checked, with file, line and field', async () => {
    writeFileSync(
      join(folder, 'wrong.yaml'),
      'source: my-gateway\nsite: { id: x }\nendpoints:\n  - id: my-rtu\n    protocol: iec105\n',
    );
    const checked = await enerchain(['edge', '--check', join(folder, 'wrong.yaml')]);
    expect(checked.status).toBe(1);
    expect(checked.stderr).toMatch(/wrong\.yaml:5/);
    expect(checked.stderr).toContain('protocol');
    expect(checked.stderr).not.toMatch(/\n\s+at /);
  });

  it('shows its values after npm start -- --site my.yaml --no-lab', async () => {
    const site = join(folder, 'my.yaml');
    writeFileSync(
      site,
      `source: my-gateway
site: { id: my-station, name: My station }
endpoints:
  - id: my-rtu
    protocol: iec104
    host: 127.0.0.1
    port: ${station.server.address!.port}
    commonAddress: 1
    points:
      - { name: Busbar voltage, ioa: 301, type: M_ME_NC_1, unit: V, multiplier: k, high: 21, alarmPriority: 2 }
      - { name: Breaker position, ioa: 101, type: M_DP_NA_1, measurementType: SwitchPosition, normal: 2, aliases: '1=open|2=closed' }
      - { name: Breaker command, ioa: 501, type: C_DC_NA_1, ctlModel: sbo, feedback: Breaker position }
`,
    );
    system = await startSystem(['--site', site, '--no-lab']);
    api = new Api(system);
    const voltage = await until('the points', () => api.point('Busbar voltage'));
    await until('its value from the interrogation', async () => {
      const value = await api.value(voltage.mRID);
      return value !== undefined && Math.abs(Number(value.v) - 20.3) < 1e-5;
    });
    station.measure(21.5);
    await until('a spontaneous value', async () => (await api.value(voltage.mRID))?.v === 21.5);
    const said = (await enerchain(['values', 'Busbar', '--data', system.data])).stdout;
    expect(said).toMatch(/Busbar voltage\s+21\.5 kV good/);
    await until('the alarm of its limit', async () =>
      (await api.alarms()).some(({ message }) => message.startsWith('Busbar voltage')),
    );
  });

  it('is told a command, and its feedback comes back', async () => {
    await until('the gateway to report the device', async () =>
      (await api.source('my-gateway'))?.report?.endpoints.every(({ state }) => state === 'up'),
    );
    // A node that is not attested yet takes no command.
    await until('gateway and centre to be attested', async () => {
      const { nodes } = await api.request<{ nodes: { node: string; fresh: boolean }[] }>('GET', '/trust');
      return ['centre', 'my-gateway'].every((name) => nodes.some(({ node, fresh }) => node === name && fresh));
    });
    const control = await api.point('Breaker command');
    const prepared = await api.request<CommandItem>('POST', '/commands', { point: control.mRID, value: 1 });
    expect(prepared.checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(prepared).toMatchObject({ state: 'prepared', final: false });
    const step = async (name: 'select' | 'operate', wanted: string): Promise<CommandItem> => {
      await api.request('POST', `/commands/${prepared.id}/${name}`, {});
      return until(wanted, async () => {
        const now = await api.request<CommandItem>('GET', `/commands/${prepared.id}`);
        return now.events.some((event) => event.step === wanted) && now;
      });
    };
    await step('select', 'selected');
    await step('operate', 'feedbackSeen');
    expect(station.orders).toEqual(['select 501 1', 'execute 501 1']);
    const position = await api.point('Breaker position');
    await until('its value', async () => (await api.value(position.mRID))?.v === 1);
  });
});
