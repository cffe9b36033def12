/** Values that take the same octets whatever they are (IEC 61850-8-1 edition 2, table A.2), so that their places never move. */
import { type BerWriter, DATA_TAGS, type Data, data, type TypeSpecification } from '@enerchain/mms';
import { Iec61850Error } from '../error.ts';

/** Octets of strings, filled up with zeros. */
const OCTET_STRING = 20;
const VISIBLE_STRING = 35;

/** One octet more than the type has, so that numbers without sign never need another: INT8 takes 2, INT32U 5. */
const octetsOf = (type: TypeSpecification | undefined): number =>
  type?.kind === 'integer' || type?.kind === 'unsigned' ? Math.ceil(type.value / 8) + 1 : 5;

/** Two's complement in so many octets. @throws Iec61850Error `goose.fixed` (caller) when it does not fit */
export function writeFixedNumber(writer: BerWriter, value: number | bigint, octets: number): void {
  let rest = BigInt(value);
  if (BigInt.asIntN(octets * 8, rest) !== rest)
    throw new Iec61850Error('caller', 'goose.fixed', `${value} does not fit into ${octets} octets`);
  for (let i = 0; i < octets; i++) {
    writer.octet(Number(rest & 0xffn));
    rest >>= 8n;
  }
}

/** @param type where it is known; numbers without it take 32 bits */
export function writeFixed(writer: BerWriter, value: Data, type: TypeSpecification | undefined): void {
  const before = writer.length;
  switch (value.kind) {
    case 'structure':
    case 'array':
      for (let i = value.value.length - 1; i >= 0; i--) {
        const inner =
          type?.kind === 'structure'
            ? type.value.components[i]?.type
            : type?.kind === 'array'
              ? type.value.element
              : undefined;
        writeFixed(writer, value.value[i]!, inner);
      }
      break;
    case 'integer':
    case 'unsigned':
      writeFixedNumber(writer, value.value, octetsOf(type));
      break;
    case 'octetString':
      writePadded(writer, value.value, OCTET_STRING);
      break;
    case 'visibleString':
      writePadded(writer, Buffer.from(value.value, 'latin1'), VISIBLE_STRING);
      break;
    default:
      // The others have one length each.
      data.write(writer, value);
      return;
  }
  writer.header(DATA_TAGS[value.kind], before);
}

function writePadded(writer: BerWriter, octets: Uint8Array, length: number): void {
  if (octets.length > length)
    throw new Iec61850Error('caller', 'goose.fixed', `${octets.length} octets do not fit into a string of ${length}`);
  writer.octets(new Uint8Array(length - octets.length));
  writer.octets(octets);
}
