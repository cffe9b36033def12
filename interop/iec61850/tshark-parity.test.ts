/** GOOSE and sampled values as we read and write them, and as Wireshark's tshark reads the same frames. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import {
  captureFile,
  captureHeader,
  captureRecord,
  ETHERTYPE,
  encodeFrame,
  etherTypeAt,
  formatMac,
} from '@enerchain/ethernet';
import {
  decodeGoose,
  decodeSv,
  encodeGoose,
  type GooseMessage,
  PHS_MEAS_1,
  SMP_MODES,
  type SvMessage,
  SvPublisher,
  subscribeGoose,
  subscribeSv,
} from '@enerchain/iec61850';
import { bits, type Data, type UtcTime } from '@enerchain/mms';
import { systemClock } from '@enerchain/transport';
import { describe, expect, test } from 'vitest';
import { tsharkVersion } from '../iec104/tshark.ts';

const folder = resolve(import.meta.dirname, '../../../shared/data/pcap');
const GOOSE_CAPTURES = [
  'own/goose-ied-retrans.pcap',
  'ics-security-tools/IEC61850/GOOSE/GOOSE.pcap',
  'ics-security-tools/IEC61850/GOOSE/GOOSE_DEMO.pcap',
  'ics-security-tools/IEC61850/GOOSE/Sample_File_GOOSE.pcap',
  'ics-security-tools/IEC61850/Sample_File_MMS_and_GOOSE.pcap',
];
const SV_CAPTURES = ['own/sv.pcap'];

const version = tsharkVersion();
const missing = version === undefined ? 'tshark is not installed' : undefined;
const noCaptures = [...GOOSE_CAPTURES, ...SV_CAPTURES].every((file) => existsSync(join(folder, file)))
  ? undefined
  : `the captures are not there (${folder})`;

const SEPARATOR = '~';

const GOOSE_FIELDS =
  'appid reserve1.s_bit gocbRef timeAllowedtoLive datSet goID t stNum sqNum simulation confRev ndsCom numDatSetEntries Data boolean bit_string integer unsigned floating_point octet_string visible_string utc_time'
    .split(' ')
    .map((name) => `goose.${name}`);
const SV_FIELDS = 'appid reserve1.s_bit noASDU svID datSet smpCnt confRev refrTm smpSynch smpRate seqData smpMod'
  .split(' ')
  .map((name) => `sv.${name}`);

/** One row for each frame: addresses, then the values of each field. */
function tshark(
  file: string,
  protocol: 'goose' | 'sv',
  fields: readonly string[],
  preferences: readonly string[] = [],
) {
  const args = ['-r', file, '-Y', protocol, '-T', 'fields', '-E', `aggregator=${SEPARATOR}`];
  for (const preference of preferences) args.push('-o', preference);
  for (const field of ['_ws.malformed', 'eth.dst', 'eth.src', ...fields]) args.push('-e', field);
  const text = execFileSync('tshark', args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, TZ: 'UTC' },
    maxBuffer: 1 << 28,
  });
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [malformed, destination, source, ...values] = line.split('\t');
      return {
        malformed: malformed !== '',
        addresses: `${destination} ${source}`,
        values: values.map((value, i) =>
          value === '' ? [] : value.split(SEPARATOR).map((one) => plain(fields[i]!, one)),
        ),
      };
    });
}

const TIMES = ['goose.t', 'goose.utc_time', 'sv.refrTm'];

/** Flags as digits, times as microseconds since 1970. */
function plain(field: string, text: string): string {
  if (text === 'True') return '1';
  if (text === 'False') return '0';
  if (text === '<MISSING>') return '';
  if (!TIMES.includes(field)) return text;
  const [, whole, fraction] = /^(.*?)\.(\d{9}) UTC$/.exec(text)!;
  return microseconds(Date.parse(`${whole} UTC`) / 1000, Number(fraction) / 1e9);
}

const microseconds = (seconds: number, fraction: number): string =>
  String(seconds * 1_000_000 + Math.round(fraction * 1e6));
