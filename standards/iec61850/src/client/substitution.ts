/** Substitution as a client has it (IEC 61850-7-2 § 10, 7-3 § 6): somebody puts in a value for the one of the process. */
import type { BitString, Data } from '@enerchain/mms';
import { Iec61850Error } from '../error.ts';
import type { Iec61850Client } from './client.ts';
import { readParts, textIn } from './parts.ts';

export interface SubstituteOptions {
  /** Default: good. That it is substituted the device says by itself. */
  readonly quality?: BitString;
  /** Who it is, up to 64 characters; written where the object has a place for it. Short by default: it is left as it is. */
  readonly by?: string;
}

export interface SubstitutionState {
  readonly enabled: boolean;
  readonly value: Data | undefined;
  readonly by: string | undefined;
}

/** Names of the value under SV, by class. */
const VALUES = ['subVal', 'subMag', 'subCMag'] as const;

export class Substitution {
  readonly #client: Pick<Iec61850Client, 'readMany' | 'type' | 'write'>;

  constructor(client: Pick<Iec61850Client, 'readMany' | 'type' | 'write'>) {
    this.#client = client;
  }

  /** @param reference a data object: `BCU1CTRL/QA1XCBR1.Pos` @throws Iec61850Error `access.*` (peer) when it cannot be substituted */
  async state(reference: string): Promise<SubstitutionState> {
    const parts = await this.#parts(reference);
    return {
      enabled: parts.get('subEna')!.value === true,
      value: VALUES.map((name) => parts.get(name)).find((found) => found !== undefined),
      by: parts.has('subID') ? textIn(parts, 'subID', reference) : undefined,
    };
  }

  /**
   * Value, quality and name first, then it is enabled: nothing half is ever shown.
   * @param value of the kind and shape of the object's own: `mag` of a measured value is a structure with `f` or `i`
   * @throws Iec61850Error `access.*` (peer) for the first step that is refused; `substitution.value` (peer) without a place for it
   */
  async begin(reference: string, value: Data, { quality, by }: SubstituteOptions = {}): Promise<void> {
    const parts = await this.#parts(reference);
    const own = VALUES.find((name) => parts.has(name));
    if (!own)
      throw new Iec61850Error('peer', 'substitution.value', `${reference} has no value that can be substituted`);
    const write = (name: string, data: Data): Promise<void> => this.#client.write(`${reference}.${name}`, 'SV', data);
    await write(own, value);
    if (parts.has('subQ')) {
      const good = { length: 13, bytes: new Uint8Array(2) };
      await write('subQ', { kind: 'bitString', value: quality ?? good });
    }
    if (by !== undefined && parts.has('subID')) await write('subID', { kind: 'visibleString', value: by });
    await write('subEna', { kind: 'boolean', value: true });
  }

  /** The value of the process is back. */
  async end(reference: string): Promise<void> {
    await this.#client.write(`${reference}.subEna`, 'SV', { kind: 'boolean', value: false });
  }

  /** Only what the object has is asked for: a client with a model refuses to ask for more. */
  async #parts(reference: string): Promise<Map<string, Data>> {
    const type = await this.#client.type(reference, 'SV');
    const there = type.kind === 'structure' ? type.value.components.map(({ name }) => name) : [];
    const names = ['subEna', ...VALUES, 'subQ', 'subID'].filter((name) => there.includes(name));
    return readParts(this.#client, reference, 'SV', names, 'subEna');
  }
}
