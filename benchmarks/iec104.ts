/**
 * IEC 60870-5-104 side by side with a native stack. Every sender, receiver and peer is a process of its own on loopback; the
 * receivers run in turns in the same run, so that what else the machine does meets them alike.
 *
 *     node benchmarks/iec104.ts [--seconds 2] [--runs 5]
 *
 * Prints JSON and writes it to benchmarks/results/iec104.json. See iec104.md.
 */
import { execFileSync, fork, spawn } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import {
  type Asdu,
  asdu,
  type Cp56Time,
  cp56FromEpochMillis,
  cp56ToEpochMillis,
  DEFAULT_PARAMETERS,
  encodeApdu,
  Iec104Client,
  Iec104Server,
} from '@enerchain/iec60870';

const HERE = import.meta.dirname;
const PEERS = join(HERE, '.peers');
const C104 = '2.2.1';
const POINTS = 16;
/** Octets of an S or U frame. */
const APCI_LENGTH = 6;
const WIDE = { k: 1024, w: 512 };
const NARROW = { k: 12, w: 8 };

interface Received {
  readonly points: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
}

/** M_ME_TF_1: sixteen short floating point values, each with CP56Time2a. */
function sample(number: number): Asdu {
  return asdu({
    typeId: 36,
    cause: 3,
    commonAddress: 1,
    objects: Array.from({ length: POINTS }, (_, i) => ({
      address: 1000 + i,
      element: { kind: 'short', value: number + i / 16, quality: 0 } as const,
      time: cp56FromEpochMillis(1_767_225_600_000 + number),
    })),
  });
}

// ---- roles of the child processes ----------------------------------------------------------------------------------------

/** Sends frames encoded beforehand as fast as k allows, and does nothing else: the sender that no receiver waits for. */
function blaster(k: number, frames: number): void {
  const one = encodeApdu({ kind: 'I', sent: 0, received: 0, asdu: sample(0) }, DEFAULT_PARAMETERS);
  const size = one.length;
  const all = Buffer.alloc(size * 32_768);
  for (let i = 0; i < 32_768; i++) {
    all.set(one, i * size);
    all[i * size + 2] = i << 1;
    all[i * size + 3] = i >>> 7;
  }
  const server = createServer({ noDelay: true }, (socket) => {
    let sent = 0;
    let acknowledged = 0;
    let started = false;
    let rest = Buffer.alloc(0);
    const pump = () => {
      let free = Math.min(k - (sent - acknowledged), frames - sent);
      while (free > 0) {
        const at = sent % 32_768;
        const run = Math.min(free, 32_768 - at);
        socket.write(all.subarray(at * size, (at + run) * size));
        sent += run;
        free -= run;
      }
    };
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      while (rest.length >= APCI_LENGTH) {
        const first = rest[2]!;
        if ((first & 3) === 1) {
          const received = (rest[4]! >>> 1) | (rest[5]! << 7);
          acknowledged += (received - acknowledged) & 0x7fff;
        } else if (first === 0x07) {
          socket.write(Buffer.from('68040b000000', 'hex'));
          started = true;
        } else if (first === 0x43) socket.write(Buffer.from('680483000000', 'hex'));
        else if (first === 0x13) socket.write(Buffer.from('680423000000', 'hex'));
        rest = rest.subarray(APCI_LENGTH);
      }
      if (started) pump();
    });
  });
  server.listen(0, '127.0.0.1', () => process.send!({ port: (server.address() as { port: number }).port }));
}

/** Our client: every element is decoded, and every time tag becomes an instant. */
function receiver(port: number, window: { k: number; w: number }, points: number): void {
  let received = 0;
  let sum = 0;
  let first = 0;
  let cpu = process.cpuUsage();
  const client = new Iec104Client({
    host: '127.0.0.1',
    port,
    parameters: window,
    onAsdu({ objects }) {
      if (received === 0) {
        first = performance.now();
        cpu = process.cpuUsage();
      }
      for (const { address, element, time } of objects) {
        if (element.kind === 'short')
          sum += address + element.value + element.quality + cp56ToEpochMillis(time as Cp56Time);
      }
      received += objects.length;
      if (received < points) return;
      const { user, system } = process.cpuUsage(cpu);
      process.send!({
        points: received,
        seconds: (performance.now() - first) / 1000,
        cpuSeconds: (user + system) / 1e6,
        sum,
      });
    },
  });
  client.start();
}

