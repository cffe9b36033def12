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

/** @throws EnerchainError when it cannot be the name of a gateway or service */
export function sourceName(text: string, option: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/.test(text)) return text;
  throw new EnerchainError('caller', 'cli.option', `${option} must be the name in a certificate, not '${text}'`);
}
