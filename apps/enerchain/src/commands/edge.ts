/** `enerchain edge <site.yaml>`. */
import { loadSite, runEdge } from '@enerchain/edge';
import { EnerchainError } from '@enerchain/model';
import { openDataFolder } from '../data-folder.ts';
import { installation } from '../installation.ts';
import { createLogger } from '../logger.ts';
import { wholeNumber } from '../options.ts';
import { reportReady, stopSignal } from '../supervisor/supervised.ts';
import { sourceOf } from './up.ts';

export interface EdgeOptions {
  readonly data: string;
  readonly centre?: string;
  readonly token?: string;
  readonly check?: boolean;
  readonly keyDays?: string;
}

export async function edge(siteFile: string, options: EdgeOptions): Promise<void> {
  if (options.check) {
    checkSite(siteFile);
    return;
  }
  if (!options.centre) {
    throw new EnerchainError(
      'caller',
      'cli.option',
      'say where the centre is: --centre wss://host:port (or ENERCHAIN_LINK)',
    );
  }
  const name = sourceOf(siteFile);
  const folder = openDataFolder(options.data).edge(name);
  const handle = await runEdge({
    siteFile,
    dataDir: folder,
    installation: installation(),
    centre: { url: options.centre, ...(options.token ? { token: options.token } : {}) },
    keyDays: wholeNumber(options.keyDays ?? '365', '--key-days', 1, 3650),
    logger: createLogger(name),
    signal: stopSignal(),
  });
  reportReady({ name });
  await handle.closed;
  if (process.connected) process.disconnect();
}

/** Prints every finding; the exit status says whether the file can be used. */
function checkSite(siteFile: string): void {
  const { site, findings } = loadSite(siteFile);
  for (const finding of findings) process.stderr.write(`${finding.text}\n`);
  if (site)
    process.stdout.write(
      `${siteFile}: ${site.endpoints.length} endpoints, ${site.document.points.length} points, ready to run\n`,
    );
  else process.exitCode = 1;
}
