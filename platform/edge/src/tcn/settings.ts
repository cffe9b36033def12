/** What a site file says of the Trusted Core Network: `trust: { listen, neighbours, way, coap }`. */
import { isIP } from 'node:net';
import type { TcnSettings } from '@enerchain/tcn';
import Type from 'typebox';

const AddressText = Type.String({
  pattern: '^(\\[[0-9A-Fa-f:.]+\\]|[0-9A-Za-z.-]+):\\d{1,5}$',
  maxLength: 270,
  description: 'host:port',
});

/** Keys below `trust` in the site file. */
export const TCN_KEYS = {
  listen: Type.Optional(
    Type.String({
      ...AddressText,
      description: 'address of the station network on which neighbours reach this gateway',
    }),
  ),
  neighbours: Type.Optional(
    Type.Array(
      Type.Object(
        {
          name: Type.String({
            pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$',
            description: 'the name in its certificate',
          }),
          address: Type.Optional(AddressText),
        },
        { additionalProperties: false },
      ),
      { maxItems: 64, description: 'nodes that attest this gateway and are attested by it' },
    ),
  ),
  way: Type.Optional(
    Type.Array(Type.String({ maxLength: 64 }), {
      minItems: 1,
      maxItems: 16,
      description: 'neighbours through which the centre is reached: commands need each of them to be good',
    }),
  ),
  coap: Type.Optional(
    Type.String({ ...AddressText, description: 'UDP address for attestation in the format of CHARRA; needs a TPM' }),
  ),
};

export interface TcnContent {
  readonly listen?: string;
  readonly neighbours?: readonly { readonly name: string; readonly address?: string }[];
  readonly way?: readonly string[];
  readonly coap?: string;
  readonly tpm?: string;
}

const addressOf = (text: string) => {
  const at = text.lastIndexOf(':');
  return { host: text.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(text.slice(at + 1)) };
};

/** @returns the settings, undefined when the gateway takes part in no network, or what is wrong: field and sentence */
export function tcnSettings(
  content: TcnContent,
  source: string,
): TcnSettings | undefined | { readonly field: string; readonly message: string } {
  const { listen, neighbours = [], way, coap, tpm } = content;
  if (listen === undefined && neighbours.length === 0 && way === undefined && coap === undefined) return undefined;
  for (const [field, text] of [
    ['listen', listen],
    ['coap', coap],
  ] as const) {
    if (text === undefined) continue;
    const { host, port } = addressOf(text);
    if (isIP(host) === 0 || host === '0.0.0.0' || /^[0:]+$/.test(host)) {
      return {
        field,
        message: `'${host}' is no single address; expected one of the station network, for example 127.0.0.1`,
      };
    }
    if (port > 65_535) return { field, message: `${port} is no port` };
  }
  if (coap !== undefined && tpm === undefined) {
    return { field: 'coap', message: 'attestation over CoAP answers with quotes of a TPM: name one under trust.tpm' };
  }
  const names = neighbours.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) return { field: 'neighbours', message: `'${twice}' stands twice` };
  if (names.includes(source)) return { field: 'neighbours', message: `'${source}' is this gateway itself` };
  const stranger = way?.find((name) => !names.includes(name));
  if (stranger !== undefined) return { field: 'way', message: `'${stranger}' is no neighbour of this gateway` };
  return {
    ...(way === undefined ? {} : { way }),
    ...(listen === undefined ? {} : { listen: addressOf(listen) }),
    ...(coap === undefined ? {} : { coap: addressOf(coap) }),
    neighbours: neighbours.map(({ name, address }) => ({ name, ...(address ? { address: addressOf(address) } : {}) })),
  };
}
