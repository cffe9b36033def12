/** How a device is reached: TCP, or TLS with the profile of IEC 62351-3. */
import type { Way } from '@enerchain/iec61850';
import { EnerchainError } from '@enerchain/model';
import { endpoint as at, tcpConnect, tlsConnect } from '@enerchain/transport';
import type { ConnectorHost } from '../../connector.ts';
import { endpointTls } from '../endpoint-tls.ts';
import type { Iec61850Settings } from './protocol.ts';
import type { IedSource } from './scl-file.ts';

/**
 * To each address of a device, by preference; none for one without address that is heard by GOOSE alone.
 * @throws EnerchainError `edge.iec61850.address` (caller), `edge.endpoint.file`
 */
export function waysTo(
  endpoint: string,
  { tls, port, host, goose }: Iec61850Settings,
  ied: IedSource,
  connector: Pick<ConnectorHost, 'folder' | 'intake'>,
): Way[] {
  const hosts = host === undefined ? ied.addresses : [host];
  if (hosts.length === 0) {
    if (goose) return [];
    throw new EnerchainError(
      'caller',
      'edge.iec61850.address',
      `endpoint '${endpoint}': the SCL has no address for ${ied.model.ied.name}, and \`host\` gives none; the endpoint is not started`,
    );
  }
  if (!tls) return hosts.map((one) => ({ name: at(one, port ?? 102), connect: tcpConnect(one, port ?? 102) }));
  const secured = endpointTls(endpoint, tls, connector);
  return hosts.map((one) => ({
    name: at(one, port ?? 3782),
    connect: tlsConnect({ host: one, port: port ?? 3782, ...secured }),
  }));
}
