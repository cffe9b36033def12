/** GOOSE control blocks of an SCL file with all that their publisher and their subscribers need (IEC 61850-6 § 9.3.10, 9.4). */
import { parseMac } from '@enerchain/ethernet';
import { type PublishedMember, publishedMembers } from '../mapping/published.ts';
import { addressPart } from '../scl/check/communication.ts';
import type { IedModel } from '../scl/model.ts';
import type { ConnectedAp } from '../scl/schema/communication.ts';
import type { Scl } from '../scl/schema/scl.ts';

/** Where a control block is published to. */
export interface MulticastAddress {
  /** Six octets. */
  readonly destination: Uint8Array;
  readonly appId: number;
  readonly vlan: { readonly id: number; readonly priority: number };
  readonly subNetwork: string;
  readonly accessPoint: string;
}

/** What the control blocks of GOOSE and of sampled values have in common. */
export interface PublishedControl {
  readonly ied: string;
  /** Of the logical device, as clients know it. */
  readonly device: string;
  readonly ldInst: string;
  /** Of the logical node: LLN0. */
  readonly node: string;
  readonly name: string;
  /** `BCU1CTRL/LLN0$Positions`; empty when the file gives it none. */
  readonly datSet: string;
  readonly confRev: number;
  /** Undefined when Communication has none that is one: nobody can hear it. */
  readonly address: MulticastAddress | undefined;
  /** Undefined when there is no data set, or a member leads nowhere. */
  readonly members: readonly PublishedMember[] | undefined;
  /** IEDs that the file says are subscribers. */
  readonly subscribers: readonly string[];
}

export interface GooseControl extends PublishedControl {
  /** `BCU1CTRL/LLN0$GO$gcb01` */
  readonly gocbRef: string;
  readonly goId: string;
  /** Milliseconds from a change to its first repetition, and between messages when nothing changes. */
  readonly minTime: number | undefined;
  readonly maxTime: number | undefined;
  /** Whether it is to be written with fixed lengths (8-1 annex A.3). */
  readonly fixedLength: boolean;
}

/**
 * All GOOSE control blocks, in the order of the file.
 * @param models by name of the IED, from `checkScl` @param tell what is missing, one sentence each
 */
export function gooseControls(
  scl: Scl,
  models: ReadonlyMap<string, IedModel>,
  tell: (text: string) => void = () => {},
): GooseControl[] {
  const addresses = multicastAddresses(scl, 'gses');
  const controls: GooseControl[] = [];
  for (const model of models.values()) {
    for (const device of model.devices) {
      for (const { name: node, ln } of device.nodes) {
        for (const block of ln.gseControls) {
          if (block.type !== 'GOOSE') continue;
          const gocbRef = `${device.name}/${node}$GO$${block.name}`;
          const found = addresses.get(`${model.ied.name} ${device.inst} ${block.name}`);
          if (!found?.address) tell(`${gocbRef} has no address in Communication`);
          const dataSet = ln.dataSets.find(({ name }) => name === block.datSet);
          if (!dataSet) tell(`${gocbRef} has no data set`);
          controls.push({
            ied: model.ied.name,
            device: device.name,
            ldInst: device.inst,
            node,
            name: block.name,
            gocbRef,
            datSet: block.datSet === undefined ? '' : `${device.name}/${node}$${block.datSet}`,
            // 8-1: the reference of the control block where no other is given.
            goId: block.appID || gocbRef,
            confRev: block.confRev,
            address: found?.address,
            minTime: found?.minTime,
            maxTime: found?.maxTime,
            fixedLength: block.fixedOffs,
            members: dataSet && publishedMembers(model, dataSet, tell),
            subscribers: block.iedNames.map(({ text }) => text),
          });
        }
      }
    }
  }
  return controls;
}

/** What Communication says of one control block. */
interface Found {
  readonly address: MulticastAddress | undefined;
  readonly minTime: number | undefined;
  readonly maxTime: number | undefined;
}

/** By IED, instance of the logical device and name of the control block. @param of GOOSE or sampled values */
export function multicastAddresses(scl: Scl, of: 'gses' | 'smvs'): ReadonlyMap<string, Found> {
  const found = new Map<string, Found>();
  for (const { name: subNetwork, connectedAps } of scl.communication?.subNetworks ?? []) {
    for (const ap of connectedAps) {
      for (const block of ap[of]) {
        const key = `${ap.iedName} ${block.ldInst} ${block.cbName}`;
        if (found.has(key)) continue;
        const times = 'minTime' in block ? block : undefined;
        found.set(key, {
          address: addressOf(block.address, subNetwork, ap.apName),
          minTime: duration(times?.minTime),
          maxTime: duration(times?.maxTime),
        });
      }
    }
  }
  return found;
}

function addressOf(
  address: ConnectedAp['address'],
  subNetwork: string,
  accessPoint: string,
): MulticastAddress | undefined {
  const destination = parseMac(addressPart(address, 'MAC-Address') ?? '');
  const appId = addressPart(address, 'APPID') ?? '';
  if (!destination || !/^[0-9A-F]{1,4}$/i.test(appId)) return undefined;
  const id = addressPart(address, 'VLAN-ID') ?? '';
  const priority = addressPart(address, 'VLAN-PRIORITY') ?? '';
  return {
    destination,
    appId: Number.parseInt(appId, 16),
    // Hexadecimal; priority 4 where nothing is said (8-1 § 14, 9-2 § 8).
    vlan: {
      id: /^[0-9A-F]{1,3}$/i.test(id) ? Number.parseInt(id, 16) : 0,
      priority: /^[0-7]$/.test(priority) ? Number(priority) : 4,
    },
    subNetwork,
    accessPoint,
  };
}

/** Milliseconds: unit and multiplier are fixed by the schema. */
function duration(time: { readonly text: string } | undefined): number | undefined {
  const value = Number(time?.text.trim() || Number.NaN);
  return value > 0 ? value : undefined;
}
