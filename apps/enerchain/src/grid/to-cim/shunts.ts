/** Shunt compensators, static var compensators and equivalent shunts. */
import type { ConductingEquipment } from '@enerchain/model';
import type { Places } from './containers.ts';
import { controlled, type Said } from './equipment.ts';
import { at, partOf, type Target } from './target.ts';

type OfClass<C extends ConductingEquipment['class']> = Extract<ConductingEquipment, { class: C }>;
type Shunt = OfClass<
  'LinearShuntCompensator' | 'NonlinearShuntCompensator' | 'StaticVarCompensator' | 'EquivalentShunt'
>;

/** Ω where there is no limit, which CIM does not know: the susceptance that it allows is beyond any grid's. */
const NO_LIMIT_OHM = 1e-3;

export function writeShunt(target: Target, places: Places, shunt: Shunt): Said {
  switch (shunt.class) {
    case 'EquivalentShunt': {
      const network = partOf(shunt.mRID, 'network');
      target.define('EQ', 'EquivalentNetwork', network, shunt.name, {});
      return {
        eq: {
          'EquivalentShunt.b': shunt.b,
          'EquivalentShunt.g': shunt.g,
          'EquivalentEquipment.EquivalentNetwork': at(network),
        },
      };
    }
    case 'StaticVarCompensator': {
      const { eq, ssh } = controlled(shunt);
      return {
        eq: {
          ...eq,
          'StaticVarCompensator.capacitiveRating': shunt.capacitiveRating ?? NO_LIMIT_OHM,
          'StaticVarCompensator.inductiveRating': shunt.inductiveRating ?? -NO_LIMIT_OHM,
          'StaticVarCompensator.slope': shunt.slope ?? 0,
        },
        ssh: { ...ssh, 'StaticVarCompensator.q': shunt.q },
      };
    }
    default: {
      const { maximumSections, normalSections, sections = normalSections } = shunt;
      const { eq, ssh } = controlled(shunt);
      if (shunt.class === 'NonlinearShuntCompensator') writePoints(target, shunt);
      return {
        eq: {
          ...eq,
          'ShuntCompensator.maximumSections': maximumSections,
          'ShuntCompensator.normalSections': normalSections,
          'ShuntCompensator.nomU': shunt.nomU ?? places.nominal(shunt.terminals[0]!.connectivityNode),
          ...(shunt.class === 'LinearShuntCompensator'
            ? {
                'LinearShuntCompensator.bPerSection': shunt.bPerSection,
                'LinearShuntCompensator.gPerSection': shunt.gPerSection,
              }
            : {}),
        },
        ssh: { ...ssh, 'ShuntCompensator.sections': sections },
      };
    }
  }
}

/** CIM has what each section adds, the grid model what all up to it are. */
function writePoints(target: Target, { mRID, points }: OfClass<'NonlinearShuntCompensator'>): void {
  let [b, g] = [0, 0];
  for (const point of points) {
    target.define('EQ', 'NonlinearShuntCompensatorPoint', partOf(mRID, `section ${point.section}`), undefined, {
      'NonlinearShuntCompensatorPoint.NonlinearShuntCompensator': at(mRID),
      'NonlinearShuntCompensatorPoint.sectionNumber': point.section,
      'NonlinearShuntCompensatorPoint.b': point.b - b,
      'NonlinearShuntCompensatorPoint.g': point.g - g,
    });
    [b, g] = [point.b, point.g];
  }
}
