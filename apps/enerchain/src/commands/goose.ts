/** `enerchain goose listen | publish`: what is said on the process bus, and saying something there. */
import { createInterface } from 'node:readline';
import { type LinkLayer, type Recording, record } from '@enerchain/ethernet';
import {
  expectedOf,
  type GooseControl,
  type GoosePublishing,
  gooseControls,
  localAddress,
  publicationOf,
  publishGoose,
  type SubscribeGooseOptions,
  subscribeGoose,
} from '@enerchain/iec61850';
import type { Data } from '@enerchain/mms';
import { EnerchainError } from '@enerchain/model';
import { systemClock } from '@enerchain/transport';
import { BusTime, ends } from '../iec61850/bus-session.ts';
import { GooseLines, leavesOf } from '../iec61850/goose-lines.ts';
import { assigned, firstValue } from '../iec61850/goose-values.ts';
import { type LinkOptions, openLink, sourceAddress } from '../iec61850/open-link.ts';
import { wholeNumber } from '../options.ts';
import { opened as openedScl } from './scl.ts';

export interface ListenOptions extends LinkOptions {
  readonly scd?: string;
  readonly ied?: readonly string[];
  readonly json?: boolean;
  readonly count?: string;
  readonly for?: string;
  readonly simulation?: boolean;
  readonly save?: string;
}

export interface PublishOptions extends LinkOptions {
  readonly scd: string;
  readonly cb: string;
  readonly set?: readonly string[];
  readonly count?: string;
  readonly for?: string;
  readonly real?: boolean;
  readonly interactive?: boolean;
  readonly source?: string;
  readonly json?: boolean;
}

const print = (text: string): void => void process.stdout.write(`${text}\n`);
const remark = (text: string): void => void process.stderr.write(`· ${text}\n`);

/** Prints states as they change and whatever is not as it should be, until stopped or the capture ends. */
export async function gooseListen(where: string, options: ListenOptions): Promise<void> {
  const { controls, wanted } = await expectations(options);
  const opened = openLink(where, options);
  const { link } = opened;
  const ending = ends(link, options);
  const recording = options.save === undefined ? undefined : await record(link, options.save);
  const most = options.count === undefined ? Number.POSITIVE_INFINITY : wholeNumber(options.count, '--count', 1, 1e9);
  const lines = new GooseLines(options.json ?? false, controls, print);
  let states = 0;
  const time = new BusTime(opened);
  const listening = subscribeGoose(link, systemClock, {
    ...(wanted ? { expected: wanted.map(expectedOf) } : {}),
    time: opened.time === 'clock' ? 'clock' : 'frames',
    simulation: options.simulation ?? false,
    onMessage(subscriber, outcome, view) {
      if (!concerns(options.ied, subscriber.gocbRef) || !outcome.state || states >= most) return;
      lines.state(subscriber, outcome, view, time.frame);
      if (++states >= most) ending.resolve();
    },
    onEvent(event, subscriber) {
      const gocbRef = subscriber?.gocbRef ?? ('gocbRef' in event ? event.gocbRef : undefined);
      if (gocbRef !== undefined && !concerns(options.ied, gocbRef)) return;
      lines.event(event, subscriber, time.now);
    },
  } satisfies SubscribeGooseOptions);
  time.look((at) => listening.until(at));
  if (!options.json) remark(`listening on ${link.name}${wanted ? `, ${wanted.length} control blocks expected` : ''}`);
  try {
    await ending.promise;
  } finally {
    time.stop((at) => listening.until(at));
    listening.stop();
    await finish(link, recording);
    lines.summary(
      [...listening.subscribers.values()].filter(({ gocbRef }) => concerns(options.ied, gocbRef)),
      time.now,
    );
    const { received, lost } = link.counters;
    if (!options.json || lost > 0) remark(`${link.name}: ${received} frames, ${lost} lost`);
  }
}

