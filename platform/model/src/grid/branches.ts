/** Lines and what is in series with them (IEC 61970-301, Wires and Equivalents). */
import Type from 'typebox';
import { Contained, Named, RatedCurrent, two } from './common.ts';

/** π: half of gch and bch at each end. The two ends may have different nominal voltages: Ω and S are what they are. */
export const ACLineSegment = Type.Object(
  {
    class: Type.Literal('ACLineSegment'),
    ...Named,
    ...Contained,
    terminals: two,
    r: Type.Number({ description: 'Ω, whole length' }),
    x: Type.Number({ description: 'Ω, whole length' }),
    bch: Type.Number({ description: 'S, whole length' }),
    gch: Type.Optional(Type.Number({ description: 'S, whole length' })),
    length: Type.Optional(Type.Number({ description: 'km' })),
    ratedCurrent: RatedCurrent,
  },
  { additionalProperties: false },
);
/** Series impedance without charging; a capacitor has x < 0. */
export const SeriesCompensator = Type.Object(
  {
    class: Type.Literal('SeriesCompensator'),
    ...Named,
    ...Contained,
    terminals: two,
    r: Type.Number({ description: 'Ω' }),
    x: Type.Number({ description: 'Ω, negative for a capacitor' }),
    ratedCurrent: RatedCurrent,
  },
  { additionalProperties: false },
);
/**
 * Outcome of a network reduction: series impedance without charging. With `r21`, `x21` it is not symmetrical:
 * I1 = (V1 − V2)/(r + jx) and I2 = (V2 − V1)/(r21 + jx21), currents into the branch at terminals 1 and 2.
 */
export const EquivalentBranch = Type.Object(
  {
    class: Type.Literal('EquivalentBranch'),
    ...Named,
    ...Contained,
    terminals: two,
    r: Type.Number({ description: 'Ω, from terminal 1 to 2' }),
    x: Type.Number({ description: 'Ω, from terminal 1 to 2' }),
    r21: Type.Optional(Type.Number({ description: 'Ω, from terminal 2 to 1. Absent: r' })),
    x21: Type.Optional(Type.Number({ description: 'Ω, from terminal 2 to 1. Absent: x' })),
    ratedCurrent: RatedCurrent,
  },
  { additionalProperties: false },
);
