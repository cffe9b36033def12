/** What stands in the data of an event (PFP 1.05 § 10.2.3, § 10.4.5), as far as its type says. Data that does not fit its type stays raw. */
import { Tpm2Error } from '../error.ts';
import { LittleEndianReader } from '../wire/little-endian-reader.ts';
import { devicePathText } from './device-path.ts';
import { type LoggedEvent, readSpecId, type SpecId } from './event-log.ts';
import { startupLocality } from './replay.ts';
import { readVariable, type UefiVariable } from './uefi-variable.ts';

/** One entry of a GUID partition table (UEFI 2.10 § 5.3.3). */
export interface Partition {
  readonly type: string;
  readonly id: string;
  readonly firstBlock: bigint;
  readonly lastBlock: bigint;
  readonly attributes: bigint;
  readonly name: string;
}

export type EventData =
  | { readonly kind: 'specId'; readonly spec: SpecId }
  | { readonly kind: 'startupLocality'; readonly locality: number }
  /** EV_NO_ACTION of another signature, e.g. `SP800-155 Event3`. */
  | { readonly kind: 'information'; readonly signature: string; readonly contents: Uint8Array }
  | { readonly kind: 'separator'; readonly value: number }
  | { readonly kind: 'text'; readonly text: string }
  | {
      readonly kind: 'firmware';
      readonly description: string | undefined;
      readonly base: bigint;
      readonly length: bigint;
    }
  | {
      readonly kind: 'tables';
      readonly description: string | undefined;
      readonly tables: readonly { readonly guid: string; readonly address: bigint }[];
    }
  | { readonly kind: 'variable'; readonly variable: UefiVariable }
  | {
      readonly kind: 'image';
      readonly location: bigint;
      readonly length: bigint;
      readonly linkTimeAddress: bigint;
      readonly devicePath: Uint8Array;
      readonly path: string;
    }
  | {
      readonly kind: 'partitionTable';
      /** EFI_PARTITION_TABLE_HEADER (§ 5.3.2). */
      readonly header: {
        readonly revision: number;
        readonly headerSize: number;
        readonly headerCrc32: number;
        readonly myLba: bigint;
        readonly alternateLba: bigint;
        readonly firstUsableLba: bigint;
        readonly lastUsableLba: bigint;
        readonly diskId: string;
        readonly partitionEntryLba: bigint;
        readonly partitionEntries: number;
        readonly partitionEntrySize: number;
        readonly partitionEntriesCrc32: number;
      };
      readonly partitions: readonly Partition[];
    }
  /** EV_EVENT_TAG: TCG_PCClientTaggedEvent. */
  | { readonly kind: 'tagged'; readonly id: number; readonly contents: Uint8Array }
  | { readonly kind: 'raw'; readonly contents: Uint8Array };

const MAX_PARTITIONS = 1024;
const MAX_TABLES = 1024;

/** Never throws: data that is not of its type’s form comes back raw. */
export function readEventData(event: LoggedEvent): EventData {
  try {
    return read(event);
  } catch (error) {
    if (!(error instanceof Tpm2Error)) throw error;
    return { kind: 'raw', contents: event.data };
  }
}

