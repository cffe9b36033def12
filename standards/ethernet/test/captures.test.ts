import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type CapturedFrame,
  CaptureReader,
  captureFile,
  captureHeader,
  captureProgram,
  captureRecord,
  captureStream,
  ETHERTYPE,
  EthernetError,
  encodeFrame,
  mac,
  memoryLan,
  record,
} from '../src/index.ts';

const octets = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));
const together = (...parts: readonly Uint8Array[]) => new Uint8Array(Buffer.concat(parts));
const frame = (number: number) =>
  encodeFrame({
    destination: mac('01-0C-CD-01-00-01'),
    source: mac('02-00-00-00-00-01'),
    etherType: ETHERTYPE.goose,
    payload: Uint8Array.of(number),
  });

function read(capture: Uint8Array, piece = capture.length): CapturedFrame[] {
  const list: CapturedFrame[] = [];
  const reader = new CaptureReader('a.pcap', ({ frame, at, wireLength }) =>
    list.push({ frame: frame.slice(), at, wireLength }),
  );
  for (let i = 0; i < capture.length; i += piece) reader.push(capture.slice(i, i + piece));
  reader.end();
  return list;
}

const pcap = together(
  captureHeader(),
  captureRecord(frame(1), 1_700_000_000_123_456_789n),
  captureRecord(frame(2), 5n),
);

/** Little endian, microseconds, two octets a record. */
const MICROS = 'd4c3b2a1 0200 0400 00000000 00000000 00000400 01000000 00f15365 40e20100 02000000 02000000 abcd';
/** A section of pcapng, big endian: interface in ns (with FCS of 4) and one that is no Ethernet; enhanced, simple and old packet blocks. */
const SECTION = '0a0d0d0a 0000001c 1a2b3c4d 0001 0000 ffffffffffffffff 0000001c';
const ETHERNET_NS =
  '00000001 00000028 0001 0000 00040000 0009 0001 09000000 000d 0001 04000000 0000 0000 00000028'.replaceAll(' ', '');
const WIFI = '00000001 00000014 0069 0000 00040000 00000014';
const ENHANCED = '00000006 00000028 00000000 17979cfe 362a0000 00000006 00000006 aabbccddeeff 0000 00000028';
const FOREIGN = '00000006 00000024 00000001 00000000 00000000 00000001 00000001 aa000000 00000024';
const OLD = '00000002 00000028 0000 0000 17979cfe 362a0001 00000005 00000009 0102030405 000000 00000028';
const SIMPLE = '00000003 00000018 00000008 0102030405060708 00000018';
const pcapng = octets(SECTION + ETHERNET_NS + WIFI + ENHANCED + FOREIGN + OLD + SIMPLE);

