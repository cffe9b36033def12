/** How a device is reached: TCP, or TLS with the profile of IEC 62351-3. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Way } from '@enerchain/iec61850';
import { EnerchainError } from '@enerchain/model';
import { endpoint as at, type TlsSettings, tcpConnect, tlsConnect } from '@enerchain/transport';
import type { ConnectorHost } from '../../connector.ts';
import type { Iec61850Settings } from './protocol.ts';
import type { IedSource } from './scl-file.ts';

/**
 * To each address of a device, by preference; none for one without address that is heard by GOOSE alone.
 * @throws EnerchainError `edge.iec61850.address` (caller), or when a file of TLS cannot be read
 */
export function waysTo(
  endpoint: string,
  { tls, port, host, goose }: Iec61850Settings,
  ied: IedSource,
  { folder, intake }: Pick<ConnectorHost, 'folder' | 'intake'>,
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
  const read = (file: string): Buffer => readFileSync(resolve(folder, file));
  const settings: TlsSettings = {
    ca: read(tls.ca),
    cert: read(tls.certificate),
    key: read(tls.key),
    ...(tls.crl ? { crl: read(tls.crl) } : {}),
    ...(tls.serverName ? { serverName: tls.serverName } : {}),
  };
  const onSecurityEvent = (event: { readonly name: string; readonly text: string }): void =>
    intake.event('security', event.text, event.name);
  return hosts.map((one) => ({
    name: at(one, port ?? 3782),
    connect: tlsConnect({ host: one, port: port ?? 3782, tls: settings, onSecurityEvent }),
  }));
}
