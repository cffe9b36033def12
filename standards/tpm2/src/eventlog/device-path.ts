/**
 * EFI device paths (UEFI 2.10 § 10.3) as text, in the form of § 10.6. Nodes without a text form here are written as
 * `Path(type,subtype,hex)`, which the specification has for that.
 */
import { LittleEndianReader } from '../wire/little-endian-reader.ts';

const END = 0x7f;
const END_ENTIRE = 0xff;
const PNP_ROOT: Readonly<Record<number, string>> = { 2563: 'PciRoot', 2568: 'PcieRoot' };
const PNP = 0x41d0;

const hex = (value: number | bigint): string => `0x${value.toString(16)}`;

/** @throws Tpm2Error `tpm2.malformed` (fault peer) for a path that is cut short */
export function devicePathText(bytes: Uint8Array): string {
  const reader = new LittleEndianReader(bytes, 'device path');
  let text = '';
  while (!reader.done) {
    const type = reader.u8('type of a node');
    const subtype = reader.u8('subtype of a node');
    const size = reader.u16('length of a node');
    if (size < 4) throw reader.fail(`a node claims ${size} bytes`);
    const data = reader.bytes(size - 4, 'node');
    if (type === END) {
      if (subtype === END_ENTIRE) break;
      text += ',';
      continue;
    }
    text += (text === '' || text.endsWith(',') ? '' : '/') + nodeText(type, subtype, data);
  }
  return text;
}

function nodeText(type: number, subtype: number, data: Uint8Array): string {
  const plain = `Path(${type},${subtype},${Buffer.from(data).toString('hex')})`;
  try {
    return KNOWN.get((type << 8) | subtype)?.(new LittleEndianReader(data, 'device path node')) ?? plain;
  } catch {
    // Shorter than its type needs: shown as it is.
    return plain;
  }
}

const mac = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const dotted = (bytes: Uint8Array): string => [...bytes].join('.');

/** type ‖ subtype → text. */
const KNOWN: ReadonlyMap<number, (node: LittleEndianReader) => string | undefined> = new Map([
  [0x0101, (node) => `Pci(${[node.u8('function'), node.u8('device')].reverse().map(hex).join(',')})`],
  [0x0103, (node) => `MemoryMapped(${hex(node.u32('kind'))},${hex(node.u64('start'))},${hex(node.u64('end'))})`],
  [0x0104, (node) => vendor('VenHw', node)],
  [
    0x0201,
    (node) => {
      const hid = node.u32('HID');
      const uid = node.u32('UID');
      const name = (hid & 0xffff) === PNP ? PNP_ROOT[hid >>> 16] : undefined;
      return name === undefined ? `Acpi(${hex(hid)},${hex(uid)})` : `${name}(${hex(uid)})`;
    },
  ],
  [0x0301, (node) => `Ata(${node.u8('primary')},${node.u8('slave')},${node.u16('LUN')})`],
  [0x0302, (node) => `Scsi(${hex(node.u16('target'))},${hex(node.u16('LUN'))})`],
  [0x0305, (node) => `USB(${hex(node.u8('port'))},${hex(node.u8('interface'))})`],
  [
    0x030b,
    (node) => {
      const address = node.bytes(32, 'address');
      const kind = node.u8('kind');
      return `MAC(${mac(address.subarray(0, kind < 2 ? 6 : 32))},${hex(kind)})`;
    },
  ],
  [
    0x030c,
    (node) => {
      const [local, remote] = [node.bytes(4, 'local'), node.bytes(4, 'remote')];
      return `IPv4(${dotted(remote)},${hex(node.u16('local port'))},${hex(node.u16('remote port'))},${dotted(local)})`;
    },
  ],
  [0x0312, (node) => `Sata(${hex(node.u16('port'))},${hex(node.u16('multiplier'))},${hex(node.u16('LUN'))})`],
  [
    0x0317,
    (node) =>
      `NVMe(${hex(node.u32('namespace'))},${[...node.bytes(8, 'EUI')]
        .reverse()
        .map((each) => each.toString(16).padStart(2, '0'))
        .join('-')})`,
  ],
  [
    0x0401,
    (node) => {
      const partition = node.u32('partition');
      const [start, size] = [node.u64('start'), node.u64('size')];
      const signature = node.bytes(16, 'signature');
      node.u8('format');
      const isGuid = node.u8('kind of signature') === 2;
      const text = isGuid
        ? `GPT,${new LittleEndianReader(signature, 'GUID').guid('signature')}`
        : `MBR,${hex(new LittleEndianReader(signature, 'MBR').u32('signature'))}`;
      return `HD(${partition},${text},${hex(start)},${hex(size)})`;
    },
  ],
  [0x0402, (node) => `CDROM(${hex(node.u32('entry'))},${hex(node.u64('start'))},${hex(node.u64('size'))})`],
  [0x0403, (node) => vendor('VenMedia', node)],
  [0x0404, (node) => `File(${node.ucs2z('path')})`],
  [0x0406, (node) => `FvFile(${node.guid('file')})`],
  [0x0407, (node) => `Fv(${node.guid('volume')})`],
  [
    0x0408,
    (node) => {
      node.u32('reserved');
      return `Offset(${hex(node.u64('start'))},${hex(node.u64('end'))})`;
    },
  ],
  [
    0x0501,
    (node) => {
      const kind = node.u16('kind');
      const status = node.u16('status');
      const name = Buffer.from(node.rest()).toString('latin1').replace(/\0.*$/s, '');
      return `BBS(${BBS[kind] ?? hex(kind)},${name},${hex(status)})`;
    },
  ],
]);

const BBS: Readonly<Record<number, string>> = { 1: 'Floppy', 2: 'HD', 3: 'CDROM', 4: 'PCMCIA', 5: 'USB', 6: 'Network' };

function vendor(name: string, node: LittleEndianReader): string {
  const guid = node.guid('vendor');
  return node.done ? `${name}(${guid})` : `${name}(${guid},${Buffer.from(node.rest()).toString('hex')})`;
}
