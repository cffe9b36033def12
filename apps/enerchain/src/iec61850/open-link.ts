/** What a user names as the place where Ethernet frames come from: an interface, a capture, a pipe, a descriptor. */
import { existsSync, readFileSync } from 'node:fs';
import {
  captureFile,
  captureProgram,
  captureStream,
  descriptorLink,
  ETHERTYPE,
  type LinkLayer,
  packetLink,
  parseMac,
  tcpdump,
} from '@enerchain/ethernet';
import { EnerchainError } from '@enerchain/model';

export interface LinkOptions {
  /** Capture by tcpdump, which has rights of its own. */
  readonly tcpdump?: boolean;
  /** Network namespace of the interface. */
  readonly namespace?: string;
  /** Play a file with the pauses that lay between its frames. */
  readonly paced?: boolean;
}

export interface OpenedLink {
  readonly link: LinkLayer;
  /** How time passes: by the clock of this machine; by the frames, and between them as long as it is a pipe; by the frames alone. */
  readonly time: 'clock' | 'stream' | 'frames';
}

/** @throws EnerchainError or EthernetError with what to do instead */
export function openLink(where: string, { tcpdump: byTcpdump, namespace, paced }: LinkOptions): OpenedLink {
  if (where === '-') {
    const pipe = process.stdin;
    return { link: captureStream('standard input', pipe, () => void pipe.destroy()), time: 'stream' };
  }
  const descriptor = /^fd:(\d{1,5})$/.exec(where);
  if (descriptor) return { link: descriptorLink(Number(descriptor[1])), time: 'clock' };
  if (byTcpdump) {
    const inside = namespace === undefined ? [] : ['ip', 'netns', 'exec', namespace];
    const command = [...inside, ...tcpdump(where, [ETHERTYPE.goose, ETHERTYPE.sampledValues])];
    return { link: captureProgram(command, `tcpdump on ${where}`), time: 'stream' };
  }
  if (/[./\\]/.test(where) && existsSync(where)) {
    return { link: captureFile(where, { pace: paced ? 'recorded' : 'fast' }), time: paced ? 'stream' : 'frames' };
  }
  if (/\.pcap(ng)?$/i.test(where) || where.includes('/'))
    throw new EnerchainError('caller', 'cli.file', `There is no file ${where}`);
  return { link: packetLink(where, namespace === undefined ? {} : { namespace }), time: 'clock' };
}

/** The address that frames are sent from: as asked for, of the interface, of the descriptor's only sender. */
export function sourceAddress(link: LinkLayer, asked: string | undefined, where: string): Uint8Array | undefined {
  if (asked !== undefined) {
    const address = parseMac(asked);
    if (!address) throw new EnerchainError('caller', 'cli.option', `--source must be a MAC address, not '${asked}'`);
    return address;
  }
  if (link.address) return link.address;
  try {
    return parseMac(readFileSync(`/sys/class/net/${where}/address`, 'utf8').trim());
  } catch {
    return undefined;
  }
}
