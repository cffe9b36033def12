/** Commands and responses as octets (Part 1 § 18): header, handles, authorisations, parameters. */
import { Tpm2Error } from '../error.ts';
import { attributeWord, SESSION_ATTRIBUTES, type SessionAttribute } from '../spec/attributes.ts';
import { COMMANDS, type CommandName } from '../spec/commands.ts';
import { HANDLES } from '../spec/handles.ts';
import { RC, responseCode } from '../spec/response-codes.ts';
import { TpmReader } from '../wire/reader.ts';
import { type TpmWriter, writeAll } from '../wire/writer.ts';
import { HEADER } from './transport.ts';

/** TPM_ST (Part 2 § 6.9). */
const NO_SESSIONS = 0x8001;
const SESSIONS = 0x8002;

/** TPMS_AUTH_COMMAND (§ 10.13.2) of a password or a policy session. */
export interface Authorization {
  readonly session: number;
  readonly attributes: readonly SessionAttribute[];
  /** The password in the clear, or empty. */
  readonly hmac: Uint8Array;
}

const NOTHING = new Uint8Array(0);

/** TPM_RS_PW: the authorisation value itself, in the clear; empty for what has none. */
export const password = (value: Uint8Array = NOTHING): Authorization => ({
  session: HANDLES.password,
  attributes: ['continueSession'],
  hmac: value,
});

/** A policy session that needs no HMAC and ends with the command. */
export const policy = (session: number): Authorization => ({ session, attributes: [], hmac: NOTHING });

/** One command, ready to be sent, and how its response is read. */
export interface TpmCommand<T> {
  readonly name: CommandName;
  readonly handles: readonly number[];
  readonly authorizations: readonly Authorization[];
  readonly parameters: Uint8Array;
  /** The response begins with a handle. */
  readonly returnsHandle?: boolean;
  /** @param handle 0 when the command returns none */
  readonly read: (reader: TpmReader, handle: number) => T;
}

export function encodeCommand(command: TpmCommand<unknown>): Uint8Array {
  const { name, handles, authorizations, parameters } = command;
  const body = writeAll((writer) => {
    for (const handle of handles) writer.u32(handle);
    if (authorizations.length > 0) writeAuthorizations(writer, authorizations);
    writer.bytes(parameters);
  });
  return writeAll((writer) =>
    writer
      .u16(authorizations.length > 0 ? SESSIONS : NO_SESSIONS)
      .u32(HEADER + body.length)
      .u32(COMMANDS[name])
      .bytes(body),
  );
}

function writeAuthorizations(writer: TpmWriter, authorizations: readonly Authorization[]): void {
  const area = writeAll((inner) => {
    for (const { session, attributes, hmac } of authorizations) {
      inner.u32(session).sized(NOTHING).u8(attributeWord(SESSION_ATTRIBUTES, attributes)).sized(hmac);
    }
  });
  writer.u32(area.length).bytes(area);
}

/** @throws Tpm2Error `tpm2.refused` when the TPM refused, `tpm2.malformed` when the response is none (both fault peer) */
export function decodeResponse<T>(command: TpmCommand<T>, bytes: Uint8Array): T {
  const reader = new TpmReader(bytes);
  const tag = reader.u16('tag');
  const size = reader.u32('size');
  if (size !== bytes.length) throw reader.fail(`a response of ${bytes.length} bytes claims ${size}`);
  const code = reader.u32('response code');
  if (code !== RC.success) throw refused(command.name, code);
  if (tag !== NO_SESSIONS && tag !== SESSIONS) throw reader.fail(`tag 0x${tag.toString(16)} is not one of a response`);
  if ((tag === SESSIONS) !== command.authorizations.length > 0)
    throw reader.fail('the response has other sessions than the command');
  const handle = command.returnsHandle ? reader.u32('handle') : 0;
  if (tag === NO_SESSIONS) {
    const value = command.read(reader, handle);
    reader.end(`the response to TPM2_${command.name}`);
    return value;
  }
  const parameters = reader.bytes(reader.u32('size of the parameters'), 'parameters');
  const inner = new TpmReader(parameters, reader.position - parameters.length);
  const value = command.read(inner, handle);
  inner.end(`the response to TPM2_${command.name}`);
  // TPMS_AUTH_RESPONSE (§ 10.13.3): of a password or a policy without HMAC there is nothing to check in it.
  for (const _ of command.authorizations) {
    reader.sized('nonce');
    reader.u8('session attributes');
    reader.sized('HMAC');
  }
  reader.end('the sessions of the response');
  return value;
}

export function refused(name: CommandName, code: number): Tpm2Error {
  const { name: codeName, text, about } = responseCode(code);
  const where = about === undefined ? '' : ` (${about.kind} ${about.number})`;
  return new Tpm2Error('peer', 'tpm2.refused', `TPM2_${name} was refused with ${codeName}${where}: ${text}`, {
    refusal: { command: `TPM2_${name}`, responseCode: code, name: codeName, ...(about ? { about } : {}) },
  });
}
