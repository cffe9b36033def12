/**
 * Kills lab, gateways, centre and database, and cuts links, at random; then accounts for every observation that the
 * lab's RTUs wrote into their ledgers. `ENERCHAIN_CHAOS_ROUNDS` and `ENERCHAIN_CHAOS_SEED` set length and seed.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readLedger } from '@enerchain/lab';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { openDataFolder } from '../../src/data-folder.ts';
import { Supervisor } from '../../src/supervisor/supervisor.ts';
import { SystemClient } from '../../src/system-client.ts';
import { account, type Produced } from './account.ts';
import { CuttableProxy } from './cuttable-proxy.ts';
import { readIngestLog } from './ingest-log.ts';
import { randomFrom } from './random.ts';

const rounds = Number(process.env.ENERCHAIN_CHAOS_ROUNDS ?? 8);
const seed = Number(process.env.ENERCHAIN_CHAOS_SEED ?? Date.now() % 1_000_000);
const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

const wait = (ms: number): Promise<void> => new Promise((wake) => setTimeout(wake, ms));

it(`accounts for every observation after ${rounds} rounds of chaos`, {
  timeout: 120_000 + rounds * 20_000,
}, async () => {
  console.log(`chaos: seed ${seed}, ${rounds} rounds (ENERCHAIN_CHAOS_SEED=${seed} repeats the choices)`);
  const random = randomFrom(seed);
  const data = openDataFolder(mkdtempSync(join(tmpdir(), 'enerchain-chaos-')));
  const said: string[] = [];
  const supervisor = new Supervisor({
    program: [process.execPath, '--disable-warning=ExperimentalWarning', main],
    logFolder: data.logs,
    say: (text) => said.push(`${new Date().toISOString()} ${text}`),
    policy: { initial: 200, maximum: 3_000, healthyAfter: 2_000 },
  });
  const proxies: CuttableProxy[] = [];
  try {
    const lab = await supervisor.start({
      name: 'lab',
      args: () => ['lab', '--data', data.root, '--seed', '7', '--counter-every', '50'],
    });
    const port = await twoFreePorts();
    await supervisor.start({ name: 'centre', args: () => ['centre', '--data', data.root, '--port', String(port)] });
    const client = SystemClient.find(data.root);
    const sourceByEndpoint = new Map<string, string>();
    for (const siteFile of lab.siteFiles as string[]) {
      const site = parse(readFileSync(siteFile, 'utf8')) as { source: string; endpoints: { id: string }[] };
      for (const endpoint of site.endpoints) sourceByEndpoint.set(endpoint.id, site.source);
      const proxy = await CuttableProxy.start(port + 1);
      proxies.push(proxy);
      const { token } = await client.request<{ token: string }>('POST', '/enrolment-tokens', {
        name: site.source,
        role: 'edge',
      });
      await supervisor.start({
        name: site.source,
        args: () => ['edge', siteFile, '--data', data.root, '--centre', `wss://127.0.0.1:${proxy.port}`],
        env: () => ({ ENERCHAIN_ENROL: token }),
      });
    }
    await wait(3_000);
    const begun = Date.now();

    const processes = ['lab', 'centre', ...new Set(sourceByEndpoint.values())];
    const kill = (name: string): void => {
      const pid = supervisor.status().find((child) => child.name === name)?.pid;
      if (pid !== undefined) process.kill(pid, 'SIGKILL');
    };
    const done: string[] = [];
    for (let round = 0; round < rounds; round++) {
      const blows = 1 + Number(random() < 0.3);
      for (let blow = 0; blow < blows; blow++) {
        const choice = Math.floor(random() * (processes.length + 3));
        if (choice < processes.length) {
          done.push(`kill ${processes[choice]}`);
          kill(processes[choice]!);
        } else if (choice === processes.length) {
          done.push('kill database');
          killDatabase(data.centre);
        } else {
          const proxy = proxies[Math.floor(random() * proxies.length)]!;
          const length = 200 + random() * 3_000;
          done.push(`cut a link for ${length.toFixed(0)} ms`);
          proxy.cut();
          setTimeout(() => proxy.mend(), length);
        }
      }
      await wait(500 + random() * 4_000);
    }
    console.log(`chaos: ${done.join(', ')}`);
    for (const proxy of proxies) proxy.mend();

    // Calm, until everything runs, every device is heard again and no gateway holds anything back.
    await calm(60_000, async () =>
      supervisor.status().flatMap(({ name, state }) => (state === 'ready' ? [] : [`${name} is ${state}`])),
    );
    await calm(60_000, () => unrest(client, sourceByEndpoint));
    await wait(3_000);
    const judged = Date.now();
    await wait(2_000);
    await calm(60_000, () => unrest(client, sourceByEndpoint));
    const history = await ledgerCounterHistories(client, begun, judged);
    await supervisor.stop();

    const produced: Produced[] = [];
    const ledgers = join(data.lab, 'ledger');
    for (const file of readdirSync(ledgers)) {
      for await (const event of readLedger(join(ledgers, file))) if (event.time <= judged) produced.push(event);
    }
    const { stored, gaps } = await readIngestLog(data.centre);
    const result = account(produced, stored, gaps, (endpoint) => sourceByEndpoint.get(endpoint));
    console.log(
      `chaos: ${result.produced} produced = ${result.stored} stored + ${result.inGap} in ${gaps.length} gap records + ${result.lost.length} lost; ${result.repeats} repeats marked, ${result.unmarked.length} not`,
    );
    for (const event of result.lost.slice(0, 5)) {
      const own = gaps.filter((gap) => gap.endpoint === event.endpoint).map((gap) => [gap.reason, gap.from, gap.to]);
      console.log(`lost: ${JSON.stringify(event)}; gaps of its device: ${JSON.stringify(own)}`);
    }
    for (const sample of result.unmarked.slice(0, 5)) {
      const copies = stored.filter(
        ({ point, time, value }) => point === sample.point && time === sample.time && value === sample.value,
      );
      console.log(`unmarked: ${JSON.stringify(copies)}`);
    }
    expect(result.produced).toBeGreaterThan(rounds * 100);
    expect(result.stored).toBeGreaterThan(result.produced / 4);
    expect(result.lost).toEqual([]);
    expect(result.unmarked).toEqual([]);

    // What the historian answers is what the log holds, point by point.
    expect(history.size).toBe(new Set(produced.map((event) => event.endpoint)).size);
    for (const [point, times] of history) {
      const inLog = stored.filter((sample) => sample.point === point && sample.time >= begun && sample.time <= judged);
      const expected = [...new Set(inLog.map((sample) => sample.time))].sort((a, b) => a - b);
      expect([...new Set(times)], `history of ${point}`).toEqual(expected);
    }
  } finally {
    await supervisor.stop();
    for (const proxy of proxies) await proxy.close();
    if (!process.env.ENERCHAIN_CHAOS_KEEP) rmSync(data.root, { recursive: true, force: true });
  }
});

/** Source times that the historian has for the ledger counter of each RTU. */
async function ledgerCounterHistories(client: SystemClient, from: number, to: number): Promise<Map<string, number[]>> {
  const { items } = await client.request<{ items: { mRID: string }[] }>('GET', '/points?q=Ledger%20counter&limit=500');
  const histories = new Map<string, number[]>();
  for (const { mRID } of items) {
    const query = `from=${new Date(from).toISOString()}&to=${new Date(to).toISOString()}&limit=100000`;
    const { samples } = await client.request<{ samples: [number, number, number][] }>(
      'GET',
      `/history/${mRID}?${query}`,
    );
    histories.set(
      mRID,
      samples.map(([time]) => Math.floor(time)),
    );
  }
  return histories;
}

