/** Ethernet frames, and the links that carry them. */
export { captureFile, captureStream, type ReplayClock, type ReplayOptions } from './capture/capture-link.ts';
export { captureProgram, tcpdump } from './capture/capture-program.ts';
export { type CapturedFrame, CaptureReader } from './capture/reader.ts';
export { captureHeader, captureRecord, type Recording, record } from './capture/writer.ts';
export { EthernetError, type Fault } from './errors.ts';
export * from './frame.ts';
export type { Filter, LinkCounters, LinkLayer, Receive } from './link-layer.ts';
export { type DescriptorLinkOptions, descriptorLink } from './linux/descriptor-link.ts';
export { type PacketLinkOptions, packetLink } from './linux/packet-link.ts';
export { formatMac, isMulticast, MAC_LENGTH, mac, parseMac } from './mac.ts';
export { type LanClock, type MemoryLan, type MemoryLanOptions, memoryLan } from './memory-lan.ts';
