/** `enerchain attest coap`: asks a machine for a quote in the format of CHARRA, and says what it is worth. */
import { readFileSync } from 'node:fs';
import { EnerchainError } from '@enerchain/model';
import { appraiseCharra, askCharra, COAP_PORT, TCG_HASH } from '@enerchain/tcn';
import { parsePublic } from '@enerchain/tpm2';
import { registersIn } from './registers.ts';

export interface CoapOptions {
  /** TPMT_PUBLIC of the key; a node of this platform keeps it in `coap-key.tpmt` of its data folder. */
  readonly key: string;
  /** `{"<pcr>": "<SHA-256, hex>"}`. */
  readonly expect: string;
  readonly keyId: string;
  readonly json?: boolean;
}

/** Exit status 0 only when the quote is fresh, by that key, and over these values. That is all it says: see the status. */
export async function coap(target: string, options: CoapOptions): Promise<void> {
  const [, host, port] = /^(\[[0-9A-Fa-f:.]+\]|[^:]+)(?::(\d{1,5}))?$/.exec(target) ?? [];
  if (!host) throw new EnerchainError('caller', 'cli.option', `'${target}' is no host:port`);
  const values = new Map(registersIn(options.expect).map(({ pcr, digest }) => [pcr, digest]));
  const answer = await askCharra({
    host: host.replace(/^\[|\]$/g, ''),
    port: Number(port ?? COAP_PORT),
    keyId: options.keyId,
    selections: [{ algorithm: TCG_HASH.sha256, pcrs: [...values.keys()].sort((a, b) => a - b) }],
  });
  const akPublic = parsePublic(Uint8Array.from(readFileSync(options.key)));
  const { status, reasons } = appraiseCharra(answer, { akPublic, pcrs: [{ hash: 'sha256', values }] });
  if (options.json) process.stdout.write(`${JSON.stringify({ target, status, reasons })}\n`);
  else {
    const text = status === 'warning' ? 'as expected; no more than a warning, since nothing binds it to a channel' : '';
    process.stdout.write(`${target}: ${status}${text ? `: ${text}` : ''}\n`);
    for (const reason of reasons) process.stdout.write(`  ${reason}\n`);
  }
  process.exitCode = status === 'warning' ? 0 : 1;
}
