import { EthernetError } from './errors.ts';

/** Octets of a MAC address. */
export const MAC_LENGTH = 6;

/** `01-0C-CD-01-00-01` as in SCL, `01:0c:cd:01:00:01`, `010c.cd01.0001`, or twelve digits without anything between. */
const FORMS = [
  /^[0-9a-f]{2}(?:-[0-9a-f]{2}){5}$/i,
  /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/i,
  /^[0-9a-f]{4}(?:\.[0-9a-f]{4}){2}$/i,
  /^[0-9a-f]{12}$/i,
];

/** The six octets of an address in any usual form; undefined when the text is none. */
export function parseMac(text: string): Uint8Array | undefined {
  if (!FORMS.some((form) => form.test(text))) return undefined;
  const digits = text.replace(/[^0-9a-f]/gi, '');
  return Uint8Array.from({ length: MAC_LENGTH }, (_, i) => Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16));
}

/** @throws EthernetError (caller, `ethernet.mac`) when the text is no address */
export function mac(text: string): Uint8Array {
  const address = parseMac(text);
  if (address) return address;
  throw new EthernetError(
    'caller',
    'ethernet.mac',
    `'${text.slice(0, 40)}' is no MAC address; one is like 01-0C-CD-01-00-01`,
  );
}

const HEX = Array.from({ length: 256 }, (_, octet) => octet.toString(16).toUpperCase().padStart(2, '0'));

/** `01-0C-CD-01-00-01`, as IEEE 802 and SCL write it. `at` is where the address begins in `octets`. */
export function formatMac(octets: Uint8Array, at = 0, between = '-'): string {
  let text = HEX[octets[at] ?? 0]!;
  for (let i = 1; i < MAC_LENGTH; i++) text += between + HEX[octets[at + i] ?? 0];
  return text;
}

/** Group bit of the first octet (IEEE 802, clause 8.2): multicast, and broadcast. */
export function isMulticast(address: Uint8Array): boolean {
  return ((address[0] ?? 0) & 1) !== 0;
}
