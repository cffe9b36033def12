/** TPM 2.0: structures, verification in software, logs, and a client of real TPMs. */

export { type Clock as TpmClock, systemClock as tpmSystemClock } from './client/clock.ts';
export type { ChannelCounters } from './client/command-channel.ts';
export { type Authorization, decodeResponse, encodeCommand, type TpmCommand } from './client/command-frame.ts';
export type * from './client/commands.ts';
export * as tpmCommands from './client/commands.ts';
export { DeviceTransport } from './client/device-transport.ts';
export * from './client/keys.ts';
export { type SlotCounters, TpmKey } from './client/object-slots.ts';
export { type SocketAddress, SocketTransport } from './client/socket-transport.ts';
export * from './client/templates.ts';
export {
  type Quoted,
  type TpmAddress,
  TpmClient,
  type TpmClientOptions,
} from './client/tpm-client.ts';
export {
  HEADER as TPM_HEADER,
  MAX_FRAME as TPM_MAX_FRAME,
  type Transport as TpmTransport,
} from './client/transport.ts';
export * from './credential/credential.ts';
export { type Refusal, Tpm2Error, type Tpm2Fault } from './error.ts';
export * from './eventlog/binding.ts';
export { devicePathText } from './eventlog/device-path.ts';
export * from './eventlog/event-data.ts';
export * from './eventlog/event-log.ts';
export * from './eventlog/event-log-writer.ts';
export * from './eventlog/event-types.ts';
export * from './eventlog/replay.ts';
export * from './eventlog/uefi-variable.ts';
export * from './ima/ima-ascii.ts';
export * from './ima/ima-binary.ts';
export * from './ima/ima-replay.ts';
export * from './ima/ima-template.ts';
export * from './spec/algorithms.ts';
export * from './spec/attributes.ts';
export { COMMANDS, type CommandName, commandClause } from './spec/commands.ts';
export * from './spec/handles.ts';
export { RC, type ResponseCode, responseCode } from './spec/response-codes.ts';
export * from './structures/attest.ts';
export { canHash, digest } from './structures/hash.ts';
export { type NvPublic, nvName } from './structures/nv.ts';
export * from './structures/pcr.ts';
export * from './structures/public.ts';
export * from './structures/scheme.ts';
export * from './structures/signature.ts';
export type { AttestationInput, Earlier, Problem, ProblemCode, Verdict } from './verify/attestation.ts';
export * from './verify/certify.ts';
export * from './verify/quote.ts';
export { readAll, TpmReader } from './wire/reader.ts';
export { TpmWriter, writeAll } from './wire/writer.ts';
