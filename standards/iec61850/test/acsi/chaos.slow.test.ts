/**
 * A client and a server with somebody between them who cuts, stalls and cuts short at random: what is buffered arrives once and
 * in order, or a gap says that it may be missing.
 */
import { connect as connectSocket, createServer, type Server, type Socket } from 'node:net';
import { tcpConnect } from '@enerchain/transport';
import { until } from '@enerchain/transport/testing';
import { expect, onTestFinished, test } from 'vitest';
import { Iec61850Server, type Iec61850ServerOptions, Iec61850Session, type SessionGap } from '../../src/index.ts';
import { sampleModel } from './sample.ts';
import { float } from './support.ts';

/** A generator with a seed: a run that fails can be run again. */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Hands octets on both ways, until it does something else. */
class Meddler {
  readonly #server: Server;
  readonly #next: () => number;
  readonly done = { cut: 0, stalled: 0, truncated: 0, refused: 0 };
  #pairs = new Set<readonly [Socket, Socket]>();
  quiet = false;
  target = 0;

  constructor(next: () => number) {
    this.#next = next;
    this.#server = createServer((near) => this.#between(near));
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return (this.#server.address() as { port: number }).port;
  }

  close(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
    this.#server.close();
  }

  #between(near: Socket): void {
    if (!this.quiet && this.#next() < 0.1) {
      this.done.refused++;
      near.destroy();
      return;
    }
    const far = connectSocket(this.target, '127.0.0.1');
    const pair = [near, far] as const;
    this.#pairs.add(pair);
    const end = (): void => {
      near.destroy();
      far.destroy();
      this.#pairs.delete(pair);
    };
    /** Octets until something happens; often within the association, sometimes long after it. */
    let left = this.#next() < 0.3 ? this.#next() * 3_000 : this.#next() * 60_000;
    let stalled = false;
    const hand = (to: Socket) => (chunk: Buffer) => {
      if (stalled) return;
      left -= chunk.length;
      if (left > 0 || this.quiet) {
        to.write(chunk);
        return;
      }
      const fate = this.#next();
      if (fate < 0.4) {
        this.done.cut++;
        end();
      } else if (fate < 0.7) {
        this.done.truncated++;
        to.end(chunk.subarray(0, Math.floor(this.#next() * chunk.length)), end);
      } else {
        // Open on both sides, and nothing comes through any more.
        this.done.stalled++;
        stalled = true;
      }
    };
    near.on('data', hand(far));
    far.on('data', hand(near));
    for (const socket of pair) {
      socket.on('error', end);
      socket.on('close', end);
    }
  }
}

/** A buffered block of the measured values. */
const withValues = (scd: string): string =>
  scd.replace(
    '<ReportControl name="brcb"',
    '<ReportControl name="values" rptID="V" datSet="Values" confRev="1" buffered="true" indexed="false" bufTime="0"><TrgOps dchg="true" gi="true"/><OptFields seqNum="true" entryID="true"/></ReportControl><ReportControl name="brcb"',
  );
const V = 'BCU1CTRL/MMXU1.TotW';

async function run(seed: number, options: { rounds: number; server?: Iec61850ServerOptions; restarts?: number }) {
  const next = random(seed);
  const make = async () => {
    const server = new Iec61850Server(sampleModel(withValues), { port: 0, ...options.server });
    meddler.target = (await server.listen()).port;
    return server;
  };
  const meddler = new Meddler(next);
  const port = await meddler.listen();
  onTestFinished(() => meddler.close());
  let server = await make();
  onTestFinished(() => server.close());
  const events: { block: 'BR' | 'RP'; value?: number; gap?: SessionGap['kind'] }[] = [];
  const kinds = new Map<SessionGap['kind'], number>();
  const session = new Iec61850Session({
    ways: [{ name: 'proxy', connect: tcpConnect('127.0.0.1', port) }],
    client: { keepAlive: 100, callTimeout: 150 },
    connectTimeout: 500,
    random: next,
    pause: { first: 2, longest: 20 },
    onGap: (gap) => {
      kinds.set(gap.kind, (kinds.get(gap.kind) ?? 0) + 1);
      if ('block' in gap) events.push({ block: gap.block.includes('.BR.') ? 'BR' : 'RP', gap: gap.kind });
    },
  });
  onTestFinished(() => session.close());
  const note =
    (block: 'BR' | 'RP') =>
    ({ members }: { members: readonly { value: { value: unknown }; reasons: readonly string[] }[] }) => {
      const [{ value, reasons } = members[0]!] = members;
      const [mag] = value.value as readonly [{ value: readonly [{ value: number }] }];
      if (block === 'BR' || !reasons.includes('gi')) events.push({ block, value: mag.value[0].value });
    };
  session.subscribe({
    blocks: ['BCU1CTRL/LLN0.BR.values'],
    interrogate: false,
    onReport: note('BR'),
  });
  session.subscribe({ blocks: ['BCU1CTRL/LLN0.RP.urcb01', 'BCU1CTRL/LLN0.RP.urcb02'], onReport: note('RP') });
  session.start();
  let count = 0;
  let restarts = 0;
  const troubles = () => Object.values(meddler.done).reduce((sum, one) => sum + one, 0);
  while (troubles() < options.rounds) {
    const burst = 1 + Math.floor(next() * 4);
    for (let i = 0; i < burst; i++) server.update(V, { 'mag.f': float(++count) });
    await new Promise((resolve) => setTimeout(resolve, next() * 16));
    if (options.restarts && troubles() > ((restarts + 1) * options.rounds) / (options.restarts + 1)) {
      restarts++;
      await server.close();
      server = await make();
    }
  }
  meddler.quiet = true;
  // Whatever is stalled now is found out.
  server.update(V, { 'mag.f': float(++count) });
  await until(() => events.some(({ block, value }) => block === 'BR' && value === count), 'the last one');
  return { events, kinds, count, troubles: meddler.done, restarts };
}

/** Each value once and in order; where one is missing, a gap came before the next. @returns how many are missing */
function verify(events: readonly { block: string; value?: number; gap?: string }[], block: string): number {
  // Nobody has promised what is not buffered from before it was first asked for.
  let last =
    block === 'BR' ? 0 : events.find((event) => event.block === block && event.value !== undefined)!.value! - 1;
  let missing = 0;
  let told: string | undefined;
  for (const event of events) {
    if (event.block !== block) continue;
    if (event.value === undefined) {
      told = event.gap;
      continue;
    }
    if (event.value <= last) throw new Error(`${block}: ${event.value} came after ${last}`);
    if (event.value > last + 1) {
      if (told === undefined)
        throw new Error(`${block}: ${last + 1} to ${event.value - 1} are missing, and nothing says so`);
      missing += event.value - last - 1;
    }
    last = event.value;
    told = undefined;
  }
  return missing;
}

test.each([1, 2, 3])(
  'seed %i: cut, stalled and cut short 100 times, each buffered event arrives once and in order',
  async (seed) => {
    const { events, kinds, count, troubles } = await run(seed, { rounds: 100 });
    console.log(
      `seed ${seed}: ${count} events through ${JSON.stringify(troubles)}, gaps ${JSON.stringify([...kinds])}`,
    );
    expect(verify(events, 'BR')).toBe(0);
    expect(events.filter(({ block, value }) => block === 'BR' && value !== undefined)).toHaveLength(count);
    expect(
      [...kinds.keys()].filter(
        (kind) => kind !== 'connection-lost' && kind !== 'unreported' && kind !== 'other-instance',
      ),
    ).toEqual([]);
    // What is not buffered has holes, and each of them is told.
    expect(verify(events, 'RP')).toBeGreaterThan(0);
  },
);

test('with a buffer that is too small, and a device that is restarted: every hole is told', async () => {
  const { events, kinds, count, troubles, restarts } = await run(11, {
    rounds: 80,
    restarts: 5,
    server: { buffer: { entries: 12, octets: 1 << 20 } },
  });
  console.log(
    `${count} events through ${JSON.stringify(troubles)} and ${restarts} restarts, gaps ${JSON.stringify([...kinds])}`,
  );
  expect(verify(events, 'BR')).toBeGreaterThan(0);
  expect(kinds.get('buffer-overflow')).toBeGreaterThan(0);
  expect(kinds.get('entry-unknown')).toBeGreaterThan(0);
});
