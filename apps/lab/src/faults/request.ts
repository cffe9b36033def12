/** A request for a fault, read and checked. */
import { EnerchainError } from '@enerchain/model';
import { FAULTS, type FaultSpec } from './catalogue.ts';

/** As it comes from the command line. */
export interface FaultRequest {
  readonly kind: string;
  /** RTU (`rtu-08`), sensor, or `all`. */
  readonly target?: string;
  readonly settings?: Readonly<Record<string, string | number>>;
}

export interface CheckedFault {
  readonly spec: FaultSpec;
  readonly target: string;
  number(name: string): number;
  text(name: string): string;
}

/** @throws EnerchainError (caller) that says what there is instead */
export function checkFault(request: unknown): CheckedFault {
  if (typeof request !== 'object' || request === null) throw wrong('the request is no object');
  const { kind, target, settings = {} } = request as Partial<FaultRequest>;
  const spec = FAULTS.find(({ name }) => name === kind);
  if (!spec) throw wrong(`there is no fault '${kind}'; there are ${FAULTS.map(({ name }) => name).join(', ')}`);
  if (typeof target !== 'string' || target === '') throw wrong(`'${spec.name}' needs a target: ${spec.target}`);
  if (typeof settings !== 'object' || settings === null) throw wrong('the settings are no object');
  for (const name of Object.keys(settings)) {
    if (!spec.settings.some((setting) => setting.name === name)) {
      const known = spec.settings.map((setting) => setting.name).join(', ');
      throw wrong(`'${spec.name}' has no setting '${name}'; it has ${known}`);
    }
  }
  const given = settings as Readonly<Record<string, unknown>>;
  const values = new Map<string, string | number>();
  for (const setting of spec.settings) {
    const value = (Object.hasOwn(given, setting.name) ? given[setting.name] : undefined) ?? setting.default;
    if (value === undefined) throw wrong(`'${spec.name}' needs ${setting.name}=…: ${setting.about}`);
    if (setting.type === 'text') {
      values.set(setting.name, String(value));
      continue;
    }
    const number = typeof value === 'number' ? value : Number(String(value).trim() || Number.NaN);
    if (!Number.isFinite(number) || Math.abs(number) > 1e9) {
      throw wrong(`${setting.name}=${String(value)} of '${spec.name}' is not a usable number: ${setting.about}`);
    }
    values.set(setting.name, number);
  }
  return {
    spec,
    target,
    number: (name) => values.get(name) as number,
    text: (name) => values.get(name) as string,
  };
}

const wrong = (text: string): EnerchainError =>
  new EnerchainError('caller', 'lab.fault.request', `${text}; nothing was done`);
