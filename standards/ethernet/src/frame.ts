/**
 * Ethernet frames (IEEE 802.3 clause 3, from the destination address on, without FCS) with the tags that substations use:
 * 802.1Q, HSR, and the redundancy trailer of PRP (IEC 62439-3). Pure.
 */
import { EthernetError } from './errors.ts';
import { formatMac, MAC_LENGTH } from './mac.ts';

export const ETHERTYPE = {
  ipv4: 0x0800,
  /** IEEE 802.1Q, C-tag. */
  vlan: 0x8100,
  /** IEEE 802.1Q, S-tag of a provider. */
  serviceVlan: 0x88a8,
  /** IEC 61850-8-1. */
  goose: 0x88b8,
  /** IEC 61850-8-1, GSE management. */
  gseManagement: 0x88b9,
  /** IEC 61850-9-2. */
  sampledValues: 0x88ba,
  /** IEC 62439-3: supervision, and the suffix of the redundancy trailer. */
  prp: 0x88fb,
  /** IEC 62439-3. */
  hsr: 0x892f,
  /** IEEE 1588 over Ethernet. */
  ptp: 0x88f7,
} as const;

/** Shortest frame without FCS; what is shorter is padded. */
export const MIN_FRAME = 60;
/** Longest payload of a plain frame. */
export const MAX_PAYLOAD = 1500;
/** Addresses and EtherType. */
export const HEADER_LENGTH = 2 * MAC_LENGTH + 2;
const TAG_LENGTH = 4;
const HSR_LENGTH = 6;
const RCT_LENGTH = 6;
/** An EtherType starts here; what is less is the length of an LLC payload (IEEE 802.3, 3.2.6). */
const FIRST_ETHERTYPE = 0x0600;

/** IEEE 802.1Q tag control information. */
export interface VlanTag {
  /** VLAN identifier, 0 … 4094; 0 = priority only. */
  readonly id: number;
  /** 0 … 7; IEC 61850-8-1 has 4 for GOOSE and sampled values. */
  readonly priority: number;
  /** DEI: to be dropped first. False when left out. */
  readonly dropEligible?: boolean;
}

/** Where a frame came along in a network of IEC 62439-3. */
export type Redundancy =
  | { readonly protocol: 'PRP'; readonly lan: 'A' | 'B'; readonly sequence: number }
  | { readonly protocol: 'HSR'; readonly path: number; readonly sequence: number };

export interface Frame {
  readonly destination: Uint8Array;
  readonly source: Uint8Array;
  readonly vlan?: VlanTag;
  /** The outer tag of a provider's network. */
  readonly serviceVlan?: VlanTag;
  readonly redundancy?: Redundancy;
  /** Behind all tags; less than 0x600 is the length of an LLC payload. */
  readonly etherType: number;
  /** A view into the frame. Padding is still at its end: only the payload knows how long it is. */
  readonly payload: Uint8Array;
}

const short = (octets: Uint8Array, at: number): number => (octets[at]! << 8) | octets[at + 1]!;

/**
 * Reads one frame; addresses and payload are views into it.
 * @throws EthernetError (peer, `ethernet.frame`) when it ends within its header
 */
export function decodeFrame(frame: Uint8Array): Frame {
  if (frame.length < HEADER_LENGTH) throw truncated(frame);
  let at = 2 * MAC_LENGTH;
  let etherType = short(frame, at);
  let vlan: VlanTag | undefined;
  let serviceVlan: VlanTag | undefined;
  let redundancy: Redundancy | undefined;
  for (;;) {
    if (etherType === ETHERTYPE.vlan && vlan === undefined) {
      if (frame.length < at + TAG_LENGTH + 2) throw truncated(frame);
      vlan = tagOf(short(frame, at + 2));
      at += TAG_LENGTH;
    } else if (etherType === ETHERTYPE.serviceVlan && serviceVlan === undefined && vlan === undefined) {
      if (frame.length < at + TAG_LENGTH + 2) throw truncated(frame);
      serviceVlan = tagOf(short(frame, at + 2));
      at += TAG_LENGTH;
    } else if (etherType === ETHERTYPE.hsr && redundancy === undefined) {
      if (frame.length < at + HSR_LENGTH + 2) throw truncated(frame);
      redundancy = { protocol: 'HSR', path: frame[at + 2]! >> 4, sequence: short(frame, at + 4) };
      at += HSR_LENGTH;
    } else break;
    etherType = short(frame, at);
  }
  at += 2;
  let end = frame.length;
  if (redundancy === undefined) {
    redundancy = trailer(frame, at);
    if (redundancy) end -= RCT_LENGTH;
  }
  return {
    destination: frame.subarray(0, MAC_LENGTH),
    source: frame.subarray(MAC_LENGTH, 2 * MAC_LENGTH),
    ...(vlan === undefined ? {} : { vlan }),
    ...(serviceVlan === undefined ? {} : { serviceVlan }),
    ...(redundancy === undefined ? {} : { redundancy }),
    etherType,
    payload: frame.subarray(at, end),
  };
}

/** Where the EtherType behind all tags stands, without making anything; the payload follows it. -1 when the frame ends within its header. */
export function etherTypeAt(frame: Uint8Array): number {
  let at = 2 * MAC_LENGTH;
  for (let tags = 0; tags < 4; tags++) {
    if (frame.length < at + 2) return -1;
    const etherType = short(frame, at);
    if (etherType === ETHERTYPE.vlan || etherType === ETHERTYPE.serviceVlan) at += TAG_LENGTH;
    else if (etherType === ETHERTYPE.hsr) at += HSR_LENGTH;
    else return at;
  }
  return -1;
}

