/** Substitution as a client has it (IEC 61850-7-2 § 10, 7-3 § 6): somebody puts in a value for the one of the process. */
import type { BitString, Data, TypeSpecification } from '@enerchain/mms';
import { Iec61850Error } from '../error.ts';
import type { Iec61850Client } from './client.ts';

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
  readonly #client: Pick<Iec61850Client, 'read' | 'type' | 'write'>;

  constructor(client: Pick<Iec61850Client, 'read' | 'type' | 'write'>) {
    this.#client = client;
  }

  /** @param reference a data object: `BCU1CTRL/QA1XCBR1.Pos` @throws Iec61850Error `access.*` (peer) when it cannot be substituted */
  async state(reference: string): Promise<SubstitutionState> {
    const names = await this.#names(reference);
    const value = await this.#client.read(reference, 'SV');
    const parts = value.kind === 'structure' ? value.value : [];
    const part = (name: string): Data | undefined => parts[names.indexOf(name)];
    const by = part('subID');
    return {
      enabled: part('subEna')?.value === true,
      value: VALUES.map(part).find((found) => found !== undefined),
      by: by?.kind === 'visibleString' || by?.kind === 'mmsString' ? by.value : undefined,
    };
  }

  /**
   * Value, quality and name first, then it is enabled: nothing half is ever shown.
   * @param value of the kind and shape of the object's own: `mag` of a measured value is a structure with `f` or `i`
   * @throws Iec61850Error `access.*` (peer) for the first step that is refused; `substitution.value` (peer) without a place for it
   */
  async begin(reference: string, value: Data, { quality, by }: SubstituteOptions = {}): Promise<void> {
    const names = await this.#names(reference);
    const own = VALUES.find((name) => names.includes(name));
    if (!own)
      throw new Iec61850Error('peer', 'substitution.value', `${reference} has no value that can be substituted`);
    const write = (name: string, data: Data): Promise<void> => this.#client.write(`${reference}.${name}`, 'SV', data);
    await write(own, value);
    if (names.includes('subQ')) {
      const good = { length: 13, bytes: new Uint8Array(2) };
      await write('subQ', { kind: 'bitString', value: quality ?? good });
    }
    if (by !== undefined && names.includes('subID')) await write('subID', { kind: 'visibleString', value: by });
    await write('subEna', { kind: 'boolean', value: true });
  }

  /** The value of the process is back. */
  async end(reference: string): Promise<void> {
    await this.#client.write(`${reference}.subEna`, 'SV', { kind: 'boolean', value: false });
  }

  async #names(reference: string): Promise<string[]> {
    const type: TypeSpecification = await this.#client.type(reference, 'SV');
    return type.kind === 'structure' ? type.value.components.map(({ name }) => name ?? '') : [];
  }
}