const time = ({ seconds, fraction }: UtcTime): string => microseconds(seconds, fraction / 2 ** 24);
const flag = (value: boolean): string => (value ? '1' : '0');
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const appId = (value: number): string => `0x${value.toString(16).padStart(4, '0')}`;

/** Numbers of the alternatives of Data, as tshark shows them. */
const KINDS: Partial<Record<Data['kind'], string>> = {
  array: '1',
  structure: '2',
  boolean: '3',
  bitString: '4',
  integer: '5',
  unsigned: '6',
  float: '7',
  double: '7',
  octetString: '9',
  visibleString: '10',
  utcTime: '17',
};

function gooseValues(message: GooseMessage): string[][] {
  const found = new Map<string, string[]>(GOOSE_FIELDS.map((field) => [field, []]));
  const emit = (field: string, value: string) => found.get(`goose.${field}`)!.push(value);
  const visit = (data: Data): void => {
    emit('Data', KINDS[data.kind]!);
    switch (data.kind) {
      case 'structure':
      case 'array':
        for (const part of data.value) visit(part);
        return;
      case 'boolean':
        emit('boolean', flag(data.value));
        return;
      case 'bitString':
        emit('bit_string', hex(data.value.bytes));
        return;
      case 'integer':
      case 'unsigned':
        emit(data.kind, String(data.value));
        return;
      case 'float': {
        const octets = Buffer.alloc(5, 8);
        octets.writeFloatBE(data.value, 1);
        emit('floating_point', hex(octets));
        return;
      }
      case 'octetString':
        emit('octet_string', hex(data.value));
        return;
      case 'visibleString':
        emit('visible_string', data.value);
        return;
      case 'utcTime':
        emit('utc_time', time(data.value));
        return;
      default:
        throw new Error(`no field for ${data.kind}`);
    }
  };
  emit('appid', appId(message.appId));
  emit('reserve1.s_bit', flag(message.simulated));
  emit('gocbRef', message.gocbRef);
  emit('timeAllowedtoLive', String(message.timeAllowedToLive));
  emit('datSet', message.datSet);
  if (message.goId !== undefined) emit('goID', message.goId);
  emit('t', time(message.t));
  emit('stNum', String(message.stNum));
  emit('sqNum', String(message.sqNum));
  emit('simulation', flag(message.simulation));
  emit('confRev', String(message.confRev));
  emit('ndsCom', flag(message.ndsCom));
  emit('numDatSetEntries', String(message.allData.length));
  for (const data of message.allData) visit(data);
  return GOOSE_FIELDS.map((field) => found.get(field)!);
}

function svValues(message: SvMessage): string[][] {
  const of = (field: (asdu: SvMessage['asdus'][number]) => string | number | undefined): string[] =>
    message.asdus.map(field).flatMap((value) => (value === undefined ? [] : [String(value)]));
  return [
    [appId(message.appId)],
    [flag(message.simulated)],
    [String(message.asdus.length)],
    of(({ svId }) => svId),
    of(({ datSet }) => datSet),
    of(({ smpCnt }) => smpCnt),
    of(({ confRev }) => confRev),
    of(({ refrTm }) => refrTm && time(refrTm)),
    of(({ smpSynch }) => smpSynch),
    of(({ smpRate }) => smpRate),
    of(({ sample }) => hex(sample)),
    of(({ smpMod }) => smpMod && SMP_MODES.indexOf(smpMod)),
  ];
}

/** All frames of one EtherType in a capture. */
async function framesOf(file: string, etherType: number): Promise<Uint8Array[]> {
  const frames: Uint8Array[] = [];
  const link = captureFile(file);
  link.listen((frame) => void frames.push(frame.slice()), { etherTypes: [etherType] });
  await link.closed;
  return frames;
}

const addressesOf = (frame: Uint8Array): string =>
  [formatMac(frame, 0, ':'), formatMac(frame, 6, ':')].join(' ').toLowerCase();

