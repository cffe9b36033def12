import { once } from 'node:events';
import { createConnection } from 'node:net';
import { captureStream, ETHERTYPE, encodeFrame, mac, memoryLan } from '@enerchain/ethernet';
import { pino } from 'pino';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { GooseTap } from '../src/substation/goose-tap.ts';

const frame = (octets: number) =>
  encodeFrame({
    destination: mac('01-0C-CD-01-00-01'),
    source: mac('02-00-00-00-00-01'),
    etherType: ETHERTYPE.goose,
    payload: new Uint8Array(octets).fill(7),
  });

async function start() {
  const lan = memoryLan();
  const ied = lan.station('ied');
  const logger = pino({ level: 'silent' });
  const warned = new Promise<string>((done) => {
    vi.spyOn(logger, 'warn').mockImplementation((text: unknown) => done(String(text)));
  });
  const tap = await GooseTap.open(lan.station('tap'), { host: '127.0.0.1', port: 0 }, logger);
  onTestFinished(() => tap.close());
  const socket = createConnection({ host: '127.0.0.1', port: tap.port });
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return { ied, socket, warned };
}

describe('the tap of the station bus', () => {
  it('gives whoever connects a capture of what comes from then on', async () => {
    const { ied, socket } = await start();
    const link = captureStream('tap', socket, () => socket.destroy());
    const came = new Promise<Uint8Array>((done) => link.listen((octets) => done(Uint8Array.from(octets))));
    // A listener is known a moment after it has connected: bus traffic repeats until it is.
    const sent = frame(100);
    const repeating = setInterval(() => ied.send(sent), 5);
    onTestFinished(() => clearInterval(repeating));
    expect(await came).toEqual(sent);
  });

  it('leaves a listener that does not read, and the bus goes on', async () => {
    const { ied, socket, warned } = await start();
    socket.pause();
    const left = once(socket, 'close');
    const repeating = setInterval(() => {
      for (let i = 0; i < 500; i++) ied.send(frame(1400));
    }, 1);
    onTestFinished(() => clearInterval(repeating));
    socket.on('error', () => {});
    expect(await warned).toBe('a listener at the station bus does not read, and is left');
    socket.resume();
    await left;
    expect(ied.counters.lost).toBe(0);
  });
});
