/**
 * GOOSE over an interface: frames received and checked, by way; frames sent; from a change to its first frame. A veth pair in a
 * network namespace of its own; Linux, root, a C compiler. Without them it says so and ends.
 *
 *     node --disable-warning=ExperimentalWarning benchmarks/process-bus.ts [--frames 300000] [--rate 100000] [--blocks 50]
 *
 * Received: repetitions of as many control blocks as asked for, eight members each, VLAN tag, sent by a process of its own at the
 * rate asked for, as nearly as it can; each is decoded in place, found, compared with what stands, counted. `perCpuSecond` is by the
 * processor time of the receiving process, which what else the machine does hardly touches; the rate is by the clock.
 * Delay: `update` of a value on one end to the call of the receiver on the other, one process, one change at a time.
 * Prints JSON and writes it to benchmarks/results/process-bus.json.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { descriptorLink, ETHERTYPE, encodeFrame, etherTypeAt, type LinkLayer, packetLink } from '@enerchain/ethernet';
import {
  encodeGoose,
  type GooseMessage,
  GooseView,
  localAddress,
  publishGoose,
  subscribeGoose,
} from '@enerchain/iec61850';
import type { Data } from '@enerchain/mms';
import { systemClock } from '@enerchain/transport';
import { loadNative } from '../standards/ethernet/src/linux/native.ts';
import { noPacketSockets, veth } from '../standards/ethernet/test/support/veth.ts';

const { values: asked } = parseArgs({
  options: {
    frames: { type: 'string', default: '300000' },
    rate: { type: 'string', default: '100000' },
    blocks: { type: 'string', default: '50' },
    changes: { type: 'string', default: '2000' },
    send: { type: 'string' },
  },
});
const [FRAMES, RATE] = [Number(asked.frames), Number(asked.rate)];
const [BLOCKS, CHANGES] = [Number(asked.blocks), Number(asked.changes)];
/** Frames sent in one go. */
const BURST = 50;

const boolean = (value: boolean): Data => ({ kind: 'boolean', value });
const good: Data = { kind: 'bitString', value: { length: 13, bytes: new Uint8Array(2) } };
const VALUES = [true, false, true, false].flatMap((value) => [boolean(value), good]);
const DESTINATION = Uint8Array.of(0x01, 0x0c, 0xcd, 1, 0, 1);

const head = (block: number): Omit<GooseMessage, 'sqNum'> & { readonly goId: string } => ({
  appId: block,
  simulated: false,
  gocbRef: `BCU${block}CTRL/LLN0$GO$gcb01`,
  timeAllowedToLive: 60_000,
  datSet: `BCU${block}CTRL/LLN0$Positions`,
  goId: `BCU${block}`,
  t: { seconds: 1_768_478_400, fraction: 0, quality: 0x0a },
  stNum: 1,
  simulation: false,
  confRev: 1,
  ndsCom: false,
  allData: VALUES,
});

const frame = (payload: Uint8Array): Uint8Array =>
  encodeFrame({
    destination: DESTINATION,
    source: localAddress('BCU'),
    vlan: { id: 5, priority: 4 },
    etherType: ETHERTYPE.goose,
    payload,
  });

/** The sending process: numbers are written into frames that are there. */
async function send(namespace: string): Promise<void> {
  const link = packetLink('bay', { namespace });
  const ready = Array.from({ length: BLOCKS }, (_, block) => {
    const octets = frame(encodeGoose({ ...head(block), sqNum: 1 }, { fixedLength: true }));
    const { sqNumEnd } = new GooseView().read(octets, etherTypeAt(octets) + 2);
    return { octets, view: new DataView(octets.buffer), at: sqNumEnd - 4 };
  });
  const began = performance.now();
  let sent = 0;
  while (sent < FRAMES) {
    const due = Math.min(FRAMES, Math.floor(((performance.now() - began) * RATE) / 1000));
    for (let burst = 0; sent < due && burst < BURST; burst++, sent++) {
      const { octets, view, at } = ready[sent % BLOCKS]!;
      view.setUint32(at, 1 + Math.floor(sent / BLOCKS));
      link.send(octets);
    }
    if (sent >= due) await new Promise((resolve) => setImmediate(resolve));
  }
  const seconds = (performance.now() - began) / 1000;
  process.send?.({ ...link.counters, perSecond: Math.round(link.counters.sent / seconds) });
  await link.close();
}

