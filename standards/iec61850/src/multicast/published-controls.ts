/** What the control blocks of GOOSE and of sampled values have in common in an SCL file (IEC 61850-6 § 9.3.10, 9.3.11, 9.4). */
import { parseMac } from '@enerchain/ethernet';
import { addressPart } from '../scl/check/communication.ts';
import type { IedModel } from '../scl/model.ts';
import type { ConnectedAp } from '../scl/schema/communication.ts';
import type { GseControl, Ln, SampledValueControl } from '../scl/schema/ied.ts';
import type { Scl } from '../scl/schema/scl.ts';
import { type PublishedMember, publishedMembers } from './members.ts';

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

/** The two kinds: where their blocks stand, where their addresses do, and the functional constraint in their references. */
const KINDS = {
  goose: { blocks: (ln: Ln): readonly GseControl[] => ln.gseControls, addresses: 'gses', fc: 'GO' },
  sv: { blocks: (ln: Ln): readonly SampledValueControl[] => ln.sampledValueControls, addresses: 'smvs', fc: 'MS' },
} as const;
type BlockOf<K extends keyof typeof KINDS> = ReturnType<(typeof KINDS)[K]['blocks']>[number];

/** A block where it stands. */
export interface Placed<Block> {
  readonly block: Block;
  /** `BCU1CTRL/LLN0$GO$gcb01` */
  readonly reference: string;
  readonly common: PublishedControl;
  readonly found: Found | undefined;
}

/**
 * All blocks of a kind that `wanted` takes, in the order of the file.
 * @param models by name of the IED, from `checkScl` @param tell what is missing, one sentence each
 */
export function* publishedControls<K extends keyof typeof KINDS>(
  kind: K,
  scl: Scl,
  models: ReadonlyMap<string, IedModel>,
  wanted: (block: BlockOf<K>) => boolean,
  tell: (text: string) => void,
): Generator<Placed<BlockOf<K>>> {
  const { blocks, addresses, fc } = KINDS[kind];
  const known = multicastAddresses(scl, addresses);
  for (const model of models.values()) {
    for (const device of model.devices) {
      for (const { name: node, ln } of device.nodes) {
        for (const block of blocks(ln) as readonly BlockOf<K>[]) {
          if (!wanted(block)) continue;
          const at = `${device.name}/${node}`;
          const reference = `${at}$${fc}$${block.name}`;
          const found = known.get(`${model.ied.name} ${device.inst} ${block.name}`);
          if (!found?.address) tell(`${reference} has no address in Communication`);
          const dataSet = ln.dataSets.find(({ name }) => name === block.datSet);
          if (!dataSet) tell(`${reference} has no data set`);
          const common = {
            ied: model.ied.name,
            device: device.name,
            ldInst: device.inst,
            node,
            name: block.name,
            datSet: block.datSet === undefined ? '' : `${at}$${block.datSet}`,
            confRev: block.confRev,
            address: found?.address,
            members: dataSet && publishedMembers(model, dataSet, tell),
            subscribers: block.iedNames.map(({ text }) => text),
          };
          yield { block, reference, common, found };
        }
      }
    }
  }
}

/** What Communication says of one control block. */
export interface Found {
  readonly address: MulticastAddress | undefined;
  readonly minTime: number | undefined;
  readonly maxTime: number | undefined;
}

/** By IED, instance of the logical device and name of the control block. @param of GOOSE or sampled values */
function multicastAddresses(scl: Scl, of: 'gses' | 'smvs'): ReadonlyMap<string, Found> {
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
