/** Attributes of components of power-grid-model. What is null in the file is not there. */
import type { PgmComponent } from '@enerchain/cim';
import { EnerchainError } from '@enerchain/model';

/** @throws EnerchainError `case.value` when it is no number */
export function num(component: PgmComponent, attribute: string): number {
  const value = component[attribute];
  if (typeof value === 'number') return value;
  throw new EnerchainError('peer', 'case.value', `component ${component.id} has no ${attribute}, or one per phase`);
}

export function numOr(component: PgmComponent, attribute: string, otherwise: number): number {
  const value = component[attribute];
  return typeof value === 'number' ? value : otherwise;
}

/** Of three phases together: what a load per phase is to a balanced grid. Absent: 0. */
export function sum(component: PgmComponent, attribute: string): number {
  const value = component[attribute] ?? 0;
  return typeof value === 'number' ? value : value.reduce<number>((all, phase) => all + (phase ?? 0), 0);
}

/** A status; absent: on. */
export const flag = (component: PgmComponent, attribute: string): boolean => component[attribute] !== 0;
