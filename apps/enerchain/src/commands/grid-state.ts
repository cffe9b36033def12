/** `enerchain grid-state`. */
import { runGridState } from '@enerchain/grid-state/service';
import { EnerchainError } from '@enerchain/model';
import { openDataFolder } from '../data-folder.ts';
import { installation } from '../installation.ts';
import { createLogger } from '../logger.ts';
import { reportReady, stopSignal } from '../supervisor/supervised.ts';

export async function gridState(options: { data: string; centre?: string; token?: string }): Promise<void> {
  if (!options.centre) {
    throw new EnerchainError(
      'caller',
      'cli.option',
      'say where the centre is: --centre wss://host:port (or ENERCHAIN_LINK)',
    );
  }
  const folder = openDataFolder(options.data).service('grid-state');
  const handle = await runGridState({
    dataDir: folder,
    installation: installation(),
    centre: { url: options.centre, ...(options.token ? { token: options.token } : {}) },
    logger: createLogger('grid-state'),
    signal: stopSignal(),
  });
  reportReady({ name: 'grid-state' });
  await handle.closed;
  if (process.connected) process.disconnect();
}
