import { describe, expect, it } from 'vitest';
import { ETHERTYPE, encodeFrame, type LanClock, mac, memoryLan } from '../src/index.ts';

const frame = (octet: number) =>
  encodeFrame({
    destination: mac('01-0C-CD-01-00-01'),
    source: mac('02-00-00-00-00-01'),
    etherType: ETHERTYPE.goose,
    payload: Uint8Array.of(octet),
  });
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Time in ms that moves when told. */
function handClock(): LanClock & { advance(millis: number): void } {
  let at = 0;
  let timers: { at: number; callback: () => void }[] = [];
  return {
    now: () => BigInt(at) * 1_000_000n,
    schedule(delay, callback) {
      const timer = { at: at + delay, callback };
      timers.push(timer);
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
    advance(millis) {
      at += millis;
      const due = timers.filter((timer) => timer.at <= at).sort((a, b) => a.at - b.at);
      timers = timers.filter((timer) => timer.at > at);
      for (const { callback } of due) callback();
    },
  };
}

describe('a LAN in memory', () => {
  it('loses, doubles and delays as it is told, for each receiver', async () => {
    const clock = handClock();
    const fate: Record<string, readonly number[]> = { b: [0, 0], c: [], d: [5] };
    const lan = memoryLan({ clock, carry: (_frame, _from, to) => fate[to]! });
    const sender = lan.station('a');
    const seen: string[] = [];
    for (const name of ['b', 'c', 'd'])
      lan.station(name).listen((octets, at) => seen.push(`${name} ${octets[14]} ${at}`));
    sender.send(frame(1));
    await turn();
    expect(seen).toEqual(['b 1 0', 'b 1 0']);
    clock.advance(4);
    await turn();
    expect(seen.length).toBe(2);
    clock.advance(1);
    await turn();
    expect(seen.slice(2)).toEqual(['d 1 5000000']);
  });

  it('has a limit: what a station cannot take in one go is counted as lost', async () => {
    const lan = memoryLan();
    const [a, b] = [lan.station('a'), lan.station('b')];
    let seen = 0;
    b.listen(() => seen++);
    for (let i = 0; i < 10_005; i++) a.send(frame(1));
    await turn();
    expect(seen).toBe(10_000);
    expect(b.counters).toEqual({ received: 10_000, sent: 0, lost: 5 });
    expect(a.counters.sent).toBe(10_005);
  });

  it('two stations that answer each other let others run', async () => {
    const lan = memoryLan();
    const [a, b] = [lan.station('a'), lan.station('b')];
    a.listen((octets) => a.send(octets));
    b.listen((octets) => b.send(octets));
    a.send(frame(1));
    await turn(); // would never come if they had the loop to themselves
    await a.close();
    expect(b.counters.received).toBeGreaterThan(0);
  });
});
