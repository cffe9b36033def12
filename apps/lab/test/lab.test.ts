import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadSite } from '@enerchain/edge';
import { type Asdu, type CommandOutcome, type Cp56Time, cp56ToEpochMillis, Iec104Client } from '@enerchain/iec60870';
import { derivedMrid, equipmentAt, quantityOf } from '@enerchain/model';
import { connect as connectMqtt } from 'mqtt';
import pino from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type LabHandle, labFault, readLedger, runLab } from '../src/index.ts';
import type { Rtu } from '../src/rtu/rtu.ts';

const logger = pino({ level: 'silent' });
const NOON = Date.UTC(2026, 5, 17, 12);
let folder: string;
let lab: LabHandle;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lab-'));
  lab = await runLab({ dataDir: folder, seed: 1, speed: 1, startAt: NOON, counterMillis: 50, logger });
});
afterAll(async () => {
  await lab.close();
  rmSync(folder, { recursive: true, force: true });
});

const rtuOf = (name: string): Rtu => lab.rtus.find((rtu) => rtu.name === name)!;

interface Heard {
  readonly ioa: number;
  readonly value: number;
  readonly quality: number;
  readonly cause: number;
  readonly time: number | undefined;
}

/** A control centre with one RTU, that remembers what it hears. */
class Centre {
  readonly heard: Heard[] = [];
  readonly client: Iec104Client;
  #waiting: { readonly when: (heard: Heard) => boolean; readonly done: (heard: Heard) => void }[] = [];
  readonly #started: Promise<void>;

  constructor(rtu: Rtu) {
    let begun: () => void;
    this.#started = new Promise((done) => {
      begun = done;
    });
    this.client = new Iec104Client({
      host: '127.0.0.1',
      port: rtu.port,
      reconnect: { initial: 0.05, maximum: 0.2, jitter: 0 },
      onAsdu: (asdu, receipt) => {
        this.#take(asdu);
        receipt.release();
      },
      onState: (state) => {
        if (state === 'started') begun();
      },
    });
    this.client.start();
  }

  started(): Promise<void> {
    return this.#started;
  }

  /** The next thing heard that fits, or the first one that already was. */
  async until(when: (heard: Heard) => boolean): Promise<Heard> {
    return this.heard.find(when) ?? new Promise((done) => this.#waiting.push({ when, done }));
  }

  #take(asdu: Asdu): void {
    for (const { address, element, time } of asdu.objects) {
      if (!('value' in element)) {
        if (asdu.typeId === 70) this.#hear({ ioa: 0, value: 0, quality: 0, cause: asdu.cause, time: undefined });
        continue;
      }
      this.#hear({
        ioa: address,
        value: element.value,
        quality: 'quality' in element ? element.quality : 0,
        cause: asdu.cause,
        time: time ? cp56ToEpochMillis(time as Cp56Time) : undefined,
      });
    }
  }

  #hear(heard: Heard): void {
    this.heard.push(heard);
    const fits = this.#waiting.filter(({ when }) => when(heard));
    this.#waiting = this.#waiting.filter((waiting) => !fits.includes(waiting));
    for (const { done } of fits) done(heard);
  }
}

let centres: Centre[] = [];
async function centreOf(name: string): Promise<Centre> {
  const centre = new Centre(rtuOf(name));
  centres.push(centre);
  await centre.started();
  return centre;
}
afterEach(async () => {
  await Promise.all(centres.map((centre) => centre.client.close()));
  centres = [];
});

/** Object address of a point by the end of its name. */
function ioaOf(name: string, ending: string, control = false): number {
  const header = readFileSync(join(folder, 'sites', `${name}.csv`), 'utf8').split('\n');
  const row = header.find((line) => line.split(';')[0]!.endsWith(ending) && line.includes(';C_') === control);
  return Number(row!.split(';')[2]);
}

const command = (
  centre: Centre,
  name: string,
  ending: string,
  typeId: number,
  value: number,
  sbo: boolean,
): Promise<CommandOutcome> =>
  centre.client.command({
    ca: rtuOf(name).station.commonAddress,
    ioa: ioaOf(name, ending, true),
    typeId,
    value,
    mode: sbo ? 'select-before-operate' : 'direct',
  });

