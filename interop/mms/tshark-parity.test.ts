/** The same octets, decoded by us from TPKT up to MMS and by Wireshark's tshark: captures of other stacks. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  decodeAcceptPpdu,
  decodeAcse,
  decodeConnectPpdu,
  decodeMms,
  decodeSpdu,
  decodeTpdu,
  decodeUserData,
  MmsError,
  type MmsPdu,
  type Pdv,
  pdvs,
  Reassembler,
  TpktReader,
  userInformationOf,
} from '@enerchain/mms';
import { describe, expect, test } from 'vitest';
import { tsharkVersion } from '../iec104/tshark.ts';
import { FIELDS, fieldsOf } from './fields.ts';

const folder = resolve(import.meta.dirname, '../../../shared/data/pcap');
/**
 * Captures with the ports at which tshark would not look for TPKT by itself. Not Sample_File_MMS_and_GOOSE.pcap, which has
 * gaps and begins inside an association: tshark does not look into presentation contexts whose negotiation it has not seen.
 * Of `MMS - Specific Commands` only the release: the servers of the others answer with responses that have no service in
 * them, which tshark shows and we refuse.
 */
const CAPTURES: readonly (readonly [string, number?])[] = [
  ['own/mms-browse-write-report.pcap', 10501],
  ['own/mms-control.pcap', 10502],
  ['own/mms-files.pcap', 10503],
  ['own/tase2-b1-b2-b5.pcap', 10206],
  ['ics-security-tools/IEC61850/8d7c7db0-9804-012b-b2a6-0016cb8cea27.pcap'],
  ['ics-security-tools/IEC61850/piccolo.pcap'],
  ['ics-security-tools/IEC61850/MMS - Specific Commands/iec61850_release.pcap'],
];

const version = tsharkVersion();
const missing =
  version === undefined
    ? 'tshark is not installed'
    : CAPTURES.every(([file]) => existsSync(join(folder, file)))
      ? undefined
      : `the captures are not there (${folder})`;

const SEPARATOR = '~';

interface Flow {
  readonly octets: Buffer[];
  malformed: number;
  readonly fields: Map<string, string[]>;
}

function readFlows(file: string, port?: number): Map<string, Flow> {
  const args = ['-r', file, '-Y', 'tcp.len > 0 && !tcp.analysis.retransmission', '-T', 'fields'];
  if (port !== undefined) args.push('-d', `tcp.port==${port},tpkt`);
  args.push('-E', `aggregator=${SEPARATOR}`);
  for (const field of ['tcp.stream', 'tcp.srcport', 'tcp.payload', '_ws.malformed', ...FIELDS]) args.push('-e', field);
  const text = execFileSync('tshark', args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    // Times of files and of data are compared in UTC.
    env: { ...process.env, TZ: 'UTC' },
    maxBuffer: 1 << 28,
  });
  const flows = new Map<string, Flow>();
  for (const line of text.split('\n').filter((row) => row !== '')) {
    const [stream, source, payload, malformed, ...values] = line.split('\t');
    const name = `stream ${stream} from port ${source}`;
    const flow = flows.get(name) ?? { octets: [], malformed: 0, fields: new Map(FIELDS.map((field) => [field, []])) };
    flows.set(name, flow);
    flow.octets.push(Buffer.from(payload!.replaceAll(':', ''), 'hex'));
    if (malformed) flow.malformed++;
    FIELDS.forEach((field, i) => {
      if (values[i]) flow.fields.get(field)!.push(...values[i].split(SEPARATOR));
    });
  }
  return flows;
}

/** The MMS PDUs in one direction of a connection, and the number of TSDUs that are refused. */
function decode(octets: readonly Uint8Array[]): { pdus: MmsPdu[]; refused: number } {
  const pdus: MmsPdu[] = [];
  let refused = 0;
  const tpkt = new TpktReader();
  const reassembler = new Reassembler(1 << 20);
  for (const chunk of octets)
    tpkt.push(chunk, (packet) => {
      const tpdu = decodeTpdu(packet);
      const tsdu = tpdu.kind === 'DT' ? reassembler.push(tpdu.data, tpdu.last) : undefined;
      if (!tsdu) return;
      try {
        pdus.push(...valuesOf(tsdu).map(({ data }) => decodeMms(data)));
      } catch (error) {
        if (!(error instanceof MmsError && error.fault === 'peer')) throw error;
        refused++;
      }
    });
  return { pdus, refused };
}

function valuesOf(tsdu: Uint8Array): Pdv[] {
  const spdu = decodeSpdu(tsdu);
  if (spdu.kind === 'CN' || spdu.kind === 'AC') {
    const ppdu = spdu.kind === 'CN' ? decodeConnectPpdu(spdu.data) : decodeAcceptPpdu(spdu.data);
    const acse = decodeAcse(pdvs(ppdu.data)[0]!.data);
    if (acse.kind !== 'AARQ' && acse.kind !== 'AARE') throw new Error(`${acse.kind} in ${spdu.kind}`);
    return [{ context: 3, data: userInformationOf(acse.value.userInformation) }];
  }
  if (spdu.kind === 'DT') return decodeUserData(spdu.data);
  // Release and abort hold ACSE only.
  if ('data' in spdu && spdu.kind !== 'RF' && spdu.kind !== 'AB' && spdu.data.length > 0)
    for (const { data } of decodeUserData(spdu.data)) decodeAcse(data);
  return [];
}

const TIMES = new Set(['mms.utc_time', 'mms.data.binary-time', 'mms.lastModified']);

/** Numbers as numbers, octets as hexadecimal digits; times as seconds since 1970 with nine digits of a second. */
function plain(field: string, text: string): string {
  if (TIMES.has(field)) {
    const [, before, nanoseconds, after] = /^(.*)\.(\d{9})(.*)$/.exec(text)!;
    return `${Date.parse(`${before}${after}`) / 1000}.${nanoseconds}`;
  }
  // An empty octet string.
  if (text === '<MISSING>') return '';
  if (text === 'True') return '1';
  if (text === 'False') return '0';
  return text;
}

describe.skipIf(missing !== undefined)(
  `decode parity with ${version ?? 'tshark'}${missing ? ` (skipped: ${missing})` : ''}`,
  () => {
    for (const [file, port] of CAPTURES)
      test(file, () => {
        let pdus = 0;
        let values = 0;
        for (const [name, flow] of readFlows(join(folder, file), port)) {
          const { pdus: decoded, refused } = decode(flow.octets);
          // What we refuse is what tshark calls malformed, and nothing else.
          expect(refused, `${name}: refused`).toBe(flow.malformed);
          pdus += decoded.length;
          const ours = new Map<string, string[]>(FIELDS.map((field) => [field, []]));
          for (const [field, value] of decoded.flatMap(fieldsOf)) ours.get(field)!.push(value);
          for (const field of FIELDS) {
            const theirs = flow.fields.get(field)!.map((text) => plain(field, text));
            expect(ours.get(field), `${name}: ${field}`).toEqual(theirs);
            values += theirs.length;
          }
        }
        expect(pdus).toBeGreaterThan(0);
        console.log(`${file}: ${pdus} PDUs, ${values} field values agree`);
      });
  },
);
