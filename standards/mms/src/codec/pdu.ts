/** MMS PDUs (ISO 9506-2 § 7.1): octets to data and back. */
import { nothing, unsigned32 } from '../ber/primitive.ts';
import { type BerLimits, BerReader } from '../ber/reader.ts';
import { choice, context, element, encodeWith, optional, plain, sequence, type Value } from '../ber/type.ts';
import type { BerWriter } from '../ber/writer.ts';
import { rejectPdu, serviceError } from '../spec/faults.ts';
import { initiate } from '../spec/initiate.ts';
import { variableAccess } from '../spec/names.ts';
import { type EncodedReport, serviceRequest, serviceResponse, unconfirmedService } from '../spec/services.ts';

/** Modifiers (attach to event condition, attach to semaphore) are kept as they are: nothing here can honour them. */
const modifiers = plain<Uint8Array>(
  0x30,
  (reader) => reader.content(),
  (writer, value) => writer.octets(value),
);

const mmsPdu = choice('MMSpdu', {
  confirmedRequest: context(
    0,
    sequence('confirmed-RequestPDU', {
      invokeId: unsigned32,
      modifiers: optional(modifiers),
      service: serviceRequest,
    }),
  ),
  confirmedResponse: context(1, sequence('confirmed-ResponsePDU', { invokeId: unsigned32, service: serviceResponse })),
  confirmedError: context(
    2,
    sequence('confirmed-ErrorPDU', {
      invokeId: context(0, unsigned32),
      modifierPosition: optional(context(1, unsigned32)),
      error: context(2, serviceError),
    }),
  ),
  unconfirmed: context(3, sequence('unconfirmed-PDU', { service: unconfirmedService })),
  reject: context(4, rejectPdu),
  cancelRequest: context(5, unsigned32),
  cancelResponse: context(6, unsigned32),
  cancelError: context(
    7,
    sequence('cancel-ErrorPDU', { invokeId: context(0, unsigned32), error: context(1, serviceError) }),
  ),
  initiateRequest: context(8, initiate),
  initiateResponse: context(9, initiate),
  initiateError: context(10, serviceError),
  concludeRequest: context(11, nothing),
  concludeResponse: context(12, nothing),
  concludeError: context(13, serviceError),
});

export type MmsPdu = Value<typeof mmsPdu>;

/** MmsError (peer) when the octets are not exactly one PDU. Octet strings, bit strings and file data are views. */
export function decodeMms(bytes: Uint8Array, limits?: BerLimits): MmsPdu {
  const reader = new BerReader(bytes, 0, bytes.length, limits);
  const pdu = element(reader, mmsPdu);
  reader.finish();
  return pdu;
}

/** Of a confirmed request whatever follows its number; undefined when not even that can be read. For a Reject (§ 7.1.5). */
export function invokeIdOf(bytes: Uint8Array): number | undefined {
  try {
    const reader = new BerReader(bytes);
    if (reader.header() !== 0xa0) return undefined;
    reader.enter();
    return element(reader, unsigned32);
  } catch {
    return undefined;
  }
}

/** Writes a PDU in front of what is there. MmsError (caller) for values that do not fit their type. */
export function writeMms(writer: BerWriter, pdu: MmsPdu): void {
  mmsPdu.write(writer, pdu);
}

/** Writes the unconfirmed PDU of a report in front of what is there. */
export function writeEncodedReport(writer: BerWriter, { access, results }: EncodedReport): void {
  const before = writer.length;
  for (let i = results.length - 1; i >= 0; i--) writer.octets(results[i]!);
  writer.header(0xa0, before);
  variableAccess.write(writer, access);
  // informationReport [0] in unconfirmed-PDU [3].
  writer.header(0xa0, before);
  writer.header(0xa3, before);
}

/** MmsError (caller) for values that do not fit their type. */
export function encodeMms(pdu: MmsPdu): Uint8Array<ArrayBuffer> {
  return encodeWith(mmsPdu, pdu);
}