async function compare<M>(
  file: string,
  protocol: 'goose' | 'sv',
  decode: (frame: Uint8Array, start: number) => M,
  valuesOf: (message: M) => string[][],
): Promise<{ frames: number; values: number }> {
  const fields = protocol === 'goose' ? GOOSE_FIELDS : SV_FIELDS;
  const theirs = tshark(file, protocol, fields);
  const frames = await framesOf(file, protocol === 'goose' ? ETHERTYPE.goose : ETHERTYPE.sampledValues);
  expect(frames.length).toBe(theirs.length);
  let values = 0;
  for (const [i, frame] of frames.entries()) {
    const row = theirs[i]!;
    expect(row.malformed).toBe(false);
    expect(addressesOf(frame)).toBe(row.addresses);
    const ours = valuesOf(decode(frame, etherTypeAt(frame) + 2));
    fields.forEach((field, index) => {
      // tshark knows DEFAULT FALSE only as what is not there.
      const there = row.values[index]!.length === 0 && ours[index]![0] === '0' ? ['0'] : row.values[index];
      expect(ours[index], `frame ${i + 1}: ${field}`).toEqual(there);
    });
    values += row.values.flat().length;
  }
  return { frames: frames.length, values };
}

const told = (...reasons: (string | undefined)[]): string => {
  const reason = reasons.find((text) => text !== undefined);
  return reason ? ` (skipped: ${reason})` : '';
};

describe.skipIf(missing ?? noCaptures)(`captures beside ${version ?? 'tshark'}${told(missing, noCaptures)}`, () => {
  for (const file of GOOSE_CAPTURES)
    test(file, async () => {
      const path = join(folder, file);
      const { frames, values } = await compare(path, 'goose', decodeGoose, gooseValues);
      expect(frames).toBeGreaterThan(0);
      console.log(`${file}: ${frames} frames, ${values} field values agree`);
    });
  for (const file of SV_CAPTURES)
    test(file, async () => {
      const { frames, values } = await compare(join(folder, file), 'sv', decodeSv, svValues);
      expect(frames).toBe(40);
      console.log(`${file}: ${frames} frames, ${values} field values agree`);
    });

  test('supervision of the captures: every message has its outcome', async () => {
    for (const file of GOOSE_CAPTURES) {
      const link = captureFile(join(folder, file));
      const events: Record<string, number> = {};
      const listening = subscribeGoose(link, systemClock, {
        time: 'frames',
        onEvent: ({ kind }) => {
          events[kind] = (events[kind] ?? 0) + 1;
        },
      });
      await link.closed;
      let messages = 0;
      for (const { counters } of listening.subscribers.values()) {
        const { states, repetitions, duplicates, old, ignored, refused } = counters;
        expect(states + repetitions + duplicates + old + ignored + refused).toBe(counters.messages);
        messages += counters.messages;
      }
      expect(messages + listening.counters.malformed).toBe(listening.counters.frames);
      console.log(`${file}: ${listening.subscribers.size} control blocks, events ${JSON.stringify(events)}`);
    }
    const link = captureFile(join(folder, SV_CAPTURES[0]!));
    const listening = subscribeSv(link, systemClock, { time: 'frames' });
    await link.closed;
    expect([...listening.subscribers].map(([id, { counters }]) => [id, counters.samples, counters.lost])).toEqual([
      ['svpub1', 40, 0],
      ['svpub2', 40, 0],
    ]);
  });
});

