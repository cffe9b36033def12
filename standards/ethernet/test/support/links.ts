import { type LinkLayer, memoryLan, packetLink } from '../../src/index.ts';
import { descriptorLink } from '../../src/linux/descriptor-link.ts';
import { loadNative } from '../../src/linux/native.ts';
import { noPacketSockets, type Veth, veth } from './veth.ts';

/** Two stations of one LAN; every test of links runs on each kind. */
export interface LinkPair {
  readonly name: string;
  /** Why it cannot be had here. */
  readonly missing?: string;
  /** The kernel tells tags only to code in C. */
  readonly tags: boolean;
  open(): Promise<{ left: LinkLayer; right: LinkLayer; shutdown(): Promise<void> }>;
}

const missing = noPacketSockets();
const because = missing === undefined ? {} : { missing };

let shared: Veth | undefined;
/** After the last test: the interfaces are made once. */
export function removeInterfaces(): void {
  shared?.remove();
  shared = undefined;
}

async function onVeth(open: (end: string, namespace: string) => LinkLayer): ReturnType<LinkPair['open']> {
  shared ??= veth();
  const { namespace, ends } = shared;
  const [left, right] = ends.map((end) => open(end, namespace)) as [LinkLayer, LinkLayer];
  return { left, right, shutdown: async () => void (await Promise.all([left.close(), right.close()])) };
}

/** As a launcher leaves it to its program. */
function inherited(end: string, namespace: string): number {
  const native = loadNative();
  const fd = native.openSocket(1 << 22, `/run/netns/${namespace}`);
  native.bindSocket(fd, native.interfaceOf(fd, end).index);
  return fd;
}

export const LINKS: readonly LinkPair[] = [
  {
    name: 'memory',
    tags: true,
    async open() {
      const lan = memoryLan();
      const [left, right] = [lan.station('left'), lan.station('right')];
      return { left, right, shutdown: async () => void (await Promise.all([left.close(), right.close()])) };
    },
  },
  {
    name: 'packet socket',
    tags: true,
    ...because,
    open: () => onVeth((end, namespace) => packetLink(end, { namespace })),
  },
  {
    name: 'packet socket of a launcher',
    tags: true,
    ...because,
    open: () => onVeth((end, namespace) => packetLink(end, { descriptor: inherited(end, namespace) })),
  },
  {
    name: 'inherited descriptor',
    tags: false,
    ...because,
    open: () => onVeth((end, namespace) => descriptorLink(inherited(end, namespace), { name: end })),
  },
];
