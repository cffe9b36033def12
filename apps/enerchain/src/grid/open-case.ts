/**
 * A grid out of files of whatever kind: MATPOWER, power-grid-model, CGMES as XML, folder or zip, and the platform's own
 * model. Which it is, the content says and not the name.
 */
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import {
  applyDifferences,
  type CimModel,
  checkModel,
  type Finding,
  openSources,
  readMatpower,
  readModel,
  readPowerGridModel,
} from '@enerchain/cim';
import { type CaseGrid, caseOfMatpower, type SwitchAndTapState } from '@enerchain/grid-state';
import { describeError, EnerchainError, GridModel, type Mrid, tapChangersOf, validator } from '@enerchain/model';
import { type Conversion, gridFromCim, type LeftOut, type Solution, type TopologicalNode } from './from-cim.ts';
import { caseOfPowerGridModel } from './from-power-grid-model.ts';

/** Buses and branches under numbers: what a case file has. */
export interface OpenCase {
  readonly kind: 'case';
  readonly format: 'matpower' | 'power-grid-model';
  readonly name: string;
  readonly grid: CaseGrid;
}

/** Equipment with terminals at nodes. */
export interface OpenGrid {
  readonly kind: 'grid';
  readonly format: 'cgmes' | 'enerchain';
  readonly name: string;
  readonly model: GridModel;
  /** Positions in the hypothesis or solution that the files came with. */
  readonly state: SwitchAndTapState;
  /** The solved state that the files hold. */
  readonly sv?: Solution;
  /** Buses as the files have them; none where they speak of nodes only. */
  readonly buses: readonly TopologicalNode[];
  /** What the reader, its rules and the conversion have to say, errors first. */
  readonly findings: readonly Finding[];
  readonly leftOut: readonly LeftOut[];
}

export interface OpenOptions {
  /** Hz, where the files do not say it. Default: 50. */
  readonly frequency?: number;
  /** Whether steps and sections of a solution (SV) go before those of the hypothesis (SSH). Default: true. */
  readonly solved?: boolean;
}

/** A case file larger than this is none. */
const MAX_TEXT_BYTES = 512 * 2 ** 20;

/**
 * @throws EnerchainError `cli.file` when a file cannot be read, `case.format` when it is of none of these kinds or of
 *   several, `case.grid` when it holds no grid; and what the readers throw: CimError `matpower.…`, `pgm.…`, `case.…`
 */
export async function openGridCase(paths: readonly string[], options: OpenOptions = {}): Promise<OpenCase | OpenGrid> {
  const files = paths.map(only);
  const kinds = files.map(kindOf);
  if (files.length === 0) throw new EnerchainError('caller', 'case.format', 'no file was named');
  if (kinds.every((kind) => kind === 'cim')) return openCim(files, options);
  if (files.length > 1) {
    throw new EnerchainError('caller', 'case.format', `${files.join(', ')}: only CGMES comes in several files`);
  }
  return kinds[0] === 'json' ? openJson(files[0]!, options) : openMatpower(files[0]!);
}

/** The one case file of a folder that holds no CIM. */
function only(path: string): string {
  if (!existsSync(path) || !statSync(path).isDirectory()) return path;
  const names = readdirSync(path).sort();
  if (names.some((name) => /\.(xml|rdf|zip)$/i.test(name))) return path;
  if (names.includes('input.json')) return join(path, 'input.json');
  const cases = names.filter((name) => /\.(m|json)$/i.test(name));
  if (cases.length === 1) return join(path, cases[0]!);
  const found = cases.length === 0 ? 'no grid' : `${cases.length} files that may be one; name one of them`;
  throw new EnerchainError('caller', 'case.format', `the folder ${path} holds ${found}`);
}

function kindOf(path: string): 'cim' | 'json' | 'text' {
  const start = beginning(path);
  if (start === undefined || start.startsWith('PK')) return 'cim';
  const first = start.replace(/^\ufeff/, '').trimStart()[0];
  return first === '<' ? 'cim' : first === '{' || first === '[' ? 'json' : 'text';
}

/** @returns undefined for a folder */
function beginning(path: string): string | undefined {
  try {
    if (statSync(path).isDirectory()) return undefined;
    const file = openSync(path, 'r');
    try {
      const octets = Buffer.alloc(4_096);
      const start = octets.subarray(0, readSync(file, octets));
      // UTF-16 has its mark; CIM files may come so.
      return start[0] === 0xff && start[1] === 0xfe ? start.toString('utf16le') : start.toString('utf8');
    } finally {
      closeSync(file);
    }
  } catch (cause) {
    throw new EnerchainError('caller', 'cli.file', `${path} cannot be read: ${describeError(cause)}`, { cause });
  }
}

