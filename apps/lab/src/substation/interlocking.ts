/**
 * Who may move what, by bay of the substation (CILO, IEC 61850-7-4): conditions over positions of the bay itself and of others
 * that are told by GOOSE. Pure. A position that is not known releases nothing.
 */
import type { Position } from './values.ts';

/** What a bay unit knows. */
export interface Seen {
  /** Of a switch of the bay: `Q0`. */
  position(code: string): Position;
  /** Of a switch of another bay, by the `intAddr` of the input; `bad` when it is not heard. */
  input(name: string): Position;
  /** By wire from the bay without a bay unit: `J00`. */
  wired(bay: string): Position;
  /** No voltage behind the breaker. */
  readonly dead: boolean;
}

export interface Release {
  readonly open: boolean;
  readonly close: boolean;
}

type Rule = (seen: Seen) => Release;
const both = (released: boolean): Release => ({ open: released, close: released });
const certain = (position: Position): boolean => position === 'on' || position === 'off';

/** A feeder is earthed when it is open and nobody feeds it from the far end. */
const FEEDER: Readonly<Record<string, Rule>> = {
  Q0: ({ position }) => ({ open: true, close: position('Q8') === 'off' }),
  Q8: ({ position, dead }) => ({ open: position('Q0') === 'off', close: position('Q0') === 'off' && dead }),
};

/** By bay and switch. */
export const INTERLOCKING: Readonly<Record<string, Readonly<Record<string, Rule>>>> = {
  E03: {
    Q0: ({ position }) => ({ open: true, close: position('Q8') === 'off' && certain(position('Q1')) }),
    Q1: ({ position }) => both(position('Q0') === 'off' && position('Q8') === 'off'),
    // The transformer may be fed from its other side.
    Q8: ({ position, input }) => ({
      open: position('Q1') === 'off',
      close: position('Q1') === 'off' && input('low') === 'off',
    }),
  },
  J10: {
    Q0: ({ input, wired }) => ({
      open: true,
      close: input('earthed') === 'off' && oneOpen(input('coupler'), wired('J00')),
    }),
  },
  // The transformers are not run in parallel: their short-circuit currents add up to more than the switchgear bears.
  J09: { Q0: ({ input, wired }) => ({ open: true, close: oneOpen(input('incomer'), wired('J00')) }) },
  J11: FEEDER,
  J12: FEEDER,
};

const oneOpen = (one: Position, other: Position): boolean =>
  certain(one) && certain(other) && (one === 'off' || other === 'off');
