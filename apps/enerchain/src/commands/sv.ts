/** `enerchain sv listen`: streams of sampled values, their values now and then, and whatever is not as it should be. */
import { decodeFrame, formatMac } from '@enerchain/ethernet';
import {
  expectedSvOf,
  PHS_MEAS_1,
  SampleCodec,
  type SampleLayout,
  SMP_SYNCH,
  type SvSubscriber,
  type SvView,
  sampledValueControls,
  sampleQuality,
  subscribeSv,
} from '@enerchain/iec61850';
import { systemClock } from '@enerchain/transport';
import { BusTime, ends } from '../iec61850/bus-session.ts';
import { momentText } from '../iec61850/goose-lines.ts';
import { type LinkOptions, openLink } from '../iec61850/open-link.ts';
import { wholeNumber } from '../options.ts';
import { opened as openedScl } from './scl.ts';

export interface SvListenOptions extends LinkOptions {
  readonly scd?: string;
  readonly ied?: readonly string[];
  readonly json?: boolean;
  readonly for?: string;
  /** Milliseconds from one sample that is printed to the next, by the time of the frames. */
  readonly every: string;
  readonly simulation?: boolean;
}

const print = (text: string): void => void process.stdout.write(`${text}\n`);
const remark = (text: string): void => void process.stderr.write(`· ${text}\n`);

/** Four currents and four voltages as 9-2LE has them: what a sample of this length is taken for when no SCL file says. */
const LIGHT = new SampleCodec(PHS_MEAS_1);

/** Prints until stopped or the capture ends. */
export async function svListen(where: string, options: SvListenOptions): Promise<void> {
  const every = BigInt(wholeNumber(options.every, '--every', 1, 1e9)) * 1_000_000n;
  const controls = options.scd === undefined ? undefined : await controlsOf(options.scd, options.ied);
  const opened = openLink(where, options);
  const { link } = opened;
  const ending = ends(link, options);
  const time = new BusTime(opened);
  /** When a sample of a stream was printed last. */
  const printed = new Map<string, bigint>();
  const listening = subscribeSv(link, systemClock, {
    ...(controls ? { expected: controls.map((control) => expectedSvOf(control)) } : {}),
    time: opened.time === 'clock' ? 'clock' : 'frames',
    simulation: options.simulation ?? false,
    onSample(subscriber, view) {
      const last = printed.get(subscriber.svId);
      if (last !== undefined && time.frame - last < every) return;
      printed.set(subscriber.svId, time.frame);
      sample(subscriber, view, time.frame, last === undefined, options.json ?? false);
    },
    onEvent(event, subscriber) {
      const at = momentText(time.now);
      const { kind, ...rest } = event;
      if (!options.json) print(`${at}  ! ${event.text}`);
      else print(JSON.stringify({ at, ...(subscriber ? { svId: subscriber.svId } : {}), event: kind, ...rest }));
    },
  });
  time.look((at) => listening.until(at));
  if (!options.json) remark(`listening on ${link.name}${controls ? `, ${controls.length} streams expected` : ''}`);
  try {
    await ending.promise;
  } finally {
    time.stop((at) => listening.until(at));
    listening.stop();
    await link.close();
    for (const { svId, status, counters } of listening.subscribers.values()) {
      const { samples, lost, copies, refused } = counters;
      if (options.json)
        print(JSON.stringify({ at: momentText(time.now), svId, event: 'summary', status, ...counters }));
      else print(`${svId}: ${status}; ${samples} samples, ${lost} lost, ${copies} copies, ${refused} refused`);
    }
    const { received, lost } = link.counters;
    if (!options.json || lost > 0) remark(`${link.name}: ${received} frames, ${lost} lost`);
  }
}

async function controlsOf(scd: string, ieds: readonly string[] | undefined) {
  const { scl, models } = await openedScl(scd);
  return sampledValueControls(scl, models, remark).filter(({ ied }) => !ieds || ieds.includes(ied));
}

function sample(subscriber: SvSubscriber, view: SvView, at: bigint, first: boolean, json: boolean): void {
  const { svId, counters } = subscriber;
  const synchronised = Object.entries(SMP_SYNCH).find(([, value]) => value === view.smpSynch)?.[0] ?? view.smpSynch;
  const decoded = valuesOf(subscriber, view);
  const lines = (decoded?.layout.channels ?? []).map(({ reference, unit, qualityAt }, index) => {
    const { validity, flags, derived } = sampleQuality(decoded!.qualities[index]!);
    const quality = qualityAt < 0 ? undefined : [validity, ...flags, ...(derived ? ['derived'] : [])].join();
    return { reference, value: Number(decoded!.values[index]!.toPrecision(9)), unit, quality };
  });
  if (json) {
    const own = { at: momentText(at), svId, smpCnt: view.smpCnt, smpSynch: synchronised };
    if (lines.length === 0) print(JSON.stringify(own));
    for (const line of lines) print(JSON.stringify({ ...own, ...line }));
    return;
  }
  const counts = `${counters.samples} samples, ${counters.lost} lost`;
  print(
    `${momentText(at)}  ${svId}  smpCnt ${view.smpCnt} synchronised ${synchronised}  ${counts}${first ? place(view) : ''}`,
  );
  for (const { reference, value, unit, quality } of lines)
    print(`    ${reference}  ${value}${unit ? ` ${unit}` : ''}${quality === undefined ? '' : `  ${quality}`}`);
}

/** By the layout of the SCL file, by that of 9-2LE where the sample is as long as one, else not at all. */
function valuesOf(subscriber: SvSubscriber, view: SvView): Decoded | undefined {
  const { layout } = subscriber.expected;
  if (layout && subscriber.decode(view)) return { layout, values: subscriber.values, qualities: subscriber.qualities };
  if (view.sampleEnd - view.sampleAt !== PHS_MEAS_1.octets) return undefined;
  const count = PHS_MEAS_1.channels.length;
  const [values, qualities] = [new Float64Array(count), new Uint32Array(count)];
  LIGHT.read(view.bytes, view.sampleAt, values, qualities);
  return { layout: PHS_MEAS_1, values, qualities };
}

interface Decoded {
  readonly layout: SampleLayout;
  readonly values: Float64Array;
  readonly qualities: Uint32Array;
}

/** Addresses of the frame, told once. */
function place({ bytes, appId, confRev }: SvView): string {
  const { source, destination, vlan } = decodeFrame(bytes);
  const tag = vlan ? ` VLAN ${vlan.id} priority ${vlan.priority}` : '';
  return `  confRev ${confRev}  ${formatMac(source)} → ${formatMac(destination)}${tag} APPID ${appId.toString(16).toUpperCase().padStart(4, '0')}`;
}
