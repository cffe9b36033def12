/**
 * An event log as tpm2_eventlog prints it, line by line, for comparison. Version 2 of its format (tpm2-tools after 5.4)
 * takes variables apart; version 1 prints them as octets.
 */
import {
  type EventData,
  type EventLog,
  type LoggedEvent,
  readBootOrder,
  readEfiSignature,
  readEventData,
  readLoadOption,
  readSignatureLists,
  replayEventLog,
  type UefiVariable,
} from '../../src/index.ts';

export interface YamlStyle {
  readonly version: 1 | 2;
  /** Device paths as text, or as octets. */
  readonly pretty: boolean;
  /** Partition tables taken apart, or as octets. */
  readonly partitions: boolean;
}

/** The lines of a YAML text without indentation and list marks; block scalars joined to their key. */
export function flatten(yaml: string): string[] {
  const lines: string[] = [];
  for (const line of yaml.split('\n')) {
    const text = line.trim().replace(/^- (?!Boot)/, '');
    if (text === '' || text === '---') continue;
    if (lines.at(-1)?.endsWith(': |-')) lines.push(lines.pop()!.replace('|-', text));
    else if (/\\n\\$/.test(lines.at(-1) ?? '')) lines.push(lines.pop()!.slice(0, -1) + text);
    else lines.push(text.replace(/^(\d+) *: /, '$1: '));
  }
  return lines;
}