describe.skipIf(missing)(`what we write, read by ${version ?? 'tshark'}${told(missing)}`, () => {
  const T = { seconds: 1_768_478_400, fraction: 0x800000, quality: 0x0a };
  const address = { destination: Uint8Array.of(1, 0x0c, 0xcd, 1, 0, 1), source: Uint8Array.of(2, 0, 0, 0, 0, 1) };
  const vlan = { id: 10, priority: 4 };

  async function written<R>(frames: readonly Uint8Array[], use: (path: string) => R): Promise<Awaited<R>> {
    const directory = mkdtempSync(join(tmpdir(), 'enerchain-goose-'));
    try {
      const path = join(directory, 'ours.pcap');
      const records = frames.map((frame, i) => captureRecord(frame, 1_768_478_400_000_000_000n + BigInt(i) * 250_000n));
      writeFileSync(path, Buffer.concat([captureHeader(), ...records]));
      return await use(path);
    } finally {
      rmSync(directory, { recursive: true });
    }
  }

  test('GOOSE: every kind of value, the bounds of numbers, fixed lengths', async () => {
    const quality: Data = { kind: 'bitString', value: bits('0100000000010') };
    const values: readonly Data[] = [
      { kind: 'boolean', value: true },
      quality,
      { kind: 'integer', value: -1 },
      { kind: 'integer', value: -(2 ** 31) },
      { kind: 'unsigned', value: 200 },
      { kind: 'unsigned', value: 2 ** 31 - 1 },
      { kind: 'float', value: -12.5 },
      { kind: 'octetString', value: Uint8Array.from({ length: 20 }, (_, i) => i + 1) },
      { kind: 'visibleString', value: 'A'.repeat(35) },
      { kind: 'utcTime', value: T },
      {
        kind: 'structure',
        value: [{ kind: 'structure', value: [{ kind: 'float', value: 1 }] }, quality, { kind: 'utcTime', value: T }],
      },
      {
        kind: 'array',
        value: [
          { kind: 'integer', value: 1 },
          { kind: 'integer', value: 2 },
        ],
      },
    ];
    const messages = [1, 0x7f, 0x80, 0xffff, 0xffff_ffff].map(
      (number): GooseMessage => ({
        appId: 0x3fff,
        simulated: number === 1,
        gocbRef: 'BCU1CTRL/LLN0$GO$Trip',
        timeAllowedToLive: Math.min(number, 0x7fff_ffff),
        datSet: 'BCU1CTRL/LLN0$Positions',
        goId: number === 0x80 ? undefined : 'Trip',
        t: T,
        stNum: number,
        sqNum: number,
        simulation: number === 1,
        confRev: Math.min(number, 0x7fff_ffff),
        ndsCom: number === 0x7f,
        allData: values,
      }),
    );
    for (const fixedLength of [false, true]) {
      const frames = messages.map((message) =>
        encodeFrame({ ...address, vlan, etherType: ETHERTYPE.goose, payload: encodeGoose(message, { fixedLength }) }),
      );
      const compared = await written(frames, (path) => compare(path, 'goose', decodeGoose, gooseValues));
      expect(compared.frames).toBe(messages.length);
    }
  });

  test('sampled values: phsMeas1 of 9-2LE, value by value', async () => {
    const publisher = new SvPublisher({
      appId: 0x4000,
      svId: 'MU0101',
      confRev: 1,
      layout: PHS_MEAS_1,
      samplesPerSecond: 4000,
      asdus: 1,
    });
    publisher.smpSynch = 2;
    publisher.smpCnt = 3998;
    const samples = [0, 1, 2, 3].map((i) => ({
      values: [i, -i, 1000 * i, 0, 63_500 * i, -63_500, 0.01, 0],
      qualities: [0, 1, 3, 0x2000, 0x800, 0x1000, 4 << i, 0],
    }));
    const frames = samples.map(({ values, qualities }) =>
      encodeFrame({ ...address, vlan, etherType: ETHERTYPE.sampledValues, payload: publisher.add(values, qualities)! }),
    );
    await written(frames, async (path) => {
      await compare(path, 'sv', decodeSv, svValues);
      const fields = ['sv.smpCnt', 'sv.meas_value', 'sv.meas_quality'];
      const rows = tshark(path, 'sv', fields, ['sv.decode_data_as_phsmeas:TRUE']);
      expect(rows.map(({ values }) => values)).toEqual(
        samples.map(({ values, qualities }, i) => [
          [String((3998 + i) % 4000)],
          values.map((value, channel) => String(Math.round(value * (channel < 4 ? 1000 : 100)) || 0)),
          qualities.map((word) => `0x${word.toString(16).padStart(8, '0')}`),
        ]),
      );
    });
  });
});
