import { describe, expect, it } from 'vitest';
import { type Asdu, asdu, decodeAsdu, encodeAsdu, objectsPerAsdu } from '../../src/codec/asdu.ts';
import type { Element } from '../../src/codec/elements.ts';
import { cp56 } from '../../src/codec/time.ts';
import type { RequestContext, ServerHandlers } from '../../src/server/handlers.ts';
import type { ReplyJob } from '../../src/server/reply-job.ts';
import { SelectBook } from '../../src/server/select-book.ts';
import { Station, type StationPeer } from '../../src/server/station.ts';
import { DEFAULT_PARAMETERS } from '../../src/spec/parameters.ts';

/** A connection that takes whatever comes, at once. */
class Peer implements StationPeer {
  closed = false;
  readonly sent: Asdu[] = [];
  readonly jobs: ReplyJob[] = [];
  limit = 4;
  reply(reply: Asdu): void {
    // Everything that leaves must survive the wire.
    this.sent.push(decodeAsdu(encodeAsdu(reply, DEFAULT_PARAMETERS), DEFAULT_PARAMETERS));
  }
  stream(job: ReplyJob): boolean {
    if (this.jobs.length >= this.limit) return false;
    this.jobs.push(job);
    return true;
  }
  cancel(typeId: number, commonAddress: number): boolean {
    const found = this.jobs.filter((j) => j.request.typeId === typeId && j.request.commonAddress === commonAddress);
    for (const job of found) job.cancel();
    return found.length > 0;
  }
  async drain(): Promise<void> {
    for (const job of this.jobs.splice(0)) {
      for (let reply = await job.next(); reply !== undefined; reply = await job.next()) this.reply(reply);
    }
  }
  /** `type cause[-]` of all that was sent, and forgets it. */
  take(): string[] {
    return this.sent.splice(0).map((a) => `${a.typeId} ${a.cause}${a.negative ? '-' : ''}`);
  }
}

function setUp(handlers: ServerHandlers, commonAddresses: number[] | undefined = [1, 2]) {
  let now = 0;
  const errors: unknown[] = [];
  const station = new Station<Peer>({
    handlers,
    ...(commonAddresses ? { commonAddresses } : {}),
    broadcast: 0xffff,
    selects: new SelectBook({ timeout: 1000, limit: 10 }),
    now: () => now,
    objectsPerAsdu: (typeId, sequence) => objectsPerAsdu(typeId, sequence, DEFAULT_PARAMETERS),
    onHandlerError: (error) => errors.push(error),
  });
  const peer = new Peer();
  const send = async (request: Asdu, from = peer) => {
    const context: RequestContext = {
      connection: 1,
      peer: '127.0.0.1:1',
      group: 'default',
      originator: request.originator,
      asdu: request,
    };
    await station.receive(from, context, request);
    await from.drain();
    return from.take();
  };
  return { station, peer, send, errors, advance: (ms: number) => (now += ms) };
}

const request = (typeId: number, element: Element, more: Partial<Asdu> & { address?: number } = {}): Asdu => {
  const { address = 0, ...rest } = more;
  return { ...asdu({ typeId, cause: 6, commonAddress: 1, objects: [{ address, element }] }), ...rest };
};
const GI: Element = { kind: 'interrogation', qualifier: 20 };
const single = (value: number, select: boolean, qualifier = 0): Element => ({
  kind: 'singleCommand',
  value,
  qualifier,
  select,
});
const point = (address: number) => ({ address, element: { kind: 'single', value: 1, quality: 0 } as const });