/** What tools and UEFI’s text form write differently. */
export const samePath = (line: string): string =>
  line
    .replaceAll(/FvVol\(/g, 'Fv(')
    .replaceAll(/(SCSI|Sata|USB)\(([\d,]+)\)/g, (_, name: string, numbers: string) => {
      const hex = numbers.split(',').map((each) => `0x${Number(each).toString(16)}`);
      return `${name === 'SCSI' ? 'Scsi' : name}(${hex.join(',')})`;
    })
    .replaceAll(/MAC\(([0-9a-f]+),1\)/g, 'MAC($1,0x1)')
    .replaceAll(/IPv4\(([\d.]+?),0,0\)/g, 'IPv4(0.0.0.0,0x0,0x0,0.0.0.0)');

export function render(log: EventLog, style: YamlStyle): string[] {
  const lines = [`version: ${style.version}`, 'events:'];
  for (const event of log.events) lines.push(...renderEvent(log, event, style));
  lines.push('pcrs:');
  for (const { hash, values } of replayEventLog(log).pcrs) {
    // A bank that the log announces and no event has is left out.
    if (values.size > 0) lines.push(`${hash}:`);
    for (const pcr of [...values.keys()].sort((a, b) => a - b)) lines.push(`${pcr}: 0x${hex(values.get(pcr)!)}`);
  }
  return lines;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const number = (value: number | bigint): string => `0x${value.toString(16)}`;

function* renderEvent(log: EventLog, event: LoggedEvent, style: YamlStyle): Generator<string> {
  if (log.format === 'crypto-agile') yield `EventNum: ${event.number}`;
  yield `PCRIndex: ${event.pcr}`;
  yield `EventType: ${event.name}`;
  const data = readEventData(event);
  if (data.kind === 'specId') {
    yield `Digest: "${hex(event.digests.get('sha1')!)}"`;
  } else {
    yield `DigestCount: ${event.digests.size}`;
    yield 'Digests:';
    for (const [hash, digest] of event.digests) yield* [`AlgorithmId: ${hash}`, `Digest: "${hex(digest)}"`];
  }
  yield `EventSize: ${event.data.length}`;
  yield* renderData(event, data, style);
}

function* renderData(event: LoggedEvent, data: EventData, style: YamlStyle): Generator<string> {
  const path = (octets: Uint8Array, text: string) => `DevicePath: '${style.pretty ? text : hex(octets)}'`;
  switch (data.kind) {
    case 'specId': {
      const { spec } = data;
      yield* ['SpecID:', `Signature: ${spec.signature}`, `platformClass: ${spec.platformClass}`];
      yield* [`specVersionMinor: ${spec.version.minor}`, `specVersionMajor: ${spec.version.major}`];
      yield* [`specErrata: ${spec.version.errata}`, `uintnSize: ${spec.uintnSize}`];
      yield* [`numberOfAlgorithms: ${spec.algorithms.length}`, 'Algorithms:'];
      for (const [i, { hash, size }] of spec.algorithms.entries()) {
        yield* [`Algorithm[${i}]:`, `algorithmId: ${hash}`, `digestSize: ${size}`];
      }
      yield `vendorInfoSize: ${spec.vendorInfo.length}`;
      break;
    }
    case 'text':
      if (event.name === 'EV_IPL') yield* ['Event:', `String: "${escaped(event.data)}"`];
      else yield `Event: ${data.text}`;
      break;
    case 'firmware':
      yield* ['Event:', `BlobBase: ${number(data.base)}`, `BlobLength: ${number(data.length)}`];
      break;
    case 'image':
      yield* ['Event:', `ImageLocationInMemory: ${number(data.location)}`, `ImageLengthInMemory: ${data.length}`];
      yield `ImageLinkTimeAddress: ${number(data.linkTimeAddress)}`;
      yield* [`LengthOfDevicePath: ${data.devicePath.length}`, path(data.devicePath, data.path)];
      break;
    case 'variable': {
      const { variable } = data;
      yield* ['Event:', `VariableName: ${variable.guid}`, `UnicodeNameLength: ${variable.name.length}`];
      yield* [`VariableDataLength: ${variable.data.length}`, `UnicodeName: ${variable.name}`];
      yield* style.version === 1
        ? variable.data.length > 0
          ? [`VariableData: "${hex(variable.data)}"`]
          : []
        : renderVariable(event, variable, path);
      break;
    }
    case 'partitionTable': {
      const { header } = data;
      if (!style.partitions) {
        yield `Event: "${hex(event.data)}"`;
        break;
      }
      yield* ['Event:', 'Header:', 'Signature: "EFI PART"', `Revision: ${number(header.revision)}`];
      yield* [`HeaderSize: ${header.headerSize}`, `HeaderCRC32: ${number(header.headerCrc32)}`];
      yield* [`MyLBA: ${number(header.myLba)}`, `AlternateLBA: ${number(header.alternateLba)}`];
      yield* [`FirstUsableLBA: ${number(header.firstUsableLba)}`, `LastUsableLBA: ${number(header.lastUsableLba)}`];
      yield* [`DiskGUID: ${header.diskId}`, `PartitionEntryLBA: ${number(header.partitionEntryLba)}`];
      yield* [
        `NumberOfPartitionEntry: ${header.partitionEntries}`,
        `SizeOfPartitionEntry: ${header.partitionEntrySize}`,
      ];
      yield `PartitionEntryArrayCRC32: ${number(header.partitionEntriesCrc32)}`;
      yield* [`NumberOfPartitions: ${data.partitions.length}`, 'Partitions:'];
      for (const each of data.partitions) {
        yield* [`PartitionTypeGUID: ${each.type}`, `UniquePartitionGUID: ${each.id}`];
        yield* [`StartingLBA: ${number(each.firstBlock)}`, `EndingLBA: ${number(each.lastBlock)}`];
        yield* [`Attributes: ${number(each.attributes)}`, `PartitionName: "${each.name}"`];
      }
      break;
    }
    default:
      yield `Event: "${hex(event.data)}"`;
  }
}

function* renderVariable(
  event: LoggedEvent,
  { name, data }: UefiVariable,
  path: (octets: Uint8Array, text: string) => string,
): Generator<string> {
  const authority = event.name === 'EV_EFI_VARIABLE_AUTHORITY';
  if (name === 'SbatLevel') {
    yield* ['VariableData:', `String: "${escaped(data)}"`];
  } else if (name === 'SecureBoot' || name === 'MokListTrusted') {
    yield* ['VariableData:', `Enabled: '${data[0] ? 'Yes' : 'No'}'`];
  } else if (authority) {
    const { owner, data: signature } = readEfiSignature(data);
    yield* ['VariableData:', `SignatureOwner: ${owner}`, `SignatureData: ${hex(signature)}`];
  } else if (['PK', 'KEK', 'db', 'dbx'].includes(name)) {
    yield 'VariableData:';
    for (const list of readSignatureLists(data)) {
      const size = 28 + list.header.length + list.signatureSize * list.signatures.length;
      yield* [
        `SignatureType: ${list.type}`,
        `SignatureListSize: ${size}`,
        `SignatureHeaderSize: ${list.header.length}`,
      ];
      yield* [`SignatureSize: ${list.signatureSize}`, 'Keys:'];
      for (const each of list.signatures) yield* [`SignatureOwner: ${each.owner}`, `SignatureData: ${hex(each.data)}`];
    }
  } else if (name === 'BootOrder') {
    yield 'VariableData:';
    for (const each of readBootOrder(data)) yield `- Boot${each.toString(16).padStart(4, '0')}`;
  } else if (/^Boot[0-9a-f]{4}$/i.test(name)) {
    const option = readLoadOption(data);
    yield* ['VariableData:', `Enabled: '${option.active ? 'Yes' : 'No'}'`];
    yield* [`FilePathListLength: ${option.devicePath.length}`, `Description: "${option.description}"`];
    yield path(option.devicePath, option.path);
  } else {
    yield `VariableData: "${hex(data)}"`;
  }
}

/** How tpm2_eventlog escapes text: a space at the beginning too. */
const escaped = (bytes: Uint8Array): string =>
  Buffer.from(bytes)
    .toString('latin1')
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll('\0', '\\0')
    .replaceAll(/(?:^|\n)[ \t]+/g, (indent) => indent.replaceAll(' ', '\\x20').replaceAll('\t', '\\t'))
    .replaceAll('\n', '\\n');
