/** Setting groups as a client has them (IEC 61850-7-2 § 16): which one is in effect, and editing one as a whole. */
import { type Data, utcTimeToMillis } from '@enerchain/mms';
import type { Iec61850Client } from './client.ts';
import { numberIn, readParts } from './parts.ts';

export interface SettingGroupInfo {
  readonly groups: number;
  /** The one in effect, counted from 1. */
  readonly active: number;
  /** The one that somebody edits; 0 for none. */
  readonly edited: number;
  /** Milliseconds since 1970 at which a group came into effect last; undefined when the device does not know. */
  readonly activatedAt: number | undefined;
  /** Seconds that an editor may take; undefined for devices of edition 1. */
  readonly reservation: number | undefined;
}

const PARTS = ['NumOfSG', 'ActSG', 'EditSG', 'LActTm', 'ResvTms'] as const;

export class SettingGroups {
  readonly #client: Pick<Iec61850Client, 'read' | 'readMany' | 'write'>;

  constructor(client: Pick<Iec61850Client, 'read' | 'readMany' | 'write'>) {
    this.#client = client;
  }

  /** GetSGCBValues. @param device name of the logical device @throws Iec61850Error `access.*` (peer) when it has no setting groups */
  async info(device: string): Promise<SettingGroupInfo> {
    const reference = block(device);
    const parts = await readParts(this.#client, reference, 'SP', PARTS, 'NumOfSG');
    const number = (name: string): number => numberIn(parts, name, reference);
    const at = parts.get('LActTm');
    return {
      groups: number('NumOfSG'),
      active: number('ActSG'),
      edited: number('EditSG'),
      activatedAt: at?.kind === 'utcTime' && at.value.seconds > 0 ? utcTimeToMillis(at.value) : undefined,
      reservation: parts.has('ResvTms') ? number('ResvTms') : undefined,
    };
  }

  /** SelectActiveSG: protection and control go on with this group. */
  activate(device: string, group: number): Promise<void> {
    return this.#client.write(`${block(device)}.ActSG`, 'SP', { kind: 'unsigned', value: group });
  }

  /** SelectEditSG: a copy of the group is ours until it is confirmed, given up, too old, or the association ends. */
  edit(device: string, group: number): Promise<void> {
    return this.#client.write(`${block(device)}.EditSG`, 'SP', { kind: 'unsigned', value: group });
  }

  /** Gives up what is edited. */
  release(device: string): Promise<void> {
    return this.edit(device, 0);
  }

  /** GetSGValue: the value in effect; GetEditSGValue: that of the copy, while it is ours. */
  value(reference: string, of: 'active' | 'edited' = 'active'): Promise<Data> {
    return this.#client.read(reference, of === 'active' ? 'SG' : 'SE');
  }

  /** SetEditSGValue. @param reference `BCU1PROT/PTOC1.StrVal.setMag.f` */
  set(reference: string, value: Data): Promise<void> {
    return this.#client.write(reference, 'SE', value);
  }

  /** ConfirmEditSGValues: the copy becomes its group. */
  confirm(device: string): Promise<void> {
    return this.#client.write(`${block(device)}.CnfEdit`, 'SP', { kind: 'boolean', value: true });
  }

  /** Values of a group as they are, without changing any: it is edited for that, and given up. */
  async read(device: string, group: number, references: readonly string[]): Promise<Data[]> {
    return this.#editing(device, group, async () => {
      const values: Data[] = [];
      for (const reference of references) values.push(await this.value(reference, 'edited'));
      await this.release(device);
      return values;
    });
  }

  /** Edits a group: all of these values or none. @throws Iec61850Error `access.*` (peer) for the first step that is refused; the copy is given up then */
  async change(
    device: string,
    group: number,
    values: readonly { readonly reference: string; readonly value: Data }[],
  ): Promise<void> {
    await this.#editing(device, group, async () => {
      for (const { reference, value } of values) await this.set(reference, value);
      await this.confirm(device);
    });
  }

  async #editing<T>(device: string, group: number, action: () => Promise<T>): Promise<T> {
    await this.edit(device, group);
    try {
      return await action();
    } catch (error) {
      await this.release(device).catch(() => {});
      throw error;
    }
  }
}

const block = (device: string): string => `${device}/LLN0.SGCB`;
