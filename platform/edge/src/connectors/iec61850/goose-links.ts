/** Which link a site file means, opened once for all devices that are heard on it. */
import { createConnection } from 'node:net';
import { isAbsolute, join } from 'node:path';
import {
  captureFile,
  captureProgram,
  captureStream,
  descriptorLink,
  ETHERTYPE,
  type LinkLayer,
  packetLink,
  tcpdump,
} from '@enerchain/ethernet';
import { GooseBus } from './goose-bus.ts';
import type { GooseSettings } from './protocol.ts';

/** Links that the program itself has, by name: a LAN in memory in place of an interface. */
const provided = new Map<string, LinkLayer>();
const buses = new Map<string, GooseBus>();

/**
 * Puts a link in place of the interface of this name, for endpoints that are started from then on. It stays the caller's to
 * close. @returns takes it back
 */
export function provideLink(name: string, link: LinkLayer): () => void {
  provided.set(name, link);
  buses.delete(name);
  return () => {
    if (provided.get(name) !== link) return;
    provided.delete(name);
    buses.delete(name);
  };
}

/** @param folder where the path of a capture starts */
export function busOf(settings: GooseSettings, folder: string): GooseBus {
  const key = keyOf(settings, folder);
  const known = buses.get(key);
  if (known) return known;
  const bus = busFor(settings, folder);
  buses.set(key, bus);
  return bus;
}

function keyOf(settings: GooseSettings, folder: string): string {
  if ('capture' in settings) return `capture ${join(folder, settings.capture)}`;
  if ('stream' in settings) return `stream ${settings.stream.host}:${settings.stream.port}`;
  return settings.interface;
}

function busFor(settings: GooseSettings, folder: string): GooseBus {
  if ('capture' in settings) {
    const path = isAbsolute(settings.capture) ? settings.capture : join(folder, settings.capture);
    return new GooseBus(settings.capture, () => captureFile(path), undefined, 'frames');
  }
  if ('stream' in settings) {
    const { host, port } = settings.stream;
    const name = `${host}:${port}`;
    return new GooseBus(name, () => {
      const socket = createConnection({ host, port });
      return captureStream(name, socket, () => socket.destroy());
    });
  }
  const { interface: name, tcpdump: byTcpdump, descriptor } = settings;
  const link = provided.get(name);
  if (link) return new GooseBus(name, () => borrowed(link));
  if (byTcpdump) return new GooseBus(name, () => captureProgram(tcpdump(name, [ETHERTYPE.goose]), name));
  if (descriptor !== undefined) return new GooseBus(name, () => descriptorLink(descriptor, { name }));
  return new GooseBus(name, () => packetLink(name));
}

/** The same link, closed by its owner alone. */
const borrowed = (link: LinkLayer): LinkLayer => ({
  name: link.name,
  listen: (receive, filter) => link.listen(receive, filter),
  send: (frame) => link.send(frame),
  get counters() {
    return link.counters;
  },
  closed: link.closed,
  close: async () => {},
});
