/** What an IED takes from others (ExtRef in its SCD), as it was last heard. */
import type { GooseControl, GooseSubscriber, SubscribedInput, Subscription } from '@enerchain/iec61850';
import type { Data } from '@enerchain/mms';
import { isGood, type Position, positionOf } from './values.ts';

/** One value from one neighbour. */
interface Input {
  /** `intAddr`: what it is for here. */
  readonly name: string;
  readonly control: string;
  readonly value: SubscribedInput;
  /** Its quality, where it comes along. */
  readonly quality: SubscribedInput | undefined;
  now: Data | undefined;
  /** Heard in time, and good. */
  valid: boolean;
}

export class Inputs {
  readonly #list: readonly Input[];

  constructor(subscriptions: readonly Subscription<GooseControl>[]) {
    this.#list = subscriptions.flatMap(({ control, inputs }) =>
      inputs
        .filter(({ extRef }) => extRef.daName !== 'q')
        .map((value) => ({
          name: value.intAddr ?? '',
          control: control.gocbRef,
          value,
          quality: inputs.find(
            (other) =>
              other.extRef.daName === 'q' &&
              other.reference === value.reference.replace(/[^.]+$/, 'q') &&
              other.node === value.node,
          ),
          now: undefined,
          valid: false,
        })),
    );
  }

  /** Takes in what a control block says now. @returns whether anything is different for this IED */
  take({ gocbRef, status, state }: Pick<GooseSubscriber, 'gocbRef' | 'status' | 'state'>): boolean {
    let different = false;
    for (const input of this.#list) {
      if (input.control !== gocbRef) continue;
      const now = state && memberOf(state.values, input.value);
      const quality = state && input.quality && memberOf(state.values, input.quality);
      const valid = status === 'valid' && now !== undefined && (quality === undefined || isGood(quality));
      different ||= input.now !== now || input.valid !== valid;
      input.now = now;
      input.valid = valid;
    }
    return different;
  }

  has(name: string): boolean {
    return this.#list.some((input) => input.name === name);
  }

  /** `bad` when it is not heard. */
  position(name: string): Position {
    const input = this.#list.find((each) => each.name === name);
    return input?.valid ? positionOf(input.now) : 'bad';
  }

  /** One of those that are heard says so. */
  any(name: string): boolean {
    return this.#list.some((input) => input.name === name && input.valid && input.now?.value === true);
  }

  /** All of them are heard. */
  heard(name: string): boolean {
    return this.#list.every((input) => input.name !== name || input.valid);
  }
}

/** Inputs of these IEDs are attributes, which are members of their own. */
const memberOf = (values: readonly Data[], { member, below }: SubscribedInput): Data | undefined =>
  below.length === 0 ? values[member] : undefined;
