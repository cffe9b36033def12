/**
 * Field devices of the journey benchmark: 104 stations that send time-tagged measured values (M_ME_TF_1), sixteen in an
 * ASDU, at a given rate or as fast as they are acknowledged. Started by `journey.ts`, which it tells its ports.
 *
 * Arguments: number of stations, points of each, observations a second in all (0 = as fast as acknowledged).
 */
import { cp56FromEpochMillis, Iec104Server, type InformationObject } from '@enerchain/iec60870';

const [stations, points, rate] = process.argv.slice(2).map(Number) as [number, number, number];
const PER_ASDU = 16;
/** Events of a station that may wait for their acknowledgement: a few windows, so that the wire never runs dry. */
const AHEAD = 64;

interface Station {
  readonly server: Iec104Server;
  readonly commonAddress: number;
  next: number;
  outstanding: number;
  started: boolean;
}

const all: Station[] = [];
for (let i = 0; i < stations; i++) {
  const server: Iec104Server = new Iec104Server({
    port: 0,
    commonAddresses: [i + 1],
    queue: { capacity: 10_000 },
    handlers: { interrogation: () => [], counterInterrogation: () => [], clockSync: () => undefined },
    onStarted: () => {
      station.started = true;
    },
    onAcknowledged: (events) => {
      station.outstanding -= events.length;
    },
  });
  const station: Station = { server, commonAddress: i + 1, next: 0, outstanding: 0, started: false };
  await server.listen();
  all.push(station);
}
process.send?.({ ports: all.map(({ server }) => server.address!.port) });
process.on('disconnect', () => process.exit(0));

let sent = 0;
let value = 0;

function sendOne(station: Station): void {
  const time = cp56FromEpochMillis(Date.now());
  const objects: InformationObject[] = [];
  for (let i = 0; i < PER_ASDU; i++) {
    const address = 1 + ((station.next + i) % points);
    objects.push({ address, element: { kind: 'short', value: value++ % 1000, quality: 0 }, time });
  }
  station.server.enqueue({ typeId: 36, commonAddress: station.commonAddress, objects });
  station.next = (station.next + PER_ASDU) % points;
  station.outstanding += 1;
  sent += PER_ASDU;
}

let startedAt: number | undefined;
let turn = 0;
setInterval(() => {
  if (!all.every((station) => station.started)) return;
  startedAt ??= performance.now();
  const due = rate > 0 ? ((performance.now() - startedAt) / 1000) * rate : Number.POSITIVE_INFINITY;
  // Round the stations, going on where the last tick stopped: all of them send at the same rate.
  for (let full = 0; full < all.length && sent < due; turn = (turn + 1) % all.length) {
    const station = all[turn]!;
    if (station.outstanding >= AHEAD) {
      full++;
      continue;
    }
    full = 0;
    sendOne(station);
  }
}, 2);
