/** `enerchain mms browse | read | write | control | report`: what a substation engineer reaches for. */

import {
  dataFrom,
  type FunctionalConstraint,
  type Iec61850Client,
  Iec61850Error,
  type Plain,
  plainOf,
  type ReceivedReport,
} from '@enerchain/iec61850';
import { EnerchainError } from '@enerchain/model';
import { connected, type MmsOptions, print, remark } from '../iec61850/connected.ts';
import { wholeNumber } from '../options.ts';
import { stopSignal } from '../supervisor/supervised.ts';

/** Devices, nodes and data objects with the constraints they have; with `--values` every attribute with its value. */
export async function browse(at: string, options: MmsOptions & { values?: boolean; device?: string }): Promise<void> {
  await connected(at, options, async (client) => {
    const devices = options.device === undefined ? await client.devices() : [options.device];
    for (const device of devices) {
      if (!options.json) print(device);
      const names = await client.variables(device);
      const lists = await client.dataSets(device);
      for (const item of names) {
        const [node, fc, object, ...rest] = item.split('$');
        if (object === undefined || rest.length > 0) continue;
        const reference = `${device}/${node}.${object}`;
        if (options.values)
          await printValue(client, reference, fc as FunctionalConstraint, options).catch((error: unknown) => {
            // One that may not be read now, as what is edited in a setting group, is no reason to stop.
            if (!(error instanceof Iec61850Error)) throw error;
            remark(error.message);
          });
        else if (options.json) print(JSON.stringify({ reference, fc }));
        else print(`  ${node}.${object}  [${fc}]`);
      }
      for (const reference of lists) {
        const members = (await client.dataSetMembers(reference)).map(
          (member) => `${member.reference} [${member.fc ?? '?'}]`,
        );
        if (options.json) print(JSON.stringify({ dataSet: reference, members }));
        else print(`  data set ${reference}\n${members.map((member) => `    ${member}`).join('\n')}`);
      }
    }
  });
}

/** One line an attribute, with its full reference. */
export async function read(at: string, reference: string, options: MmsOptions & { fc: string }): Promise<void> {
  await connected(at, options, (client) => printValue(client, reference, constraint(options.fc), options));
}

export async function write(
  at: string,
  reference: string,
  value: string,
  options: MmsOptions & { fc: string },
): Promise<void> {
  await connected(at, options, async (client) => {
    const fc = constraint(options.fc);
    const like = await client.read(reference, fc);
    const data = dataFrom(value, like);
    if (!data)
      throw new EnerchainError(
        'caller',
        'cli.option',
        `'${value}' is no ${like.kind}, which ${reference} is; nothing was written`,
      );
    await client.write(reference, fc, data);
    await printValue(client, reference, fc, options);
  });
}

/** Ends with status 1 when it was refused, ended badly, or nobody knows. */
export async function control(
  at: string,
  reference: string,
  value: string,
  options: MmsOptions & { test?: boolean; interlockCheck: boolean; synchroCheck: boolean },
): Promise<void> {
  await connected(at, options, async (client) => {
    const type = await client.type(`${reference}.Oper.ctlVal`, 'CO');
    const like = await client.read(`${reference}.Oper.ctlVal`, 'CO').catch(() => undefined);
    const data = dataFrom(
      value,
      like ?? ({ kind: type.kind === 'boolean' ? 'boolean' : 'integer', value: 0 } as never),
    );
    if (!data)
      throw new EnerchainError('caller', 'cli.option', `'${value}' is no value for ${reference}; nothing was sent`);
    const { test = false, interlockCheck, synchroCheck } = options;
    const outcome = await client.operate(reference, data, { test, interlockCheck, synchroCheck });
    if (!outcome.ok) process.exitCode = 1;
    if (options.json) print(JSON.stringify({ reference, ...outcome }));
    else if (outcome.ok) print(`${reference}: done (${outcome.model}, ctlNum ${outcome.ctlNum})`);
    else {
      const why = outcome.unknown
        ? 'no end was told: whether it was carried out is not known'
        : (outcome.addCause ?? 'the device gives no cause');
      print(`${reference}: not done at ${outcome.step}: ${why} (${outcome.model})`);
    }
  });
}

/** Prints members of reports as they come, until stopped. */
export async function report(
  at: string,
  reference: string,
  options: MmsOptions & { dataSet?: string; period?: string; count?: string; for?: string },
): Promise<void> {
  const count = options.count === undefined ? Number.POSITIVE_INFINITY : wholeNumber(options.count, '--count', 1, 1e9);
  const stop = stopSignal();
  const done = Promise.withResolvers<void>();
  let seen = 0;
  const onReport = ({ members, seqNum, timeOfEntry, entryId }: ReceivedReport): void => {
    for (const member of members) {
      if (seen++ >= count) return;
      const value = plainOf(member.value);
      if (options.json) {
        print(
          JSON.stringify({
            reference: member.reference,
            fc: member.fc,
            value,
            reasons: member.reasons,
            ...(seqNum === undefined ? {} : { seqNum }),
            ...(timeOfEntry === undefined ? {} : { time: new Date(timeOfEntry).toISOString() }),
            ...(entryId ? { entryId: Buffer.from(entryId).toString('hex') } : {}),
          }),
        );
      } else print(`${member.reference} [${member.fc ?? '?'}]  ${JSON.stringify(value)}  ${member.reasons.join(', ')}`);
    }
    if (seen >= count) done.resolve();
  };
  stop.addEventListener('abort', () => done.resolve(), { once: true });
  if (options.for !== undefined) setTimeout(() => done.resolve(), wholeNumber(options.for, '--for', 1, 1e6) * 1000);
  await connected(
    at,
    options,
    async (client) => {
      const subscription = await client.subscribe(reference, {
        onReport,
        onGap: (_gap, text) => remark(`values may be missing: ${text}`),
        ...(options.dataSet === undefined ? {} : { dataSet: options.dataSet }),
        ...(options.period === undefined
          ? {}
          : { integrityPeriod: wholeNumber(options.period, '--period', 1, 86_400) * 1000 }),
      });
      await done.promise;
      await subscription.end().catch(() => {});
    },
    (error) => done.reject(error),
  );
  process.exit();
}

async function printValue(
  client: Iec61850Client,
  reference: string,
  fc: FunctionalConstraint,
  { json }: MmsOptions,
): Promise<void> {
  const [type, value] = [await client.type(reference, fc), await client.read(reference, fc)];
  for (const [below, plain] of leaves(plainOf(value, type, reference.split('.').at(-1)))) {
    const full = [reference, ...below].join('.');
    if (json) print(JSON.stringify({ reference: full, fc, value: plain }));
    else print(`${full} [${fc}]  ${String(plain)}`);
  }
}

function* leaves(
  plain: Plain,
  names: readonly string[] = [],
): Generator<readonly [names: readonly string[], value: Plain]> {
  if (plain === null || typeof plain !== 'object') yield [names, plain];
  else for (const [name, part] of Object.entries(plain)) yield* leaves(part as Plain, [...names, name]);
}

function constraint(text: string): FunctionalConstraint {
  if (/^[A-Z]{2}$/.test(text)) return text as FunctionalConstraint;
  throw new EnerchainError('caller', 'cli.option', `--fc is a functional constraint like ST, MX or CF, not '${text}'`);
}
