/**
 * GOOSE and sampled values, received and checked on one core, and how long a change takes to its first frame:
 *
 *     node --disable-warning=ExperimentalWarning benchmarks/goose.ts [--runs 5] [--seconds 1]
 *
 * - `repetitions`, `changes`: 100 control blocks known from types, 16 members each (Dbpos with quality), in whole frames with a VLAN
 *   tag, given to the listener as a link gives them: found, compared or decoded, types, numbers and time checked. In `changes` every
 *   frame is a new state.
 * - `samples`: 9-2LE streams of 8 channels, one and two ASDUs a frame, counted and decoded to amperes and volts.
 * - `latency`: from the call that changes a value to the frame at the other station: over a LAN in memory, and, where this process
 *   may make one, over a veth pair by AF_PACKET, sender and receiver in this process.
 *
 * `perSecond` is by the wall clock, `perCpuSecond` by processor time, which does not depend much on what else runs. Medians of the
 * runs. Prints JSON and writes `results/goose.json`.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { ETHERTYPE, encodeFrame, type LinkLayer, memoryLan, packetLink, type Receive } from '@enerchain/ethernet';
import {
  type AddressedGoose,
  encodeGoose,
  type GooseMessage,
  GooseView,
  localAddress,
  PHS_MEAS_1,
  publishGoose,
  SvPublisher,
  subscribeGoose,
  subscribeSv,
} from '@enerchain/iec61850';
import { bits, type Data, type TypeSpecification } from '@enerchain/mms';
import { systemClock } from '@enerchain/transport';
import { noPacketSockets, veth } from '../standards/ethernet/test/support/veth.ts';

const option = (name: string, fallback: number): number => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? fallback : Number(process.argv[at + 1]);
};
const runs = option('runs', 5);
const seconds = option('seconds', 1);
const round = (value: number): number => Number(value.toPrecision(4));
const sorted = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);
const median = (values: readonly number[]): number => sorted(values)[values.length >> 1]!;
const say = (text: string) => process.stderr.write(`· ${text}\n`);

/** A link into which this program puts frames itself. */
class Hand implements LinkLayer {
  readonly name = 'hand';
  give: Receive = () => {};
  readonly counters = { received: 0, sent: 0, lost: 0 };
  readonly closed = new Promise<void>(() => {});
  listen(receive: Receive): () => void {
    this.give = receive;
    return () => {};
  }
  send(): void {}
  async close(): Promise<void> {}
}

const BLOCKS = 100;
const MEMBERS = 16;
const dbpos = (text: string): Data => ({ kind: 'bitString', value: bits(text) });
const GOOD: Data = { kind: 'bitString', value: bits('0000000000000') };
const VALUES: readonly Data[] = Array.from({ length: MEMBERS }, (_, i) => (i % 2 === 0 ? dbpos('10') : GOOD));
const TYPES: readonly TypeSpecification[] = VALUES.map((_, i) => ({ kind: 'bitString', value: i % 2 === 0 ? 2 : -13 }));
const T = { seconds: 1_768_478_400, fraction: 0, quality: 0x0a };
const destinationOf = (block: number) => Uint8Array.of(1, 0x0c, 0xcd, 1, block >> 8, block & 0xff);
const SOURCE = localAddress('benchmark');
const VLAN = { id: 10, priority: 4 };

const messageOf = (block: number): GooseMessage => ({
  appId: 0x1000 + block,
  simulated: false,
  gocbRef: `IED${String(block).padStart(3, '0')}CTRL/LLN0$GO$gcbPositions`,
  timeAllowedToLive: 60_000,
  datSet: `IED${String(block).padStart(3, '0')}CTRL/LLN0$Positions`,
  goId: `IED${String(block).padStart(3, '0')}/Positions`,
  t: T,
  stNum: 1,
  sqNum: 0,
  simulation: false,
  confRev: 1,
  ndsCom: false,
  allData: VALUES,
});

/** One frame for each control block, whose numbers have a fixed place: they are counted up where they stand. */
function frames(): { frame: Uint8Array; stNumAt: number; sqNumAt: number; tAt: number; valueAt: number }[] {
  const view = new GooseView();
  return Array.from({ length: BLOCKS }, (_, block) => {
    const payload = encodeGoose(messageOf(block), { fixedLength: true, types: TYPES });
    const frame = encodeFrame({
      destination: destinationOf(block),
      source: SOURCE,
      vlan: VLAN,
      etherType: ETHERTYPE.goose,
      payload,
    });
    view.read(frame, 18);
    return {
      frame,
      stNumAt: view.stNumEnd - 4,
      sqNumAt: view.sqNumEnd - 4,
      tAt: view.tAt,
      valueAt: view.allDataAt + 3,
    };
  });
}

