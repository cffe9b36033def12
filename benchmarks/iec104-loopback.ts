/**
 * IEC 60870-5-104 on loopback, stations in processes of their own: points per second with the standard window and
 * with a wide one, the client alone against a sender of pre-encoded frames, and the round trip of a command.
 * Every point is decoded (address, value, quality, time tag to UTC milliseconds) and every sequence number checked.
 *
 *     node --disable-warning=ExperimentalWarning benchmarks/iec104-loopback.ts [seconds per run] [runs]
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import {
  ApduReader,
  type Asdu,
  asdu,
  Connection,
  completeParameters,
  cp56FromEpochMillis,
  cp56ToEpochMillis,
  encodeApdu,
  Iec104Client,
  type Parameters,
  socketTransport,
} from '@enerchain/iec60870';

type Mode = 'blaster' | 'station' | 'command';

const START = Date.UTC(2026, 0, 15, 12);

function measurands(points: number, from: number): Asdu {
  return asdu({
    typeId: 36,
    cause: 3,
    commonAddress: 1,
    objects: Array.from({ length: points }, (_, i) => ({
      address: 1000 + i,
      element: { kind: 'short', value: from + i / 8, quality: 0 },
      time: cp56FromEpochMillis(START + from * 16 + i),
    })),
  });
}

/** A station in this process; its parent is told the port. */
async function serve(mode: Mode, points: number, parameters: Parameters): Promise<void> {
  const asdus = Array.from({ length: 4096 }, (_, i) => measurands(points, i));
  const server = createServer({ noDelay: true }, (socket) => {
    if (mode === 'blaster') blast(socket, asdus, parameters);
    else station(socket, mode, asdus, parameters);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  process.send?.((server.address() as { port: number }).port);
  process.on('disconnect', () => process.exit(0));
}

function station(socket: Socket, mode: Mode, asdus: readonly Asdu[], parameters: Parameters): void {
  let next = 0;
  const fill = () => {
    while (connection.window > 0) connection.send(asdus[next++ & 4095]!);
  };
  const connection: Connection = new Connection({
    role: 'controlled',
    transport: socketTransport(socket),
    parameters,
    handler: {
      onStarted: mode === 'station' ? fill : () => {},
      onAcknowledged: mode === 'station' ? fill : () => {},
      onAsdu: (received) => void connection.send({ ...received, cause: 7 }),
    },
  });
}

/** Sends frames that were encoded before, as fast as k allows: the client is what is measured. */
function blast(socket: Socket, asdus: readonly Asdu[], parameters: Parameters): void {
  const frames = Buffer.concat(
    asdus.map((value) => encodeApdu({ kind: 'I', sent: 0, received: 0, asdu: value }, parameters)),
  );
  const size = frames.length / asdus.length;
  const reader = new ApduReader();
  let sent = 0;
  let acknowledged = 0;
  socket.on('data', (chunk: Buffer) => {
    reader.push(chunk, (bytes, start) => {
      const first = bytes[start + 2]!;
      if (first === 0x07) socket.write(Buffer.from('68040b000000', 'hex'));
      else if (first === 0x43) socket.write(Buffer.from('680483000000', 'hex'));
      else if (first === 1)
        acknowledged += (((bytes[start + 4]! >>> 1) | (bytes[start + 5]! << 7)) - acknowledged) & 0x7fff;
      return true;
    });
    const count = parameters.k - (sent - acknowledged);
    if (count <= 0) return;
    const out = Buffer.allocUnsafe(count * size);
    for (let i = 0; i < count; i++, sent++) {
      frames.copy(out, i * size, (sent & 4095) * size, (sent & 4095) * size + size);
      out[i * size + 2] = sent << 1;
      out[i * size + 3] = sent >>> 7;
    }
    socket.write(out);
  });
  socket.on('error', () => {});
}

async function peer(mode: Mode, points: number, parameters: Partial<Parameters>) {
  const child = fork(fileURLToPath(import.meta.url), ['serve', mode, String(points), JSON.stringify(parameters)], {
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });
  const [port] = (await once(child, 'message')) as [number];
  return { port, stop: () => child.kill() };
}

async function throughput(
  mode: Mode,
  points: number,
  parameters: Partial<Parameters>,
  seconds: number,
): Promise<number> {
  const { port, stop } = await peer(mode, points, parameters);
  let received = 0;
  let sum = 0;
  const client = new Iec104Client({
    host: '127.0.0.1',
    port,
    parameters,
    reconnect: false,
    onAsdu({ objects }) {
      for (const { address, element, time } of objects) {
        if (element.kind !== 'short' || time?.form !== 'CP56') continue;
        sum += address + element.value + element.quality + cp56ToEpochMillis(time);
      }
      received += objects.length;
    },
  });
  client.start();
  await new Promise((resolve) => setTimeout(resolve, 500));
  const [from, at] = [received, performance.now()];
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const rate = ((received - from) / (performance.now() - at)) * 1000;
  client.reconnect('measured');
  stop();
  await client.close();
  if (!Number.isFinite(sum) || rate === 0) throw new Error(`${mode}: nothing was received`);
  return rate;
}

async function roundTrips(count: number): Promise<{ p50: number; p99: number }> {
  const { port, stop } = await peer('command', 1, {});
  const client = new Iec104Client({ host: '127.0.0.1', port, reconnect: false });
  client.start();
  while (client.state !== 'started') await new Promise((resolve) => setTimeout(resolve, 5));
  const times: number[] = [];
  for (let i = 0; i < count + 500; i++) {
    const at = performance.now();
    await client.command({ ca: 1, ioa: 1, typeId: 45, value: i & 1, timeouts: { actterm: 0 } });
    if (i >= 500) times.push(performance.now() - at);
  }
  await client.close();
  stop();
  times.sort((a, b) => a - b);
  return { p50: times[count >> 1]!, p99: times[Math.floor(count * 0.99)]! };
}

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1]!;

if (process.argv[2] === 'serve') {
  const [, , , mode, points, parameters] = process.argv;
  await serve(mode as Mode, Number(points), completeParameters(JSON.parse(parameters!)));
} else {
  const seconds = Number(process.argv[2] ?? 2);
  const runs = Number(process.argv[3] ?? 3);
  const measure = async (mode: Mode, points: number, parameters: Partial<Parameters>) => {
    const rates: number[] = [];
    for (let run = 0; run < runs; run++) rates.push(await throughput(mode, points, parameters, seconds));
    return Math.round(median(rates));
  };
  const wide = { k: 1024, w: 512 };
  const trips = await roundTrips(3000);
  console.log(
    JSON.stringify({
      benchmark: 'iec104-loopback',
      type: 'M_ME_TF_1',
      pointsPerSecond: {
        'station-client k=12 w=8, 1 point/ASDU': await measure('station', 1, {}),
        'station-client k=12 w=8, 16 points/ASDU': await measure('station', 16, {}),
        'station-client k=1024 w=512, 16 points/ASDU': await measure('station', 16, wide),
        'pre-encoded-client k=1024 w=512, 1 point/ASDU': await measure('blaster', 1, wide),
        'pre-encoded-client k=1024 w=512, 16 points/ASDU': await measure('blaster', 16, wide),
      },
      commandRoundTripMilliseconds: { p50: Number(trips.p50.toFixed(4)), p99: Number(trips.p99.toFixed(4)) },
    }),
  );
  process.exit(0);
}
