import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Content } from '@enerchain/link';
import { type Clock, EnerchainError, type Observation, systemClock } from '@enerchain/model';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type EdgeHandle, runEdge } from '../src/edge.ts';
import type { StoreOptions } from '../src/outbox/store.ts';
import { commandFor, TestCentre, until } from './centre.ts';
import { silent } from './helpers.ts';
import { TestStation } from './station.ts';

let centre: TestCentre;
let station: TestStation;
let edge: EdgeHandle | undefined;
let siteFile: string;

beforeEach(async () => {
  centre = await TestCentre.open();
  station = new TestStation();
  siteFile = await station.open();
});

afterEach(async () => {
  await edge?.close();
  edge = undefined;
  await station.close();
  await centre.close();
});

async function start(clock?: Clock, store?: StoreOptions): Promise<EdgeHandle> {
  edge = await runEdge({
    siteFile,
    dataDir: join(station.folder, 'data'),
    centre: { url: centre.url, token: await centre.token('edge-test') },
    logger: silent,
    ...(clock ? { clock } : {}),
    ...(store ? { store } : {}),
  });
  return edge;
}

const numbers = (repeats: boolean): Observation[] =>
  centre.observations().filter(({ point, repeat }) => point === station.mrid('ca=1 ioa=2') && repeat === repeats);
