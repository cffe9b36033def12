import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { json } from 'node:stream/consumers';
import { iec104Addresses, lNodeLinks, readSclFile } from '@enerchain/iec61850';
import { buildLabGrid, pointListOf } from '@enerchain/lab';
import type { GridModel, Point } from '@enerchain/model';
import { afterAll, describe, expect, it } from 'vitest';
import { askAll } from '../src/commands/link.ts';
import { type LinkablePoint, type LinkProposal, LinkProposer } from '../src/grid/link-proposals.ts';
import { SclProposer, type SclSource } from '../src/grid/link-scl.ts';
import { enerchain, type Said } from './enerchain.ts';

const id = (n: number): string => `00000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;
const lab = buildLabGrid();

describe('by name and kind', () => {
  /** Every point of the lab's RTUs as announced, its true place taken out. */
  const points = lab.stations.flatMap((station) => {
    const { monitored, controls } = pointListOf(station);
    return [...monitored, ...controls].map(({ name, columns }, index) => {
      const { unit, multiplier: _, equipment, terminal, ...rest } = columns as Record<string, string | undefined>;
      const { measurementType, description, cdc } = rest;
      const own = { mRID: id(index), name, kind: 'analog', site: station.name, endpoint: station.rtu };
      const said = { measurementType, description, cdc, unitSymbol: unit };
      const known = Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined));
      return { point: { ...own, ...known } as LinkablePoint, equipment, terminal };
    });
  });
  const proposer = new LinkProposer(lab.model);

  it("the lab's points: of those proposed with a confidence of a half or more every one is right", () => {
    let [right, ends, sure] = [0, 0, 0];
    const wrong: string[] = [];
    for (const { point, equipment, terminal } of points) {
      const [best] = proposer.propose(point);
      if (!best) continue;
      if (best.equipment === equipment) right++;
      if (best.confidence < 0.5) continue;
      sure++;
      if (best.equipment !== equipment) wrong.push(`${point.name}: ${best.equipmentName}, ${best.reason}`);
      // An end that is proposed is the true one; where the name leaves it open none is.
      if (terminal !== undefined && best.terminal !== undefined) {
        ends++;
        if (best.terminal !== terminal) wrong.push(`${point.name}: the other end of ${best.equipmentName}`);
      }
    }
    expect(wrong).toEqual([]);
    const places = points.filter(({ equipment }) => equipment !== undefined).length;
    expect(places).toBeGreaterThan(400);
    expect(right / places).toBeGreaterThan(0.93);
    expect(sure / places).toBeGreaterThan(0.7);
    expect(ends).toBeGreaterThan(150);
  });

  it('nothing for what belongs to the station as a whole, nor for a point that says itself where it is', () => {
    const door = points.find(({ point }) => /Door/.test(point.name))!;
    expect(proposer.propose(door.point)).toEqual([]);
    const placed = points.find(({ equipment }) => equipment !== undefined)!;
    expect(proposer.propose({ ...placed.point, equipment: id(9) })).toEqual([]);
    expect(proposer.propose({ mRID: id(1), name: 'xyz 7', kind: 'analog' })).toEqual([]);
  });

  it('two places that the name fits alike: less than a half, and the reason says so', () => {
    const grid = twin();
    const [best, other] = new LinkProposer(grid).propose({ mRID: id(1), name: 'North E01 position', kind: 'discrete' });
    expect(best!.confidence).toBeLessThanOrEqual(0.5);
    expect(best!.reason).toContain('fits almost as well');
    expect(other!.equipment).not.toBe(best!.equipment);
    const [clear] = new LinkProposer(grid).propose({ mRID: id(1), name: 'North E01 Q1 position', kind: 'discrete' });
    expect(clear).toMatchObject({ equipment: id(21), measurementType: 'SwitchPosition' });
    expect(clear!.confidence).toBeGreaterThan(best!.confidence);
  });

  it('measurementType from the unit, where the point has none', () => {
    const { measurementType: _, ...power } = points.find(
      ({ point }) => point.measurementType === 'ThreePhaseActivePower',
    )!.point;
    expect(proposer.propose({ ...power, unitSymbol: 'W' })[0]).toMatchObject({
      measurementType: 'ThreePhaseActivePower',
    });
  });
});

/** A bay with two breakers in a row: only their own names tell them apart. */
function twin(): GridModel {
  const breaker = (n: number, name: string, from: number, to: number) => ({
    class: 'Breaker' as const,
    mRID: id(n),
    name,
    container: id(4),
    normalOpen: false,
    terminals: [from, to].map((node, at) => ({ mRID: id(n * 10 + at), connectivityNode: id(node) })),
  });
  const load = {
    class: 'EnergyConsumer' as const,
    mRID: id(23),
    name: 'Works',
    container: id(4),
    p: 1,
    q: 0,
    terminals: [{ mRID: id(230), connectivityNode: id(12) }],
  };
  return {
    mRID: id(1),
    name: 'G',
    version: 1,
    frequency: 50,
    substations: [{ mRID: id(2), name: 'North' }],
    voltageLevels: [{ mRID: id(3), name: '110 kV', substation: id(2), nominalVoltage: 110 }],
    bays: [{ mRID: id(4), name: 'E01', voltageLevel: id(3) }],
    connectivityNodes: [10, 11, 12].map((n) => ({ mRID: id(n), name: `n${n}`, voltageLevel: id(3) })),
    equipment: [breaker(21, 'Q1', 10, 11), breaker(22, 'Q2', 11, 12), load],
  } as GridModel;
}

describe('by SCL', () => {
  const lNode = (path: string[], at: string, lnClass: string, lnInst = '1') => ({
    path,
    at,
    type: undefined,
    iedName: 'IED1',
    ldInst: 'LD0',
    prefix: '',
    lnClass,
    lnInst,
  });
  const source: SclSource = {
    lNodes: [
      lNode(['North', '110 kV', 'E01', 'Q1'], 'ConductingEquipment', 'XCBR'),
      lNode(['North', '110 kV', 'E01'], 'Bay', 'MMXU'),
      lNode(['South', '110 kV', 'E01', 'Q1'], 'ConductingEquipment', 'XCBR', '2'),
    ],
    addresses: [{ iedName: 'IED1', ldInst: 'LD0', ln: 'XCBR1', names: ['Pos', 'stVal'], casdu: 3, ioa: 100 }],
  };
  const proposer = new SclProposer(twin(), source);
  const point: Point = { mRID: id(1), name: 'whatever', kind: 'discrete' };

  it('the 104 address of a point leads over the data object and its LNode to the equipment', () => {
    expect(proposer.propose({ ...point, address: 'ca=3 ioa=100' })).toMatchObject([
      {
        equipment: id(21),
        measurementType: 'SwitchPosition',
        method: 'scl',
        confidence: 0.95,
        reason: expect.stringMatching(
          /IEC 61850-80-1 ca=3 ioa=100 is IED1LD0\/XCBR1\.Pos\.stVal, .* North\/110 kV\/E01\/Q1/,
        ),
      },
    ]);
    expect(proposer.propose({ ...point, address: 'ca=3 ioa=101' })).toEqual([]);
  });

  it('an object reference; a logical node of the bay leads to the one thing there that has such a value', () => {
    expect(proposer.propose({ ...point, kind: 'analog', objectReference: 'IED1/LD0/MMXU1.TotW' })).toMatchObject([
      { equipment: id(23), terminal: id(230), measurementType: 'ThreePhaseActivePower', confidence: 0.75 },
    ]);
    // Its substation is not in the grid.
    expect(proposer.propose({ ...point, objectReference: 'IED1/LD0/XCBR2.Pos' })).toEqual([]);
  });

  const file = (() => {
    for (let at = import.meta.dirname; dirname(at) !== at; at = dirname(at)) {
      const path = join(at, 'shared/data/scl/open-scd/104/valid-addresses.scd');
      if (existsSync(path)) return path;
    }
    return undefined;
  })();
  it.skipIf(!file)('a file of OpenSCD with 104 addresses (needs shared/data/scl)', async () => {
    const { scl } = await readSclFile(file!);
    const addresses = [...iec104Addresses(scl!)];
    const lNodes = [...lNodeLinks(scl!)];
    expect(addresses.length).toBeGreaterThan(0);
    // What has an address and an LNode is found at the place the LNode names, in a grid of these names.
    const linked = addresses.flatMap((address) => {
      const found = lNodes.find(
        (each) =>
          each.iedName === address.iedName &&
          each.ldInst === address.ldInst &&
          `${each.prefix}${each.lnClass}${each.lnInst}` === address.ln &&
          each.at === 'ConductingEquipment',
      );
      return found ? [{ address, path: found.path }] : [];
    });
    for (const { address, path } of linked) {
      const grid = twin();
      const [station, level, bay, name] = path;
      const named = {
        ...grid,
        substations: [{ mRID: id(2), name: station! }],
        voltageLevels: [{ ...grid.voltageLevels[0]!, name: level! }],
        bays: [{ ...grid.bays[0]!, name: bay! }],
        equipment: [{ ...grid.equipment[0]!, name: name! }],
      } as GridModel;
      const [proposal] = new SclProposer(named, { lNodes, addresses }).propose({
        ...point,
        address: `ca=${address.casdu} ioa=${address.ioa}`,
      });
      expect(proposal).toMatchObject({ equipment: id(21), method: 'scl' });
    }
  });
});

describe('enerchain link', () => {
  const folder = mkdtempSync(join(tmpdir(), 'enerchain-link-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const items = [
    { mRID: id(1), name: 'North E01 Q1 position', kind: 'discrete' },
    { mRID: id(2), name: 'North door', kind: 'discrete' },
    { mRID: id(3), name: 'P', kind: 'analog', terminal: id(230) },
  ];
  async function run(...args: string[]): Promise<Said & { sent: unknown[] }> {
    const sent: unknown[] = [];
    const server = createServer(async (request, response) => {
      const say = (body: unknown) => response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
      if (request.method === 'POST') {
        const body = (await json(request)) as { links: object[] };
        sent.push(body);
        say({ items: body.links.map((link) => ({ ...link, gridVersion: 4 })) });
      } else say(request.url === '/api/v1/grid' ? twin() : { items, total: 3 });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const said = await enerchain(['link', ...args], {
      ENERCHAIN_URL: `http://127.0.0.1:${port}`,
      ENERCHAIN_TOKEN: 'secret',
    });
    server.close();
    return { ...said, sent };
  }

  it('shows proposals with confidence and reason where nobody can be asked, and links nothing', async () => {
    const { stdout, sent, stderr } = await run();
    expect(stderr).toBe('');
    expect(stdout).toContain('3 points: 1 say where they belong, for 1 there is a proposal, for 1 none');
    expect(stdout).toMatch(/North E01 Q1 position\n +\d+ % {2}Breaker E01: Q1|Breaker .*Q1: the name says/);
    expect(stdout).toContain('nothing was linked');
    expect(sent).toEqual([]);
  });

  it('writes them for review, none accepted; stores what the review accepts, with its provenance', async () => {
    const file = join(folder, 'review.json');
    expect((await run('--out', file)).sent).toEqual([]);
    const review = JSON.parse(readFileSync(file, 'utf8')) as (LinkProposal & { accept: boolean })[];
    expect(review.every(({ accept }) => accept === false)).toBe(true);
    expect(await run('--apply', file)).toMatchObject({
      sent: [],
      stdout: expect.stringContaining('nothing was linked'),
    });
    review[0] = { ...review[0]!, accept: true };
    writeFileSync(file, JSON.stringify(review));
    const { sent, stdout } = await run('--apply', file);
    expect(stdout).toContain('1 point linked in version 4 of the grid');
    const { point, equipment, method, confidence, reason, measurementType } = review[0];
    expect(sent).toEqual([{ links: [{ point, equipment, measurementType, method, confidence, reason }] }]);
  });

  it('refuses a file that is no review, and one that accepts two places for one point', async () => {
    const file = join(folder, 'bad.json');
    writeFileSync(file, '{}');
    expect((await run('--apply', file)).stderr).toContain('is no list of proposals');
    const one = { accept: true, point: id(1), pointName: 'P', equipment: id(21) };
    writeFileSync(file, JSON.stringify([one, { ...one, equipment: id(22) }]));
    expect(await run('--apply', file)).toMatchObject({
      status: 1,
      sent: [],
      stderr: expect.stringContaining('two places for P'),
    });
  });

  it('asks one by one: yes, another, no, stop', async () => {
    const proposal = (point: number, equipment: number): LinkProposal => ({
      point: id(point),
      pointName: `p${point}`,
      equipment: id(equipment),
      equipmentName: `e${equipment}`,
      equipmentClass: 'Breaker',
      method: 'name',
      confidence: 0.5,
      reason: 'r',
    });
    const answers = ['y', '2', 'n', 'what', 'q'];
    const questions: string[] = [];
    const asked = await askAll(
      {
        question: async (question: string) => {
          questions.push(question);
          return answers.shift()!;
        },
      } as never,
      [1, 2, 3, 4, 5, 6].map((n) => [proposal(n, 21), proposal(n, 22)]),
    );
    expect(asked.map(({ point, equipment }) => [point, equipment])).toEqual([
      [id(1), id(21)],
      [id(2), id(22)],
    ]);
    expect(questions).toHaveLength(5);
  });
});
