import { createServer, type Socket, connect as tcpConnect } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { tlsContext } from '@enerchain/trust';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { encodeFrame, encodeTcnMessage, FrameReader, TlsTransport } from '../src/index.ts';
import { component, RealNetwork } from './real-network.ts';

const NAMES = ['core-1', 'core-2', 'edge-1'];
let network: RealNetwork;

afterEach(async () => network?.close());

const pairs = NAMES.flatMap((a) => NAMES.filter((b) => b !== a).map((b) => [a, b] as const));
const allGood = () => pairs.every(([of, at]) => network.good(of, at));

describe.each(['memory', 'tls'] as const)('real attesters, %s', (kind) => {
  it('neighbours are good, with a tier that says what that is worth', async () => {
    network = await RealNetwork.open(kind);
    await network.mesh(NAMES);
    expect(allGood()).toBe(false);
    await network.until(allGood);
    expect(network.get('core-1').node.get('edge-1')).toMatchObject({
      status: 'warning',
      tier: 'software',
      reaction: 'none',
    });
  });

  it('a file that was never delivered: in quarantine at all, proven by the evidence', async () => {
    network = await RealNetwork.open(kind);
    await network.mesh(NAMES);
    await network.until(allGood);
    network.get('edge-1').measurements.add(component('platform/edge/src/edge.ts', 'something else'));
    await network.until(() => ['core-1', 'core-2'].every((at) => network.reaction('edge-1', at) === 'quarantine'));
    expect(network.get('core-1').node.get('edge-1')?.reason).toContain('platform/edge/src/edge.ts');
    expect(network.good('core-2', 'core-1')).toBe(true);
    // Started anew with what was delivered, it needs the operator as well.
    network.get('edge-1').measurements.restart();
    const issued = network.get('core-1').node.counters.appraisals!;
    await network.until(() => network.get('core-1').node.counters.appraisals! > issued + 1);
    expect(network.reaction('edge-1', 'core-1')).toBe('quarantine');
    expect(await network.release('edge-1', 'core-2')).toBe(true);
    await network.until(allGood);
  });

  it('a node that has gone is no longer good, and isolated by those who miss it', async () => {
    network = await RealNetwork.open(kind);
    await network.mesh(NAMES);
    await network.until(allGood);
    network.get('edge-1').node.close();
    await network.get('edge-1').transport?.close();
    await network.until(() => ['core-1', 'core-2'].every((at) => network.reaction('edge-1', at) === 'restrict'));
    expect(network.good('core-2', 'core-1')).toBe(true);
  });
});

describe('the listener', () => {
  it('listens on one address only', async () => {
    network = await RealNetwork.open('tls');
    await network.mesh(NAMES);
    const { identity } = network.get('core-1');
    for (const host of ['0.0.0.0', '::', 'localhost', '']) {
      const make = () =>
        new TlsTransport({
          identity,
          listen: { host, port: 0 },
          neighbours: [],
          attach: () => undefined,
          isConnected: () => false,
          clock: network.clock,
          after: network.after,
          random: Math.random,
          idle: 1000,
        });
      expect(make).toThrow(expect.objectContaining({ code: 'tcn.listen' }));
    }
  });

  it('says so when the address is taken', async () => {
    network = await RealNetwork.open('tls');
    await network.mesh(['core-1']);
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as { port: number };
    const transport = new TlsTransport({
      identity: network.get('core-1').identity,
      listen: { host: '127.0.0.1', port },
      neighbours: [],
      attach: () => undefined,
      isConnected: () => false,
      clock: network.clock,
      after: network.after,
      random: Math.random,
      idle: 1000,
    });
    await expect(transport.start()).rejects.toMatchObject({ code: 'tcn.listen', fault: 'environment' });
    await transport.close();
    other.close();
  });

  it('without a certificate, with plain text, with silence, with a stranger’s certificate: nobody gets in, the others stay', async () => {
    network = await RealNetwork.open('tls');
    await network.mesh(NAMES);
    await network.until(allGood);
    const { host, port } = network.get('core-1').transport!.address!;
    const stranger = await network.identity('stranger', 'network');
    const ended = (socket: Socket) =>
      new Promise<void>((resolve) => {
        socket.on('error', () => undefined);
        socket.on('close', () => resolve());
        socket.resume();
      });
    const open = { host, port, checkServerIdentity: () => undefined };
    const silent = tcpConnect({ host, port });
    const plain = tcpConnect({ host, port }, () => plain.write('GET / HTTP/1.0\r\n\r\n'));
    await Promise.all([
      ended(plain),
      ended(tlsConnect({ ...open, ca: network.ca.certificatePem })),
      ended(tlsConnect({ ...open, ...tlsContext(stranger) })),
    ]);
    expect(allGood()).toBe(true);
    silent.destroy();
    const { events } = network.get('core-1');
    expect(events.some(({ node, text }) => node === 'stranger' && text.includes('no neighbour'))).toBe(true);
    // By their names, and each once in a while, however often somebody knocks.
    await ended(tlsConnect({ ...open, ca: network.ca.certificatePem }));
    const { security } = network.get('core-1');
    expect(security.filter((name) => name === 'certificate-missing')).toHaveLength(1);
    expect(security).toContain('not-tls');
  });

  it('a neighbour that announces more than there is, or sends what is no message, is cut off and dials again', async () => {
    network = await RealNetwork.open('tls');
    await network.mesh(NAMES);
    await network.until(allGood);
    const { host, port } = network.get('core-1').transport!.address!;
    const { identity } = network.get('edge-1');
    const hostile = [
      Buffer.from([0xff, 0xff, 0xff, 0xff]),
      Buffer.from([0, 0, 0, 0]),
      // Before the first whole message little is believed.
      Buffer.from([0, 1, 0, 0]),
      encodeFrame(Buffer.from('no message')),
      Buffer.concat([
        encodeFrame(encodeTcnMessage({ type: 'hello', software: 'x' })),
        Buffer.from([0x7f, 0xff, 0xff, 0xff]),
      ]),
    ];
    for (const bytes of hostile) {
      const socket = tlsConnect({ host, port, ...tlsContext(identity), checkServerIdentity: () => undefined });
      const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()));
      socket.on('error', () => undefined);
      socket.once('secureConnect', () => socket.write(bytes));
      socket.resume();
      await closed;
    }
    await network.until(() => network.get('core-1').node.connected.includes('edge-1'));
    await network.until(() => network.good('core-2', 'core-1'));
  });
});

describe('frames', () => {
  it('come out as they went in, however they are cut', () => {
    const messages = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 8 });
    fc.assert(
      fc.property(messages, fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }), (sent, cuts) => {
        const stream = Buffer.concat(sent.map(encodeFrame));
        const reader = new FrameReader();
        const received: Uint8Array[] = [];
        for (let at = 0, i = 0; at < stream.length; i++) {
          const size = cuts[i % cuts.length]!;
          received.push(...reader.push(stream.subarray(at, at + size)).map((each) => Uint8Array.from(each)));
          at += size;
        }
        expect(received).toEqual(sent.map((each) => Uint8Array.from(each)));
        expect(reader.pending).toBe(0);
      }),
    );
  });
});
