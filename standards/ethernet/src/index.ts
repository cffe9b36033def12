/** Ethernet frames, and the links that carry them. */
export { EthernetError, type Fault } from './errors.ts';
export * from './frame.ts';
export type { Filter, LinkCounters, LinkLayer, Receive } from './link-layer.ts';
export { formatMac, isMulticast, MAC_LENGTH, mac, parseMac } from './mac.ts';
export { type LanClock, type MemoryLan, type MemoryLanOptions, memoryLan } from './memory-lan.ts';