describe('a capture', () => {
  it('in nanoseconds is read as it was written, in pieces of any size', () => {
    for (const piece of [1, 7, 24, 61, pcap.length])
      expect(read(pcap, piece)).toEqual([
        { frame: frame(1), at: 1_700_000_000_123_456_789n, wireLength: 60 },
        { frame: frame(2), at: 5n, wireLength: 60 },
      ]);
  });

  it('in microseconds, in the other order of octets', () => {
    expect(read(octets(MICROS))).toEqual([{ frame: octets('abcd'), at: 1_700_000_000_123_456_000n, wireLength: 2 }]);
  });

  it('in pcapng: several interfaces, each with its own clock; FCS is taken off', () => {
    for (const piece of [1, 13, pcapng.length])
      expect(read(pcapng, piece)).toEqual([
        { frame: octets('aabb'), at: 1_700_000_000_000_000_000n, wireLength: 2 },
        { frame: octets('0102030405'), at: 1_700_000_000_000_000_001n, wireLength: 5 },
        { frame: octets('01020304'), at: 0n, wireLength: 4 },
      ]);
  });

  it('that is none, is empty, or is cut off says so, with how far it went', () => {
    const code = (bytes: Uint8Array) => {
      try {
        read(bytes);
      } catch (error) {
        return `${(error as EthernetError).code}: ${(error as Error).message}`;
      }
      return undefined;
    };
    expect(code(new Uint8Array(100))).toBe('capture.format: a.pcap is neither pcap nor pcapng');
    expect(code(new Uint8Array(0))).toBe('capture.empty: a.pcap is empty');
    expect(code(pcap.slice(0, -1))).toBe('capture.truncated: a.pcap ends within a record, after 1 frames');
    const any = pcap.slice();
    any[23] = 113;
    expect(code(any)).toContain("link type 113, not Ethernet (1); a capture of one interface does, of 'any' does not");
  });

  it('of any octets is frames or a typed error, and holds no more than a record', () => {
    const spoiled = fc
      .tuple(fc.constantFrom(pcap, pcapng), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 8 }), fc.nat(200))
      .map(([good, changes, piece]) => {
        const bytes = good.slice();
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        return { bytes, piece: piece + 1 };
      });
    fc.assert(
      fc.property(spoiled, ({ bytes, piece }) => {
        try {
          for (const { frame } of read(bytes, piece)) expect(frame.length).toBeLessThanOrEqual(bytes.length);
        } catch (error) {
          expect(error).toBeInstanceOf(EthernetError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a capture as a link', () => {
  let folder: string;
  let path: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'captures-'));
    path = join(folder, 'a.pcap');
    const second = 1_000_000_000n;
    writeFileSync(
      path,
      together(captureHeader(), ...[0n, 10n, 10n, 15n].map((at, i) => captureRecord(frame(i), (100n + at) * second))),
    );
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('plays to who listens, as fast as it can, and is closed at its end', async () => {
    const link = captureFile(path);
    const seen: string[] = [];
    link.listen((octets, at) => seen.push(`${octets[14]} ${at / 1_000_000_000n}`));
    const wanted: number[] = [];
    link.listen((octets) => wanted.push(octets[14]!), { destinations: [mac('01-0C-CD-01-00-02')] });
    await link.closed;
    expect(seen).toEqual(['0 100', '1 110', '2 110', '3 115']);
    expect(wanted).toEqual([]);
    expect(link.counters).toEqual({ received: 4, sent: 0, lost: 0 });
    expect(() => link.send(frame(1))).toThrow('a.pcap is a capture: it can be listened to, nothing can be sent');
  });

  it('plays with its pauses, and its times moved to when it is played', async () => {
    let now = 0;
    const pauses: number[] = [];
    const clock = {
      monotonic: () => now,
      schedule(delay: number, callback: () => void) {
        pauses.push(delay);
        now += delay;
        setImmediate(callback);
        return () => {};
      },
    };
    const link = captureFile(path, { pace: 'recorded', from: 1_000_000_000n, clock });
    const times: bigint[] = [];
    link.listen((_octets, at) => times.push(at / 1_000_000_000n));
    await link.closed;
    expect(pauses).toEqual([10_000, 5000]);
    expect(times).toEqual([1n, 11n, 11n, 16n]);
  });

  it('can be left in a pause', async () => {
    let cancelled = 0;
    const clock = { monotonic: () => 0, schedule: () => () => void cancelled++ };
    const link = captureFile(path, { pace: 'recorded', clock });
    const first = Promise.withResolvers<void>();
    link.listen(() => first.resolve());
    await first.promise;
    await new Promise((resolve) => setImmediate(resolve));
    await link.close();
    await link.closed;
    expect(cancelled).toBe(1);
    expect(link.counters.received).toBe(1);
  });

  it('from a pipe, chunk by chunk; what was captured in part only is lost and counted', async () => {
    async function* pipe() {
      const cut = captureRecord(frame(7), 1n);
      cut[15] = 99;
      const all = together(captureHeader(), captureRecord(frame(6), 1n), cut, captureRecord(frame(8), 2n));
      for (let i = 0; i < all.length; i += 10) yield all.slice(i, i + 10);
    }
    const link = captureStream('standard input', pipe());
    const seen: number[] = [];
    link.listen((octets) => seen.push(octets[14]!));
    await link.closed;
    expect(seen).toEqual([6, 8]);
    expect(link.counters).toEqual({ received: 2, sent: 0, lost: 1 });
  });

  it('from a program: what it writes is heard, what it complains of is told', async () => {
    const cat = captureProgram([
      process.execPath,
      '-e',
      `fs.createReadStream(${JSON.stringify(path)}).pipe(process.stdout)`,
    ]);
    let seen = 0;
    cat.listen(() => seen++);
    await cat.closed;
    expect(seen).toBe(4);
    const failing = captureProgram([process.execPath, '-e', 'console.error("eth9: no such device"); process.exit(3)']);
    failing.listen(() => {});
    await expect(failing.closed).rejects.toThrow(/ended with status 3; it says: eth9: no such device/);
    const absent = captureProgram(['no-such-program-to-capture']);
    absent.listen(() => {});
    await expect(absent.closed).rejects.toMatchObject({ fault: 'environment', code: 'capture.program' });
  });

  it('that is not there is a sentence', async () => {
    const link = captureFile(join(folder, 'none.pcap'));
    link.listen(() => {});
    await expect(link.closed).rejects.toMatchObject({ fault: 'environment', code: 'capture.read' });
  });

  it('records what comes over another link, into a new file only', async () => {
    const lan = memoryLan({ clock: { now: () => 42n, schedule: () => () => {} } });
    const [bay, tap] = [lan.station('bay'), lan.station('tap')];
    const made = join(folder, 'made.pcap');
    const recording = await record(tap, made);
    bay.send(frame(1));
    bay.send(frame(2));
    await new Promise((resolve) => setImmediate(resolve));
    await recording.stop();
    expect(recording.counters).toEqual({ recorded: 2, lost: 0 });
    expect(read(readFileSync(made))).toEqual([1, 2].map((i) => ({ frame: frame(i), at: 42n, wireLength: 60 })));
    await expect(record(tap, made)).rejects.toMatchObject({ fault: 'environment', code: 'capture.write' });
  });
});