describe('an RTU of the lab', () => {
  test('answers a general interrogation with every point but its counters, and counters when asked for them', async () => {
    const centre = await centreOf('rtu-05');
    const rows = readFileSync(join(folder, 'sites', 'rtu-05.csv'), 'utf8')
      .trim()
      .split('\n')
      .slice(1);
    const monitored = rows.filter((row) => row.split(';')[3]!.startsWith('M_'));
    const counters = monitored.filter((row) => row.includes('M_IT_TB_1'));
    await centre.client.interrogate(105);
    const answered = new Set(centre.heard.filter(({ cause }) => cause === 20).map(({ ioa }) => ioa));
    expect(answered.size).toBe(monitored.length - counters.length);
    await centre.client.counterInterrogation(105);
    expect(new Set(centre.heard.filter(({ cause }) => cause === 37).map(({ ioa }) => ioa)).size).toBe(counters.length);
  });

  test('has everything in its ledger that a control centre hears with a time, and nothing is missing between', async () => {
    const centre = await centreOf('rtu-06');
    const first = await centre.until(({ ioa }) => ioa === 499);
    await centre.until(({ ioa, value }) => ioa === 499 && value >= first.value + 10);
    const heard = centre.heard.filter(({ time }) => time !== undefined);
    const ledger: string[] = [];
    for await (const { ioa, value, time } of readLedger(rtuOf('rtu-06').ledgerFile))
      ledger.push(`${time} ${ioa} ${value}`);
    // Until the first connection nobody takes the events, so what arrives is the ledger from its first line on.
    expect(heard.map(({ time, ioa, value }) => `${time} ${ioa} ${value}`)).toEqual(ledger.slice(0, heard.length));
    const counts = heard.filter(({ ioa }) => ioa === 499).map(({ value }) => value);
    expect(counts).toEqual(counts.map((_, i) => counts[0]! + i));
  });

  test('select and execute open a feeder breaker, the feeder goes dark, and closing it brings it back', async () => {
    const [primary, far] = [await centreOf('rtu-01-a'), await centreOf('rtu-08')];
    const position = ioaOf('rtu-01-a', 'J01 Breaker position');
    const voltage = ioaOf('rtu-08', 'Busbar voltage');
    const open = await command(primary, 'rtu-01-a', 'J01 Breaker command', 46, 1, true);
    expect(open).toEqual({ kind: 'confirmed', terminated: true });
    await primary.until(({ ioa, value, cause }) => ioa === position && value === 0 && cause === 11);
    await primary.until(({ ioa, value, cause }) => ioa === position && value === 1 && cause === 11);
    const dark = await far.until(({ ioa, value, cause }) => ioa === voltage && value === 0 && cause === 3);
    expect(dark.quality).toBe(0);
    const frequency = await far.until(({ ioa, quality }) => ioa === ioaOf('rtu-08', 'Frequency') && quality !== 0);
    expect(frequency.quality & 0x80).toBe(0x80);
    far.heard.length = 0;
    expect(await command(primary, 'rtu-01-a', 'J01 Breaker command', 46, 2, true)).toMatchObject({ kind: 'confirmed' });
    expect((await far.until(({ ioa, value }) => ioa === voltage && value > 0)).value).toBeGreaterThan(18);
  });

  test('refuses a breaker command without select, an unknown object, and everything while in local control', async () => {
    const centre = await centreOf('rtu-09');
    expect(await command(centre, 'rtu-09', 'L1 Breaker command', 46, 1, false)).toMatchObject({ kind: 'negative' });
    const unknown = await centre.client.command({ ca: 109, ioa: 99_999, typeId: 46, value: 1, mode: 'direct' });
    expect(unknown).toMatchObject({ kind: 'negative', cause: 47 });
    lab.fault({ kind: 'local-control', target: 'rtu-09', settings: { seconds: 1000 } });
    expect(await command(centre, 'rtu-09', 'L1 Breaker command', 46, 1, true)).toMatchObject({ kind: 'negative' });
    expect(lab.simulation.isClosed(rtuOf('rtu-09').station.bays[0]!.switches[0]!.mRID)).toBe(true);
  });

  test('a tap command raises the voltage and leaves the regulator in manual', async () => {
    const centre = await centreOf('rtu-01-110');
    const node = rtuOf('rtu-01-a').station.busbar.node;
    const before = lab.simulation.voltage(node)!;
    expect(await command(centre, 'rtu-01-110', 'E02 Tap command', 47, 2, false)).toMatchObject({
      kind: 'confirmed',
      terminated: true,
    });
    expect(lab.simulation.voltage(node)! - before).toBeGreaterThan(0.2);
    await centre.until(
      ({ ioa, value }) => ioa === ioaOf('rtu-01-110', 'E02 Voltage regulator automatic') && value === 0,
    );
  });

  test('a set-point curtails a plant; one outside its range is refused', async () => {
    const centre = await centreOf('rtu-10');
    expect(await command(centre, 'rtu-10', 'G1 Feed-in limit command', 50, 0.05, false)).toMatchObject({
      kind: 'confirmed',
    });
    const echo = await centre.until(({ ioa, cause }) => ioa === ioaOf('rtu-10', 'G1 Feed-in limit') && cause === 3);
    expect(echo.value).toBeCloseTo(0.05, 6);
    expect(await command(centre, 'rtu-10', 'G1 Feed-in limit command', 50, 5, false)).toMatchObject({
      kind: 'negative',
    });
  });

  test('takes the time it is given, and its clock can be made to step', async () => {
    const centre = await centreOf('rtu-11');
    lab.fault({ kind: 'clock-step', target: 'rtu-11', settings: { seconds: -86_400 } });
    const off = await centre.until(({ time }) => time !== undefined && time < Date.now() - 80_000_000);
    expect(off.ioa).toBeGreaterThan(0);
    await centre.client.synchronizeClock(111, Date.now());
    centre.heard.length = 0;
    // Events of before wait in the station until the centre has acknowledged others, and keep their time.
    await centre.until(({ ioa, time }) => ioa === 499 && time !== undefined && Math.abs(time - Date.now()) < 5000);
  });
});

