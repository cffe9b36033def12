/** What an IED has to listen to: its ExtRef (IEC 61850-6 § 9.3.13) bound to control blocks and members of their data sets. */

import type { IedModel } from '../scl/model.ts';
import { namesOf } from '../scl/model.ts';
import type { ExtRef } from '../scl/schema/ied.ts';
import type { PublishedControl } from './published-controls.ts';

/** One input, and where its value is found in the messages of a control block. */
export interface SubscribedInput {
  /** The logical node that has it: `PROT1PROT/LLN0`. */
  readonly node: string;
  readonly extRef: ExtRef;
  /** What the device calls it inside; undefined when the file does not say. */
  readonly intAddr: string | undefined;
  /** `BCU1CTRL/QA1XCBR1.Pos.stVal` */
  readonly reference: string;
  /** Index of the member in the data set. */
  readonly member: number;
  /** Names below the member when it is a structure: `['stVal']` of a whole Pos. */
  readonly below: readonly string[];
}

export interface Subscription<C extends PublishedControl> {
  readonly control: C;
  readonly inputs: readonly SubscribedInput[];
}

/**
 * The control blocks that an IED's inputs come from, with the inputs of each. One that wants a whole object is there once for each
 * member that is a part of it. An input that names no control block (edition 1) is
 * bound when one alone sends it, or one alone of those that name the IED as a subscriber.
 * @param controls of all IEDs: `gooseControls`, `sampledValueControls` @param service which of the two they are
 * @param tell inputs that can not be bound, one sentence each; those that are not bound on purpose are passed over
 */
export function subscriptionsOf<C extends PublishedControl>(
  controls: readonly C[],
  service: 'GOOSE' | 'SMV',
  model: IedModel,
  tell: (text: string) => void = () => {},
): readonly Subscription<C>[] {
  const found = new Map<C, SubscribedInput[]>();
  for (const device of model.devices) {
    for (const { name, ln } of device.nodes) {
      const node = `${device.name}/${name}`;
      for (const extRef of ln.inputs?.extRefs ?? []) {
        if (!extRef.iedName || !extRef.ldInst) continue;
        if (extRef.serviceType !== undefined && extRef.serviceType !== service) continue;
        const ied = extRef.iedName === '@' ? model.ied.name : extRef.iedName;
        const bound = bind(
          controls.filter((control) => control.ied === ied),
          extRef,
          model.ied.name,
        );
        if (typeof bound === 'string') {
          // Without a service and without a control block of this kind it may be a report's.
          if (extRef.serviceType === service) tell(`${node}: input ${textOf(extRef)} ${bound}`);
          continue;
        }
        const { control, places } = bound;
        const inputs = found.get(control) ?? [];
        for (const { member, below } of places) {
          const reference = [control.members![member]!.reference, ...below].join('.');
          inputs.push({ node, extRef, intAddr: extRef.intAddr, reference, member, below });
        }
        found.set(control, inputs);
      }
    }
  }
  return [...found].map(([control, inputs]) => ({ control, inputs }));
}

const textOf = ({ iedName, ldInst, prefix, lnClass, lnInst, doName, daName }: ExtRef): string =>
  `${iedName}${ldInst}/${prefix}${lnClass ?? ''}${lnInst}.${[doName, daName].filter(Boolean).join('.')}`;

/** A member, and the names below it. */
type Place = Pick<SubscribedInput, 'member' | 'below'>;

interface Bound<C> {
  readonly control: C;
  readonly places: readonly Place[];
}

/** @returns why not, in words */
function bind<C extends PublishedControl>(controls: readonly C[], ref: ExtRef, subscriber: string): Bound<C> | string {
  if (ref.srcCBName) {
    const ldInst = ref.srcLDInst ?? ref.ldInst;
    const node = `${ref.srcPrefix}${ref.srcLNClass ?? 'LLN0'}${ref.srcLNInst}`;
    const control = controls.find((one) => one.name === ref.srcCBName && one.ldInst === ldInst && one.node === node);
    if (!control) return `names the control block ${ref.srcCBName}, which is not there`;
    if (!control.members) return `is sent by ${control.name}, whose data set can not be resolved`;
    const places = placesIn(control, ref);
    return places.length > 0 ? { control, places } : `is not in the data set of ${control.name}`;
  }
  const candidates = controls
    .map((control) => ({ control, places: placesIn(control, ref) }))
    .filter(({ places }) => places.length > 0);
  const meant = candidates.filter(({ control }) => control.subscribers.includes(subscriber));
  const [only, ...others] = meant.length > 0 ? meant : candidates;
  if (!only) return 'is sent by no control block';
  return others.length === 0 ? only : `is sent by ${others.length + 1} control blocks, and it names none`;
}

/** The member that is what an input wants, or holds it; or all members that are parts of it, when it wants a whole object. */
function placesIn({ members = [] }: PublishedControl, ref: ExtRef): readonly Place[] {
  const wanted = [...(ref.doName ?? '').split('.'), ...(ref.daName ?? '').split('.')].filter((name) => name !== '');
  const places: Place[] = [];
  for (const [member, { fcda, type }] of members.entries()) {
    if (fcda.ldInst !== ref.ldInst || fcda.prefix !== ref.prefix || fcda.lnInst !== ref.lnInst) continue;
    if (fcda.lnClass !== (ref.lnClass ?? '')) continue;
    const names = namesOf(fcda);
    const common = Math.min(names.length, wanted.length);
    if (common === 0 || names.slice(0, common).some((name, index) => name !== wanted[index])) continue;
    const below = wanted.slice(names.length);
    // The same object may be there under two constraints.
    let part: typeof type | undefined = type;
    for (const name of below)
      part = part?.kind === 'structure' ? part.value.components.find((one) => one.name === name)?.type : undefined;
    if (part) places.push({ member, below });
  }
  return places;
}