interface SourceItem {
  readonly source: string;
  readonly connected: boolean;
  readonly report?: {
    readonly outbox?: { readonly batches: number };
    readonly endpoints: readonly { readonly id: string; readonly protocol: string; readonly state: string }[];
  };
}

/** What still keeps the system from being calm; empty when every source is connected, holds little back, and hears its devices. */
async function unrest(client: SystemClient, sourceOf: ReadonlyMap<string, string>): Promise<string[]> {
  let items: SourceItem[];
  try {
    ({ items } = await client.request<{ items: SourceItem[] }>('GET', '/sources'));
  } catch (error) {
    return [String(error)];
  }
  const why: string[] = [];
  for (const name of new Set(sourceOf.values())) {
    const item = items.find(({ source }) => source === name);
    const held = item?.report?.outbox?.batches;
    if (!item?.connected) why.push(`${name} is not connected`);
    else if (held === undefined || held > 50) why.push(`${name} holds ${held} batches`);
    for (const [endpoint, source] of sourceOf) {
      if (source !== name) continue;
      const state = item?.report?.endpoints.find(({ id }) => id === endpoint)?.state;
      if (state !== 'up') why.push(`${endpoint} is ${state}`);
    }
  }
  return why;
}

/** Waits until nothing is left to wait for; says what was, when it takes too long. */
async function calm(limit: number, reasons: () => Promise<string[]>): Promise<void> {
  for (const deadline = performance.now() + limit; ; ) {
    const left = await reasons();
    if (left.length === 0) return;
    if (performance.now() > deadline) throw new Error(`not calm after ${limit / 1000} s: ${left.join('; ')}`);
    await wait(250);
  }
}

/** Kills the postmaster of the embedded database, wherever its data lies. */
function killDatabase(centre: string): void {
  const location = JSON.parse(readFileSync(join(centre, 'database', 'location.json'), 'utf8')) as { home: string };
  for (const file of readdirSync(location.home, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('postmaster.pid')) continue;
    const pid = Number(readFileSync(join(location.home, file), 'utf8').split('\n')[0]);
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It fell together with the centre: that blow has already been dealt.
    }
  }
}

async function twoFreePorts(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 20_000);
    if ((await isFree(port)) && (await isFree(port + 1))) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const server = createServer();
    server.once('error', () => done(false));
    server.listen(port, '127.0.0.1', () => server.close(() => done(true)));
  });
}