describe('faults', () => {
  test('are asked for through a port whose token only the owner can read', async () => {
    expect(statSync(join(folder, 'control.json')).mode & 0o777).toBe(0o600);
    expect(await labFault(folder, { kind: 'door-open', target: 'rtu-14' })).toContain('rtu-14: door');
    await expect(labFault(folder, { kind: 'door-open', target: 'rtu-99' })).rejects.toThrow(/no RTU 'rtu-99'/);
    const { port } = JSON.parse(readFileSync(join(folder, 'control.json'), 'utf8'));
    const response = await fetch(`http://127.0.0.1:${port}/fault`, { method: 'POST', body: '{}' });
    expect(response.status).toBe(401);
    await expect(labFault(tmpdir(), { kind: 'door-open', target: 'rtu-14' })).rejects.toThrow(/no lab runs/);
  });

  test('a link that is down loses no event: they wait in the RTU', async () => {
    const centre = await centreOf('rtu-02');
    await centre.until(({ ioa }) => ioa === 499);
    lab.fault({ kind: 'link-down', target: 'rtu-02', settings: { seconds: 0.3 } });
    await expect(reaches(rtuOf('rtu-02').port)).resolves.toBe(false);
    const before = centre.heard.filter(({ ioa }) => ioa === 499).at(-1)!.value;
    await centre.until(({ ioa, value }) => ioa === 499 && value > before + 10);
    const counts = [...new Set(centre.heard.filter(({ ioa }) => ioa === 499).map(({ value }) => value))];
    expect(counts).toEqual(counts.map((_, i) => counts[0]! + i));
  });

  test('an RTU that restarts says so', async () => {
    const centre = await centreOf('rtu-13');
    await centre.until(({ ioa }) => ioa === 499);
    centre.heard.length = 0;
    lab.fault({ kind: 'rtu-restart', target: 'rtu-13', settings: { seconds: 0.1 } });
    expect((await centre.until(({ ioa }) => ioa === 0)).cause).toBe(4);
  });

  test('protection trips a breaker, and says so before the breaker has moved', async () => {
    const centre = await centreOf('rtu-01-b');
    expect(lab.fault({ kind: 'breaker-trip', target: 'rtu-01-b', settings: { bay: 'J11' } })).toContain(
      'has opened J11',
    );
    const position = ioaOf('rtu-01-b', 'J11 Breaker position');
    await centre.until(({ ioa, value }) => ioa === position && value === 1);
    const trip = centre.heard.findIndex(
      ({ ioa, value }) => ioa === ioaOf('rtu-01-b', 'J11 Protection trip') && value === 1,
    );
    expect(trip).toBeGreaterThanOrEqual(0);
    expect(trip).toBeLessThan(centre.heard.findIndex(({ ioa, value }) => ioa === position && value === 1));
    expect(() => lab.fault({ kind: 'breaker-trip', target: 'rtu-01-b', settings: { bay: 'X' } })).toThrow(/no bay 'X'/);
  });

  test('a flood beyond the buffer is reported in-band as an overflow', async () => {
    lab.fault({ kind: 'event-flood', target: 'rtu-04', settings: { events: 400_000 } });
    await rtuOf('rtu-04').settled();
    expect(rtuOf('rtu-04').counters.queueLost).toBeGreaterThan(0);
    const centre = await centreOf('rtu-04');
    await centre.until(({ ioa, value, cause }) => ioa === 9 && value === 1 && cause === 3);
    await centre.until(({ ioa, value, cause }) => ioa === 9 && value === 0 && cause === 3);
  });

  test('a storm repeats end of initialisation and every point', async () => {
    const centre = await centreOf('rtu-03');
    await centre.until(({ ioa }) => ioa === 499);
    centre.heard.length = 0;
    lab.fault({ kind: 'interrogation-storm', target: 'rtu-03', settings: { count: 3 } });
    const door = ioaOf('rtu-03', 'Door');
    const third = () => centre.heard.filter(({ ioa }) => ioa === door).length >= 3;
    await centre.until(third);
    expect(centre.heard.filter(({ ioa }) => ioa === 0)).toHaveLength(3);
  });
});