async function received(link: LinkLayer, namespace: string) {
  let [first, last] = [0, 0];
  const listening = subscribeGoose(link, systemClock, {
    expected: Array.from({ length: BLOCKS }, (_, block) => {
      const { gocbRef, datSet, goId, confRev, appId } = head(block);
      return { gocbRef, datSet, goId, confRev, appId, destination: DESTINATION };
    }),
    onMessage() {
      last = performance.now();
      if (first === 0) first = last;
    },
  });
  await new Promise((resolve) => setTimeout(resolve, 300));
  const cpu = process.cpuUsage();
  const child = fork(import.meta.filename, ['--send', namespace, ...process.argv.slice(2)], {
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });
  const [sender] = (await once(child, 'message')) as [{ sent: number; perSecond: number }];
  await once(child, 'close');
  // Until nothing has come for a while.
  for (let before = -1; before !== listening.counters.frames; await new Promise((resolve) => setTimeout(resolve, 200)))
    before = listening.counters.frames;
  const { user, system } = process.cpuUsage(cpu);
  const { frames } = listening.counters;
  let [checked, lost] = [0, 0];
  for (const { counters } of listening.subscribers.values()) {
    checked += counters.states + counters.repetitions;
    lost += counters.lost;
  }
  listening.stop();
  const { lost: byLink } = link.counters;
  await link.close();
  return {
    offeredPerSecond: sender.perSecond,
    sent: sender.sent,
    received: frames,
    checked,
    lostByNumbers: lost,
    lostByLink: byLink,
    perSecond: Math.round(frames / ((last - first) / 1000)),
    perCpuSecond: Math.round(frames / ((user + system) / 1e6)),
  };
}

/** Microseconds from `update` to the receiver. */
async function delays(namespace: string) {
  const [left, right] = ['bay', 'bus'].map((end) => packetLink(end, { namespace })) as [LinkLayer, LinkLayer];
  const { gocbRef, datSet, goId, confRev, appId } = head(1);
  const publishing = publishGoose(
    left,
    systemClock,
    { gocbRef, datSet, goId, confRev, appId, destination: DESTINATION, vlan: { id: 5, priority: 4 }, minTime: 1000 },
    { source: localAddress('BCU'), values: VALUES },
  );
  const list: number[] = [];
  let came = () => {};
  let wanted = 0;
  const listening = subscribeGoose(right, systemClock, {
    onState: (_subscriber, { state }) => {
      if (state!.stNum === wanted) came();
    },
  });
  for (let change = 0; change < CHANGES; change++) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    const arrived = new Promise<void>((resolve) => {
      came = resolve;
    });
    wanted = publishing.publisher.stNum + 1;
    const began = performance.now();
    let at = 0;
    const done = arrived.then(() => {
      at = performance.now();
    });
    publishing.change([boolean(change % 2 === 0), ...VALUES.slice(1)]);
    await done;
    list.push((at - began) * 1000);
  }
  publishing.stop();
  listening.stop();
  await Promise.all([left.close(), right.close()]);
  list.sort((a, b) => a - b);
  const at = (share: number): number => Math.round(list[Math.min(list.length - 1, Math.floor(share * list.length))]!);
  return { changes: list.length, p50: at(0.5), p99: at(0.99), max: at(1) };
}

if (asked.send !== undefined) await send(asked.send);
else {
  const missing = noPacketSockets();
  if (missing !== undefined) {
    console.log(JSON.stringify({ skipped: missing }));
    process.exit(0);
  }
  const { namespace, remove } = veth();
  try {
    const inherited = (): number => {
      const native = loadNative();
      const fd = native.openSocket(1 << 24, `/run/netns/${namespace}`);
      native.bindSocket(fd, native.interfaceOf(fd, 'bus').index);
      return fd;
    };
    const report = {
      machine: {
        cpu: cpus()[0]?.model,
        cores: cpus().length,
        load: loadavg().map((load) => Math.round(load * 10) / 10),
        node: process.version,
      },
      asked: { frames: FRAMES, rate: RATE, blocks: BLOCKS },
      packetSocket: await received(packetLink('bus', { namespace }), namespace),
      inheritedDescriptor: await received(descriptorLink(inherited()), namespace),
      changeToReceiverMicros: await delays(namespace),
    };
    const text = JSON.stringify(report, undefined, 2);
    console.log(text);
    const folder = join(import.meta.dirname, 'results');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'process-bus.json'), `${text}\n`);
  } finally {
    remove();
  }
}
