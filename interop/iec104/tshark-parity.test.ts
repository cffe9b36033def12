/**
 * The same octets, decoded by us and by Wireshark's tshark: on captures of other stacks, and on frames of our own for
 * every type.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import {
  type Apdu,
  ApduReader,
  type Asdu,
  asdu,
  cp24,
  cp56,
  DEFAULT_PARAMETERS,
  decodeApdu,
  type Element,
  type ElementKind,
  encodeApdu,
  TYPES,
} from '@enerchain/iec60870';
import { afterAll, describe, expect, test } from 'vitest';
import { FIELDS, type Flow, parse, readFlows, same, tsharkVersion, writePcap } from './tshark.ts';

const folder = resolve(import.meta.dirname, '../../../shared/data/pcap');
const captures = [
  'own/iec104-gi-cmd.pcap',
  'ics-security-tools/IEC60870-5-104/090813_diverse.pcap',
  'ics-security-tools/IEC60870-5-104/JavaRMI_and_IEC_Misc.pcap',
].map((name) => join(folder, name));

const version = tsharkVersion();
const missing =
  version === undefined
    ? 'tshark is not installed'
    : captures.every((file) => existsSync(file))
      ? undefined
      : `the captures are not there (${folder})`;

function decode(flow: Flow): Apdu[] {
  const apdus: Apdu[] = [];
  new ApduReader().push(flow.octets, (bytes, start, end) => {
    apdus.push(decodeApdu(bytes, DEFAULT_PARAMETERS, start, end));
    return true;
  });
  return apdus;
}

function compare(flow: Flow, apdus: readonly Apdu[]): number {
  let compared = 0;
  for (const [field, read] of Object.entries(FIELDS)) {
    const ours = apdus
      .flatMap(read)
      .filter((value) => value !== undefined)
      .map(Number);
    const theirs = flow.fields.get(field)!.map(parse);
    const where = `${flow.name}: ${field}`;
    expect(ours.length, `${where}: number of values`).toBe(theirs.length);
    ours.forEach((value, i) => {
      if (!same(value, theirs[i]!)) expect.fail(`${where}: value ${i} is ${value} here and ${theirs[i]} in tshark`);
    });
    compared += ours.length;
  }
  return compared;
}

describe.skipIf(missing !== undefined)(
  `decode parity with ${version ?? 'tshark'}${missing ? ` (skipped: ${missing})` : ''}`,
  () => {
    for (const file of captures) {
      test(file.slice(folder.length + 1), () => {
        const flows = readFlows(file);
        expect(flows.length).toBeGreaterThan(0);
        let apdus = 0;
        let values = 0;
        for (const flow of flows) {
          const decoded = decode(flow);
          apdus += decoded.length;
          values += compare(flow, decoded);
        }
        console.log(`${file.slice(folder.length + 1)}: ${apdus} APDUs, ${values} field values agree`);
      });
    }
  },
);

const time = {
  cp24: cp24({ milliseconds: 59_998, minute: 58, invalid: true }),
  cp56: cp56({
    milliseconds: 12_345,
    minute: 6,
    hour: 23,
    day: 31,
    dayOfWeek: 3,
    month: 12,
    year: 25,
    summerTime: true,
    substituted: true,
  }),
};

/** Two values of each kind that tshark takes apart, with every sub-field at some value that is not its default. */
const SAMPLES: Partial<Record<ElementKind, readonly [Element, Element]>> = {
  none: [{ kind: 'none' }, { kind: 'none' }],
  single: [
    { kind: 'single', value: 1, quality: 0x90 },
    { kind: 'single', value: 0, quality: 0x60 },
  ],
  double: [
    { kind: 'double', value: 2, quality: 0x10 },
    { kind: 'double', value: 3, quality: 0x80 },
  ],
  step: [
    { kind: 'step', value: -64, transient: true, quality: 1 },
    { kind: 'step', value: 63, transient: false, quality: 0x80 },
  ],
  bitstring: [
    { kind: 'bitstring', value: 0xdeadbeef, quality: 0x40 },
    { kind: 'bitstring', value: 1, quality: 0 },
  ],
  normalized: [
    { kind: 'normalized', raw: -32768, quality: 1 },
    { kind: 'normalized', raw: 12345, quality: 0 },
  ],
  normalizedPlain: [
    { kind: 'normalizedPlain', raw: 32767 },
    { kind: 'normalizedPlain', raw: -5 },
  ],
  scaled: [
    { kind: 'scaled', value: -32768, quality: 0 },
    { kind: 'scaled', value: 321, quality: 0x20 },
  ],
  short: [
    { kind: 'short', value: -1.5e10, quality: 0 },
    { kind: 'short', value: 0.125, quality: 0x81 },
  ],
  integratedTotal: [
    { kind: 'integratedTotal', value: -2147483648, sequence: 31, flags: 0xa0 },
    { kind: 'integratedTotal', value: 99, sequence: 1, flags: 0x40 },
  ],
  singleCommand: [
    { kind: 'singleCommand', value: 1, qualifier: 3, select: true },
    { kind: 'singleCommand', value: 0, qualifier: 0, select: false },
  ],
  doubleCommand: [
    { kind: 'doubleCommand', value: 2, qualifier: 1, select: true },
    { kind: 'doubleCommand', value: 1, qualifier: 0, select: false },
  ],
  stepCommand: [
    { kind: 'stepCommand', value: 2, qualifier: 2, select: true },
    { kind: 'stepCommand', value: 1, qualifier: 0, select: false },
  ],
  setpointNormalized: [
    { kind: 'setpointNormalized', raw: -1, qualifier: 9, select: true },
    { kind: 'setpointNormalized', raw: 77, qualifier: 0, select: false },
  ],
  setpointScaled: [
    { kind: 'setpointScaled', value: -1, qualifier: 9, select: true },
    { kind: 'setpointScaled', value: 77, qualifier: 0, select: false },
  ],
  setpointShort: [
    { kind: 'setpointShort', value: 2.5, qualifier: 9, select: true },
    { kind: 'setpointShort', value: -7, qualifier: 0, select: false },
  ],
  bitstringCommand: [
    { kind: 'bitstringCommand', value: 0x80000001 },
    { kind: 'bitstringCommand', value: 5 },
  ],
  endOfInitialization: [
    { kind: 'endOfInitialization', cause: 2, parametersChanged: true },
    { kind: 'endOfInitialization', cause: 0, parametersChanged: false },
  ],
  interrogation: [
    { kind: 'interrogation', qualifier: 20 },
    { kind: 'interrogation', qualifier: 36 },
  ],
  counterInterrogation: [
    { kind: 'counterInterrogation', request: 5, freeze: 2 },
    { kind: 'counterInterrogation', request: 1, freeze: 0 },
  ],
  resetProcess: [
    { kind: 'resetProcess', qualifier: 1 },
    { kind: 'resetProcess', qualifier: 2 },
  ],
  parameterNormalized: [
    { kind: 'parameterNormalized', raw: 3, qualifier: 0x41 },
    { kind: 'parameterNormalized', raw: -3, qualifier: 0x82 },
  ],
  parameterScaled: [
    { kind: 'parameterScaled', value: 3, qualifier: 0x41 },
    { kind: 'parameterScaled', value: -3, qualifier: 0x82 },
  ],
  parameterShort: [
    { kind: 'parameterShort', value: 3, qualifier: 0x41 },
    { kind: 'parameterShort', value: -3, qualifier: 0x82 },
  ],
};