function put(frame: Uint8Array, at: number, value: number): void {
  frame[at] = value >>> 24;
  frame[at + 1] = value >>> 16;
  frame[at + 2] = value >>> 8;
  frame[at + 3] = value;
}

interface Rate {
  readonly perSecond: number;
  readonly perCpuSecond: number;
}

/** Calls `round` until the time is over. @param each what one round is worth */
function measure(each: number, round: () => void): Rate {
  for (let i = 0; i < 200; i++) round();
  const cpu = process.cpuUsage();
  const began = performance.now();
  let rounds = 0;
  while (performance.now() - began < seconds * 1000) {
    round();
    rounds++;
  }
  const wall = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { perSecond: (rounds * each) / wall, perCpuSecond: (rounds * each * 1e6) / (user + system) };
}

function receive(changed: boolean): Rate {
  const link = new Hand();
  let states = 0;
  let events = 0;
  const listening = subscribeGoose(link, systemClock, {
    expected: Array.from({ length: BLOCKS }, (_, block) => {
      const { gocbRef, datSet, goId, confRev, appId } = messageOf(block);
      return { gocbRef, datSet, goId, confRev, appId, destination: destinationOf(block), types: TYPES };
    }),
    onState: () => states++,
    onEvent: () => events++,
  });
  const all = frames();
  let number = 0;
  let given = 0;
  const rate = measure(BLOCKS, () => {
    number++;
    for (const { frame, stNumAt, sqNumAt, tAt, valueAt } of all) {
      if (changed) {
        put(frame, stNumAt, number);
        put(frame, tAt, T.seconds + number);
        frame[valueAt] = frame[valueAt]! ^ 0xc0;
      } else put(frame, sqNumAt, number);
      link.give(frame, 0n);
      given++;
    }
  });
  listening.stop();
  const counted = [...listening.subscribers.values()].map(({ counters }) => counters);
  const sum = (of: (counters: (typeof counted)[number]) => number): number =>
    counted.reduce((total, one) => total + of(one), 0);
  const wanted = changed ? sum(({ states: n }) => n) : sum(({ repetitions }) => repetitions) + BLOCKS;
  if (wanted !== given || events > 0 || (changed && states !== given))
    throw new Error(`benchmark: ${given} frames, ${wanted} of them as they should be, ${events} events`);
  return rate;
}

function samples(asdus: number): Rate {
  const STREAMS = 10;
  const link = new Hand();
  let taken = 0;
  let events = 0;
  const listening = subscribeSv(link, systemClock, {
    silence: 1e9,
    expected: Array.from({ length: STREAMS }, (_, stream) => ({
      svId: `MU${String(stream).padStart(4, '0')}`,
      confRev: 1,
      samplesPerSecond: 4800,
      layout: PHS_MEAS_1,
    })),
    onSample: (subscriber, view) => {
      subscriber.decode(view);
      taken++;
    },
    onEvent: () => events++,
  });
  // A whole second of each stream, encoded beforehand: it fits to itself.
  const source = localAddress('merging unit');
  const second = Array.from({ length: STREAMS }, (_, stream) => {
    const publisher = new SvPublisher({
      appId: 0x4000,
      svId: `MU${String(stream).padStart(4, '0')}`,
      confRev: 1,
      layout: PHS_MEAS_1,
      samplesPerSecond: 4800,
      asdus,
    });
    const list: Uint8Array[] = [];
    for (let i = 0; i < 4800; i++) {
      const payload = publisher.add(PHS_MEAS_1.channels.map((_, channel) => 1000 * Math.sin(i / 15 + channel)));
      if (payload)
        list.push(
          encodeFrame({
            destination: destinationOf(0x400 + stream),
            source,
            vlan: VLAN,
            etherType: ETHERTYPE.sampledValues,
            payload,
          }),
        );
    }
    return list;
  });
  let at = 0;
  const rate = measure(STREAMS * asdus, () => {
    for (const list of second) link.give(list[at]!, 0n);
    at = at + 1 === second[0]!.length ? 0 : at + 1;
  });
  listening.stop();
  const lost = [...listening.subscribers.values()].reduce(
    (sum, { counters }) => sum + counters.lost + counters.jumps,
    0,
  );
  if (lost > 0 || events > 0) throw new Error(`benchmark: ${lost} samples lost of ${taken}, ${events} events`);
  return rate;
}

