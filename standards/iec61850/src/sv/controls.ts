/** Sampled value control blocks of an SCL file with all that their publisher and their subscribers need (IEC 61850-6 § 9.3.11, 9.4). */
import { type PublishedControl, publishedControls } from '../multicast/published-controls.ts';
import type { IedModel } from '../scl/model.ts';
import type { Scl } from '../scl/schema/scl.ts';
import type { SmpMode } from './message.ts';

export interface SampledValueControl extends PublishedControl {
  /** `MU1/LLN0$MS$MSVCB01` */
  readonly reference: string;
  readonly svId: string;
  readonly smpMod: SmpMode;
  readonly smpRate: number;
  /** ASDUs in a message. */
  readonly asdus: number;
  /** Which of the optional fields are sent. */
  readonly options: {
    readonly refreshTime: boolean;
    readonly sampleRate: boolean;
    readonly dataSet: boolean;
    readonly gmIdentity: boolean;
  };
}

/** All of them that are multicast, in the order of the file. @param tell what is missing, one sentence each */
export function sampledValueControls(
  scl: Scl,
  models: ReadonlyMap<string, IedModel>,
  tell: (text: string) => void = () => {},
): SampledValueControl[] {
  const placed = publishedControls('sv', scl, models, ({ multicast }) => multicast, tell);
  return [...placed].map(({ block, reference, common }) => ({
    ...common,
    reference,
    svId: block.smvID || reference,
    smpMod: block.smpMod,
    smpRate: block.smpRate,
    asdus: block.nofASDU,
    options: {
      refreshTime: block.smvOpts?.refreshTime ?? false,
      sampleRate: block.smvOpts?.sampleRate ?? false,
      dataSet: block.smvOpts?.dataSet ?? false,
      gmIdentity: block.smvOpts?.synchSourceId ?? false,
    },
  }));
}

/** Samples in a second; undefined when there are less than one. @param frequency nominal, Hz */
export function samplesPerSecond(smpMod: SmpMode, smpRate: number, frequency: number): number | undefined {
  if (smpRate <= 0) return undefined;
  if (smpMod === 'SmpPerSec') return smpRate;
  return smpMod === 'SmpPerPeriod' ? Math.round(smpRate * frequency) : smpRate === 1 ? 1 : undefined;
}
