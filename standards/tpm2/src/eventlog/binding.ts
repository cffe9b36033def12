/** Whether the data of an event is what its digest, and so the PCR, says. */
import { canHash, digest } from '../structures/hash.ts';
import { LittleEndianReader } from '../wire/little-endian-reader.ts';
import type { LoggedEvent } from './event-log.ts';
import { EV_NO_ACTION } from './event-types.ts';

/**
 * - `bound`: the data hashes to the digest in every bank: with the PCR proven, so is the data
 * - `mismatch`: it ought to, and does not: the data (or the digest) was changed, or the firmware writes it wrongly
 * - `unbound`: the digest is over something else; the data proves nothing
 */
export type Binding = 'bound' | 'mismatch' | 'unbound';

export function bindingOf(event: LoggedEvent): Binding {
  if (event.type === EV_NO_ACTION || event.digests.size === 0) return 'unbound';
  for (const form of measuredForms(event)) if (hashesTo(event, form)) return 'bound';
  return must(event) ? 'mismatch' : 'unbound';
}

/** PCR 8 and 12 hold command lines; the other events of a boot loader name the file that was measured. */
const isCommandLine = ({ pcr }: LoggedEvent): boolean => pcr === 8 || pcr === 12;

function must(event: LoggedEvent): boolean {
  switch (event.covers) {
    case 'data':
    case 'variable':
      return true;
    case 'line':
      return isCommandLine(event);
    default:
      return false;
  }
}

function hashesTo(event: LoggedEvent, form: Uint8Array): boolean {
  let checked = 0;
  for (const [hash, expected] of event.digests) {
    if (!canHash(hash)) continue;
    if (Buffer.compare(digest(hash, form), expected) !== 0) return false;
    checked++;
  }
  return checked > 0;
}

/** What the digest may be over, likeliest first. */
function* measuredForms(event: LoggedEvent): Generator<Uint8Array> {
  const { data, covers } = event;
  // grub measures `grub_cmd: …` without the prefix, so its own form comes first for it.
  if (covers === 'line') {
    const line = afterPrefix(data);
    if (line !== undefined) {
      yield withoutZero(line);
      yield line;
    }
    yield data;
    yield withoutZero(data);
    return;
  }
  yield data;
  if (covers === 'variable') {
    const value = variableValue(data);
    if (value !== undefined) yield value;
  }
  if (covers === 'tag' && data.length > 8) yield data.subarray(8);
}

const withoutZero = (bytes: Uint8Array): Uint8Array => (bytes.at(-1) === 0 ? bytes.subarray(0, -1) : bytes);

/** `grub_cmd: `, `kernel_cmdline: `, `module_cmdline: `. */
function afterPrefix(data: Uint8Array): Uint8Array | undefined {
  const head = Buffer.from(data.buffer, data.byteOffset, Math.min(data.length, 32)).toString('latin1');
  const prefix = /^(grub_cmd|kernel_cmdline|module_cmdline|grub_kernel_cmdline): /.exec(head)?.[0];
  return prefix === undefined ? undefined : data.subarray(prefix.length);
}

function variableValue(data: Uint8Array): Uint8Array | undefined {
  try {
    const reader = new LittleEndianReader(data, 'variable');
    reader.bytes(16, 'name');
    const characters = reader.count('length of the name', data.length);
    const size = reader.count('length of the value', data.length);
    reader.bytes(2 * characters, 'name');
    return reader.bytes(size, 'value');
  } catch {
    return undefined;
  }
}
