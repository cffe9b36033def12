/** Peers that want to keep a server busy, or to fill it: what each costs, and that the others are served. */
import { systemClock, type Transport } from '@enerchain/transport';
import { PAIRS, turn, until, VirtualClock } from '@enerchain/transport/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import { DEFAULT_ASSOCIATION } from '../../src/machine/defaults.ts';
import { MmsClient } from '../../src/session/client.ts';
import { MmsServerSession, type ServerOptions } from '../../src/session/server.ts';
import { nameOf } from '../../src/spec/names.ts';
import { encodeTpdu } from '../../src/transport/cotp.ts';
import { encodeTpkt } from '../../src/transport/tpkt.ts';
import { random, unhex } from '../support/fuzz.ts';
import { Wire } from '../support/wire.ts';

/** Octets of an initiator: connection request, associating, and an Identify. */
function script(): { readonly connect: Uint8Array; readonly associate: Uint8Array; readonly identify: Uint8Array } {
  const wire = new Wire().connect();
  wire.run(
    'initiator',
    wire.initiator.send({
      kind: 'confirmedRequest',
      value: { invokeId: 1, service: { kind: 'identify', value: null } },
    }),
  );
  const [connect, associate, identify] = wire.sent.initiator;
  return { connect: connect!, associate: associate!, identify: identify! };
}

const segment = (data: Uint8Array, last = false): Uint8Array => encodeTpkt(encodeTpdu({ kind: 'DT', last, data }));

