/** Setting groups that outlast a restart, in a file: JSON, each value as the octets of its MMS encoding in hexadecimal. */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Data, decodeData, encodeData } from '@enerchain/mms';
import { Iec61850Error } from '../error.ts';
import type { SettingGroupState, SettingGroupStore } from './setting-groups.ts';

/** One IED's; its folder is made when something is saved. */
export class SettingsFile implements SettingGroupStore {
  readonly #path: string;
  readonly #states: Map<string, SettingGroupState>;

  /** @throws Iec61850Error `settings.file` (environment) when what is there cannot be read: settings of the factory in its place would be a surprise */
  constructor(path: string) {
    this.#path = path;
    try {
      this.#states = new Map(Object.entries(JSON.parse(readFileSync(path, 'utf8')) as object).map(stateOf));
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException;
      if (code !== 'ENOENT') {
        const text = `the settings in ${path} cannot be read (${message}); without the file the device begins with those of its SCL`;
        throw new Iec61850Error('environment', 'settings.file', text, { cause });
      }
      this.#states = new Map();
    }
  }

  load(device: string): SettingGroupState | undefined {
    return this.#states.get(device);
  }

  /** Blocks until it is on the disk: settings change seldom. */
  save(device: string, state: SettingGroupState): void {
    const states = new Map(this.#states).set(device, state);
    const text = JSON.stringify(Object.fromEntries([...states].map(([name, own]) => [name, plainOf(own)])));
    mkdirSync(dirname(this.#path), { recursive: true });
    const file = openSync(`${this.#path}.new`, 'w');
    try {
      writeSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(`${this.#path}.new`, this.#path);
    this.#states.set(device, state);
  }
}

const plainOf = ({ active, groups }: SettingGroupState) => ({
  active,
  groups: groups.map((group) => mapped(group, (data) => Buffer.from(encodeData(data)).toString('hex'))),
});

function stateOf([device, state]: [string, unknown]): [string, SettingGroupState] {
  const { active, groups } = state as { active: number; groups: Record<string, string>[] };
  if (!Number.isInteger(active)) throw new Error(`${device} has no group in effect`);
  const decoded = (hex: string): Data => decodeData(Uint8Array.from(Buffer.from(hex, 'hex')));
  return [device, { active, groups: groups.map((group) => mapped(group, decoded)) }];
}

const mapped = <A, B>(group: Readonly<Record<string, A>>, to: (value: A) => B): Record<string, B> =>
  Object.fromEntries(Object.entries(group).map(([reference, value]) => [reference, to(value)]));
