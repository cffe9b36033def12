/** Faults of the Trusted Core Network. */
import { renameSync, writeFileSync } from 'node:fs';
import { EnerchainError } from '@enerchain/model';
import type { CheckedFault } from '../faults/request.ts';
import { MISCHIEFS, orderMischief } from './mischief.ts';
import { CORES, firmwareFile, firmwareOf, NETWORK_NODES } from './network-files.ts';

/** Carries a fault of a node out. @returns what was done @throws EnerchainError (caller) */
export function actOnNode({ spec, target, number, text }: CheckedFault, dataDir: string): string {
  const known: readonly string[] = spec.target === 'node' ? NETWORK_NODES : CORES;
  if (!known.includes(target)) {
    throw new EnerchainError(
      'caller',
      'lab.fault.target',
      `there is no node '${target}' for '${spec.name}'; there are ${known.join(', ')}`,
    );
  }
  if (spec.name === 'firmware-changed') {
    const restore = text('restore') === 'yes';
    const file = firmwareFile(dataDir, target);
    writeFileSync(`${file}.new`, restore ? firmwareOf(target) : `${firmwareOf(target)}and something else\n`);
    renameSync(`${file}.new`, file);
    return restore
      ? `${target}: the firmware is as delivered; start the node anew and release it`
      : `${target}: the firmware was changed`;
  }
  const kind = MISCHIEFS.find((each) => each === spec.name);
  if (!kind) throw new EnerchainError('local', 'lab.fault.missing', `'${spec.name}' is announced but not carried out`);
  orderMischief(dataDir, target, kind, Date.now() + number('seconds') * 1000);
  return `${target}: ${spec.name} for ${number('seconds')} s`;
}