describe('station: refusals', () => {
  const all: ServerHandlers = { interrogation: () => [], command: () => 'accept', read: () => undefined };

  it.each([
    [
      'an unknown type',
      {
        ...asdu({ typeId: 99, cause: 6, commonAddress: 1, objects: [] }),
        opaque: { count: 1, bytes: Uint8Array.of(1, 2, 3) },
      },
      '99 44-',
    ],
    ['a type in monitor direction', asdu({ typeId: 1, cause: 3, commonAddress: 1, objects: [point(1)] }), '1 44-'],
    ['a type no handler serves', request(101, { kind: 'counterInterrogation', request: 5, freeze: 0 }), '101 44-'],
    ['an unknown cause', request(100, GI, { cause: 3 }), '100 45-'],
    ['an unknown common address', request(100, GI, { commonAddress: 9 }), '100 46-'],
    ['the common address 0', request(100, GI, { commonAddress: 0 }), '100 46-'],
    ['a command to the broadcast address', request(45, single(1, false), { commonAddress: 0xffff }), '45 46-'],
    ['a read of an unknown object', request(102, { kind: 'none' }, { cause: 5, address: 7 }), '102 47-'],
    ['a group that does not exist', request(100, { kind: 'interrogation', qualifier: 99 }), '100 7-'],
  ])('%s is refused', async (_name, asked, answer) => {
    const { send } = setUp(all);
    expect(await send(asked)).toEqual([answer]);
  });

  it('a handler that throws is a negative confirmation and is reported', async () => {
    const { send, errors, station } = setUp({
      interrogation: () => {
        throw new Error('no image');
      },
      command: () => Promise.reject(new Error('no breaker')),
    });
    expect(await send(request(100, GI))).toEqual(['100 7-']);
    expect(await send(request(45, single(1, false)))).toEqual(['45 7-']);
    expect(errors).toHaveLength(2);
    expect(station.counters.handlerErrors).toBe(2);
  });
});

describe('station: interrogation', () => {
  it('confirms, sends the image with the cause of the request, terminates', async () => {
    const { send, peer } = setUp({ interrogation: () => [{ typeId: 1, objects: [point(1), point(2)] }] });
    expect(await send(request(100, GI, { originator: 5 }))).toEqual(['100 7', '1 20', '100 10']);
    peer.sent.length = 0;
    expect(await send(request(100, { kind: 'interrogation', qualifier: 36 }))).toEqual(['100 7', '1 36', '100 10']);
  });

  it('splits an image that does not fit one ASDU', async () => {
    const objects = Array.from({ length: 200 }, (_, i) => point(i + 1));
    const { send, station, peer } = setUp({
      *interrogation() {
        yield { typeId: 1, objects };
        yield { typeId: 1, objects: [] };
        yield { typeId: 1, objects: [point(999)], sequence: true };
      },
    });
    void station;
    await send(request(100, GI));
    expect(await send(request(100, GI))).toEqual(['100 7', '1 20', '1 20', '1 20', '1 20', '1 20', '100 10']);
    void peer;
  });

  it('is answered for each station when it went to all', async () => {
    const { station, peer } = setUp({
      interrogation: (_c, commonAddress) => [{ typeId: 1, objects: [point(commonAddress)] }],
    });
    const asked = request(100, GI, { commonAddress: 0xffff });
    await station.receive(peer, { connection: 1, peer: '', group: '', originator: 0, asdu: asked }, asked);
    await peer.drain();
    expect(peer.sent.map((a) => [a.typeId, a.cause, a.commonAddress])).toEqual([
      [100, 7, 1],
      [1, 20, 1],
      [100, 10, 1],
      [100, 7, 2],
      [1, 20, 2],
      [100, 10, 2],
    ]);
  });

  it('can be deactivated while it runs, and not when it does not', async () => {
    const { station, peer, send } = setUp({ interrogation: () => [{ typeId: 1, objects: [point(1)] }] });
    const asked = request(100, GI);
    const context = { connection: 1, peer: '', group: '', originator: 0, asdu: asked };
    await station.receive(peer, context, asked);
    peer.reply((await peer.jobs[0]!.next())!);
    expect(await send(request(100, GI, { cause: 8 }))).toEqual(['100 7', '100 9']);
    expect(await send(request(100, GI, { cause: 8 }))).toEqual(['100 9-']);
  });

  it('is refused when the connection has too many waiting', async () => {
    const { peer, send } = setUp({ interrogation: () => [] });
    peer.limit = 0;
    expect(await send(request(100, GI))).toEqual(['100 7-']);
  });

  it('an image that fails half-way ends in a negative termination', async () => {
    const { send } = setUp({
      async *interrogation() {
        yield { typeId: 1, objects: [point(1)] };
        throw new Error('disk');
      },
    });
    expect(await send(request(100, GI))).toEqual(['100 7', '1 20', '100 10-']);
  });

  it('counters are read by group; a freeze is confirmed and terminated without data', async () => {
    const frozen: number[] = [];
    const { send } = setUp({
      counterInterrogation: (_c, _ca, _request, freeze) => {
        frozen.push(freeze);
        return [
          {
            typeId: 15,
            objects: [{ address: 1, element: { kind: 'integratedTotal', value: 5, sequence: 1, flags: 0 } }],
          },
        ];
      },
    });
    expect(await send(request(101, { kind: 'counterInterrogation', request: 5, freeze: 0 }))).toEqual([
      '101 7',
      '15 37',
      '101 10',
    ]);
    expect(await send(request(101, { kind: 'counterInterrogation', request: 2, freeze: 0 }))).toEqual([
      '101 7',
      '15 39',
      '101 10',
    ]);
    expect(await send(request(101, { kind: 'counterInterrogation', request: 5, freeze: 2 }))).toEqual([
      '101 7',
      '101 10',
    ]);
    expect(await send(request(101, { kind: 'counterInterrogation', request: 9, freeze: 0 }))).toEqual(['101 7-']);
    expect(frozen).toEqual([0, 0, 2]);
  });
});

