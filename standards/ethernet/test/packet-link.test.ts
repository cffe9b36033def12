/** What only interfaces of Linux have: carriers, rights, drops of the kernel, launchers. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, openSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeFrame, descriptorLink, ETHERTYPE, encodeFrame, mac, packetLink } from '../src/index.ts';
import { LAUNCHER_PATH } from '../src/linux/build.ts';
import { filterProgram, memberships } from '../src/linux/filter.ts';
import { loadNative, MODULE_PATH } from '../src/linux/native.ts';
import { until } from './support/until.ts';
import { noPacketSockets, type Veth, veth } from './support/veth.ts';

const GROUP = mac('01-0C-CD-01-00-01');
const frame = (number: number, etherType: number = ETHERTYPE.goose) =>
  encodeFrame({
    destination: GROUP,
    source: mac('02-00-00-00-00-01'),
    vlan: { id: 3, priority: 4 },
    etherType,
    payload: Uint8Array.of(number),
  });

describe('what listeners want, told to the kernel', () => {
  const words = (program: Uint8Array) => Buffer.from(program).toString('hex').match(/.{16}/g);

  it('is a program that lets their types pass, and tags', () => {
    expect(words(filterProgram([]))).toEqual(['0600000000000000']);
    expect(words(filterProgram([{ etherTypes: [0x88b8] }, {}]))).toEqual(['06000000ffffffff']);
    expect(words(filterProgram([{ etherTypes: [0x88b8] }, { etherTypes: [0x88b8, 0x88ba] }]))).toEqual([
      '280000000c000000', // ldh [12]
      '15000500b8880000', // jeq 0x88b8, five ahead
      '15000400ba880000',
      '1500030000810000',
      '15000200a8880000',
      '150001002f890000',
      '0600000000000000',
      '06000000ffffffff',
    ]);
  });

  it('is the groups that the card has to let in', () => {
    const wanted = memberships([{ destinations: [GROUP, mac('02-00-00-00-00-05')] }, { destinations: [GROUP] }], false);
    expect([...wanted].map(([key, { kind }]) => `${key} ${kind}`)).toEqual([
      '01-0C-CD-01-00-01 0',
      '02-00-00-00-00-05 3',
    ]);
    expect([...memberships([{}], true).keys()]).toEqual(['promiscuous', 'all']);
    expect(memberships([], true).size).toBe(0);
  });
});

it('a module that is not there says what to do', () => {
  if (process.platform !== 'linux') return expect(() => loadNative()).toThrow('AF_PACKET exists on Linux only');
  expect(() => loadNative(join(tmpdir(), 'none.node'))).toThrow(
    /is not built: 'node .*build\.ts' builds it .* Without it: a descriptor from a launcher, or the pipe of tcpdump/,
  );
  return expect(() => loadNative(import.meta.filename)).toThrow('does not load');
});

const missing = noPacketSockets();

describe.skipIf(missing !== undefined)(`an interface of Linux${missing === undefined ? '' : ` (${missing})`}`, () => {
  let pair: Veth;
  beforeAll(() => {
    pair = veth();
  });
  afterAll(() => pair.remove());
  const at = (end: 0 | 1) => packetLink(pair.ends[end], { namespace: pair.namespace });

  it('that is not there, or a descriptor that is none, is a sentence', () => {
    expect(() => packetLink('eth99', { namespace: pair.namespace })).toThrow('There is no interface eth99');
    expect(() => packetLink('bay', { namespace: 'enerchain-none' })).toThrow('bay: setns: No such file or directory');
    expect(() => descriptorLink(openSync('/dev/null', 'r'))).toThrow('is no socket; a launcher has to open it');
    expect(() => descriptorLink(9999)).toThrow('Descriptor 9999 is no socket');
  });

  it('says its address, and joins only the groups that are listened to', async () => {
    const link = at(0);
    const groups = () =>
      execFileSync('ip', ['-n', pair.namespace, 'maddress', 'show', 'dev', pair.ends[0]], { encoding: 'utf8' });
    expect(decodeFrame(encodeFrame({ ...decodeFrame(frame(1)), source: link.address! })).source).toEqual(link.address);
    expect(groups()).not.toContain('01:0c:cd:01:00:01');
    const stop = link.listen(() => {}, { destinations: [GROUP] });
    expect(groups()).toContain('01:0c:cd:01:00:01');
    stop();
    expect(groups()).not.toContain('01:0c:cd:01:00:01');
    await link.close();
  });

  it('keeps unwanted types out of the process', async () => {
    const [left, right] = [at(0), at(1)];
    const seen: number[] = [];
    right.listen((octets) => seen.push(decodeFrame(octets).payload[0]!), { etherTypes: [ETHERTYPE.goose] });
    for (let i = 0; i < 100; i++) left.send(frame(9, ETHERTYPE.ipv4));
    left.send(frame(1));
    await until(() => seen.length > 0);
    expect(seen).toEqual([1]);
    expect(right.counters.received).toBe(1);
    await Promise.all([left.close(), right.close()]);
  });

  it('that nobody empties in time loses frames, and the kernel tells how many', async () => {
    const left = at(0);
    const right = packetLink(pair.ends[1], { namespace: pair.namespace, receiveBuffer: 1 << 16 });
    const seen: number[] = [];
    right.listen((octets) => seen.push(decodeFrame(octets).payload[0]!));
    for (let i = 0; i < 2000; i++) left.send(frame(1));
    const { sent } = left.counters;
    await until(() => right.counters.received + right.counters.lost === sent);
    expect(right.counters.lost).toBeGreaterThan(0);
    expect(seen.length).toBe(right.counters.received);
    await Promise.all([left.close(), right.close()]);
  });

  it('that is taken down and up again goes on; one that is removed ends the link', async () => {
    const other = veth();
    const [left, right] = other.ends.map((end) => packetLink(end, { namespace: other.namespace }));
    const seen: number[] = [];
    right!.listen((octets) => seen.push(decodeFrame(octets).payload[0]!));
    other.ip('link', 'set', 'bus', 'down');
    await new Promise((resolve) => setImmediate(resolve));
    left!.send(frame(1));
    other.ip('link', 'set', 'bus', 'up');
    await until(() => {
      left!.send(frame(2));
      return seen.includes(2);
    });
    expect(seen).not.toContain(1);
    other.ip('link', 'del', 'bus');
    await expect(right!.closed).rejects.toThrow('bus: the interface is gone; the link has ended');
    await left!.close();
    other.remove();
  });

  it('does not keep a thread from ending', async () => {
    const source = `
      import { packetLink } from ${JSON.stringify(new URL('../src/index.ts', import.meta.url).href)};
      import { parentPort } from 'node:worker_threads';
      packetLink('bay', { namespace: ${JSON.stringify(pair.namespace)} }).listen(() => {});
      parentPort.postMessage('listening');`;
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
      execArgv: ['--disable-warning=ExperimentalWarning'],
      trackUnmanagedFds: false,
    });
    await once(worker, 'message');
    await worker.terminate();
  });

  it('is handed to a program without rights by the launcher, and that program may listen to nothing else', async () => {
    expect(existsSync(LAUNCHER_PATH) && existsSync(MODULE_PATH)).toBe(true);
    const index = new URL('../src/index.ts', import.meta.url).href;
    // As another user: without the launcher it could open nothing.
    const program = `
      import { decodeFrame, descriptorLink } from ${JSON.stringify(index)};
      const link = descriptorLink(Number(process.env.ENERCHAIN_PACKET_FD));
      link.listen((frame) => {
        const { etherType, payload } = decodeFrame(frame);
        console.log(etherType.toString(16), payload[0], process.getuid());
        link.send(frame);
        void link.close();
      });
      console.log('ready');`;
    const child = spawn(
      'ip',
      [
        'netns',
        'exec',
        pair.namespace,
        LAUNCHER_PATH,
        'bay',
        'setpriv',
        '--reuid=65534',
        '--clear-groups',
        process.execPath,
        '--disable-warning=ExperimentalWarning',
        '--input-type=module',
        '-e',
        program,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    const left = at(1);
    const echo: Uint8Array[] = [];
    left.listen((octets) => echo.push(octets.slice()));
    await until(() => output.includes('ready'));
    left.send(frame(8, ETHERTYPE.ipv4));
    left.send(frame(7));
    const [status] = (await once(child, 'close')) as [number];
    expect(output).toBe('ready\n88b8 7 65534\n');
    expect(status).toBe(0);
    await until(() => echo.length > 0);
    expect(decodeFrame(echo[0]!)).toMatchObject({ etherType: ETHERTYPE.goose });
    await left.close();
  });
});
