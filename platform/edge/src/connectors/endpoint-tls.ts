/** TLS of an endpoint, the same for every protocol that has it: what the site file says, and what connects with it (IEC 62351-3). */
import type { TlsConnectOptions } from '@enerchain/transport';
import Type from 'typebox';
import type { ConnectorHost } from '../connector.ts';
import { readNamedFile } from './named-file.ts';

/** What stands under `tls` of an endpoint. */
export const EndpointTls = Type.Object(
  {
    ca: Type.String({ description: 'PEM file of the authority that the device certificate comes from' }),
    certificate: Type.String({ description: 'PEM file of the own certificate' }),
    key: Type.String({ description: 'PEM file of its key' }),
    crl: Type.Optional(Type.String({ description: 'PEM file' })),
    serverName: Type.Optional(Type.String()),
  },
  { additionalProperties: false },
);
export type EndpointTls = Type.Static<typeof EndpointTls>;

/**
 * For `tlsConnect`; every outcome of a handshake becomes an event of the source.
 * @throws EnerchainError `edge.endpoint.file` when one of the files cannot be read
 */
export function endpointTls(
  endpoint: string,
  { ca, certificate, key, crl, serverName }: EndpointTls,
  { folder, intake }: Pick<ConnectorHost, 'folder' | 'intake'>,
): Pick<TlsConnectOptions, 'tls' | 'onSecurityEvent'> {
  const read = (file: string): Buffer => readNamedFile(endpoint, folder, file);
  return {
    tls: {
      ca: read(ca),
      cert: read(certificate),
      key: read(key),
      ...(crl ? { crl: read(crl) } : {}),
      ...(serverName ? { serverName } : {}),
    },
    onSecurityEvent: ({ name, text }) => intake.event('security', text, name),
  };
}
