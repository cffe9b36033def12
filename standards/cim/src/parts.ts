/**
 * The parts of an exchange: each full model with the difference models that change it (IEC 61970-552). An EQ and the
 * differences that supersede it are one part, its SSH another.
 */
import type { CimModel, ModelHeader } from './model.ts';

export interface Part {
  /** Number of the full model's file; undefined when there are only differences. */
  readonly base: number | undefined;
  /** Numbers of the files of its differences, in the order they were read. */
  readonly differences: readonly number[];
  /** Of the newest difference that is in force, else of the full model. */
  readonly header: ModelHeader | undefined;
}

/** Every file of the model once, in the order of the files. */
export function partsOf(model: CimModel): Part[] {
  const parts: {
    base: number | undefined;
    differences: number[];
    header: ModelHeader | undefined;
    ids: Set<string>;
  }[] = [];
  for (const [index, { header }] of model.files.entries()) {
    if (header?.kind === 'difference') continue;
    parts.push({ base: index, differences: [], header, ids: new Set(header ? [header.id] : []) });
  }
  for (const [index, { header }] of model.files.entries()) {
    if (header?.kind !== 'difference') continue;
    const same = parts.filter((part) => part.header !== undefined && speaksOf(part.header) === speaksOf(header));
    const part =
      parts.find(({ ids }) => header.supersedes.some((id) => ids.has(id))) ?? (same.length === 1 ? same[0] : undefined);
    if (part) {
      part.differences.push(index);
      part.ids.add(header.id);
      if (model.store.applied.has(index)) part.header = header;
    } else parts.push({ base: undefined, differences: [index], header, ids: new Set([header.id]) });
  }
  return parts.map(({ base, differences, header }) => ({ base, differences, header }));
}

/** Profiles and authority: what two versions of one model have in common. */
export const speaksOf = ({ profileUris, modelingAuthoritySet }: ModelHeader): string =>
  `${[...profileUris].sort().join(' ')} ${modelingAuthoritySet ?? ''}`;
