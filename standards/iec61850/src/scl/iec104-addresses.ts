/**
 * IEC 61850-80-1: the 104 addresses that an SCL file gives data objects and attributes, in Private sections of the type
 * `IEC_60870_5_104`. Attributes beside casdu, ioa, ti and expectedValue are kept as they stand.
 */
import type { Findings } from '@enerchain/xml';
import { nodeName } from './model.ts';
import { IEC104_PRIVATE } from './reader.ts';
import type { Private } from './schema/common.ts';
import type { XmlNode } from './schema/element.ts';
import type { Doi, Sdi } from './schema/ied.ts';
import type { Scl } from './schema/scl.ts';

export const IEC104_NAMESPACE = 'http://www.iec.ch/61850-80-1/2007/IEC_60870-5-104';

export interface Iec104Address {
  readonly iedName: string;
  readonly ldInst: string;
  /** Prefix, class, instance. */
  readonly ln: string;
  /** Names below the logical node: `Pos`, `stVal`. */
  readonly names: readonly string[];
  /** Common address. */
  readonly casdu: number;
  readonly ioa: number;
  /** Type identification. */
  readonly ti: number;
  /** The value of the attribute that this address stands for, where several addresses share one. */
  readonly expectedValue: string | undefined;
  readonly others: Readonly<Record<string, string>>;
  readonly line: number;
}

/** All addresses, in the order of the file. One that is no address is a finding. */
export function* iec104Addresses(scl: Scl, findings?: Findings): Generator<Iec104Address> {
  for (const ied of scl.ieds) {
    for (const lDevice of ied.accessPoints.flatMap(({ server }) => server?.lDevices ?? [])) {
      for (const ln of [...(lDevice.ln0 ? [lDevice.ln0] : []), ...lDevice.lns]) {
        const place = { iedName: ied.name, ldInst: lDevice.inst, ln: nodeName(ln.prefix, ln.lnClass, ln.inst) };
        for (const doi of ln.dois) {
          for (const { names, node } of below(doi, [doi.name])) {
            const { casdu, ioa, ti, expectedValue, ...others } = node.attributes;
            const numbers = [casdu, ioa, ti].map((value) =>
              value !== undefined && /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN,
            );
            // A place that is kept for an address not yet given has the attributes empty.
            if (casdu === '' && ioa === '') continue;
            if (numbers.some(Number.isNaN)) {
              const where = `${place.iedName}${place.ldInst}/${place.ln}.${names.join('.')}`;
              findings?.add({
                severity: 'error',
                code: 'scl.104-address',
                text: `${where}: casdu, ioa and ti must be numbers; the address is passed over`,
                line: node.line,
              });
              continue;
            }
            yield {
              ...place,
              names,
              casdu: numbers[0]!,
              ioa: numbers[1]!,
              ti: numbers[2]!,
              expectedValue,
              others,
              line: node.line,
            };
          }
        }
      }
    }
  }
}

function* below(
  at: Doi | Sdi,
  names: readonly string[],
): Generator<{ readonly names: readonly string[]; readonly node: XmlNode }> {
  for (const node of addresses(at.privates)) yield { names, node };
  for (const dai of at.dais) {
    for (const node of addresses(dai.privates)) yield { names: [...names, dai.name], node };
  }
  for (const sdi of at.sdis) yield* below(sdi, [...names, sdi.name]);
}

const addresses = (privates: readonly Private[]): XmlNode[] =>
  privates
    .filter(({ type }) => type === IEC104_PRIVATE)
    .flatMap(({ nodes }) => nodes)
    .filter(({ name, namespace }) => name === 'Address' && namespace === IEC104_NAMESPACE);
