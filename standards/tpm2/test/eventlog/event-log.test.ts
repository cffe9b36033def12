import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bindingOf,
  devicePathText,
  digest,
  EVENT_TYPES,
  extendPcr,
  type HashAlgorithm,
  initialPcr,
  parseEventLog,
  readBootOrder,
  readEventData,
  readLoadOption,
  readSignatureLists,
  replayEventLog,
  Tpm2Error,
} from '../../src/index.ts';
import { missing, reference, referenceText } from '../reference-data.ts';
import { agileEvent, agileLog, le, oldEvent, variableData } from './build.ts';
import { flatten, render, samePath } from './yaml.ts';

const SEPARATOR = { pcr: 7, type: 4, data: Buffer.alloc(4) };
const ACTION = { pcr: 4, type: 0x80000007, data: Buffer.from('Calling EFI Application from Boot Option') };
const BOTH: readonly HashAlgorithm[] = ['sha1', 'sha256'];
const locality = (value: number) => ({
  pcr: 0,
  type: 3,
  data: Buffer.concat([Buffer.from('StartupLocality\0'), Buffer.of(value)]),
});
const pcr = (replay: ReturnType<typeof replayEventLog>, hash: HashAlgorithm, index: number) =>
  replay.pcrs.find((bank) => bank.hash === hash)?.values.get(index);
const binding = (bytes: Uint8Array) => parseEventLog(bytes).events.map(bindingOf);

