/** Admittances to earth (IEC 61970-301, Wires and Equivalents). b > 0 is a capacitor: it brings reactive power in. */
import Type from 'typebox';
import { Contained, Named, one, Regulating } from './common.ts';

const Sections = {
  maximumSections: Type.Integer({ minimum: 0, maximum: 1_000 }),
  normalSections: Type.Integer({ minimum: 0, maximum: 1_000 }),
  sections: Type.Optional(
    Type.Number({
      minimum: 0,
      description:
        'SSH ShuntCompensator.sections: how many are in, in the hypothesis; may be broken. Absent: normalSections',
    }),
  ),
  nomU: Type.Optional(Type.Number({ description: 'kV' })),
  ...Regulating,
};

export const LinearShuntCompensator = Type.Object(
  {
    class: Type.Literal('LinearShuntCompensator'),
    ...Named,
    ...Contained,
    terminals: one,
    ...Sections,
    bPerSection: Type.Number({ description: 'S' }),
    gPerSection: Type.Number({ description: 'S' }),
  },
  { additionalProperties: false },
);
export const NonlinearShuntCompensator = Type.Object(
  {
    class: Type.Literal('NonlinearShuntCompensator'),
    ...Named,
    ...Contained,
    terminals: one,
    ...Sections,
    points: Type.Array(
      Type.Object(
        {
          section: Type.Integer({ minimum: 1 }),
          b: Type.Number({ description: 'S, of the whole bank when the sections up to this one are in' }),
          g: Type.Number({ description: 'S, of the whole bank when the sections up to this one are in' }),
        },
        { additionalProperties: false },
      ),
      { maxItems: 1_000, description: 'By rising section; 0 sections: no admittance' },
    ),
  },
  { additionalProperties: false },
);
/** A controlled susceptance between 1/inductiveRating (negative) and 1/capacitiveRating (positive). */
export const StaticVarCompensator = Type.Object(
  {
    class: Type.Literal('StaticVarCompensator'),
    ...Named,
    ...Contained,
    terminals: one,
    capacitiveRating: Type.Optional(Type.Number({ exclusiveMinimum: 0, description: 'Ω. Absent: no limit' })),
    inductiveRating: Type.Optional(Type.Number({ exclusiveMaximum: 0, description: 'Ω. Absent: no limit' })),
    slope: Type.Optional(
      Type.Number({
        minimum: 0,
        description: 'kV/Mvar: held voltage = target − slope · (Mvar brought in). Absent: 0',
      }),
    ),
    q: Type.Number({ description: 'Mvar, load sign convention (SSH): what it takes while it holds no voltage' }),
    ...Regulating,
  },
  { additionalProperties: false },
);
export const EquivalentShunt = Type.Object(
  {
    class: Type.Literal('EquivalentShunt'),
    ...Named,
    ...Contained,
    terminals: one,
    b: Type.Number({ description: 'S' }),
    g: Type.Number({ description: 'S' }),
  },
  { additionalProperties: false },
);

type Static<T extends Type.TSchema> = Type.Static<T>;
export type ShuntCompensator = Static<typeof LinearShuntCompensator> | Static<typeof NonlinearShuntCompensator>;

/**
 * Admittance of a bank, S. Between two sections of a non-linear one it is interpolated; beyond the last it stays.
 * @param sections how many are in; absent: as in the hypothesis, else normally
 */
export function shuntAdmittance(
  shunt: ShuntCompensator,
  sections = shunt.sections ?? shunt.normalSections,
): { g: number; b: number } {
  const count = Math.min(Math.max(sections, 0), shunt.maximumSections);
  if (shunt.class === 'LinearShuntCompensator') {
    return { g: count * shunt.gPerSection, b: count * shunt.bPerSection };
  }
  let low = { section: 0, b: 0, g: 0 };
  for (const point of shunt.points) {
    if (point.section < count) {
      low = point;
      continue;
    }
    const share = (count - low.section) / (point.section - low.section);
    return { g: low.g + share * (point.g - low.g), b: low.b + share * (point.b - low.b) };
  }
  return { g: low.g, b: low.b };
}
