/** Sampled value control blocks of an SCL file with all that their publisher and their subscribers need (IEC 61850-6 § 9.3.11, 9.4). */
import { multicastAddresses, type PublishedControl } from '../goose/controls.ts';
import { publishedMembers } from '../mapping/published.ts';
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
  const addresses = multicastAddresses(scl, 'smvs');
  const controls: SampledValueControl[] = [];
  for (const model of models.values()) {
    for (const device of model.devices) {
      for (const { name: node, ln } of device.nodes) {
        for (const block of ln.sampledValueControls) {
          if (!block.multicast) continue;
          const reference = `${device.name}/${node}$MS$${block.name}`;
          const found = addresses.get(`${model.ied.name} ${device.inst} ${block.name}`);
          if (!found?.address) tell(`${reference} has no address in Communication`);
          const dataSet = ln.dataSets.find(({ name }) => name === block.datSet);
          if (!dataSet) tell(`${reference} has no data set`);
          controls.push({
            ied: model.ied.name,
            device: device.name,
            ldInst: device.inst,
            node,
            name: block.name,
            reference,
            datSet: block.datSet === undefined ? '' : `${device.name}/${node}$${block.datSet}`,
            svId: block.smvID || reference,
            confRev: block.confRev,
            address: found?.address,
            members: dataSet && publishedMembers(model, dataSet, tell),
            subscribers: block.iedNames.map(({ text }) => text),
            smpMod: block.smpMod,
            smpRate: block.smpRate,
            asdus: block.nofASDU,
            options: {
              refreshTime: block.smvOpts?.refreshTime ?? false,
              sampleRate: block.smvOpts?.sampleRate ?? false,
              dataSet: block.smvOpts?.dataSet ?? false,
              gmIdentity: block.smvOpts?.synchSourceId ?? false,
            },
          });
        }
      }
    }
  }
  return controls;
}

/** Samples in a second; undefined when there are less than one. @param frequency nominal, Hz */
export function samplesPerSecond(smpMod: SmpMode, smpRate: number, frequency: number): number | undefined {
  if (smpRate <= 0) return undefined;
  if (smpMod === 'SmpPerSec') return smpRate;
  return smpMod === 'SmpPerPeriod' ? Math.round(smpRate * frequency) : smpRate === 1 ? 1 : undefined;
}
