/**
 * The answer between nodes of ours: `[version, [[element id, octets]…]]`. Elements not known here are skipped, so that
 * later versions can add some; no element may stand twice.
 */
import { CBOR_MAJOR, CborReader, CborWriter } from '@enerchain/trust';
import { IE, TAP_LIMITS, TAP_VERSION } from './elements.ts';
import { bounded, readTapVersion, tapRefused } from './request.ts';

export interface NativeResponse {
  readonly evidence: Uint8Array;
  /** The binding that this answer is for; the evidence may carry those of other verifiers beside it. */
  readonly binding: Uint8Array;
  /** What the attester itself was last told about itself (passport, RFC 9334 § 5.1). */
  readonly result?: Uint8Array;
}

export function encodeNativeResponse({ evidence, binding, result }: NativeResponse): Uint8Array {
  const elements: readonly (readonly [number, Uint8Array])[] = [
    [IE.evidence, evidence],
    [IE.binding, binding],
    ...(result ? ([[IE.result, result]] as const) : []),
  ];
  const writer = new CborWriter(elements.reduce((sum, [, bytes]) => sum + bytes.length + 12, 16));
  writer.head(CBOR_MAJOR.array, 2);
  writer.int(TAP_VERSION);
  writer.head(CBOR_MAJOR.array, elements.length);
  for (const [id, bytes] of elements) {
    writer.head(CBOR_MAJOR.array, 2);
    writer.int(id);
    writer.bytes(bytes);
  }
  return writer.finish();
}

/** @throws EnerchainError `tcn.tap`, `tcn.tap.version` or `cbor.malformed` */
export function decodeNativeResponse(bytes: Uint8Array): NativeResponse {
  const reader = new CborReader(bytes);
  reader.array('TAP response', 2);
  readTapVersion(reader);
  const count = reader.array('elements');
  if (count > TAP_LIMITS.elements) throw tapRefused(`${count} elements, at most ${TAP_LIMITS.elements} are read`);
  const elements = new Map<number, Uint8Array>();
  for (let i = 0; i < count; i++) {
    reader.array('element', 2);
    const id = reader.uint('element', 0xffff);
    if (elements.has(id)) throw tapRefused(`element ${id} stands twice`);
    elements.set(id, bounded(reader.bytes('element'), `element ${id}`, TAP_LIMITS.evidence));
  }
  reader.end();
  const evidence = elements.get(IE.evidence);
  const binding = elements.get(IE.binding);
  const result = elements.get(IE.result);
  if (!evidence) throw tapRefused('an answer without evidence');
  if (binding?.length !== 32) throw tapRefused('an answer that does not say for which binding it is');
  if (result) bounded(result, 'the result', TAP_LIMITS.result);
  // Views into the message, which nobody else holds.
  return { evidence, binding, ...(result ? { result } : {}) };
}
