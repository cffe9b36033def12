/** What an IED takes from others (ExtRef in its SCD), as it was last heard. */
import type { ExtRef, IedModel } from '@enerchain/iec61850';
import type { Data } from '@enerchain/mms';
import { type Position, positionOf } from './values.ts';

/** One value from one neighbour. */
export interface Input {
  /** `intAddr`: what it is for here. */
  readonly name: string;
  /** `BRN_J11` */
  readonly from: string;
  /** The control block it comes with: `PROT/gcbProt`. */
  readonly block: string;
  /** `PROT/PTOC1.Str.general`. */
  readonly source: string;
  value: Data | undefined;
  /** Heard in time, and good. */
  valid: boolean;
}

export class Inputs {
  readonly list: readonly Input[];

  constructor(model: IedModel) {
    const refs = model.devices.flatMap(({ nodes }) => nodes.flatMap(({ ln }) => ln.inputs?.extRefs ?? []));
    // Each value comes with its quality, as an input of its own: what is not good counts as not heard.
    this.list = refs
      .filter(({ daName }) => daName !== 'q')
      .map((ref) => ({
        name: ref.intAddr ?? '',
        from: ref.iedName ?? '',
        block: `${ref.srcLDInst ?? ref.ldInst}/${ref.srcCBName}`,
        source: sourceOf(ref),
        value: undefined,
        valid: false,
      }));
  }

  /** `bad` when it is not heard. */
  position(name: string): Position {
    const input = this.list.find((each) => each.name === name);
    return input?.valid ? positionOf(input.value) : 'bad';
  }

  /** One of those that are heard says so. */
  any(name: string): boolean {
    return this.list.some((each) => each.name === name && each.valid && each.value?.value === true);
  }

  /** All of them are heard. */
  heard(name: string): boolean {
    return this.list.every((each) => each.name !== name || each.valid);
  }
}

const sourceOf = ({ ldInst, prefix, lnClass, lnInst, doName, daName }: ExtRef): string =>
  `${ldInst}/${prefix}${lnClass ?? 'LLN0'}${lnInst}.${doName}${daName ? `.${daName}` : ''}`;
