/**
 * Our server and our client as programs of their own:
 *   ours.ts server PORT SIDE-PORT
 *   ours.ts client PORT SIDE-PORT read|dataset|urcb|brcb COUNT
 * Beside the association there is a side channel. On it the client says how many cycles of changes it wants and how many may be
 * on their way (two 32-bit numbers), then sends an octet for each report; the server ends with its processor time in nanoseconds
 * (64 bits). So a server makes changes as fast as the client takes their reports, and no stack must throw any away.
 */
import { connect, createServer } from 'node:net';
import { checkScl, Iec61850Client, Iec61850Server, readScl } from '@enerchain/iec61850';
import { type Data, utcTimeFromMillis } from '@enerchain/mms';
import { tcpConnect } from '@enerchain/transport';
import { type ClientResult, DEVICE, OBJECTS, objects, scd } from './model.ts';

/** Calls before the measured ones: an association is kept for years, and the engine compiles what runs often within its first second. */
const WARM_UP = 20_000;
/** Cycles on their way. */
const WINDOW = 16;

const cpuSeconds = (since: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1e6;
};

async function server(port: number, sidePort: number): Promise<void> {
  const ied = checkScl(readScl(scd()).scl!).models.get('B')!;
  const served = new Iec61850Server(ied, { port });
  const names = objects.map(([node, object]) => `${DEVICE}/${node}.${object}`);
  const good: Data = { kind: 'bitString', value: { length: 13, bytes: new Uint8Array(2) } };
  const side = createServer((socket) => {
    let cycles = 0;
    let window = 0;
    let made = 0;
    let taken = 0;
    let cpu = process.cpuUsage();
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      let octets = chunk.length;
      if (cycles === 0) {
        cycles = chunk.readUInt32BE(0);
        window = chunk.readUInt32BE(4);
        octets -= 8;
        cpu = process.cpuUsage();
      }
      taken += octets;
      while (made < cycles && made - taken < window) {
        made++;
        const t: Data = { kind: 'utcTime', value: utcTimeFromMillis(Date.now()) };
        for (let i = 0; i < OBJECTS; i++)
          served.update(names[i]!, { 'mag.f': { kind: 'float', value: made + i / 128 }, q: good, t });
      }
      if (taken < cycles) return;
      const answer = Buffer.alloc(8);
      answer.writeBigUInt64BE(BigInt(Math.round(cpuSeconds(cpu) * 1e9)));
      socket.end(answer);
    });
  }).listen(sidePort, '127.0.0.1');
  await new Promise((resolve) => side.once('listening', resolve));
  await served.listen();
  process.once('SIGTERM', () => process.exit(0));
  console.log('ready');
}

/** The number in a measured value: `mag.f` of the structure. */
function numberOf(data: Data): number {
  const [mag] = data.kind === 'structure' ? data.value : [];
  const [f] = mag?.kind === 'structure' ? mag.value : [];
  return f?.kind === 'float' ? f.value : Number.NaN;
}

async function client(port: number, sidePort: number, test: string, count: number): Promise<void> {
  const own = await Iec61850Client.connect(await tcpConnect('127.0.0.1', port)(AbortSignal.timeout(10_000)));
  let sum = 0;
  let result: ClientResult;
  if (test === 'read' || test === 'dataset') {
    const once =
      test === 'read'
        ? async () => {
            const value = await own.read(`${DEVICE}/GGIO1.AnIn1.mag.f`, 'MX');
            sum += value.kind === 'float' ? value.value : Number.NaN;
          }
        : async () => {
            for (const value of await own.readDataSet(`${DEVICE}/LLN0.All`))
              sum += value instanceof Error ? Number.NaN : numberOf(value);
          };
    for (let i = 0; i < Math.max(count / 10, WARM_UP); i++) await once();
    const times = new Float64Array(count);
    const cpu = process.cpuUsage();
    const begin = performance.now();
    for (let i = 0, last = begin; i < count; i++) {
      await once();
      const now = performance.now();
      times[i] = now - last;
      last = now;
    }
    const seconds = (performance.now() - begin) / 1000;
    const used = cpuSeconds(cpu);
    times.sort();
    const [p50Ms, p99Ms] = [times[Math.floor(count * 0.5)]!, times[Math.floor(count * 0.99)]!];
    result = { values: count * (test === 'read' ? 1 : OBJECTS), seconds, cpuSeconds: used, p50Ms, p99Ms };
  } else {
    const side = connect(sidePort, '127.0.0.1').setNoDelay(true);
    await new Promise((resolve) => side.once('connect', resolve));
    let values = 0;
    let last = 0;
    let told = 0;
    const octet = Buffer.from([1]);
    await own.subscribe(`${DEVICE}/LLN0.${test === 'urcb' ? 'RP' : 'BR'}.${test}`, {
      interrogate: false,
      purge: true,
      triggers: ['dchg'],
      options:
        test === 'urcb' ? ['seqNum', 'timeStamp', 'reasonCode'] : ['seqNum', 'timeStamp', 'reasonCode', 'entryID'],
      onReport: ({ members }) => {
        for (const { value } of members) sum += numberOf(value);
        values += members.length;
        last = performance.now();
        for (; told < Math.floor(values / OBJECTS); told++) side.write(octet);
      },
      onGap: (_, text) => {
        throw new Error(text);
      },
    });
    const cpu = process.cpuUsage();
    const begin = performance.now();
    const order = Buffer.alloc(8);
    order.writeUInt32BE(count, 0);
    order.writeUInt32BE(WINDOW, 4);
    side.write(order);
    const [answer] = (await new Promise((resolve) => side.once('data', (chunk) => resolve([chunk])))) as [Buffer];
    const server = Number(answer.readBigUInt64BE()) / 1e9;
    result = { values, seconds: (last - begin) / 1000, cpuSeconds: cpuSeconds(cpu), serverCpuSeconds: server };
  }
  if (!Number.isFinite(sum)) throw new Error('a value was not a number');
  console.log(JSON.stringify(result));
  await own.close();
}

const [role, port, side, test, count] = process.argv.slice(2);
if (role === 'server') await server(Number(port), Number(side));
else await client(Number(port), Number(side), test!, Number(count));
