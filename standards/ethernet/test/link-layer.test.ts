/** What every link has to do, whatever carries its frames. */
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decodeFrame, ETHERTYPE, encodeFrame, type LinkLayer, mac } from '../src/index.ts';
import { LINKS, removeInterfaces } from './support/links.ts';
import { until } from './support/until.ts';

const GROUP = mac('01-0C-CD-01-00-01');
const OTHER = mac('01-0C-CD-04-00-01');

interface Parts {
  readonly to?: Uint8Array;
  readonly etherType?: number;
  readonly vlan?: { readonly id: number; readonly priority: number };
  readonly size?: number;
}

function frame(number: number, { to = GROUP, etherType = ETHERTYPE.goose, vlan, size = 50 }: Parts = {}): Uint8Array {
  const payload = new Uint8Array(size).fill(number);
  new DataView(payload.buffer).setUint32(0, number);
  return encodeFrame({
    destination: to,
    source: mac('02-00-00-00-00-01'),
    etherType,
    payload,
    ...(vlan ? { vlan: { ...vlan, dropEligible: false } } : {}),
  });
}
const numberOf = (octets: Uint8Array) => {
  const { payload } = decodeFrame(octets);
  return new DataView(payload.buffer, payload.byteOffset).getUint32(0);
};

afterAll(removeInterfaces);

for (const { name, missing, tags, open } of LINKS) {
  describe.skipIf(missing !== undefined)(`a link: ${name}${missing === undefined ? '' : ` (${missing})`}`, () => {
    let left: LinkLayer;
    let right: LinkLayer;
    let shutdown: () => Promise<void>;
    beforeEach(async () => {
      ({ left, right, shutdown } = await open());
    });
    afterEach(() => shutdown());

    /** Numbers of the frames that come; `await seen.upTo(9)` until that one has. */
    function numbers(link: LinkLayer, filter?: Parameters<LinkLayer['listen']>[1]) {
      const list: number[] = [];
      const stop = link.listen((octets) => list.push(numberOf(octets)), filter);
      return { list, stop, upTo: (number: number) => until(() => list.includes(number)) };
    }

    it('brings frames whole and in order, with the time they came', async () => {
      const sent = [1, 2, 3].map((number) => frame(number, { size: 46 + 700 * (number - 1) }));
      const came: { octets: Uint8Array; at: bigint }[] = [];
      right.listen((octets, at) => came.push({ octets: octets.slice(), at }));
      const before = BigInt(Date.now()) * 1_000_000n;
      for (const one of sent) left.send(one);
      await until(() => came.length === 3);
      expect(came.map(({ octets }) => octets)).toEqual(sent);
      const after = BigInt(Date.now() + 1) * 1_000_000n;
      for (const { at } of came) expect(at >= before - 2_000_000n && at <= after + 2_000_000n).toBe(true);
    });

    it('carries both ways; nobody hears himself', async () => {
      const [here, there] = [numbers(left), numbers(right)];
      left.send(frame(1));
      await there.upTo(1);
      right.send(frame(2));
      await here.upTo(2);
      expect(here.list).toEqual([2]);
      expect(there.list).toEqual([1]);
    });

    it('gives each listener what its filter asks for', async () => {
      const all = numbers(right);
      const goose = numbers(right, { etherTypes: [ETHERTYPE.goose] });
      const one = numbers(right, { etherTypes: [ETHERTYPE.goose], destinations: [GROUP] });
      left.send(frame(1));
      left.send(frame(2, { to: OTHER }));
      left.send(frame(3, { etherType: ETHERTYPE.sampledValues, to: OTHER }));
      left.send(frame(4));
      await all.upTo(4);
      expect(all.list).toEqual([1, 2, 3, 4]);
      expect(goose.list).toEqual([1, 2, 4]);
      expect(one.list).toEqual([1, 4]);
    });

    it('brings nothing to who has stopped listening, also within the call', async () => {
      const rest = numbers(right);
      const once: number[] = [];
      const stop = right.listen((octets) => {
        once.push(numberOf(octets));
        stop();
      });
      left.send(frame(1));
      left.send(frame(2));
      await rest.upTo(2);
      expect(once).toEqual([1]);
      rest.stop();
      const again = numbers(right);
      left.send(frame(3));
      await again.upTo(3);
      expect(rest.list).toEqual([1, 2]);
      expect(again.list).toEqual([3]);
    });

    it.skipIf(!tags)('keeps the VLAN tag, and filters by the type behind it', async () => {
      const came: Uint8Array[] = [];
      right.listen((octets) => came.push(octets.slice()), { etherTypes: [ETHERTYPE.goose] });
      const sent = [
        frame(1, { vlan: { id: 0, priority: 4 } }),
        frame(2, { vlan: { id: 5, priority: 7 } }),
        frame(3, { vlan: { id: 7, priority: 1 }, size: 1500 }),
      ];
      left.send(frame(9, { vlan: { id: 5, priority: 4 }, etherType: ETHERTYPE.ipv4 }));
      for (const one of sent) left.send(one);
      await until(() => came.length === 3);
      expect(came).toEqual(sent);
    });

    it('the sender may use its octets again', async () => {
      const there = numbers(right);
      const octets = frame(1);
      left.send(octets);
      octets.fill(0xff);
      await there.upTo(1);
      expect(there.list).toEqual([1]);
    });

    it('counts', async () => {
      const there = numbers(right);
      for (let number = 1; number <= 10; number++) left.send(frame(number));
      await there.upTo(10);
      expect(left.counters.sent).toBe(10);
      expect(right.counters).toEqual({ received: 10, sent: 0, lost: 0 });
    });

    it('brings ten thousand frames, or says how many it lost', async () => {
      const there = numbers(right);
      for (let number = 1; number <= 10_000; number++) left.send(frame(number));
      const { sent } = left.counters;
      await until(() => right.counters.received + right.counters.lost >= sent || there.list.includes(10_000));
      expect(there.list).toEqual([...there.list].sort((a, b) => a - b));
      expect(there.list.length + right.counters.lost + left.counters.lost).toBeGreaterThanOrEqual(10_000);
    });

    it('ends once: closed resolves, what is sent afterwards is counted as lost', async () => {
      const there = numbers(right);
      await right.close();
      await right.close();
      await right.closed;
      left.send(frame(1));
      right.send(frame(2));
      expect(right.counters).toMatchObject({ sent: 0, lost: 1 });
      await new Promise((resolve) => setImmediate(resolve));
      expect(there.list).toEqual([]);
    });

    it('a receiver that throws ends the link, and its reason is told', async () => {
      right.listen(() => {
        throw new Error('a bug of the receiver');
      });
      left.send(frame(1));
      await expect(right.closed).rejects.toThrow('a bug of the receiver');
    });
  });
}