describe('the sensors', () => {
  test('publish their values, and their last will when they drop off', async () => {
    const client = connectMqtt(`mqtt://127.0.0.1:${lab.brokerPort}`);
    const messages = new Map<string, string[]>();
    const states = () => [...messages.keys()].filter((topic) => topic.endsWith('/state'));
    const statuses = () => messages.get('lab/oil-t1/status') ?? [];
    let heard = (): void => {};
    const until = async (condition: () => boolean): Promise<void> => {
      while (!condition()) await new Promise<void>((done) => (heard = done));
    };
    client.on('message', (topic, payload) => {
      messages.set(topic, [...(messages.get(topic) ?? []), payload.toString()]);
      heard();
    });
    await client.subscribeAsync('lab/#', { qos: 1 });
    // Only after it has been seen online: a retained word is no last will. What is lost has said its value before.
    await until(() => statuses().includes('online') && states().length === 12);
    lab.fault({ kind: 'sensor-lost', target: 'oil-t1' });
    await until(() => statuses().includes('offline'));
    await client.endAsync();
    expect(JSON.parse(messages.get('lab/oil-t1/state')![0]!)).toMatchObject({ temperature: expect.any(Number) });
    expect(messages.get('lab/door-05/state')![0]).toBe('0');
    expect(states()).toHaveLength(12);
  });
});

describe('a short circuit', () => {
  test('in a bay without a unit of its own is cleared by its relay, and the transformer stays', async () => {
    const centre = await centreOf('rtu-01-a');
    const position = ioaOf('rtu-01-a', 'J02 Breaker position');
    lab.fault({ kind: 'short-circuit', target: 'rtu-01-a', settings: { bay: 'J02', seconds: 1 } });
    await centre.until(({ ioa, value }) => ioa === position && value === 1);
    expect(lab.simulation.isFaulted).toBe(false);
    expect(lab.simulation.isClosed(rtuOf('rtu-01-a').bay('J00').switches[0]!.mRID)).toBe(true);
  });

  test('in a bay with a unit is cleared by it, and the RTU has its contacts', async () => {
    const centre = await centreOf('rtu-01-b');
    const trip = ioaOf('rtu-01-b', 'J10 Protection trip');
    lab.fault({ kind: 'short-circuit', target: 'rtu-01-b', settings: { bay: 'busbar', seconds: 1 } });
    await centre.until(({ ioa, value }) => ioa === trip && value === 1);
    await centre.until(({ ioa, value }) => ioa === ioaOf('rtu-01-b', 'J10 Breaker position') && value === 1);
    expect(lab.simulation.isFaulted).toBe(false);
    expect(() => lab.fault({ kind: 'short-circuit', target: 'rtu-01-a', settings: { bay: 'J09' } })).toThrow(
      /no bay 'J09' that feeds something/,
    );
  });
});