describe('station: commands', () => {
  it('a direct command is confirmed and terminated', async () => {
    const seen: unknown[] = [];
    const { send } = setUp({
      command: (_c, r) => {
        seen.push([r.phase, r.typeId, r.address, r.value, r.qualifier]);
        return 'accept';
      },
    });
    expect(await send(request(45, single(1, false, 2), { address: 7 }))).toEqual(['45 7', '45 10']);
    expect(
      await send(request(48, { kind: 'setpointNormalized', raw: -5, qualifier: 0, select: false }, { address: 8 })),
    ).toEqual(['48 7', '48 10']);
    expect(await send(request(51, { kind: 'bitstringCommand', value: 9 }, { address: 9 }))).toEqual(['51 7', '51 10']);
    expect(seen).toEqual([
      ['execute', 45, 7, 1, 2],
      ['execute', 48, 8, -5, 0],
      ['execute', 51, 9, 9, 0],
    ]);
  });

  it('select, execute: the process is asked twice and acts once', async () => {
    const phases: string[] = [];
    const { send } = setUp({
      controlMode: () => 'select-before-operate',
      command: (_c, r) => {
        phases.push(r.phase);
        return 'accept';
      },
    });
    expect(await send(request(45, single(1, true), { address: 7 }))).toEqual(['45 7']);
    expect(await send(request(45, single(1, false), { address: 7 }))).toEqual(['45 7', '45 10']);
    expect(phases).toEqual(['select', 'execute']);
  });

  it('an execute without a select, after the timeout or of another value never reaches the process', async () => {
    const phases: string[] = [];
    const { send, advance } = setUp({
      controlMode: () => 'select-before-operate',
      command: (_c, r) => {
        phases.push(r.phase);
        return 'accept';
      },
    });
    expect(await send(request(45, single(1, false), { address: 7 }))).toEqual(['45 7-']);
    await send(request(45, single(1, true), { address: 7 }));
    advance(1000);
    expect(await send(request(45, single(1, false), { address: 7 }))).toEqual(['45 7-']);
    await send(request(45, single(1, true), { address: 7 }));
    expect(await send(request(45, single(0, false), { address: 7 }))).toEqual(['45 7-']);
    expect(phases).toEqual(['select', 'select']);
  });

  it('a deactivation ends the select and tells the process', async () => {
    const phases: string[] = [];
    const { send } = setUp({
      controlMode: () => 'select-before-operate',
      command: (_c, r) => {
        phases.push(r.phase);
        return 'accept';
      },
    });
    await send(request(45, single(1, true), { address: 7 }));
    expect(await send(request(45, single(1, true), { address: 7, cause: 8 }))).toEqual(['45 9']);
    expect(await send(request(45, single(1, false), { address: 7 }))).toEqual(['45 7-']);
    expect(phases).toEqual(['select', 'cancel']);
  });

  it('an unknown object is refused with cause 47, a select of a direct one negatively', async () => {
    const { send } = setUp({
      controlMode: (_t, _ca, address) => (address === 7 ? 'direct' : undefined),
      command: () => 'accept',
    });
    expect(await send(request(45, single(1, false), { address: 8 }))).toEqual(['45 47-']);
    expect(await send(request(45, single(1, true), { address: 7 }))).toEqual(['45 7-']);
    expect(await send(request(45, single(1, false), { address: 7 }))).toEqual(['45 7', '45 10']);
  });

  it('another connection cannot execute or steal what is selected', async () => {
    const { send } = setUp({ command: () => 'accept' });
    const other = new Peer();
    await send(request(45, single(1, true), { address: 7 }));
    expect(await send(request(45, single(1, true), { address: 7 }), other)).toEqual(['45 7-']);
    expect(await send(request(45, single(1, false), { address: 7 }), other)).toEqual(['45 7-']);
    expect(await send(request(45, single(1, false), { address: 7 }))).toEqual(['45 7', '45 10']);
  });

  it('a refused select holds nothing', async () => {
    let allow = false;
    const { send } = setUp({
      controlMode: () => 'select-before-operate',
      command: () => (allow ? 'accept' : { refuse: 'negative' }),
    });
    expect(await send(request(45, single(1, true), { address: 7 }))).toEqual(['45 7-']);
    allow = true;
    expect(await send(request(45, single(1, false), { address: 7 }))).toEqual(['45 7-']);
  });

  it('the termination waits until the process is done, and is negative when it failed', async () => {
    let finish = (_ok: boolean) => {};
    const { send, peer } = setUp({
      command: () => ({
        accept: true,
        done: new Promise<void>((resolve, reject) => {
          finish = (ok) => (ok ? resolve() : reject(new Error('stuck')));
        }),
      }),
    });
    const step = request(47, { kind: 'stepCommand', value: 2, qualifier: 0, select: false });
    expect(await send(step)).toEqual(['47 7']);
    finish(true);
    await new Promise(setImmediate);
    expect(peer.take()).toEqual(['47 10']);
    expect(await send(step)).toEqual(['47 7']);
    finish(false);
    await new Promise(setImmediate);
    expect(peer.take()).toEqual(['47 10-']);
  });

  it('a command with the test bit never reaches the process', async () => {
    let asked = 0;
    const { send } = setUp({
      command: () => {
        asked++;
        return 'accept';
      },
    });
    expect(await send(request(45, single(1, false), { test: true }))).toEqual(['45 7-']);
    expect(asked).toBe(0);
  });
});