function read(path: string): string {
  try {
    if (statSync(path).size > MAX_TEXT_BYTES) {
      throw new EnerchainError('caller', 'case.format', `${path} is too large for a case file`);
    }
    return readFileSync(path, 'utf8');
  } catch (cause) {
    if (cause instanceof EnerchainError) throw cause;
    throw new EnerchainError('caller', 'cli.file', `${path} cannot be read: ${describeError(cause)}`, { cause });
  }
}

function openMatpower(path: string): OpenCase {
  const grid = caseOfMatpower(readMatpower(read(path)));
  return { kind: 'case', format: 'matpower', name: grid.name, grid };
}

function openJson(path: string, { frequency }: OpenOptions): OpenCase | OpenGrid {
  const text = read(path);
  let content: unknown;
  try {
    content = JSON.parse(text.replace(/^\ufeff/, ''));
  } catch (cause) {
    throw new EnerchainError('caller', 'case.format', `${path} is no JSON: ${describeError(cause)}`, { cause });
  }
  const has = (name: string): boolean => typeof content === 'object' && content !== null && name in content;
  if (has('connectivityNodes') && has('equipment')) {
    const model = validator(GridModel).parse(content, path);
    return { ...ofModel(model), format: 'enerchain', buses: [], findings: [], leftOut: [] };
  }
  if (has('is_batch') && has('data')) {
    const name = basename(path) === 'input.json' ? basename(dirname(resolve(path))) : basename(path);
    const grid = caseOfPowerGridModel(name, readPowerGridModel(text), frequency === undefined ? {} : { frequency });
    return { kind: 'case', format: 'power-grid-model', name, grid };
  }
  const say = `${path} is JSON, but neither a grid model nor an input of power-grid-model`;
  throw new EnerchainError('unsupported', 'case.format', say);
}

async function openCim(paths: readonly string[], options: OpenOptions): Promise<OpenGrid> {
  const model = await readModel(openSources(paths));
  applyDifferences(model);
  checkModel(model);
  const conversion = gridFromCim(model, {
    name: nameOf(model).slice(0, 200),
    frequency: options.frequency ?? 50,
    solved: options.solved ?? true,
  });
  const { grid, topologicalNodes, leftOut, solution } = conversion;
  const findings = findingsOf(model, conversion);
  if (grid.connectivityNodes.length === 0 || grid.equipment.length === 0) {
    const [first] = findings;
    const because = first ? `: ${first.file ?? ''}${first.line ? `:${first.line}` : ''} ${first.text}` : '';
    throw new EnerchainError('caller', 'case.grid', `${paths.join(', ')}: there is no grid in it${because}`);
  }
  const open = { ...ofModel(grid), format: 'cgmes' as const, buses: topologicalNodes, findings, leftOut };
  return solution ? { ...open, sv: solution } : open;
}

/** What a model is called: after whoever made it, else after its first file. */
export const nameOf = ({ files }: CimModel): string =>
  files.find(({ letters }) => letters.includes('E'))?.header?.modelingAuthoritySet ?? files[0]?.name ?? 'grid';

const RANK = { error: 0, warning: 1, note: 2 } as const;

/** Errors first. */
export function findingsOf(model: CimModel, { findings }: Pick<Conversion, 'findings'>): Finding[] {
  return [...model.findings.list, ...findings.list].sort((a, b) => RANK[a.severity] - RANK[b.severity]);
}

const ofModel = (model: GridModel): Pick<OpenGrid, 'kind' | 'name' | 'model' | 'state'> => ({
  kind: 'grid',
  name: model.name,
  model,
  state: positionsOf(model),
});

/** Positions of the hypothesis, where it has them, else the normal ones. */
export function positionsOf(model: GridModel): SwitchAndTapState {
  const switches = new Map<Mrid, boolean>();
  const taps = new Map<Mrid, number>();
  for (const equipment of model.equipment) {
    if ('normalOpen' in equipment) switches.set(equipment.mRID, !(equipment.open ?? equipment.normalOpen));
    if (equipment.class !== 'PowerTransformer') continue;
    for (const changer of tapChangersOf(equipment)) {
      const position = changer.step ?? changer.normalStep;
      taps.set(changer.mRID, position);
      if (changer === equipment.ratioTapChanger) taps.set(equipment.mRID, position);
    }
  }
  return { switches, taps };
}
