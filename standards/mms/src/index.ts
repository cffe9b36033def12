/** MMS (ISO 9506) and the layers below it. */

export * from './ber/primitive.ts';
export { type BerLimits, BerReader, DEFAULT_BER_LIMITS } from './ber/reader.ts';
export * from './ber/type.ts';
export { BerWriter } from './ber/writer.ts';
export { decodeMms, encodeMms, type MmsPdu } from './codec/pdu.ts';
export { type Fault, MmsError } from './errors.ts';
export * from './machine/association.ts';
export * from './machine/defaults.ts';
export type { Handlers } from './session/answering.ts';
export * from './session/client.ts';
export * from './session/password.ts';
export * from './session/refusal.ts';
export * from './session/server.ts';
export * from './spec/data.ts';
export * from './spec/faults.ts';
export * from './spec/initiate.ts';
export * from './spec/names.ts';
export * from './spec/services.ts';
export * from './spec/types.ts';
export * from './transport/cotp.ts';
export * from './transport/tpkt.ts';
export * from './upper/acse.ts';
export * from './upper/presentation.ts';
export * from './upper/session.ts';