describe('station: system and parameters', () => {
  it('tests are confirmed with their pattern, clock synchronisation with a time, reads with the object', async () => {
    const time = cp56({ milliseconds: 1, minute: 2, hour: 3, day: 4, month: 5, year: 26 });
    const { station, peer, send } = setUp({
      clockSync: () => undefined,
      read: (_c, _ca, address) => ({ typeId: 1, objects: [point(address)] }),
      resetProcess: () => undefined,
      delayAcquisition: () => ({ refuse: 'unknown cause' }),
    });
    expect(await send(request(104, { kind: 'test', pattern: 0x55aa }))).toEqual(['104 7']);
    expect(
      await send({
        ...request(107, { kind: 'test', pattern: 7 }),
        objects: [{ address: 0, element: { kind: 'test', pattern: 7 }, time }],
      }),
    ).toEqual(['107 7']);
    expect(await send(request(102, { kind: 'none' }, { cause: 5, address: 3 }))).toEqual(['1 5']);
    expect(await send(request(105, { kind: 'resetProcess', qualifier: 1 }))).toEqual(['105 7']);
    expect(await send(request(106, { kind: 'delayAcquisition', milliseconds: 9 }))).toEqual(['106 45-']);
    const sync = {
      ...request(103, { kind: 'none' }),
      objects: [{ address: 0, element: { kind: 'none' } as const, time }],
    };
    await station.receive(peer, { connection: 1, peer: '', group: '', originator: 0, asdu: sync }, sync);
    expect(peer.sent[0]).toMatchObject({ typeId: 103, cause: 7, objects: [{ time }] });
  });

  it('parameters are loaded, activated and deactivated', async () => {
    const seen: unknown[] = [];
    const { send } = setUp({
      parameter: (_c, r) => {
        seen.push([r.typeId, r.address, r.active]);
        return r.address === 9 ? { refuse: 'unknown object address' } : undefined;
      },
    });
    expect(await send(request(112, { kind: 'parameterShort', value: 1.5, qualifier: 1 }, { address: 4 }))).toEqual([
      '112 7',
    ]);
    expect(await send(request(113, { kind: 'parameterActivation', qualifier: 1 }, { address: 4, cause: 8 }))).toEqual([
      '113 9',
    ]);
    expect(await send(request(110, { kind: 'parameterNormalized', raw: 1, qualifier: 1 }, { address: 9 }))).toEqual([
      '110 47-',
    ]);
    expect(seen).toEqual([
      [112, 4, true],
      [113, 4, false],
      [110, 9, true],
    ]);
  });
});