describe.skipIf(version === undefined)('tshark reads what we encode', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'tshark-'));
  afterAll(() => rmSync(scratch, { recursive: true }));

  for (const spec of TYPES) {
    const samples = SAMPLES[spec.element];
    if (!samples) continue;
    for (const sequence of spec.sequence ? [false, true] : [false])
      test(`${spec.name}${sequence ? ' as a sequence' : ''}`, () => {
        const objects = samples.map((element, i) => ({
          address: spec.group === 'system' ? 0 : 0x030201 + i,
          element,
          ...(spec.time === 'CP24' ? { time: time.cp24 } : spec.time === 'CP56' ? { time: time.cp56 } : {}),
        }));
        const one = spec.group === 'monitor' ? [objects] : objects.map((object) => [object]);
        const asdus: Asdu[] = one.map((part) =>
          asdu({
            typeId: spec.id,
            sequence,
            cause: 7,
            negative: true,
            test: true,
            originator: 3,
            commonAddress: 513,
            objects: part,
          }),
        );
        const apdus: Apdu[] = asdus.map((value, i) => ({ kind: 'I', sent: 32_767 - i, received: 258, asdu: value }));
        const file = join(scratch, `${spec.name}-${sequence}.pcap`);
        writeFileSync(file, writePcap(apdus.map((apdu) => encodeApdu(apdu, DEFAULT_PARAMETERS))));
        const flows = readFlows(file);
        expect(flows).toHaveLength(1);
        expect(compare(flows[0]!, apdus)).toBeGreaterThan(10);
      });
  }
});
