/** `enerchain lab` and `enerchain lab fault`. */
import { FAULTS, labFault, runLab } from '@enerchain/lab';
import { EnerchainError } from '@enerchain/model';
import { openDataFolder } from '../data-folder.ts';
import { createLogger } from '../logger.ts';
import { wholeNumber } from '../options.ts';
import { reportReady, stopSignal } from '../supervisor/supervised.ts';
import { revoke } from './system.ts';

export interface LabOptions {
  readonly data: string;
  readonly seed: string;
  readonly speed: string;
  /** `HH:MM` in UTC; now when left out. */
  readonly gridTime?: string;
  readonly counterEvery: string;
  readonly tpm: boolean;
  readonly gooseInterface?: readonly string[];
}

/** A fault that the lab cannot make by itself: the centre does it, for whoever may. */
const REVOKED = {
  name: 'certificate-revoked',
  description: 'the certificates of a gateway, service or network node are revoked: its connections end at once',
} as const;

export async function lab(grid: string, options: LabOptions): Promise<void> {
  if (grid !== 'cigre-mv')
    throw new EnerchainError('caller', 'cli.option', `there is no lab grid '${grid}': cigre-mv is the one there is`);
  const speed = Number(options.speed);
  if (!(speed > 0 && speed <= 3600)) {
    throw new EnerchainError(
      'caller',
      'cli.option',
      `--speed must be a number above 0 and up to 3600, not '${options.speed}'`,
    );
  }
  const folder = openDataFolder(options.data).lab;
  const handle = await runLab({
    dataDir: folder,
    seed: wholeNumber(options.seed, '--seed', 0, 2 ** 31 - 1),
    speed,
    ...(options.gridTime === undefined ? {} : { startAt: todayAt(options.gridTime) }),
    counterMillis: wholeNumber(options.counterEvery, '--counter-every', 10, 3_600_000),
    tpm: options.tpm,
    ...(options.gooseInterface === undefined ? {} : { gooseInterfaces: options.gooseInterface }),
    logger: createLogger('lab'),
    signal: stopSignal(),
  });
  const { gridFile, siteFiles, networkFiles, tpms, goose } = handle;
  reportReady({ gridFile, siteFiles, networkFiles, tpms, goose });
  await handle.closed;
  if (process.connected) process.disconnect();
}

/** @returns ms since the Unix epoch of a time of this day in UTC */
function todayAt(text: string): number {
  const [, hours, minutes] = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(text) ?? [];
  if (hours === undefined)
    throw new EnerchainError('caller', 'cli.option', `--grid-time must be a time of day such as 12:00, not '${text}'`);
  return new Date().setUTCHours(Number(hours), Number(minutes), 0, 0);
}

export async function fault(
  kind: string | undefined,
  target: string | undefined,
  settings: readonly string[],
  options: { data: string },
): Promise<void> {
  if (!kind) {
    for (const { name, description } of [...FAULTS, REVOKED])
      process.stdout.write(`${name.padEnd(22)}${description}\n`);
    return;
  }
  if (kind === REVOKED.name) {
    if (!target || settings.length > 0) {
      throw new EnerchainError('caller', 'cli.option', `'${kind}' needs the name of a node, and has no settings`);
    }
    await revoke(target, { data: options.data, reason: 'a fault of the lab' });
    return;
  }
  const pairs = settings.map((setting) => {
    const at = setting.indexOf('=');
    if (at < 1) throw new EnerchainError('caller', 'cli.option', `'${setting}' is not of the form key=value`);
    return [setting.slice(0, at), setting.slice(at + 1)];
  });
  const done = await labFault(openDataFolder(options.data).lab, {
    kind,
    ...(target === undefined ? {} : { target }),
    settings: Object.fromEntries(pairs),
  });
  process.stdout.write(`${done}\n`);
}
