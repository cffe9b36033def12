/** `enerchain network-node <file>`. */
// Not by way of the whole lab: this process has no device and no grid.
import { runNetworkNode } from '@enerchain/lab/network-node';
import { EnerchainError } from '@enerchain/model';
import { openDataFolder } from '../data-folder.ts';
import { installation } from '../installation.ts';
import { createLogger } from '../logger.ts';
import { reportReady, stopSignal } from '../supervisor/supervised.ts';
import { sourceOf } from './up.ts';

export async function networkNode(
  file: string,
  options: { data: string; centre?: string; token?: string },
): Promise<void> {
  if (!options.centre) {
    throw new EnerchainError(
      'caller',
      'cli.option',
      'say where the centre is: --centre wss://host:port (or ENERCHAIN_LINK)',
    );
  }
  const name = sourceOf(file);
  const handle = await runNetworkNode({
    file,
    dataDir: openDataFolder(options.data).network(name),
    installation: installation(),
    centre: { url: options.centre, ...(options.token ? { token: options.token } : {}) },
    logger: createLogger(name),
    signal: stopSignal(),
  });
  reportReady({ name });
  await handle.closed;
  if (process.connected) process.disconnect();
}
