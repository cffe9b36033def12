/** Another program captures: tcpdump with its own rights, also on another machine. */
import { spawn } from 'node:child_process';
import { EthernetError } from '../errors.ts';
import { ETHERTYPE } from '../frame.ts';
import type { LinkLayer } from '../link-layer.ts';
import { CaptureLink } from './capture-link.ts';

/** Characters of the program's complaints that are kept. */
const COMPLAINT = 500;

/** What makes tcpdump write each frame as it comes. @param etherTypes only these, whatever tags they have; all when there are none */
export function tcpdump(interfaceName: string, etherTypes: readonly number[] = []): readonly string[] {
  const wanted = [...etherTypes, ETHERTYPE.hsr].map((type) => `ether proto 0x${type.toString(16)}`);
  // Behind `vlan` every place in the frame means the one behind the tag: it stands last.
  const filter = etherTypes.length === 0 ? [] : [[...wanted, 'vlan'].join(' or ')];
  return ['tcpdump', '-i', interfaceName, '-s', '0', '-U', '--immediate-mode', '-w', '-', ...filter];
}

/**
 * Starts a program that writes a capture on its standard output — `tcpdump('eth1')`, `['dumpcap', '-i', 'eth1', '-w', '-']`,
 * `['ssh', 'station', ...tcpdump('eth1')]` — when somebody begins to listen. It is ended with the link.
 */
export function captureProgram(command: readonly string[], name = command.join(' ')): LinkLayer {
  const [program, ...args] = command;
  if (program === undefined)
    throw new EthernetError('caller', 'capture.program', 'No program to capture with was named');
  let stop = () => {};
  async function* output(): AsyncGenerator<Uint8Array> {
    const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    stop = () => void child.kill();
    let complaint = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaint = (complaint + text).slice(-COMPLAINT);
    });
    const ended = new Promise<string | undefined>((resolve) => {
      child.on('error', (error: NodeJS.ErrnoException) =>
        resolve(error.code === 'ENOENT' ? 'there is no such program' : error.message),
      );
      child.on('close', (status) =>
        resolve(status === 0 || status === null ? undefined : `ended with status ${status}`),
      );
    });
    yield* child.stdout;
    const why = await ended;
    if (why === undefined) return;
    const last = complaint.trim().split('\n').at(-1);
    throw new EthernetError('environment', 'capture.program', `${program}: ${why}${last ? `; it says: ${last}` : ''}`);
  }
  return new CaptureLink(name, output, {}, () => stop());
}
