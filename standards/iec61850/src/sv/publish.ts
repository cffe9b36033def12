/** Publishing samples on a link, as many at a time as the timers of this runtime make necessary. */
import { ETHERTYPE, encodeFrame, type LinkLayer, type VlanTag } from '@enerchain/ethernet';
import type { Clock } from '@enerchain/transport';
import { Iec61850Error } from '../error.ts';
import { type SampledValueControl, samplesPerSecond } from './controls.ts';
import { layoutOf } from './layout.ts';
import { type SvPublication, SvPublisher } from './publisher.ts';

/** A publication with the place it goes to. */
export interface AddressedSv extends SvPublication {
  /** Six octets. */
  readonly destination: Uint8Array;
  /** No tag when it is left out. */
  readonly vlan?: VlanTag;
}

export interface PublishSvOptions {
  /** MAC address of this station, six octets. */
  readonly source: Uint8Array;
  /** Fills in the values of a sample, in the units of the channels, and their qualities, which are good (0) beforehand. */
  readonly sample: (smpCnt: number, values: Float64Array, qualities: Uint32Array) => void;
  /** 0 none, 1 local, 2 global: only the caller knows what its clock is worth. */
  readonly smpSynch?: number;
}

export interface SvPublishing {
  readonly publisher: SvPublisher;
  /** Samples that were left out because this process was held up for more than a second. */
  readonly skipped: number;
  stop(): void;
}

/** Milliseconds between two looks at how many samples are due. */
const BEAT = 4;

/** What an SCL file says of a control block, to be published. @param frequency nominal, Hz @throws Iec61850Error `sv.control` (caller), `sv.layout` */
export function svPublicationOf(control: SampledValueControl, frequency = 50): AddressedSv {
  const { address, members, reference, options, smpMod, smpRate } = control;
  const rate = samplesPerSecond(smpMod, smpRate, frequency);
  if (!address || !members || rate === undefined) {
    const missing = !address
      ? 'multicast address'
      : !members
        ? 'data set that can be resolved'
        : 'rate of at least a sample a second';
    throw new Iec61850Error('caller', 'sv.control', `SV ${reference} has no ${missing} in its SCL file`);
  }
  return {
    appId: address.appId,
    svId: control.svId,
    ...(options.dataSet ? { datSet: control.datSet } : {}),
    confRev: control.confRev,
    layout: layoutOf(members),
    samplesPerSecond: rate,
    asdus: control.asdus,
    ...(options.sampleRate ? { smpRate, smpMod } : {}),
    refreshTime: options.refreshTime,
    destination: address.destination,
    vlan: address.vlan,
  };
}

/** Starts publishing, until it is stopped or the link ends; smpCnt is where the wall clock is in its second. */
export function publishSv(
  link: LinkLayer,
  clock: Clock,
  publication: AddressedSv,
  { source, sample, smpSynch = 0 }: PublishSvOptions,
): SvPublishing {
  const { destination, vlan, samplesPerSecond: rate, layout } = publication;
  const publisher = new SvPublisher(publication);
  publisher.smpSynch = smpSynch;
  publisher.smpCnt = Math.floor(((clock.now() % 1000) * rate) / 1000);
  const values = new Float64Array(layout.channels.length);
  const qualities = new Uint32Array(layout.channels.length);
  const began = clock.monotonic();
  let sent = 0;
  let skipped = 0;
  const one = (wall: number): void => {
    qualities.fill(0);
    sample(publisher.smpCnt, values, qualities);
    const payload = publisher.add(values, qualities, wall);
    if (!payload) return;
    const tag = vlan === undefined ? {} : { vlan };
    link.send(encodeFrame({ destination, source, etherType: ETHERTYPE.sampledValues, payload, ...tag }));
  };
  const beat = (): void => {
    const due = Math.floor(((clock.monotonic() - began) * rate) / 1000);
    if (due - sent > rate) {
      // Whoever listens sees the gap; to send a second's samples now would only make it worse.
      skipped += due - sent;
      publisher.smpCnt = (publisher.smpCnt + due - sent) % rate;
      sent = due;
    }
    const now = clock.now();
    for (; sent < due; sent++) one(now - ((due - 1 - sent) * 1000) / rate);
    cancel = clock.schedule(BEAT, beat);
  };
  let cancel = clock.schedule(BEAT, beat);
  const stop = (): void => cancel();
  void link.closed.then(stop, stop);
  return {
    publisher,
    get skipped() {
      return skipped;
    },
    stop,
  };
}
