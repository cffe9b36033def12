/** Options of the command line as numbers, with sentences for those that are none. */
import { EnerchainError } from '@enerchain/model';

/** @throws EnerchainError when the text is no whole number within the bounds */
export function wholeNumber(text: string, option: string, minimum: number, maximum: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= minimum && value <= maximum) return value;
  throw new EnerchainError(
    'caller',
    'cli.option',
    `${option} must be a whole number from ${minimum} to ${maximum}, not '${text}'`,
  );
}
