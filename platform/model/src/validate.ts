/** Checks unknown data against the schemas of this package, and says where it is wrong in one sentence. */
import type { Static, TSchema } from 'typebox';
import Schema from 'typebox/schema';
import { EnerchainError } from './errors.ts';

export interface Finding {
  /** JSON pointer into the data, `/points/3/name`; empty for the whole. */
  readonly path: string;
  readonly message: string;
}

/** A compiled check; compile once, use often. */
export interface Validator<T> {
  readonly schema: TSchema;
  is(data: unknown): data is T;
  /** @returns nothing wrong → empty; at most `limit` findings */
  findings(data: unknown, limit?: number): Finding[];
  /** @throws EnerchainError (fault `caller` unless said otherwise) that names `what` and the first findings */
  parse(data: unknown, what: string): T;
}

export function validator<S extends TSchema>(schema: S, fault: 'caller' | 'peer' = 'caller'): Validator<Static<S>> {
  const compiled = Schema.Compile(schema);
  const findings = (data: unknown, limit = 20): Finding[] => {
    const [, errors] = compiled.Errors(data);
    return errors.slice(0, limit).map((error) => ({ path: error.instancePath, message: error.message }));
  };
  return {
    schema,
    is: (data): data is Static<S> => compiled.Check(data),
    findings,
    parse(data, what) {
      if (compiled.Check(data)) return data as Static<S>;
      const list = findings(data, 5).map(({ path, message }) => `${path || 'the whole'} ${message}`);
      throw new EnerchainError(fault, 'model.invalid', `${what} is not valid: ${list.join('; ')}`);
    },
  };
}
