/** What the points of an endpoint are in the device, and what each attribute that comes is for. */
import { type FunctionalConstraint, find } from '@enerchain/iec61850';
import type { EndpointSite } from '../../site/site.ts';
import { CARRIERS } from './common-data-classes.ts';
import type { Sink } from './mapping.ts';
import type { Observed } from './observed.ts';
import type { Iec61850Target } from './protocol.ts';
import type { Wanted } from './report-plan.ts';
import type { IedSource } from './scl-file.ts';

/** A value to be had from the device, and where. */
export interface Target extends Wanted {
  readonly setting: boolean;
}

export interface Targets {
  readonly targets: readonly Target[];
  /** By the reference of the attribute. */
  readonly sinks: ReadonlyMap<string, Sink>;
}

/** Points that the SCL does not have are believed to be there all the same. @param observed is told of each value */
export function targetsOf({ points }: EndpointSite, ied: IedSource, observed: Observed): Targets {
  const targets: Target[] = [];
  const sinks = new Map<string, Sink>();
  for (const bound of points) {
    const { object, value, cdc, deadband } = bound.target as Iec61850Target;
    // Supervision of GOOSE is no value of the device.
    if (value === undefined || object.includes('.GO.')) continue;
    observed.add(bound, object, value, deadband ?? 0);
    for (const part of [value, 'q', 't']) sinks.set(`${object}.${part}`, { object, part });
    const carrier = CARRIERS[cdc];
    const fc = constraintOf(ied, object, value) ?? (carrier?.kind === 'analog' && !carrier.setting ? 'MX' : 'ST');
    const setting = fc === 'SP' || fc === 'SG' || fc === 'SE' || fc === 'CF' || fc === 'DC';
    targets.push({ reference: `${object}.${value}`, object, fc, setting });
  }
  return { targets, sinks };
}

/** @returns undefined when the SCL does not have it */
function constraintOf({ model }: IedSource, object: string, value: string): FunctionalConstraint | undefined {
  const slash = object.indexOf('/');
  const [node, ...names] = object.slice(slash + 1).split('.');
  const device = model.devices.find(({ name }) => name === object.slice(0, slash));
  const type = device?.nodes.find(({ name }) => name === node)?.type;
  const [first] = value.split(/[.(]/);
  return type && find(type, [...names, first!])?.attributes[0]?.fc;
}