/** The EtherType behind all tags: for filters. -1 when the frame ends within its header. */
export function etherTypeOf(frame: Uint8Array): number {
  const at = etherTypeAt(frame);
  return at < 0 ? -1 : short(frame, at);
}

/**
 * The octets of a frame, padded to 60. With `redundancy` of PRP the trailer stands behind the padding (IEC 62439-3:2016, 4.2.7).
 * @throws EthernetError (caller, `ethernet.frame`) for an address that is not six octets, numbers out of range, a payload over `MAX_PAYLOAD`
 */
export function encodeFrame({
  destination,
  source,
  vlan,
  serviceVlan,
  redundancy,
  etherType,
  payload,
}: Frame): Uint8Array {
  if (destination.length !== MAC_LENGTH || source.length !== MAC_LENGTH)
    throw refused(`an address has ${MAC_LENGTH} octets`);
  if (payload.length > MAX_PAYLOAD) throw refused(`payload of ${payload.length} octets; ${MAX_PAYLOAD} fit`);
  within('etherType', etherType, 0xffff);
  const prp = redundancy?.protocol === 'PRP' ? redundancy : undefined;
  const hsr = redundancy?.protocol === 'HSR' ? redundancy : undefined;
  const tags = (serviceVlan ? TAG_LENGTH : 0) + (vlan ? TAG_LENGTH : 0);
  const content = HEADER_LENGTH + tags + (hsr ? HSR_LENGTH : 0) + payload.length;
  const frame = new Uint8Array(Math.max(content, prp ? MIN_FRAME - RCT_LENGTH : MIN_FRAME) + (prp ? RCT_LENGTH : 0));
  const put = (at: number, value: number): number => {
    frame[at] = value >> 8;
    frame[at + 1] = value;
    return at + 2;
  };
  frame.set(destination, 0);
  frame.set(source, MAC_LENGTH);
  let at = 2 * MAC_LENGTH;
  if (serviceVlan) at = put(put(at, ETHERTYPE.serviceVlan), controlOf(serviceVlan));
  if (vlan) at = put(put(at, ETHERTYPE.vlan), controlOf(vlan));
  if (hsr) {
    within('path', hsr.path, 0xf);
    within('sequence', hsr.sequence, 0xffff);
    // The size counts from the tag's own size field on, as far as the frame goes.
    put(at, ETHERTYPE.hsr);
    put(at + 2, (hsr.path << 12) | (frame.length - at - 2));
    put(at + 4, hsr.sequence);
    at += HSR_LENGTH;
  }
  frame.set(payload, put(at, etherType));
  if (prp) {
    within('sequence', prp.sequence, 0xffff);
    const rct = frame.length - RCT_LENGTH;
    put(rct, prp.sequence);
    put(rct + 2, ((prp.lan === 'A' ? LAN_A : LAN_B) << 12) | (frame.length - HEADER_LENGTH - tags));
    put(rct + 4, ETHERTYPE.prp);
  }
  return frame;
}

const LAN_A = 0xa;
const LAN_B = 0xb;

/**
 * The redundancy control trailer of PRP: sequence number, LAN and size of what follows the header, suffix 0x88FB (IEC 62439-3:2016,
 * 4.2.7). All four have to fit, so that payload which happens to end alike is left alone.
 */
function trailer(frame: Uint8Array, payloadAt: number): Redundancy | undefined {
  const at = frame.length - RCT_LENGTH;
  if (at < payloadAt || short(frame, at + 4) !== ETHERTYPE.prp) return undefined;
  const lan = frame[at + 2]! >> 4;
  if (lan !== LAN_A && lan !== LAN_B) return undefined;
  if ((short(frame, at + 2) & 0xfff) !== frame.length - payloadAt) return undefined;
  return { protocol: 'PRP', lan: lan === LAN_A ? 'A' : 'B', sequence: short(frame, at) };
}

function tagOf(control: number): VlanTag {
  return { id: control & 0xfff, priority: control >> 13, dropEligible: (control & 0x1000) !== 0 };
}

function controlOf({ id, priority, dropEligible = false }: VlanTag): number {
  within('VLAN', id, 4094);
  within('priority', priority, 7);
  return (priority << 13) | (dropEligible ? 0x1000 : 0) | id;
}

function within(what: string, value: number, maximum: number): void {
  if (!Number.isInteger(value) || value < 0 || value > maximum) throw refused(`${what} ${value} is not 0 … ${maximum}`);
}

function refused(text: string): EthernetError {
  return new EthernetError('caller', 'ethernet.frame', `Ethernet: ${text}; no frame was made`);
}

function truncated(frame: Uint8Array): EthernetError {
  const from = frame.length >= 2 * MAC_LENGTH ? ` from ${formatMac(frame, MAC_LENGTH)}` : '';
  return new EthernetError(
    'peer',
    'ethernet.frame',
    `Ethernet: frame of ${frame.length} octets${from} ends in its header`,
  );
}

/** Whether the type field is the length of an LLC payload (IEEE 802.3, 3.2.6). */
export function isLength(etherType: number): boolean {
  return etherType < FIRST_ETHERTYPE;
}
