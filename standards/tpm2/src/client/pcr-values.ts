/** Reading PCRs, which takes several commands, so that all values are of one moment. */
import { Tpm2Error } from '../error.ts';
import { describeSelection, type PcrBank, type PcrSelection } from '../structures/pcr.ts';
import * as commands from './commands.ts';
import type { Execute } from './object-slots.ts';

/** When PCRs change while they are read or quoted. */
export const PCR_ATTEMPTS = 8;

/** @param description of the TPM, for messages @throws Tpm2Error `tpm2.pcr` (fault caller) for PCRs that it does not have, `tpm2.pcr-changing` */
export async function readPcrs(
  execute: Execute,
  selection: readonly PcrSelection[],
  description: string,
): Promise<readonly PcrBank[]> {
  for (let attempt = 0; attempt < PCR_ATTEMPTS; attempt++) {
    const banks = await readOnce(execute, selection, description);
    if (banks !== undefined) return banks;
  }
  throw new Tpm2Error('environment', 'tpm2.pcr-changing', `the PCRs of ${description} change too often to be read`);
}

/** `undefined` when a PCR changed meanwhile. */
async function readOnce(
  execute: Execute,
  selection: readonly PcrSelection[],
  description: string,
): Promise<readonly PcrBank[] | undefined> {
  const banks = new Map(selection.map(({ hash }) => [hash, new Map<number, Uint8Array>()]));
  let left = selection.filter(({ pcrs }) => pcrs.length > 0);
  let counter: number | undefined;
  while (left.length > 0) {
    const page = await execute(commands.pcrRead(left));
    counter ??= page.updateCounter;
    if (page.updateCounter !== counter) return undefined;
    let taken = 0;
    for (const { hash, pcrs } of page.selection) {
      for (const pcr of pcrs) {
        const value = page.digests[taken++];
        if (value === undefined) throw new Tpm2Error('peer', 'tpm2.pcr', `${description} gave fewer PCRs than it says`);
        banks.get(hash)?.set(pcr, value);
      }
    }
    if (taken === 0) {
      throw new Tpm2Error('caller', 'tpm2.pcr', `${description} has no PCRs ${describeSelection(left)}`);
    }
    left = left
      .map(({ hash, pcrs }) => ({ hash, pcrs: pcrs.filter((pcr) => !banks.get(hash)!.has(pcr)) }))
      .filter(({ pcrs }) => pcrs.length > 0);
  }
  return [...banks].map(([hash, values]) => ({ hash, values }));
}