/** Publishes one control block as its SCL file describes it, until stopped. */
export async function goosePublish(where: string, options: PublishOptions): Promise<void> {
  const { controls } = await expectations(options);
  const control = controls.get(options.cb);
  if (!control) {
    const there = [...controls.keys()];
    throw new EnerchainError(
      'caller',
      'cli.option',
      `${options.scd} has no GOOSE control block ${options.cb}; it has ${there.slice(0, 20).join(', ') || 'none'}`,
    );
  }
  const { link } = openLink(where, options);
  await publishOn(link, control, sourceAddress(link, options.source, where) ?? localAddress(control.ied), options);
}

/** The same on a link that is there already, which is closed at the end. */
export async function publishOn(
  link: LinkLayer,
  control: GooseControl,
  source: Uint8Array,
  options: Omit<PublishOptions, 'scd' | 'cb'>,
): Promise<void> {
  const most = options.count === undefined ? Number.POSITIVE_INFINITY : wholeNumber(options.count, '--count', 1, 1e9);
  const ending = ends(link, options);
  let sent = 0;
  const counted: LinkLayer = {
    name: link.name,
    counters: link.counters,
    closed: link.closed,
    listen: (receive, filter) => link.listen(receive, filter),
    close: () => link.close(),
    send(frame) {
      if (sent >= most) return;
      link.send(frame);
      if (++sent >= most) ending.resolve();
    },
  };
  let publishing: GoosePublishing | undefined;
  try {
    const publication = { ...publicationOf(control), simulation: !options.real };
    const { members = [] } = publication;
    const first = (options.set ?? []).reduce<readonly Data[]>(
      (values, text) => assigned(members, values, text),
      members.map(firstValue),
    );
    publishing = publishGoose(counted, systemClock, publication, {
      source,
      values: first,
    });
    const { publisher } = publishing;
    const tell = () => {
      for (const leaf of leavesOf({ values: publisher.values }, control)) {
        if (options.json) print(JSON.stringify({ gocbRef: control.gocbRef, stNum: publisher.stNum, ...leaf }));
        else print(`    ${leaf.reference} [${leaf.fc}]  ${String(leaf.value)}`);
      }
    };
    if (!options.json) {
      const whom = options.real ? 'as the device itself' : 'as a test set (simulated): only who is told to takes it';
      print(`${control.gocbRef} on ${link.name}, ${whom}`);
    }
    tell();
    if (options.interactive) {
      const input = createInterface({ input: process.stdin });
      input.on('line', (text) => {
        try {
          publishing!.change(assigned(members, publisher.values, text.trim()));
          if (!options.json) print(`stNum ${publisher.stNum}`);
          tell();
        } catch (error) {
          remark((error as Error).message);
        }
      });
      void ending.promise.finally(() => input.close()).catch(() => {});
    }
    await ending.promise;
  } finally {
    publishing?.stop();
    await link.close();
    const { sent, lost } = link.counters;
    if (!options.json) remark(`${link.name}: ${sent} messages sent, ${lost} lost`);
  }
}

async function finish(link: LinkLayer, recording: Recording | undefined): Promise<void> {
  await recording?.stop();
  await link.close();
  if (recording && recording.counters.lost > 0) remark(`${recording.counters.lost} frames were not recorded`);
}

/** Control blocks of the file by reference; `wanted` those of the IEDs that were asked for, undefined without a file. */
async function expectations(options: { readonly scd?: string; readonly ied?: readonly string[] }): Promise<{
  readonly controls: ReadonlyMap<string, GooseControl>;
  readonly wanted: readonly GooseControl[] | undefined;
}> {
  if (options.scd === undefined) return { controls: new Map(), wanted: undefined };
  const { scl, models } = await openedScl(options.scd);
  for (const name of options.ied ?? []) {
    if (models.has(name)) continue;
    const there = [...models.keys()].slice(0, 20).join(', ') || 'none';
    throw new EnerchainError('caller', 'scl.ied', `${options.scd} has no IED ${name}; it has ${there}`);
  }
  const all = gooseControls(scl, models, remark);
  return {
    controls: new Map(all.map((control) => [control.gocbRef, control])),
    wanted: all.filter(({ ied }) => !options.ied || options.ied.includes(ied)),
  };
}

/** Names of logical devices begin with that of their IED unless the file says otherwise. */
function concerns(ieds: readonly string[] | undefined, gocbRef: string): boolean {
  return !ieds || ieds.some((name) => gocbRef.startsWith(name));
}
