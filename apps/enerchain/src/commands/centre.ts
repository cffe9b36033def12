/** `enerchain centre`. */
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { trustPolicy } from '@enerchain/attestation';
import { runCentre } from '@enerchain/centre';
import { measuredFiles } from '@enerchain/edge';
import { EnerchainError } from '@enerchain/model';
import { centreKeysIn } from '../centre-keys.ts';
import { openDataFolder } from '../data-folder.ts';
import { installation } from '../installation.ts';
import { createLogger } from '../logger.ts';
import { sourceName, wholeNumber } from '../options.ts';
import { reportReady, stopSignal } from '../supervisor/supervised.ts';
import { CERTIFICATE_FILE } from '../system-client.ts';
import { registersIn } from './registers.ts';
import { sourceOf } from './up.ts';

export interface CentreOptions {
  readonly data: string;
  readonly port: string;
  readonly host: string;
  readonly linkPort?: string;
  readonly linkHost?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly certificateHours: string;
  readonly keyDays: string;
  readonly crlUrl?: string;
  /** File that says where the keys lie. */
  readonly keys?: string;
  /** Names of services. */
  readonly commandingService?: readonly string[];
  /** `<relay>=<source>,<source>` each. */
  readonly relay?: readonly string[];
  /** `development`, `production`, or a file. */
  readonly trustPolicy: string;
  readonly vouchSite?: readonly string[];
  readonly vouchBoot?: string;
  /** PEM files. */
  readonly tpmMaker?: readonly string[];
}

/** Where the built control room lies in a checkout. */
const controlRoom = fileURLToPath(new URL('../../../control-room/dist', import.meta.url));

export async function centre(options: CentreOptions): Promise<void> {
  const folder = openDataFolder(options.data).centre;
  const port = wholeNumber(options.port, '--port', 1, 65_535);
  const linkPort = options.linkPort === undefined ? port + 1 : wholeNumber(options.linkPort, '--link-port', 1, 65_535);
  const logger = createLogger('centre');
  const signal = stopSignal();
  const tls = tlsOf(options);
  // Whose endorsement keys count is kept with the authority, so that a restart needs no option.
  const makers = join(folder, 'ca', 'tpm-makers');
  if (options.tpmMaker) mkdirSync(makers, { recursive: true, mode: 0o700 });
  for (const file of options.tpmMaker ?? []) copyFileSync(file, join(makers, `${basename(file, '.pem')}.pem`));
  const handle = await runCentre({
    dataDir: folder,
    http: { host: options.host, port, ...(tls ? { tls } : {}) },
    certificateHours: wholeNumber(options.certificateHours, '--certificate-hours', 1, 87_600),
    keyDays: wholeNumber(options.keyDays, '--key-days', 1, 3650),
    ...(options.crlUrl === undefined ? {} : { crlUrl: crlUrlOf(options.crlUrl) }),
    ...(options.keys === undefined ? {} : { keys: centreKeysIn(options.keys) }),
    link: { host: options.linkHost ?? '127.0.0.1', port: linkPort },
    ...(process.env.DATABASE_URL ? { databaseUrl: process.env.DATABASE_URL } : {}),
    ...(existsSync(join(controlRoom, 'index.html')) ? { controlRoomDir: controlRoom } : {}),
    relays: new Map((options.relay ?? []).map(relayOf)),
    commandingServices: (options.commandingService ?? []).map((name) => sourceName(name, '--commanding-service')),
    trust: {
      policy: trustPolicy(options.trustPolicy),
      installation: installation(),
      nodes: new Map((options.vouchSite ?? []).map((file) => [sourceOf(file), measuredFiles(file)])),
      ...(options.vouchBoot ? { boot: registersIn(options.vouchBoot) } : {}),
    },
    logger,
    signal,
  });
  const certificate = join(folder, CERTIFICATE_FILE);
  if (tls) writeFileSync(certificate, tls.cert, { mode: 0o600 });
  else rmSync(certificate, { force: true });
  writeFileSync(join(folder, 'url'), handle.url, { mode: 0o600 });
  reportReady({ url: handle.url, link: handle.linkUrl, ...(handle.setupLink ? { setupLink: handle.setupLink } : {}) });
  await handle.closed;
  if (process.connected) process.disconnect();
}

function crlUrlOf(text: string): string {
  if (/^https?:$/.test(URL.parse(text)?.protocol ?? '')) return text.replace(/\/+$/, '');
  throw new EnerchainError(
    'caller',
    'cli.option',
    `--crl-url ${text} is no address that begins with http:// or https://`,
  );
}

/** `relay-1=edge-nord,edge-sued`: the sources that a relay may stand in for, by their names; never all. */
function relayOf(text: string): [string, ReadonlySet<string>] {
  const [relay, sources, more] = text.split('=');
  if (!relay || !sources || more !== undefined) {
    const example = "for example relay-1=edge-nord,edge-sued, not '";
    throw new EnerchainError('caller', 'cli.option', `--relay names a relay and its sources, ${example}${text}'`);
  }
  const named = sources.split(',').map((source) => sourceName(source, '--relay'));
  return [sourceName(relay, '--relay'), new Set(named)];
}

function tlsOf({ tlsCert, tlsKey }: CentreOptions): { cert: string; key: string } | undefined {
  if (!tlsCert && !tlsKey) return undefined;
  if (!tlsCert || !tlsKey) {
    throw new EnerchainError('caller', 'cli.option', 'TLS needs both --tls-cert and --tls-key');
  }
  return { cert: readFileSync(tlsCert, 'utf8'), key: readFileSync(tlsKey, 'utf8') };
}