/** Our server: the acknowledged event queue is kept full until everything has been taken. */
async function sender(window: { k: number; w: number }, frames: number): Promise<void> {
  const event = sample(1);
  let enqueued = 0;
  const fill = () => {
    while (enqueued < frames && server.queue()!.size < 4000) {
      server.enqueue(event);
      enqueued++;
    }
  };
  let acknowledged = 0;
  const server = new Iec104Server({
    port: 0,
    parameters: window,
    queue: { capacity: 10_000 },
    onStarted: fill,
    onAcknowledged: (events) => {
      acknowledged += events.length;
      if (acknowledged % 1000 < events.length) fill();
    },
  });
  process.send!(await server.listen());
}

/** A controlled station that accepts every command at once. */
async function station(): Promise<void> {
  const server = new Iec104Server({ port: 0, commonAddresses: [1], handlers: { command: () => 'accept' } });
  process.send!(await server.listen());
}

async function commander(port: number, commands: number): Promise<void> {
  const client = new Iec104Client({ host: '127.0.0.1', port });
  client.start();
  while (client.state !== 'started') await new Promise((resolve) => setTimeout(resolve, 2));
  const once = async () => {
    const begin = performance.now();
    // ACTCON is what the round trip is about; the termination is not waited for.
    const outcome = await client.command({ ca: 1, ioa: 7, typeId: 45, value: 1, timeouts: { actterm: 0 } });
    if (outcome.kind !== 'confirmed') throw new Error(`command: ${JSON.stringify(outcome)}`);
    return performance.now() - begin;
  };
  for (let i = 0; i < 500; i++) await once();
  const times = new Float64Array(commands);
  for (let i = 0; i < commands; i++) times[i] = await once();
  times.sort();
  process.send!({ p50: times[Math.floor(commands * 0.5)], p99: times[Math.floor(commands * 0.99)] });
}

// ---- the run ---------------------------------------------------------------------------------------------------------------

type Child = ReturnType<typeof fork>;

function child(...args: (string | number)[]): Child {
  return fork(import.meta.filename, ['--role', ...args.map(String)], {
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });
}

function message<T>(from: Child, what: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`benchmark: no ${what} within 90 s`)), 90_000);
    from.once('message', (value) => {
      clearTimeout(timer);
      resolve(value as T);
    });
    from.once('exit', (code) => reject(new Error(`benchmark: ${what} ended with ${code}`)));
  });
}

async function withSender<T>(from: Child, use: (port: number) => Promise<T>): Promise<T> {
  try {
    return await use((await message<{ port: number }>(from, 'sender')).port);
  } finally {
    from.kill('SIGKILL');
  }
}

async function ours(port: number, window: { k: number; w: number }, points: number): Promise<Received> {
  const process = child('receiver', port, window.k, window.w, points);
  try {
    return await message<Received>(process, 'receiver');
  } finally {
    process.kill('SIGKILL');
  }
}

interface NativePeer {
  readonly python: string;
  readonly library: string;
}

/** lib60870 out of the c104 wheel, and our receiver compiled against its exported functions. */
function nativePeer(): NativePeer | { readonly missing: string } {
  const venv = join(PEERS, 'py');
  const python = join(venv, 'bin', 'python');
  const source = join(HERE, 'peers', 'lib60870', 'client.c');
  const library = join(PEERS, 'lib60870-client.so');
  const quiet = { stdio: 'pipe', timeout: 300_000 } as const;
  try {
    mkdirSync(PEERS, { recursive: true });
    if (!existsSync(python)) execFileSync('python3', ['-m', 'venv', venv], quiet);
    const pip = [
      '-m',
      'pip',
      'install',
      '--quiet',
      '--disable-pip-version-check',
      '--only-binary',
      ':all:',
      `c104==${C104}`,
    ];
    execFileSync(python, pip, quiet);
    execFileSync('cc', ['-O2', '-shared', '-fPIC', '-o', library, source], quiet);
  } catch (error) {
    const { stderr, message } = error as { stderr?: Buffer; message: string };
    return {
      missing: (
        String(stderr ?? '')
          .trim()
          .split('\n')
          .at(-1) || message
      ).slice(0, 300),
    };
  }
  return { python, library };
}

