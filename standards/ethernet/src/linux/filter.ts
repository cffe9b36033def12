/** What several listeners want, in the words of the kernel: a program for its packet filter, and addresses for the card. Pure. */
import { endianness } from 'node:os';
import { ETHERTYPE } from '../frame.ts';
import type { Filter } from '../link-layer.ts';
import { formatMac, isMulticast } from '../mac.ts';

/** Classic BPF: `struct sock_filter` is code (16 bits), jumps if true and if false (8 each), k (32). */
const [LOAD_HALF, JUMP_EQUAL, RETURN] = [0x28, 0x15, 0x06];
/** Jumps have 8 bits; more types than these are sorted out behind the kernel. */
const MOST_TYPES = 200;
const TYPE_OFFSET = 12;
/** A type that says nothing about what is behind it; the kernel takes off one VLAN tag only. */
const TAGS = [ETHERTYPE.vlan, ETHERTYPE.serviceVlan, ETHERTYPE.hsr];

/** Lets frames pass that somebody may want by their EtherType; all of one octet more are decided in the process. Nothing passes without listeners. */
export function filterProgram(filters: readonly Filter[]): Uint8Array {
  if (filters.length === 0) return program([[RETURN, 0, 0, 0]]);
  const all = filters.some(({ etherTypes = [] }) => etherTypes.length === 0);
  const types = [...new Set([...filters.flatMap(({ etherTypes = [] }) => etherTypes), ...TAGS])];
  if (all || types.length > MOST_TYPES) return program([[RETURN, 0, 0, 0xffff_ffff]]);
  return program([
    [LOAD_HALF, 0, 0, TYPE_OFFSET],
    ...types.map((type, i) => [JUMP_EQUAL, types.length - i, 0, type] as const),
    [RETURN, 0, 0, 0],
    [RETURN, 0, 0, 0xffff_ffff],
  ]);
}

function program(
  instructions: readonly (readonly [code: number, whenTrue: number, whenFalse: number, k: number])[],
): Uint8Array {
  const little = endianness() === 'LE';
  const view = new DataView(new ArrayBuffer(8 * instructions.length));
  instructions.forEach(([code, whenTrue, whenFalse, k], i) => {
    view.setUint16(8 * i, code, little);
    view.setUint8(8 * i + 2, whenTrue);
    view.setUint8(8 * i + 3, whenFalse);
    view.setUint32(8 * i + 4, k, little);
  });
  return new Uint8Array(view.buffer);
}

/** `PACKET_MR_…` of packet(7). */
const KIND = { multicast: 0, promiscuous: 1, allMulticast: 2, unicast: 3 } as const;

export interface Membership {
  readonly kind: number;
  readonly address: Uint8Array;
}

/** What the card has to let in. Who names no destination gets every multicast, and what goes to this machine anyway. */
export function memberships(filters: readonly Filter[], promiscuous: boolean): ReadonlyMap<string, Membership> {
  const wanted = new Map<string, Membership>();
  const none = new Uint8Array(6);
  if (promiscuous && filters.length > 0) wanted.set('promiscuous', { kind: KIND.promiscuous, address: none });
  for (const { destinations = [] } of filters) {
    if (destinations.length === 0) wanted.set('all', { kind: KIND.allMulticast, address: none });
    for (const address of destinations) {
      wanted.set(formatMac(address), { kind: isMulticast(address) ? KIND.multicast : KIND.unicast, address });
    }
  }
  return wanted;
}
