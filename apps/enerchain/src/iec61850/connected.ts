/** How the tools for IEC 61850 devices come to a device, and leave it. */
import { readFileSync } from 'node:fs';
import { Iec61850Client } from '@enerchain/iec61850';
import { EnerchainError } from '@enerchain/model';
import { type Connect, tcpConnect, tlsConnect } from '@enerchain/transport';
import { supervised } from '../supervisor/supervised.ts';

export interface MmsOptions {
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsServerName?: string;
  readonly json?: boolean;
}

/** How long a device may take to accept the connection, ms. */
const CONNECT_WITHIN = 10_000;

export const print = (text: string): void => void process.stdout.write(`${text}\n`);
export const remark = (text: string): void => void process.stderr.write(`· ${text}\n`);

/** Associates, does it, concludes. @throws EnerchainError or MmsError with the reason when it does not come to that */
export async function connected(
  at: string,
  options: MmsOptions,
  action: (client: Iec61850Client) => Promise<void>,
  onLost: (error: Error) => void = () => {},
): Promise<void> {
  const transport = await connector(at, options)(AbortSignal.timeout(CONNECT_WITHIN));
  let leaving = false;
  const client = await Iec61850Client.connect(transport, {
    onStray: (text) => remark(`${at}: ${text}`),
    onClose: (error) => {
      if (!leaving) onLost(error ?? new EnerchainError('environment', 'mms.closed', `${at} has ended the association`));
    },
  });
  try {
    await action(client);
  } finally {
    leaving = true;
    await client.close();
    if (supervised && process.connected) process.disconnect();
  }
}

function connector(at: string, { tlsCa, tlsCert, tlsKey, tlsServerName }: MmsOptions): Connect {
  const found = /^(\[[^\]]+\]|[^:]+)(?::(\d{1,5}))?$/.exec(at);
  if (!found) throw new EnerchainError('caller', 'cli.option', `'${at}' is no address; one is like 10.0.3.7:102`);
  const host = found[1]!.replace(/^\[|\]$/g, '');
  if (!tlsCa) return tcpConnect(host, Number(found[2] ?? 102));
  if (!tlsCert || !tlsKey) {
    throw new EnerchainError(
      'caller',
      'cli.option',
      '--tls-ca needs --tls-cert and --tls-key: IEC 62351 has both sides show a certificate',
    );
  }
  const [ca, cert, key] = [tlsCa, tlsCert, tlsKey].map((file) => readFileSync(file));
  return tlsConnect({
    host,
    port: Number(found[2] ?? 3782),
    tls: { ca: ca!, cert: cert!, key: key!, ...(tlsServerName === undefined ? {} : { serverName: tlsServerName }) },
    onSecurityEvent: ({ severity, text }) => {
      if (severity !== 'notice') remark(text);
    },
  });
}
