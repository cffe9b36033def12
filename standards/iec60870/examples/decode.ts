/** Prints the APDUs in hexadecimal text: `echo 680e0200000001010300070001000001 | node examples/decode.ts`. */
import { text } from 'node:stream/consumers';
import { ApduReader, DEFAULT_PARAMETERS, decodeApdu, Iec104Error } from '@enerchain/iec60870';

const octets = Buffer.from((await text(process.stdin)).replaceAll(/[^0-9a-f]/gi, ''), 'hex');
try {
  new ApduReader().push(octets, (bytes, start, end) => {
    console.log(JSON.stringify(decodeApdu(bytes, DEFAULT_PARAMETERS, start, end)));
    return true;
  });
} catch (error) {
  if (!(error instanceof Iec104Error)) throw error;
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = 1;
}