describe('the files for the gateways', () => {
  test('have the points of the IEDs at the equipment that the SCD puts them at', () => {
    const { site } = loadSite(lab.siteFiles.find((file) => file.includes('nord'))!);
    const { model } = lab.simulation.grid;
    const place = (name: string): string | undefined => {
      const point = site!.document.points.find((each) => each.name === name)!;
      const found = equipmentAt(model, point.equipmentPath!.split('/'), quantityOf(point));
      return found && found.certain >= 0.75
        ? `${found.item.name}${found.terminal === undefined ? '' : ' terminal'}`
        : undefined;
    };
    expect(place('Brunnfeld J11 bay unit Q0 position')).toBe('J11 Q0');
    expect(place('Brunnfeld J11 bay unit Q8 command')).toBe('J11 Q8');
    expect(place('Brunnfeld J11 bay unit Protection trip')).toBe('J11 Q0');
    expect(place('Brunnfeld J11 bay unit Active power')).toBe('Line 12-13 terminal');
    expect(place('Brunnfeld J11 bay unit Voltage AB')).toBe('20 kV section B terminal');
    expect(place('Brunnfeld E03 bay unit Current A')).toBe('Transformer T2 terminal');
    expect(place('Brunnfeld T2 transformer unit Tap position')).toBe('Transformer T2');
    const taps = site!.document.points.filter(
      ({ measurementType, kind }) => measurementType === 'TapPosition' && kind === 'discrete',
    );
    expect(taps.map(({ name }) => name).filter((name) => name.includes('transInd'))).toEqual([]);
  });

  test('name each RTU once, on a port where it listens, and its points fit the mRIDs of its ledger', async () => {
    expect(lab.siteFiles).toHaveLength(3);
    const text = lab.siteFiles.map((file) => readFileSync(file, 'utf8')).join('\n');
    for (const rtu of lab.rtus) {
      expect(text.match(new RegExp(`id: ${rtu.name}$`, 'gm'))).toHaveLength(1);
      expect(text).toContain(`port: ${rtu.port}\n`);
    }
    for await (const { point, ioa } of readLedger(rtuOf('rtu-07').ledgerFile)) {
      expect(point).toBe(derivedMrid('lab-sued', 'rtu-07', `ca=107 ioa=${ioa}`));
    }
  });

  test('are accepted by the gateway without a finding, and every control knows the point that shows its result', () => {
    const sites = lab.siteFiles.map((file) => loadSite(file));
    expect(sites.flatMap(({ findings }) => findings.map(({ text }) => text))).toEqual([]);
    const points = sites.flatMap(({ site }) => site!.document.points);
    const byMrid = new Map(points.map((point) => [point.mRID, point]));
    expect(byMrid.size).toBe(points.length);
    const controls = points.filter(({ kind }) => kind === 'command' || kind === 'setpoint');
    expect(controls.length).toBeGreaterThan(50);
    for (const { name, feedback } of controls) expect(byMrid.get(feedback ?? ''), name).toBeDefined();
    expect(points.filter(({ limits }) => limits).length).toBeGreaterThan(50);
    const equipment = new Set(lab.simulation.grid.model.equipment.map(({ mRID }) => mRID));
    for (const point of points) if (point.equipment) expect(equipment).toContain(point.equipment);
  });

  test('a second start finds the same ports, and the counters go on where the ledgers end', async () => {
    const own = mkdtempSync(join(tmpdir(), 'lab-again-'));
    const run = () => runLab({ dataDir: own, seed: 1, startAt: NOON, counterMillis: 20, logger });
    try {
      const first = await run();
      const ports = first.rtus.map((rtu) => rtu.port);
      const file = first.rtus[0]!.ledgerFile;
      const centre = new Centre(first.rtus[0]!);
      await centre.until(({ ioa, value }) => ioa === 499 && value >= 5);
      await centre.client.close();
      await first.close();
      const last = (await valuesOf(file)).at(-1)!;
      const second = await run();
      expect(second.rtus.map((rtu) => rtu.port)).toEqual(ports);
      const again = new Centre(second.rtus[0]!);
      expect((await again.until(({ ioa }) => ioa === 499)).value).toBe(last + 1);
      await again.client.close();
      await second.close();
      const values = await valuesOf(file);
      expect(values).toEqual(values.map((_, i) => i + 1));
    } finally {
      rmSync(own, { recursive: true, force: true });
    }
  });

  test('a port that is taken is said with the name of the RTU, and nothing is left running', async () => {
    const own = mkdtempSync(join(tmpdir(), 'lab-taken-'));
    const taken = lab.rtus[3]!.port;
    await expect(runLab({ dataDir: own, seed: 1, basePort: taken, logger })).rejects.toThrow(
      /rtu-01-110 cannot listen/,
    );
    rmSync(own, { recursive: true, force: true });
  });
});

/** Values of the counter in a ledger. */
async function valuesOf(file: string): Promise<number[]> {
  const values: number[] = [];
  for await (const { ioa, value } of readLedger(file)) if (ioa === 499) values.push(value);
  return values;
}

function reaches(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connectTcp(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      done(true);
    });
    socket.once('error', () => done(false));
  });
}