const values = (): number[] => numbers(false).map(({ value }) => value as number);
const all = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe('an edge', () => {
  test('enrols with a token, announces its points before it speaks of them, and reports its state', async () => {
    await start();
    await until(() => centre.gaps().length === 0 && centre.observations().length > 0, 'the first observation');
    expect(centre.contents[0]!.content.kind).toBe('site');
    expect(centre.sites()[0]).toMatchObject({ source: 'edge-test', version: 1, site: { id: 's' } });
    const told = () => (centre.report?.counters['outbox.observations'] ?? 0) > 0;
    await until(() => told() && centre.report!.endpoints[0]!.state === 'up', 'the report');
    expect(centre.report!.endpoints[0]).toMatchObject({ id: 'rtu', protocol: 'iec104' });
    await until(() => centre.sourceEvents().length >= 3, 'what happened');
    expect(centre.sourceEvents().map(({ kind }) => kind)).toEqual(['started', 'endpointUp', 'interrogationComplete']);
    // The same content keeps its version, another one counts up.
    await edge!.close();
    await start();
    await until(() => centre.sites().length === 2, 'the second announcement');
    await edge!.close();
    station.write('      - { name: more, ioa: 3, type: M_SP_NA_1 }\n');
    await start();
    await until(() => centre.sites().length === 3, 'the third announcement');
    expect(centre.sites().map(({ version }) => version)).toEqual([1, 1, 2]);
    expect(centre.problems).toEqual([]);
  });

  test('loses nothing and sends nothing twice, however often the link is cut', async () => {
    await start();
    await until(() => centre.online, 'the link');
    for (let cut = 0; cut < 5; cut++) {
      for (let i = 0; i < 6; i++) {
        station.produce(100);
        await new Promise((resolve) => setTimeout(resolve, 5 + Math.random() * 40));
      }
      centre.cut();
      station.produce(100);
    }
    await until(() => values().length >= station.produced, 'everything at the centre');
    await until(() => edge!.report().outbox!.batches === 0, 'the last acknowledgement');
    expect(values().sort((a, b) => a - b)).toEqual(all(station.produced));
    expect(numbers(true)).toEqual([]);
    expect(centre.problems).toEqual([]);
    expect(centre.gaps()).toEqual([]);
  });

  test('gets another key while values come, and nothing is lost', async () => {
    await start();
    await until(() => centre.online, 'the link');
    const file = join(station.folder, 'data', 'identity', 'key.pem');
    const before = readFileSync(file, 'utf8');
    for (let round = 0; round < 3; round++) {
      station.produce(100);
      await edge!.rotateKey();
      station.produce(100);
    }
    await until(() => values().length >= station.produced, 'everything at the centre');
    await until(() => edge!.report().outbox!.batches === 0, 'the last acknowledgement');
    await until(() => centre.online, 'the link made with the newest key');
    expect(values().sort((a, b) => a - b)).toEqual(all(station.produced));
    expect(readFileSync(file, 'utf8')).not.toBe(before);
    expect(new Set(centre.kids).size).toBeGreaterThanOrEqual(4);
    expect(centre.problems).toEqual([]);
    expect(centre.gaps()).toEqual([]);
    // What the last key signed is taken after a restart as well.
    await edge!.close();
    await start();
    station.produce(50);
    await until(() => values().length >= station.produced, 'the events after the restart');
  });

  test('that was stopped twice goes on where it stood, and says how long it did not listen', async () => {
    await start();
    await until(() => centre.online, 'the link');
    for (let round = 0; round < 3; round++) {
      station.produce(200);
      await until(() => values().length >= station.produced, 'the events');
      await edge!.close();
      station.produce(100);
      await start();
    }
    await until(() => values().length >= station.produced, 'everything at the centre');
    expect(values().sort((a, b) => a - b)).toEqual(all(station.produced));
    await until(() => centre.gaps().length === 3, 'the gap records');
    for (const gap of centre.gaps()) {
      expect(gap).toMatchObject({ reason: 'deviceAway', endpoint: 'rtu' });
      expect(BigInt(gap.to)).toBeGreaterThan(BigInt(gap.from));
    }
    expect(centre.sourceEvents().some(({ kind }) => kind === 'uncleanRestart')).toBe(false);
    expect(centre.problems).toEqual([]);
  });

  test('killed in the middle of its work has lost nothing and marks what the device repeats', async () => {
    const token = await centre.token('edge-test');
    for (let round = 0; round < 3; round++) {
      const args = [siteFile, join(station.folder, 'data'), centre.url, token];
      const child = fork(join(import.meta.dirname, 'edge-process.ts'), args, {
        execArgv: ['--disable-warning=ExperimentalWarning'],
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      });
      await once(child, 'message');
      await until(() => centre.online, 'the link');
      const enough = values().length + 300;
      // Not without end: a machine that is slow would have the more to do the slower it is.
      const most = station.produced + 3_000;
      const source = setInterval(() => station.produced < most && station.produce(60), 3);
      await until(() => values().length > enough, 'some events');
      child.kill('SIGKILL');
      await once(child, 'exit');
      clearInterval(source);
    }
    await start();
    await until(() => new Set(values()).size >= station.produced, 'everything at the centre');
    expect(values().sort((a, b) => a - b)).toEqual(all(station.produced));
    await until(() => centre.gaps().length === 3, 'the gap records');
    expect(centre.gaps().map(({ reason }) => reason)).toEqual(['uncleanRestart', 'uncleanRestart', 'uncleanRestart']);
    const unclean = () => centre.sourceEvents().filter(({ kind }) => kind === 'uncleanRestart');
    await until(() => unclean().length === 3, 'the events about it');
    expect(centre.problems).toEqual([]);
  });

  test('whose disk is full lets the device keep what it cannot keep itself', async () => {
    let full = false;
    await start(undefined, {
      beforeCommit: () => {
        if (full) throw new Error('database or disk is full');
      },
    });
    await until(() => centre.online && centre.observations().length > 0, 'the link');
    full = true;
    station.produce(500);
    await until(() => edge!.report().counters['outbox.failing'] === 1, 'the failure');
    await new Promise((resolve) => setTimeout(resolve, 100));
    // Nothing was acknowledged: what does not fit the window of 104 is still at the device.
    expect(station.server.queue()!.size).toBe(50);
    expect(values()).toEqual([]);
    // The connection breaks meanwhile: the device sends again what was never acknowledged.
    for (const { id } of station.server.connections()) station.server.disconnect(id);
    await until(() => edge!.report().endpoints[0]!.counters.repeats! >= 100, 'the repetition');
    full = false;
    await until(() => values().length === 500, 'everything at the centre');
    expect(values().sort((a, b) => a - b)).toEqual(all(500));
    expect(numbers(true).length).toBeGreaterThanOrEqual(100);
    await until(() => centre.gaps().length === 1, 'the gap record');
    expect(centre.gaps()).toMatchObject([{ reason: 'deviceAway' }]);
  });

  test('that cannot keep everything drops the oldest and names it, over restarts too', async () => {
    station.write('', 'outbox: { maxBytes: 65536, batchCount: 100 }');
    await start();
    station.produce(200);
    await until(() => values().length === 200, 'the first events');
    await centre.close();
    for (let run = 0; run < 3; run++) {
      const dropped = () => edge!.report().counters['outbox.droppedObservations']!;
      while (dropped() < 500) {
        station.produce(200);
        const kept = edge!.report().counters['outbox.observations']! + 150;
        await until(() => edge!.report().counters['outbox.observations']! >= kept, 'the next events');
      }
      await edge!.close();
      await start();
    }
    await centre.listen();
    const gaps = () => centre.gaps().filter(({ reason }) => reason === 'outboxOverflow');
    const lost = () => gaps().reduce((sum, gap) => sum + gap.lost!, 0);
    await until(() => centre.observations().length + lost() >= station.produced, 'everything, kept or named');
    await until(() => edge!.report().outbox!.batches === 0, 'the last acknowledgement');
    expect(values()).toEqual([...new Set(values())]);
    expect(lost()).toBeGreaterThan(1500);
    // No hole without its gap record before it, and no epoch left open.
    expect(centre.problems.filter((problem) => problem.startsWith('missing'))).toEqual([]);
    expect(centre.verifier.cursors().length).toBeLessThanOrEqual(1);
  });

  test('carries out what the centre has signed, once, and refuses everything else', async () => {
    await start();
    await until(() => centre.online && centre.report?.endpoints[0]?.state === 'up', 'the device');
    const point = station.mrid('ca=1 ioa=10 control');
    const steps = (id: string) => centre.commandEvents().filter((event) => event.command === id);
    const good = commandFor(point);
    const bytes = await centre.send(good);
    await until(() => steps(good.id).at(-1)?.step === 'terminated', 'the command');
    expect(steps(good.id).map(({ step }) => step)).toEqual(['received', 'operateSent', 'confirmed', 'terminated']);
    expect(station.commands).toEqual(['execute 10 1']);

    centre.sendBytes(bytes); // replayed
    await centre.send(commandFor(point, { target: 'edge-other' })); // for somebody else
    const forged = Uint8Array.from(bytes);
    forged[forged.length - 1]! ^= 1;
    centre.sendBytes(forged);
    const unbound = commandFor('00000000-0000-4000-8000-000000000000');
    const measured = commandFor(station.mrid('ca=1 ioa=2'));
    const forbidden = commandFor(station.mrid('ca=1 ioa=11 control'));
    for (const command of [unbound, measured, forbidden]) await centre.send(command);
    const security = () => centre.sourceEvents().filter(({ kind }) => kind === 'security');
    const refused = [unbound, measured, forbidden];
    await until(() => security().length === 3 && refused.every(({ id }) => steps(id).length === 1), 'the refusals');
    expect(security().map(({ code }) => code)).toEqual([
      'trust.command.replay',
      'trust.command.target',
      'cose.signature',
    ]);
    expect(steps(unbound.id)).toMatchObject([{ step: 'refusedByEdge', reason: /not bound/ }]);
    expect(steps(measured.id)).toMatchObject([{ step: 'refusedByEdge' }]);
    expect(steps(forbidden.id)).toMatchObject([
      { step: 'refusedByEdge', reason: "forbidden by the local policy 'forbidden*'" },
    ]);
    expect(station.commands).toEqual(['execute 10 1']);
    expect(edge!.report().counters).toMatchObject({ 'commands.refusedByGuard': 3, 'commands.refusedByPolicy': 3 });
  });

  test('refuses what was captured before the link broke, and before it was started anew', async () => {
    await start();
    await until(() => centre.online && centre.report?.endpoints[0]?.state === 'up', 'the device');
    const point = station.mrid('ca=1 ioa=10 control');
    const refused = () => centre.sourceEvents().filter(({ code }) => code === 'trust.command.session').length;
    const carriedOut = (id: string) =>
      centre.commandEvents().some(({ command, step }) => command === id && step === 'terminated');
    const good = commandFor(point);
    const captured = await centre.send(good);
    await until(() => carriedOut(good.id), 'the command');
    const anew = async (turn: number) => {
      const { challenges } = centre;
      if (turn === 0) centre.cut();
      else {
        await edge!.close();
        await start();
      }
      await until(() => centre.challenges > challenges && centre.online, 'another session');
      centre.sendBytes(captured);
      await until(() => refused() === turn + 1, 'the refusal');
    };
    for (const turn of [0, 1]) await anew(turn);
    await until(() => centre.report?.endpoints[0]?.state === 'up', 'the device');
    const next = commandFor(point);
    await centre.send(next);
    await until(() => carriedOut(next.id), 'the next command');
    expect(station.commands).toEqual(['execute 10 1', 'execute 10 1']);
  });

  test('goes on in a new epoch behind a new announcement when the centre refuses a batch', async () => {
    await start();
    await until(() => centre.online && centre.observations().length > 0, 'the link');
    centre.refuseNext = new EnerchainError('peer', 'centre.ingest.unbound', 'a point is not bound');
    station.produce(20);
    await until(() => centre.problems.length > 0, 'the refusal');
    station.produce(20);
    await until(() => values().length >= 20, 'live data');
    expect(centre.sites().length).toBe(2);
    centre.cut(); // with the next connection the refused epoch is offered again
    await until(() => values().length === 40, 'everything at the centre');
    expect(values().sort((a, b) => a - b)).toEqual(all(40));
    await until(() => centre.sourceEvents().some(({ code }) => code === 'centre.ingest.unbound'), 'its reason');
  });

  test('gives a batch up that the centre refuses for good, names it, and loses nothing of what lay behind it', async () => {
    await start();
    await until(() => centre.online && centre.observations().length > 0, 'the link');
    const poison = (content: Content) =>
      content.kind === 'observations' && content.batch.columns.some(({ value }) => [...value].includes(7));
    centre.refuses = poison;
    station.produce(10);
    await until(() => centre.problems.length > 0, 'the refusal');
    station.produce(50);
    const given = () => centre.gaps().find(({ reason }) => reason === 'outboxFailure');
    for (let attempt = 2; attempt <= 3; attempt++) {
      await until(() => centre.online, 'the link');
      const { length } = centre.problems;
      centre.cut();
      await until(() => centre.problems.length > length, `refusal ${attempt}`);
    }
    await until(() => given() !== undefined, 'the gap record');
    station.produce(50);
    await until(() => new Set(values()).size + given()!.lost! >= station.produced, 'the rest');
    expect(given()).toMatchObject({ lost: 10, detail: /this batch is never taken/ });
    expect(values().sort((a, b) => a - b)).toEqual(all(110).slice(10));
    await until(() => edge!.report().outbox!.batches === 0, 'the last acknowledgement');
    expect(centre.verifier.cursors().length).toBeLessThanOrEqual(1);
  });

  test('whose batch was altered on its disk cannot pass it off as signed: it is refused, named, and nothing else is lost', async () => {
    await start();
    await until(() => centre.online && centre.observations().length > 0, 'the link');
    await centre.close();
    station.produce(10);
    await until(() => edge!.report().outbox!.batches > 0, 'a batch on the disk');
    const file = new DatabaseSync(join(station.folder, 'data', 'outbox.sqlite'));
    const row = file.prepare('SELECT id, bytes FROM batch WHERE kind=0 ORDER BY id DESC LIMIT 1').get() as {
      id: number;
      bytes: Uint8Array;
    };
    // The last octets are those of the last column: one value becomes another.
    row.bytes[row.bytes.length - 8]! ^= 1;
    file.prepare('UPDATE batch SET bytes=? WHERE id=?').run(row.bytes, row.id);
    file.close();
    await centre.listen();
    const given = () => centre.gaps().find(({ reason }) => reason === 'outboxFailure');
    for (let attempt = 1; attempt <= 3; attempt++) {
      await until(() => centre.problems.length >= attempt, `refusal ${attempt}`);
      if (given()) break;
      centre.cut();
      await until(() => centre.online, 'the link');
    }
    station.produce(20);
    await until(() => given() !== undefined, 'the gap record');
    await until(() => new Set(values()).size + given()!.lost! >= station.produced, 'the rest');
    expect(centre.problems.join()).toMatch(/not those that were signed|does not fit|malformed/);
    expect(given()!.lost).toBeGreaterThan(0);
    await until(() => edge!.report().outbox!.batches === 0, 'the last acknowledgement');
  });

  test('whose outbox is lost puts its data into an epoch that the centre does not know yet', async () => {
    await start();
    await until(() => centre.online && centre.observations().length > 0, 'the link');
    station.produce(20);
    await until(() => values().length === 20, 'the events');
    const { epoch } = centre.contents.at(-1)!;
    await edge!.close();
    for (const suffix of ['', '-wal', '-shm']) {
      rmSync(join(station.folder, 'data', `outbox.sqlite${suffix}`), { force: true });
    }
    await until(() => Date.now() / 1000 > epoch + 1, 'another second');
    await start();
    station.produce(20);
    await until(() => values().length === 40, 'the events after the loss');
    expect(centre.contents.at(-1)!.epoch).toBeGreaterThan(epoch);
    expect(values().sort((a, b) => a - b)).toEqual(all(40));
    expect(centre.problems).toEqual([]);
  });

  test('whose outbox and clock are behind moves to an epoch above those the centre has', async () => {
    await start();
    await until(() => centre.online && centre.observations().length > 0, 'the link');
    station.produce(200);
    await until(() => values().length === 200, 'the events');
    await edge!.close();
    for (const suffix of ['', '-wal', '-shm']) {
      rmSync(join(station.folder, 'data', `outbox.sqlite${suffix}`), { force: true });
    }
    await start({ now: () => systemClock.now() - 60_000_000_000n, monotonic: systemClock.monotonic });
    station.produce(20);
    await until(() => values().length === 220, 'the events after the loss');
    await until(() => centre.sourceEvents().some(({ code }) => code === 'edge.outbox.behind'), 'the reason');
    expect(values().sort((a, b) => a - b)).toEqual(all(220));
  });

  test('says what is missing when it has neither identity nor token', async () => {
    const options = { siteFile, dataDir: join(station.folder, 'none'), centre: { url: centre.url }, logger: silent };
    await expect(runEdge(options)).rejects.toThrow(/has no identity .* ask the centre for an enrolment token/);
    const wrong = { url: centre.url, token: await centre.token('edge-other') };
    await expect(runEdge({ ...options, centre: wrong })).rejects.toThrow(/is for edge 'edge-other'/);
  });
});
