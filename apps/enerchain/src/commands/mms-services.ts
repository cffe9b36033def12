/** `enerchain mms groups | log | substitute`: setting groups, logs and substituted values of a device. */
import { type Data, dataFrom, type Iec61850Client, type LogEntry, plainOf } from '@enerchain/iec61850';
import { EnerchainError } from '@enerchain/model';
import { connected, type MmsOptions, print } from '../iec61850/connected.ts';
import { wholeNumber } from '../options.ts';

export interface GroupsOptions extends MmsOptions {
  readonly activate?: string;
  readonly edit?: string;
  readonly set?: readonly string[];
}

/** Shows the setting groups of a device, or of all; puts one into effect; edits one. */
export async function groups(at: string, device: string | undefined, options: GroupsOptions): Promise<void> {
  const { activate, edit, set = [] } = options;
  const number = (text: string, name: string): number => wholeNumber(text, name, 1, 255);
  if ((activate !== undefined || edit !== undefined) && device === undefined)
    throw new EnerchainError('caller', 'cli.option', 'name the logical device whose group is meant');
  if ((edit === undefined) !== (set.length === 0))
    throw new EnerchainError(
      'caller',
      'cli.option',
      '--edit wants values, --set reference=value, and they want --edit',
    );
  await connected(at, options, async (client) => {
    if (device !== undefined && edit !== undefined) {
      const values = [];
      for (const text of set) values.push(await setting(client, device, text));
      await client.settingGroups.change(device, number(edit, '--edit'), values);
    }
    if (device !== undefined && activate !== undefined)
      await client.settingGroups.activate(device, number(activate, '--activate'));
    for (const name of device === undefined ? await client.devices() : [device]) {
      const info = await client.settingGroups.info(name).catch((error: unknown) => {
        // Most devices have none; only the one that was named must.
        if (device !== undefined || !isMissing(error)) throw error;
        return undefined;
      });
      if (!info) continue;
      if (options.json) print(JSON.stringify({ device: name, ...info }));
      else {
        const since = info.activatedAt === undefined ? '' : ` since ${new Date(info.activatedAt).toISOString()}`;
        const edited = info.edited === 0 ? '' : `, ${info.edited} is edited`;
        print(`${name}  group ${info.active} of ${info.groups}${since}${edited}`);
      }
    }
  });
}

/** `PTOC1.StrVal.setMag.f=250`, with or without the device in front. */
async function setting(
  client: Iec61850Client,
  device: string,
  text: string,
): Promise<{ readonly reference: string; readonly value: Data }> {
  const found = /^([^=]+)=(.*)$/.exec(text);
  if (!found) throw new EnerchainError('caller', 'cli.option', `'${text}' is no reference=value; nothing was changed`);
  const reference = found[1]!.includes('/') ? found[1]! : `${device}/${found[1]!}`;
  const value = dataFrom(found[2]!, await client.settingGroups.value(reference));
  if (!value)
    throw new EnerchainError('caller', 'cli.option', `'${found[2]}' is no value for ${reference}; nothing was changed`);
  return { reference, value };
}

const isMissing = (error: unknown): boolean =>
  error instanceof Error &&
  ['service.access', 'service.definition', 'access.non-existent'].includes((error as { code?: string }).code ?? '');

export interface LogOptions extends MmsOptions {
  readonly from?: string;
  readonly to?: string;
  readonly count?: string;
}

/** Lists the logs, or prints what is in one, a line a value. */
export async function log(at: string, reference: string | undefined, options: LogOptions): Promise<void> {
  const [from, to] = [moment(options.from, '--from'), moment(options.to, '--to')];
  const limit = options.count === undefined ? undefined : wholeNumber(options.count, '--count', 1, 1e9);
  await connected(at, options, async (client) => {
    if (reference === undefined) {
      for (const device of await client.devices())
        for (const name of await client.logs.list(device)) print(options.json ? JSON.stringify({ log: name }) : name);
      return;
    }
    const query = {
      ...(from === undefined ? {} : { from }),
      ...(to === undefined ? {} : { to }),
      ...(limit === undefined ? {} : { limit }),
    };
    for await (const entry of client.logs.query(reference, query)) printEntry(entry, options);
  });
}

function printEntry({ id, time, values }: LogEntry, { json }: LogOptions): void {
  const at = new Date(time).toISOString();
  for (const { reference, data, reasons } of values) {
    const value = plainOf(data);
    if (json) print(JSON.stringify({ time: at, entry: Buffer.from(id).toString('hex'), reference, value, reasons }));
    else print(`${at}  ${reference}  ${JSON.stringify(value)}  ${reasons.join(', ')}`);
  }
}

function moment(text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined;
  const at = Date.parse(text);
  if (Number.isNaN(at))
    throw new EnerchainError('caller', 'cli.option', `${name} is a time like 2026-01-15T12:00:00Z, not '${text}'`);
  return at;
}

export interface SubstituteOptions extends MmsOptions {
  readonly end?: boolean;
  readonly by?: string;
}

/** Puts in a value for the one of the process, ends that, or says what is. */
export async function substitute(
  at: string,
  reference: string,
  text: string | undefined,
  options: SubstituteOptions,
): Promise<void> {
  if (options.end && text !== undefined)
    throw new EnerchainError('caller', 'cli.option', 'a value, or --end, not both');
  await connected(at, options, async (client) => {
    const { substitution } = client;
    if (options.end) await substitution.end(reference);
    else if (text !== undefined) {
      const { value: like } = await substitution.state(reference);
      const value = like && filled(text, like);
      if (!value)
        throw new EnerchainError(
          'caller',
          'cli.option',
          `'${text}' is no value for ${reference}; nothing was substituted`,
        );
      await substitution.begin(reference, value, options.by === undefined ? {} : { by: options.by });
    }
    const { enabled, value, by } = await substitution.state(reference);
    const plain = value === undefined ? undefined : plainOf(value);
    if (options.json) print(JSON.stringify({ reference, enabled, value: plain, by }));
    else if (enabled) print(`${reference}: substituted by ${by || 'somebody'}: ${JSON.stringify(plain)}`);
    else print(`${reference}: as the process says`);
  });
}

/** A magnitude is a structure around one number. */
function filled(text: string, like: Data): Data | undefined {
  if (like.kind !== 'structure') return dataFrom(text, like);
  const inner = like.value.length === 1 ? filled(text, like.value[0]!) : undefined;
  return inner && { kind: 'structure', value: [inner] };
}
