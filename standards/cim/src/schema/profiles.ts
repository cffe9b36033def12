/** Profiles of CGMES and the letters the vocabulary has for them. */
import type { CimVersion } from '../rdf/namespaces.ts';

export type Profile = 'EQ' | 'EQBD' | 'SSH' | 'TP' | 'SV' | 'OP' | 'SC' | 'DL' | 'GL' | 'DY';

export const PROFILE_LETTERS: Readonly<Record<Profile, string>> = {
  EQ: 'E',
  EQBD: 'B',
  SSH: 'H',
  TP: 'T',
  SV: 'V',
  OP: 'O',
  SC: 'S',
  DL: 'D',
  GL: 'G',
  DY: 'Y',
};

/** By the part of the URI between the organisation and the version. */
const NAMES: readonly (readonly [name: string, profile: Profile])[] = [
  ['CoreEquipment-EU', 'EQ'],
  ['EquipmentBoundary-EU', 'EQBD'],
  ['SteadyStateHypothesis-EU', 'SSH'],
  ['Topology-EU', 'TP'],
  ['StateVariables-EU', 'SV'],
  ['Operation-EU', 'OP'],
  ['ShortCircuit-EU', 'SC'],
  ['DiagramLayout-EU', 'DL'],
  ['GeographicalLocation-EU', 'GL'],
  ['Dynamics-EU', 'DY'],
  ['EquipmentCore', 'EQ'],
  ['EquipmentOperation', 'OP'],
  ['EquipmentShortCircuit', 'SC'],
  ['EquipmentBoundaryOperation', 'EQBD'],
  ['EquipmentBoundary', 'EQBD'],
  ['TopologyBoundary', 'EQBD'],
  ['SteadyStateHypothesis', 'SSH'],
  ['Topology', 'TP'],
  ['StateVariables', 'SV'],
  ['DiagramLayout', 'DL'],
  ['GeographicalLocation', 'GL'],
  ['Dynamics', 'DY'],
];
const BY_NAME = new Map(NAMES);
const CGMES_3 = /^http:\/\/iec\.ch\/TC57\/ns\/CIM\/([A-Za-z]+-EU)\/3\.[0-9]+$/;
const CGMES_2 = /^http:\/\/entsoe\.eu\/CIM\/([A-Za-z]+)\/[0-9]+\/[0-9]+$/;

/** Profile of `md:Model.profile`, undefined for one that is not known. */
export function profileOf(uri: string): { profile: Profile; version: CimVersion } | undefined {
  const third = CGMES_3.exec(uri);
  const profile = BY_NAME.get((third ?? CGMES_2.exec(uri))?.[1] ?? '');
  return profile === undefined ? undefined : { profile, version: third ? '3.0' : '2.4.15' };
}

/** Letters of the profile of a URI, '' for one that is not known. */
export const lettersOf = (uri: string): string => {
  const known = profileOf(uri);
  return known ? PROFILE_LETTERS[known.profile] : '';
};
