/** Shape files: where they are, and which files of a model they speak of. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { CimError } from '../error.ts';
import { PROFILE_LETTERS, type Profile } from '../schema/profiles.ts';

export interface Shapes {
  readonly name: string;
  /** Turtle. */
  readonly text: string;
}

/**
 * Turtle files in the order given, of folders by name.
 * @throws CimError `cim.file` (environment), `shacl.shapes` when a folder holds none
 */
export function openShapes(paths: readonly string[]): Shapes[] {
  return paths.flatMap((path) => {
    try {
      if (!statSync(path).isDirectory()) return [{ name: basename(path), text: readFileSync(path, 'utf8') }];
      const names = readdirSync(path).filter((name) => /\.ttl$/i.test(name));
      if (names.length === 0) throw new CimError('caller', 'shacl.shapes', `${path} holds no Turtle file (.ttl)`);
      return names.sort().map((name) => ({ name, text: readFileSync(join(path, name), 'utf8') }));
    } catch (cause) {
      if (cause instanceof CimError) throw cause;
      throw new CimError('environment', 'cim.file', `${path} cannot be read`, { cause });
    }
  });
}

/** Names of profiles in the names of ENTSO-E's files. */
const IN_NAMES: readonly (readonly [name: string, profile: Profile])[] = [
  ['EquipmentBoundary', 'EQBD'],
  ['Equipment', 'EQ'],
  ['Operation', 'OP'],
  ['ShortCircuit', 'SC'],
  ['SteadyStateHypothesis', 'SSH'],
  ['Topology', 'TP'],
  ['StateVariables', 'SV'],
  ['DiagramLayout', 'DL'],
  ['GeographicalLocation', 'GL'],
];

/**
 * Letters of the profiles whose files a shape file is about; undefined: all files together. ENTSO-E says in the name of a
 * file of which profile it is, and whether it is about several (`CrossProfile`, `SolvedMAS`). What stands in one file
 * is checked for itself: an SSH has not what the EQ has to have.
 */
export function scopeOf({ name, text }: Shapes): string | undefined {
  if (/CrossProfile|SolvedMAS|InverseAssociation|AllProfiles/.test(name)) return undefined;
  const file = /_([A-Za-z]+)-AP-Con-(Simple|Complex)/.exec(name);
  const profile = IN_NAMES.find(([part]) => part === file?.[1])?.[1];
  if (profile === 'EQ' && file?.[2] === 'Complex') return PROFILE_LETTERS.EQ + PROFILE_LETTERS.EQBD;
  if (profile) return PROFILE_LETTERS[profile];
  const keyword = /dcat:keyword\s+"([A-Z]+)"/.exec(text)?.[1];
  return keyword !== undefined && Object.hasOwn(PROFILE_LETTERS, keyword)
    ? PROFILE_LETTERS[keyword as Profile]
    : undefined;
}