interface Latency {
  readonly changes: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** Changes one after the other, each when the one before has arrived. */
async function latency(sender: LinkLayer, receiver: LinkLayer, changes: number): Promise<Latency> {
  const message = messageOf(1);
  const publication: AddressedGoose = {
    ...message,
    goId: 'benchmark',
    minTime: 1000,
    maxTime: 60_000,
    destination: destinationOf(1),
    vlan: VLAN,
    types: TYPES,
  };
  const times: number[] = [];
  let began = 0;
  let arrived: () => void = () => {};
  const listening = subscribeGoose(receiver, systemClock, {
    onState: () => {
      times.push(performance.now() - began);
      arrived();
    },
  });
  const publishing = publishGoose(sender, systemClock, publication, { source: SOURCE });
  await new Promise((wake) => setTimeout(wake, 100));
  for (let i = 0; i < changes + 100; i++) {
    if (i === 100) times.length = 0;
    const next = VALUES.map((value, member) => (member === 0 ? dbpos(i % 2 === 0 ? '01' : '10') : value));
    await new Promise<void>((resolve) => {
      arrived = resolve;
      began = performance.now();
      publishing.change(next);
    });
    await new Promise((wake) => setImmediate(wake));
  }
  publishing.stop();
  listening.stop();
  const order = sorted(times);
  const at = (share: number): number => round(order[Math.min(order.length - 1, Math.floor(order.length * share))]!);
  return { changes, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}

async function overMemory(): Promise<Latency> {
  const lan = memoryLan();
  return latency(lan.station('publisher'), lan.station('subscriber'), 3000);
}

async function overVeth(): Promise<Latency | { readonly missing: string }> {
  const missing = noPacketSockets();
  if (missing) return { missing };
  const pair = veth();
  try {
    const [sender, receiver] = pair.ends.map((end) => packetLink(end, { namespace: pair.namespace })) as [
      LinkLayer,
      LinkLayer,
    ];
    const result = await latency(sender, receiver, 3000);
    await Promise.all([sender.close(), receiver.close()]);
    return result;
  } finally {
    pair.remove();
  }
}

const rates = (list: readonly Rate[]) => ({
  perSecond: Math.round(median(list.map(({ perSecond }) => perSecond))),
  perCpuSecond: Math.round(median(list.map(({ perCpuSecond }) => perCpuSecond))),
  runs: list.map(({ perSecond }) => Math.round(perSecond)),
});
const times = (list: readonly Latency[]) => ({
  changes: list[0]!.changes,
  p50Ms: median(list.map(({ p50Ms }) => p50Ms)),
  p99Ms: median(list.map(({ p99Ms }) => p99Ms)),
  maxMs: Math.max(...list.map(({ maxMs }) => maxMs)),
});

const load = { before: loadavg()[0]!, after: 0 };
const repetitions: Rate[] = [];
const changes: Rate[] = [];
const oneAsdu: Rate[] = [];
const twoAsdus: Rate[] = [];
const memory: Latency[] = [];
const packet: (Latency | { readonly missing: string })[] = [];
for (let run = 0; run < runs; run++) {
  say(`run ${run + 1} of ${runs}`);
  repetitions.push(receive(false));
  changes.push(receive(true));
  oneAsdu.push(samples(1));
  twoAsdus.push(samples(2));
  memory.push(await overMemory());
  packet.push(await overVeth());
}
load.after = loadavg()[0]!;
const streams = (list: readonly Rate[]) => Math.floor(rates(list).perCpuSecond / 4800);
const without = packet.find((one) => 'missing' in one);
const result = {
  what: 'GOOSE and sampled values received and checked on one core; a change to its first frame',
  measured: new Date().toISOString(),
  machine: { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version, load },
  runs,
  goose: {
    controlBlocks: BLOCKS,
    members: MEMBERS,
    frameOctets: frames()[0]!.frame.length,
    repetitions: rates(repetitions),
    changes: rates(changes),
  },
  samples: {
    oneAsdu: { ...rates(oneAsdu), streamsOf4800: streams(oneAsdu) },
    twoAsdus: { ...rates(twoAsdus), streamsOf4800: streams(twoAsdus) },
  },
  latency: { memory: times(memory), afPacket: without ?? times(packet as Latency[]) },
};
const folder = join(import.meta.dirname, 'results');
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, 'goose.json'), `${JSON.stringify(result, null, 2)}\n`);
process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