describe.each(PAIRS)('a server over $name', (pair) => {
  async function attacked(options: Partial<ServerOptions> = {}, clock = new VirtualClock()) {
    const { left, right, shutdown } = await pair.open();
    onTestFinished(shutdown);
    const closed: (string | undefined)[] = [];
    let received = 0;
    let cut = false;
    const session = new MmsServerSession(right, {
      clock,
      handlers: { identify: () => ({ vendor: 'v', model: 'm', revision: '1' }) },
      ...options,
      onClose: (_, error) => closed.push(error?.code),
    });
    left.open({
      onData: (chunk) => {
        received += chunk.length;
      },
      onClose: () => {
        cut = true;
      },
    });
    return {
      left,
      session,
      clock,
      closed,
      received: () => received,
      cut: () => cut,
      async associate() {
        const { connect, associate } = script();
        left.write(connect);
        left.write(associate);
        await until(() => session.initiate !== undefined, 'an association');
      },
    };
  }

  /** Writes until it is cut off. @returns octets that were written */
  async function pour(left: Transport, cut: () => boolean, next: () => Uint8Array, limit = 64 << 20): Promise<number> {
    let written = 0;
    while (!cut() && written < limit) {
      const octets = next();
      written += octets.length;
      left.write(octets);
      if (left.bufferedBytes > 1 << 20 || written % (1 << 16) < octets.length) await turn();
    }
    return written;
  }

  test.each([
    ['TSDU without end', () => segment(new Uint8Array(1000))],
    ['segments without content', () => segment(new Uint8Array(0))],
    ['one octet in each segment', () => segment(new Uint8Array(1))],
  ])('%s: cut off after what one TSDU may have', async (_, next) => {
    const one = await attacked();
    await one.associate();
    const written = await pour(one.left, () => one.closed.length > 0, next);
    expect(one.closed).toEqual(['cotp.tsdu']);
    // 65 000 octets and their headers, and what was on its way.
    expect(written).toBeLessThan(3 << 20);
  });

  test('associating half way: each step that never comes is waited for in time', async () => {
    const { connect, associate } = script();
    const stages = [
      new Uint8Array(0),
      connect.subarray(0, 3),
      connect,
      Buffer.concat([connect, associate.subarray(0, 30)]),
      // The presentation in segments, without its end.
      Buffer.concat([connect, segment(associate.subarray(7, 60))]),
    ];
    for (const octets of stages) {
      const one = await attacked();
      if (octets.length > 0) one.left.write(octets);
      await turn();
      await one.clock.advance(9_999);
      expect(one.closed).toEqual([]);
      await one.clock.advance(1);
      expect(one.closed).toEqual(['association.timeout']);
      expect(one.clock.pending).toBe(0);
    }
  });

  test('cut at every place, and everything of the session is gone', async () => {
    const { connect, associate, identify } = script();
    const all = Buffer.concat([connect, associate, identify]);
    for (let length = 0; length <= all.length; length += 7) {
      const one = await attacked();
      if (length > 0) one.left.write(Uint8Array.from(all.subarray(0, length)));
      one.left.end();
      await until(() => one.closed.length === 1, 'the end');
      expect(one.clock.pending).toBe(0);
    }
  });

  test('octets one by one are as good as in one piece', async () => {
    const { connect, associate, identify } = script();
    const one = await attacked();
    for (const octet of Buffer.concat([connect, associate])) one.left.write(Uint8Array.of(octet));
    await until(() => one.session.initiate !== undefined);
    await turn();
    const before = one.received();
    for (const octet of identify) one.left.write(Uint8Array.of(octet));
    await until(() => one.received() > before);
    expect(one.closed).toEqual([]);
  });

  // Each is the service of a request, or a whole PDU, inside of a good association.
  const deep = (levels: number): string => {
    let hex = '8300';
    for (let i = 0; i < levels; i++) {
      const length = hex.length / 2;
      const size = length < 128 ? length.toString(16).padStart(2, '0') : `82${length.toString(16).padStart(4, '0')}`;
      hex = `a2${size}${hex}`;
    }
    return hex;
  };
  const many = (count: number): string => {
    const list = '8300'.repeat(count);
    return `a082${(list.length / 2).toString(16).padStart(4, '0')}${list}`;
  };
  const write = (data: string): string => {
    const body = `a00e300ca00aa1081a01611a03612462${data}`;
    return `a582${(body.length / 2).toString(16).padStart(4, '0')}${body}`;
  };
  test.each([
    ['a nesting bomb', write(`a082${(deep(3000).length / 2).toString(16).padStart(4, '0')}${deep(3000)}`)],
    ['an indefinite length', 'a480800000'],
    ['a length that lies', 'a4847fffffff00'],
    ['a length of eight octets', 'a488000000000000000100'],
    ['more in it than it says', 'a4020000ff'],
    ['a list of 25 000 values', write(many(25_000))],
    ['an Initiate within an association', 'a803800101'],
  ])('%s: rejected or cut off, and nothing else happens', async (_, service) => {
    const clock = new VirtualClock();
    const failures: unknown[] = [];
    const one = await attacked({ onFailure: (...failure) => failures.push(failure) }, clock);
    const other = await attacked({}, clock);
    await one.associate();
    await other.associate();
    const before = one.received();
    for (const octets of pdu(service)) one.left.write(octets);
    await until(() => one.closed.length === 1 || one.received() > before, 'an answer');
    expect(failures).toEqual([]);
    const then = other.received();
    other.left.write(script().identify);
    await until(() => other.received() > then, 'the other one is served');
  });

  test('octets changed at random in a good conversation throw nothing', async () => {
    const { connect, associate, identify } = script();
    const next = random(7);
    for (let round = 0; round < 60; round++) {
      const one = await attacked();
      const octets = Uint8Array.from(Buffer.concat([connect, associate, identify, identify]));
      for (let changes = 1 + (next() % 4); changes > 0; changes--) octets[next() % octets.length] = next();
      one.left.write(octets);
      await turn();
      one.left.destroy();
      await until(() => one.closed.length === 1);
      expect(one.clock.pending).toBe(0);
    }
  });

  test('a client that asks and does not read is cut off when it has left too much', async () => {
    const payload = new Uint8Array(50_000);
    const one = await attacked({
      bufferLimit: 400_000,
      handlers: { fileRead: () => ({ data: payload, moreFollows: true }) },
    });
    await one.associate();
    one.left.pause();
    let asked = 0;
    while (one.closed.length === 0 && asked < 2_000) {
      one.left.write(pdu('9f490101', ++asked)[0]!);
      await turn();
    }
    expect(one.closed).toEqual([undefined]);
    // What the sockets hold comes on top of what the session does.
    expect(asked).toBeLessThan(1_000);
  });

  test('a flood of requests does not keep the others from being served', async () => {
    const total = 150_000;
    const flood = script().identify;
    const one = await attacked({ bufferLimit: 1 << 30 }, systemClock as VirtualClock);
    await one.associate();
    const { left, right, shutdown } = await pair.open();
    onTestFinished(shutdown);
    new MmsServerSession(right, { handlers: { identify: () => ({ vendor: 'v', model: 'm', revision: '1' }) } });
    const client = await MmsClient.associate(left);
    const before = one.received();
    const piece = Buffer.concat(Array.from({ length: 1000 }, () => flood));
    for (let i = 0; i < total / 1000; i++) one.left.write(Uint8Array.from(piece));
    for (let i = 0; i < 20; i++) await client.call('identify', null);
    const answered = one.received() - before;
    client.abort();
    one.session.abort();
    // Every answer has some forty octets: the flood is not even half done.
    expect(answered).toBeLessThan((total / 2) * 30);
  });

  test('more calls than were agreed are rejected, by their numbers, without being begun', async () => {
    let begun = 0;
    const initiate = { ...DEFAULT_ASSOCIATION.initiate, outstandingCalling: 2 };
    const one = await attacked({
      association: { initiate },
      handlers: {
        read: () => {
          begun++;
          return new Promise(() => {});
        },
      },
    });
    await one.associate();
    const wire = new Wire().connect();
    const access = {
      kind: 'variables',
      value: [{ specification: { kind: 'name', value: nameOf('a') } }],
    } as const;
    const service = { kind: 'read', value: { withSpecification: false, access } } as const;
    wire.run('initiator', wire.initiator.send({ kind: 'confirmedRequest', value: { invokeId: 0, service } }));
    const read = Buffer.from(wire.sent.initiator.at(-1)!);
    const at = read.indexOf(Buffer.from('020100', 'hex')) + 2;
    for (let i = 0; i < 100; i++) {
      read[at] = i;
      one.left.write(Uint8Array.from(read));
    }
    await until(() => one.received() > 97 * 20);
    expect([begun, one.closed]).toEqual([3, []]);
  });
});

/** A confirmed request, or any PDU that begins with a8, in TPDUs; its service is given as octets. */
function pdu(service: string, invokeId = 1): Uint8Array[] {
  const wrap = (head: string, hex: string): string => {
    const length = hex.length / 2;
    const size = length < 0x80 ? length.toString(16).padStart(2, '0') : `83${length.toString(16).padStart(6, '0')}`;
    return head + size + hex;
  };
  const number = `0202${(invokeId & 0x7fff).toString(16).padStart(4, '0')}`;
  const mms = service.startsWith('a8') ? service : wrap('a0', `${number}${service}`);
  const user = unhex(`01000100${wrap('61', wrap('30', `020103${wrap('a0', mms)}`))}`);
  const packets: Uint8Array[] = [];
  for (let from = 0; from < user.length; from += 8000)
    packets.push(segment(user.subarray(from, from + 8000), from + 8000 >= user.length));
  return packets;
}