function native(peer: NativePeer, port: number, window: { k: number; w: number }, points: number): Promise<Received> {
  return new Promise((resolve, reject) => {
    const script = join(HERE, 'peers', 'lib60870', 'client.py');
    const args = [script, peer.library, '127.0.0.1', port, window.k, window.w, points].map(String);
    const process = spawn(peer.python, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let out = '';
    process.stdout.on('data', (data) => {
      out += data;
    });
    process.once('close', (code) => {
      if (code === 0) resolve(JSON.parse(out) as Received);
      else reject(new Error(`benchmark: the lib60870 client ended with ${code}: ${out}`));
    });
  });
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

function summary(runs: readonly Received[]) {
  const rate = runs.map((r) => Math.round(r.points / r.seconds));
  const perCpu = runs.map((r) => Math.round(r.points / r.cpuSeconds));
  return { pointsPerSecond: median(rate), pointsPerCpuSecond: median(perCpu), runs: rate };
}

async function main(): Promise<void> {
  const option = (name: string, fallback: number) => {
    const at = process.argv.indexOf(`--${name}`);
    return at < 0 ? fallback : Number(process.argv[at + 1]);
  };
  const runs = option('runs', 5);
  const wideFrames = Math.round(option('seconds', 2) * 250_000);
  const narrowFrames = Math.round(option('seconds', 2) * 40_000);
  const peer = nativePeer();
  const wide: Received[] = [];
  const wideNative: Received[] = [];
  const narrow: Received[] = [];
  const commands: { p50: number; p99: number }[] = [];
  const loadBefore = loadavg()[0]!;
  for (let i = 0; i < runs; i++) {
    wide.push(await withSender(child('blaster', WIDE.k, wideFrames), (port) => ours(port, WIDE, wideFrames * POINTS)));
    if (!('missing' in peer)) {
      wideNative.push(
        await withSender(child('blaster', WIDE.k, wideFrames), (port) => native(peer, port, WIDE, wideFrames * POINTS)),
      );
    }
    narrow.push(
      await withSender(child('sender', NARROW.k, NARROW.w, narrowFrames), (port) =>
        ours(port, NARROW, narrowFrames * POINTS),
      ),
    );
    commands.push(
      await withSender(child('station'), async (port) => {
        const from = child('commander', port, 3000);
        try {
          return await message<{ p50: number; p99: number }>(from, 'commander');
        } finally {
          from.kill('SIGKILL');
        }
      }),
    );
  }
  const oursWide = summary(wide);
  const nativeWide = 'missing' in peer ? undefined : summary(wideNative);
  const milliseconds = (values: readonly number[]) => Number(median(values).toFixed(4));
  const result = {
    what: 'IEC 60870-5-104, M_ME_TF_1 with 16 points per ASDU, every element decoded, loopback',
    measured: new Date().toISOString(),
    machine: {
      cpu: cpus()[0]?.model,
      cores: cpus().length,
      node: process.version,
      load: { before: loadBefore, after: loadavg()[0] },
    },
    runs,
    receive: {
      window: WIDE,
      sender: 'raw sender that honours k',
      ours: oursWide,
      ...('missing' in peer
        ? { peer: `not measured: ${peer.missing}` }
        : {
            peer: { name: `lib60870 (C) out of c104 ${C104}`, ...nativeWide },
            ratio: Number((oursWide.pointsPerSecond / nativeWide!.pointsPerSecond).toFixed(2)),
            ratioPerCpuSecond: Number((oursWide.pointsPerCpuSecond / nativeWide!.pointsPerCpuSecond).toFixed(2)),
          }),
    },
    serverToClient: { window: NARROW, ...summary(narrow) },
    command: {
      commands: 3000,
      p50Ms: milliseconds(commands.map((c) => c.p50)),
      p99Ms: milliseconds(commands.map((c) => c.p99)),
    },
  };
  const text = `${JSON.stringify(result, undefined, 2)}\n`;
  process.stdout.write(text);
  mkdirSync(join(HERE, 'results'), { recursive: true });
  writeFileSync(join(HERE, 'results', 'iec104.json'), text);
}

const [role, ...given] = process.argv[2] === '--role' ? process.argv.slice(3) : [undefined];
const numbers = given.map(Number);
switch (role) {
  case undefined:
    await main();
    break;
  case 'blaster':
    blaster(numbers[0]!, numbers[1]!);
    break;
  case 'receiver':
    receiver(numbers[0]!, { k: numbers[1]!, w: numbers[2]! }, numbers[3]!);
    break;
  case 'sender':
    await sender({ k: numbers[0]!, w: numbers[1]! }, numbers[2]!);
    break;
  case 'station':
    await station();
    break;
  case 'commander':
    await commander(numbers[0]!, numbers[1]!);
    break;
  default:
    throw new Error(`unknown role ${role}`);
}