function read(event: LoggedEvent): EventData {
  const { data } = event;
  const reader = new LittleEndianReader(data, event.name ?? 'event');
  const raw: EventData = { kind: 'raw', contents: data };
  switch (event.name) {
    case 'EV_NO_ACTION': {
      const locality = startupLocality(event);
      if (locality !== undefined) return { kind: 'startupLocality', locality };
      const signature = Buffer.from(reader.bytes(16, 'signature')).toString('latin1').replace(/\0+$/, '');
      return signature.startsWith('Spec ID Event')
        ? { kind: 'specId', spec: readSpecId(data) }
        : { kind: 'information', signature, contents: reader.rest() };
    }
    case 'EV_SEPARATOR':
      return data.length === 4 ? { kind: 'separator', value: reader.u32('separator') } : raw;
    case 'EV_ACTION':
    case 'EV_EFI_ACTION':
    case 'EV_IPL':
    case 'EV_OMIT_BOOT_DEVICE_EVENTS':
      return { kind: 'text', text: Buffer.from(data).toString('utf8') };
    case 'EV_POST_CODE':
      return data.length === 16
        ? firmware(reader, undefined)
        : { kind: 'text', text: Buffer.from(data).toString('latin1') };
    case 'EV_EFI_PLATFORM_FIRMWARE_BLOB':
      return firmware(reader, undefined);
    case 'EV_EFI_PLATFORM_FIRMWARE_BLOB2':
    case 'EV_POST_CODE2':
      return firmware(reader, description(reader));
    case 'EV_EFI_HANDOFF_TABLES':
      return tables(reader, undefined);
    case 'EV_EFI_HANDOFF_TABLES2':
      return tables(reader, description(reader));
    case 'EV_EFI_VARIABLE_DRIVER_CONFIG':
    case 'EV_EFI_VARIABLE_BOOT':
    case 'EV_EFI_VARIABLE_BOOT2':
    case 'EV_EFI_VARIABLE_AUTHORITY':
      return { kind: 'variable', variable: readVariable(data) };
    case 'EV_EFI_BOOT_SERVICES_APPLICATION':
    case 'EV_EFI_BOOT_SERVICES_DRIVER':
    case 'EV_EFI_RUNTIME_SERVICES_DRIVER':
      return image(reader);
    case 'EV_EFI_GPT_EVENT':
    case 'EV_EFI_GPT_EVENT2':
      return partitionTable(reader);
    case 'EV_EVENT_TAG': {
      const id = reader.u32('tag');
      return { kind: 'tagged', id, contents: reader.bytes(reader.u32('size'), 'tagged data') };
    }
    default:
      return raw;
  }
}

const description = (reader: LittleEndianReader): string =>
  Buffer.from(reader.bytes(reader.u8('size of the description'), 'description'))
    .toString('utf8')
    .replace(/\0+$/, '');

const firmware = (reader: LittleEndianReader, text: string | undefined): EventData => ({
  kind: 'firmware',
  description: text,
  base: reader.u64('base'),
  length: reader.u64('length'),
});

function tables(reader: LittleEndianReader, text: string | undefined): EventData {
  const count = reader.count('number of tables', MAX_TABLES);
  const list = Array.from({ length: count }, () => ({ guid: reader.guid('table'), address: reader.u64('address') }));
  return { kind: 'tables', description: text, tables: list };
}

/** UEFI_IMAGE_LOAD_EVENT (§ 10.2.3). */
function image(reader: LittleEndianReader): EventData {
  const location = reader.u64('location');
  const length = reader.u64('length');
  const linkTimeAddress = reader.u64('link time address');
  const devicePath = reader.bytes(reader.count('length of the device path', reader.left), 'device path');
  return { kind: 'image', location, length, linkTimeAddress, devicePath, path: devicePathText(devicePath) };
}

/** UEFI_GPT_DATA (§ 10.2.3). */
function partitionTable(reader: LittleEndianReader): EventData {
  if (reader.u64('signature') !== 0x5452415020494645n) throw reader.fail('not a GUID partition table');
  const revision = reader.u32('revision');
  const headerSize = reader.u32('header size');
  const headerCrc32 = reader.u32('CRC');
  reader.u32('reserved');
  const header = {
    revision,
    headerSize,
    headerCrc32,
    myLba: reader.u64('LBA'),
    alternateLba: reader.u64('alternate LBA'),
    firstUsableLba: reader.u64('first LBA'),
    lastUsableLba: reader.u64('last LBA'),
    diskId: reader.guid('disk'),
    partitionEntryLba: reader.u64('entries LBA'),
    partitionEntries: reader.u32('entries'),
    partitionEntrySize: reader.u32('entry size'),
    partitionEntriesCrc32: reader.u32('CRC'),
  };
  if (header.partitionEntrySize < 128) throw reader.fail('partition entries are too small');
  const count = reader.count('number of partitions', MAX_PARTITIONS);
  const partitions: Partition[] = [];
  for (let i = 0; i < count; i++) {
    const entry = new LittleEndianReader(reader.bytes(header.partitionEntrySize, 'partition'), 'partition');
    partitions.push({
      type: entry.guid('type'),
      id: entry.guid('partition'),
      firstBlock: entry.u64('first block'),
      lastBlock: entry.u64('last block'),
      attributes: entry.u64('attributes'),
      name: entry.ucs2(36, 'name').replace(/\0.*$/s, ''),
    });
  }
  return { kind: 'partitionTable', header, partitions };
}