describe('an event log', () => {
  it('shows its bytes: TCG_PCR_EVENT', () => {
    const bytes = Buffer.from('07000000040000009069ca78e7450a285173431b3e52c5c25299e4730400000000000000', 'hex');
    expect(bytes).toEqual(oldEvent(SEPARATOR));
    const { format, spec, events } = parseEventLog(bytes);
    expect({ format, spec }).toEqual({ format: 'sha1', spec: undefined });
    expect(events).toMatchObject([{ number: 0, pcr: 7, type: 4, name: 'EV_SEPARATOR' }]);
    expect(readEventData(events[0]!)).toEqual({ kind: 'separator', value: 0 });
  });

  it('shows its bytes: TCG_PCR_EVENT2 after the specification event', () => {
    const bytes = Buffer.from(
      [
        '0000000003000000',
        '00'.repeat(20),
        '21000000',
        '53706563204944204576656e74303300',
        '0000000000020002',
        '01000000',
        '0b002000',
        '00',
        '0700000004000000010000000b00',
        'df3f619804a92fdb4057192dc43dd748ea778adc52bc498ce80524c014b81119',
        '0400000000000000',
      ].join(''),
      'hex',
    );
    expect(bytes).toEqual(agileLog(['sha256'], [SEPARATOR]));
    const { format, spec, events } = parseEventLog(bytes);
    expect(format).toBe('crypto-agile');
    expect(spec).toMatchObject({
      signature: 'Spec ID Event03',
      version: { major: 2, minor: 0, errata: 0 },
      algorithms: [{ hash: 'sha256', size: 32 }],
    });
    expect(events.map(({ name }) => name)).toEqual(['EV_NO_ACTION', 'EV_SEPARATOR']);
  });

  it('replays every bank, and nothing of EV_NO_ACTION', () => {
    const replay = replayEventLog(parseEventLog(agileLog(BOTH, [SEPARATOR, ACTION, SEPARATOR])));
    for (const hash of BOTH) {
      const once = extendPcr(hash, initialPcr(hash, 7), digest(hash, SEPARATOR.data));
      expect(pcr(replay, hash, 7)).toEqual(extendPcr(hash, once, digest(hash, SEPARATOR.data)));
      expect(pcr(replay, hash, 4)).toEqual(extendPcr(hash, initialPcr(hash, 4), digest(hash, ACTION.data)));
      expect(pcr(replay, hash, 0)).toBeUndefined();
    }
    expect(replay).toMatchObject({ locality: 0, mismatches: [], incomplete: [] });
  });

  it('begins PCR 0 with the locality of start-up, and the others not', () => {
    const events = [locality(3), { ...SEPARATOR, pcr: 0 }, { ...SEPARATOR, pcr: 1 }, locality(4)];
    const replay = replayEventLog(parseEventLog(agileLog(['sha256'], events)));
    const first = initialPcr('sha256', 0);
    first[31] = 3;
    const by = digest('sha256', SEPARATOR.data);
    expect(replay.locality).toBe(3);
    expect(pcr(replay, 'sha256', 0)).toEqual(extendPcr('sha256', first, by));
    expect(pcr(replay, 'sha256', 1)).toEqual(extendPcr('sha256', initialPcr('sha256', 1), by));
  });

  it('begins PCR 17 with ones', () => {
    const replay = replayEventLog(parseEventLog(agileLog(['sha256'], [{ ...SEPARATOR, pcr: 17 }])));
    const by = digest('sha256', SEPARATOR.data);
    expect(pcr(replay, 'sha256', 17)).toEqual(extendPcr('sha256', Buffer.alloc(32, 0xff), by));
  });

  it('says which bank is not whole', () => {
    const log = Buffer.concat([agileLog(BOTH, [SEPARATOR]), agileEvent(['sha256'], ACTION)]);
    expect(replayEventLog(parseEventLog(log)).incomplete).toEqual(['sha1']);
  });

  it('is refused when it is cut short, but between two events', () => {
    const whole = agileLog(BOTH, [SEPARATOR, ACTION]);
    const ends = [0, agileLog(BOTH, []).length, agileLog(BOTH, [SEPARATOR]).length, whole.length];
    for (let size = 0; size <= whole.length; size++) {
      const cut = whole.subarray(0, size);
      if (ends.includes(size)) expect(() => parseEventLog(cut)).not.toThrow();
      else expect(() => parseEventLog(cut)).toThrow(Tpm2Error);
    }
  });

  it.each<[string, Uint8Array, string]>([
    [
      'an algorithm that was not announced',
      Buffer.concat([agileLog(['sha1'], []), agileEvent(['sha256'], ACTION)]),
      'did not announce',
    ],
    ['more digests than banks', Buffer.concat([agileLog(['sha1'], []), agileEvent(BOTH, ACTION)]), '2 digests'],
    [
      'two digests of one bank',
      Buffer.concat([agileLog(BOTH, []), agileEvent(['sha1', 'sha1'], ACTION)]),
      'two digests',
    ],
    ['a PCR that does not exist', oldEvent({ ...ACTION, pcr: 24 }), 'PCR 24'],
    [
      'data larger than the log',
      Buffer.concat([le(0, 4), le(4, 4), Buffer.alloc(20), le(5, 4), Buffer.alloc(4)]),
      '5 bytes',
    ],
  ])('with %s is refused', (_, bytes, message) => {
    expect(() => parseEventLog(bytes)).toThrow(message);
  });

  it('is bounded in events and in the size of one', () => {
    const bytes = agileLog(['sha256'], [SEPARATOR, ACTION]);
    expect(() => parseEventLog(bytes, { events: 2 })).toThrow('more than 2 events');
    expect(() => parseEventLog(bytes, { eventSize: 39 })).toThrow('an event claims 40 bytes');
  });

  it('changed anywhere, or of any bytes, is read or refused with a typed error', () => {
    const good = agileLog(BOTH, [SEPARATOR, ACTION, locality(3)]);
    const changed = fc
      .tuple(fc.nat(good.length - 1), fc.nat(255))
      .map(([at, value]) => Uint8Array.from(good, (octet, i) => (i === at ? value : octet)));
    fc.assert(
      fc.property(fc.oneof(changed, fc.uint8Array({ maxLength: 200 })), (bytes) => {
        try {
          const log = parseEventLog(bytes);
          replayEventLog(log);
          log.events.forEach(readEventData);
        } catch (error) {
          expect(error).toBeInstanceOf(Tpm2Error);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('the data of an event', () => {
  const boot = variableData('BootOrder', Buffer.of(1, 0, 0, 0));
  const only = Buffer.of(1, 0, 0, 0);
  const line = Buffer.from('grub_cmd: linux /vmlinuz\0');
  const kernel = Buffer.from('quiet splash\0', 'utf16le');

  it.each<[string, Parameters<typeof oldEvent>[0], string]>([
    ['a separator', SEPARATOR, 'bound'],
    ['a separator that was changed', { ...SEPARATOR, measured: Buffer.alloc(4, 0xff) }, 'mismatch'],
    ['a boot variable, measured whole', { pcr: 1, type: 0x80000002, data: boot }, 'bound'],
    [
      'a boot variable of which the value is measured',
      { pcr: 1, type: 0x80000002, data: boot, measured: only },
      'bound',
    ],
    [
      'another variable of which the value is measured',
      { pcr: 7, type: 0x80000001, data: boot, measured: only },
      'mismatch',
    ],
    ['a command of grub', { pcr: 8, type: 13, data: line, measured: Buffer.from('linux /vmlinuz') }, 'bound'],
    [
      'another command than the one measured',
      { pcr: 8, type: 13, data: line, measured: Buffer.from('linux /evil') },
      'mismatch',
    ],
    [
      'a file that grub has read',
      { pcr: 9, type: 13, data: Buffer.from('/vmlinuz\0'), measured: Buffer.from('contents') },
      'unbound',
    ],
    ['a kernel command line', { pcr: 12, type: 13, data: kernel }, 'bound'],
    ['an image', { pcr: 4, type: 0x80000003, data: Buffer.alloc(32), measured: Buffer.from('image') }, 'unbound'],
    [
      'a tag over its data',
      { pcr: 9, type: 6, data: Buffer.concat([le(1, 4), le(2, 4), Buffer.from('ab')]), measured: Buffer.from('ab') },
      'bound',
    ],
    [
      'a tag over a file',
      {
        pcr: 9,
        type: 6,
        data: Buffer.concat([le(1, 4), le(2, 4), Buffer.from('ab')]),
        measured: Buffer.from('initrd'),
      },
      'unbound',
    ],
    ['an unknown type', { pcr: 9, type: 0x1234, data: Buffer.of(1), measured: Buffer.of(2) }, 'unbound'],
  ])('%s is %s', (_, event, expected) => {
    expect(binding(agileLog(BOTH, [event]))[1]).toBe(expected);
    expect(replayEventLog(parseEventLog(agileLog(BOTH, [event]))).mismatches).toEqual(
      expected === 'mismatch' ? [1] : [],
    );
  });

  it('that is right in one bank only is a mismatch', () => {
    const log = agileLog(BOTH, [SEPARATOR]);
    log[log.length - 9]! ^= 1; // last octet of the SHA-256 digest
    expect(binding(log)[1]).toBe('mismatch');
  });

  it('that does not fit its type stays raw', () => {
    const [event] = parseEventLog(oldEvent({ pcr: 7, type: 0x80000001, data: Buffer.from('too short') })).events;
    expect(readEventData(event!)).toEqual({ kind: 'raw', contents: Buffer.from('too short') });
  });

  it('of any type and any octets is read, or stays raw', () => {
    const types = fc.constantFrom(...Object.values(EVENT_TYPES));
    const path = '02010c00d041030a00000000010106000101040408005c0000007fff0400';
    const table = Buffer.alloc(100);
    table.write('EFI PART', 'latin1');
    table.writeUInt32LE(128, 84);
    table.writeUInt32LE(1, 92);
    const likely = [
      variableData('Boot0000', Buffer.from(`01000000${'0000'}0000${path}`, 'hex')),
      Buffer.concat([Buffer.alloc(24), le(path.length / 2, 8), Buffer.from(path, 'hex')]),
      Buffer.concat([table, Buffer.alloc(128)]),
      Buffer.concat([le(1, 8), Buffer.alloc(24)]),
    ];
    const octets = fc.oneof(
      fc.uint8Array({ maxLength: 150 }),
      fc
        .tuple(fc.constantFrom(...likely), fc.nat(), fc.nat(255))
        .map(([bytes, at, value]) => Uint8Array.from(bytes, (octet, i) => (i === at % bytes.length ? value : octet))),
    );
    const lenient = (read: (data: Uint8Array) => unknown, data: Uint8Array) => {
      try {
        read(data);
      } catch (error) {
        expect(error).toBeInstanceOf(Tpm2Error);
      }
    };
    fc.assert(
      fc.property(types, octets, (type, data) => {
        const [event] = parseEventLog(oldEvent({ pcr: 1, type, data }, new Uint8Array(20))).events;
        const read = readEventData(event!);
        bindingOf(event!);
        const value = read.kind === 'variable' ? read.variable.data : data;
        for (const parse of [readLoadOption, readBootOrder, readSignatureLists, devicePathText]) lenient(parse, value);
      }),
      { numRuns: 2000 },
    );
  });

  it('writes device paths as UEFI does', () => {
    const text = (hex: string) => devicePathText(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
    expect(text('02010c00d041030a00000000 01010600011f 7fff0400')).toBe('PciRoot(0x0)/Pci(0x1f,0x1)');
    expect(text('03050600 0b00 7f010400 04040a00 5c0041000000 7fff0400')).toBe('USB(0xb,0x0),File(\\A)');
    expect(text('0909060001027fff0400')).toBe('Path(9,9,0102)');
    expect(() => text('0101ff00')).toThrow(Tpm2Error);
    expect(() => text('01010000')).toThrow('claims 0 bytes');
  });

  it('refuses signature lists whose sizes contradict each other', () => {
    const list = (size: number, each: number) =>
      Buffer.concat([Buffer.alloc(16), le(size, 4), le(0, 4), le(each, 4), Buffer.alloc(48)]);
    expect(readSignatureLists(list(76, 48))).toMatchObject([{ signatureSize: 48, signatures: [{}] }]);
    for (const [size, each] of [
      [76, 0],
      [76, 47],
      [27, 48],
      [0xffffffff, 1],
    ] as const) {
      expect(() => readSignatureLists(list(size, each))).toThrow(Tpm2Error);
    }
  });
});

const LOGS = [
  'arch-linux',
  'bootorder',
  'gce-ubuntu-2104-log',
  'moklisttrusted',
  'postcode',
  'sd-boot-fedora37',
  'uefi-sha1-log',
  'uefiaction',
  'uefiservices',
  'uefivar',
];

describe.skipIf(missing !== undefined)(`real logs${missing ? ` (${missing})` : ''}`, () => {
  const read = (name: string) => parseEventLog(reference(`tpm2-tools/event-${name}.bin`));

  it.each(LOGS)('%s is taken apart, line by line, and replayed as tpm2_eventlog does', (name) => {
    const yaml = referenceText(`tpm2-tools/event-pretty/event-${name}.bin.yaml`);
    const style = {
      version: yaml.includes('version: 2') ? 2 : 1,
      pretty: true,
      partitions: yaml.includes('Header:'),
    } as const;
    expect(render(read(name), style)).toEqual(flatten(yaml).map(samePath));
  });

  it('reports the event whose data is not what was measured', () => {
    // Event 24 lacks its last octet.
    expect(replayEventLog(read('arch-linux')).mismatches).toEqual([24]);
    // The shim of Ubuntu 18.04 measures another form of its authority than it logs; tpm2_eventlog does not look at these.
    expect(replayEventLog(read('postcode')).mismatches).toEqual([40, 54]);
    for (const name of LOGS.filter((each) => each !== 'arch-linux' && each !== 'postcode')) {
      expect(replayEventLog(read(name)).mismatches).toEqual([]);
    }
  });

  it('reads the logs of CHARRA and keylime', () => {
    const charra = parseEventLog(reference('charra/tcg-boot/binary_bios_measurements'));
    expect(charra.events).toHaveLength(108);
    expect(replayEventLog(charra).mismatches).toEqual([]);
    const keylime = parseEventLog(Buffer.from(referenceText('keylime/mb_log.b64'), 'base64'));
    expect(replayEventLog(keylime).mismatches).toEqual([]);
    expect(keylime.events.every(({ name }) => name !== undefined)).toBe(true);
  });

  it('an octet changed anywhere in a log changes the PCRs, makes a mismatch, or is outside what is measured', () => {
    const bytes = reference('tpm2-tools/event-uefiaction.bin');
    const good = replayEventLog(parseEventLog(bytes));
    for (let at = 77; at < bytes.length; at++) {
      const changed = Uint8Array.from(bytes);
      changed[at]! ^= 0xff;
      let noticed = false;
      try {
        const replay = replayEventLog(parseEventLog(changed));
        const same = replay.pcrs.every(({ values }, i) =>
          [...values].every(
            ([index, value]) => Buffer.compare(value, good.pcrs[i]?.values.get(index) ?? Buffer.of()) === 0,
          ),
        );
        noticed =
          !same ||
          replay.mismatches.length > 0 ||
          replay.incomplete.length > good.incomplete.length ||
          replay.pcrs.length < 2;
        noticed ||= parseEventLog(changed).events[1]!.name !== 'EV_EFI_ACTION';
      } catch (error) {
        noticed = error instanceof Tpm2Error;
      }
      expect({ at, noticed }).toEqual({ at, noticed: true });
    }
  });
});
