/** What goes into a file that is written: the objects of one part of a model, with the differences that are in force. */
import type { CimModel } from '../model.ts';
import { partsOf } from '../parts.ts';
import { ownStatements } from '../store/content.ts';
import type { Naming } from '../store/store.ts';

export interface WrittenNode {
  readonly key: string;
  /** Undefined for `rdf:Description`. */
  readonly class: string | undefined;
  readonly naming: Naming;
  /** In the order of the file, what differences brought at the end. */
  readonly statements: readonly number[];
}

/**
 * @param file number of a file that is a full model
 * @returns its header, then its objects in its order, then those that differences brought
 */
export function* nodesOf(model: CimModel, file: number): Generator<WrittenNode> {
  const { store } = model;
  const part = partsOf(model).find(({ base }) => base === file);
  const differences = (part?.differences ?? []).filter((difference) => store.applied.has(difference));
  const newest = differences.at(-1);
  const brought = new Map<number, number[]>();
  for (const difference of differences) {
    for (const description of descriptionsOf(model, difference)) {
      const head = store.section(description) === 'body';
      if (head && difference === newest) yield { ...node(model, description), class: 'md:FullModel' };
      if (store.section(description) !== 'forward') continue;
      const object = store.object(description);
      const list = brought.get(object);
      if (list) list.push(description);
      else brought.set(object, [description]);
    }
  }
  for (const description of descriptionsOf(model, file)) {
    if (newest !== undefined && store.descriptionClass(description) === 'md:FullModel') continue;
    const object = store.object(description);
    if (store.naming(description) === 'defined' && store.class(object) === undefined) continue;
    const more = brought.get(object) ?? [];
    brought.delete(object);
    const own = node(model, description, more);
    const [from, to] = store.range(description);
    // What a difference took every statement of is no longer spoken of here, though another part may define it.
    if (own.statements.length === 0 && from < to && own.naming === 'about') continue;
    yield own;
  }
  for (const [first, ...more] of brought.values()) {
    const own = node(model, first!, more);
    if (own.statements.length > 0) yield own;
  }
}

/** Descriptions of objects with an identifier, in the order of the file. */
export function* descriptionsOf({ store }: CimModel, file: number): Generator<number> {
  for (let description = 0; description < store.descriptions; description++) {
    if (store.file(description) === file && store.naming(description) !== 'anonymous') yield description;
  }
}

function node({ store }: CimModel, description: number, more: readonly number[] = []): WrittenNode {
  const all = [description, ...more];
  // A difference may have made it an object of another class.
  const typed = all.findLast((each) => store.descriptionClass(each) !== undefined) ?? description;
  return {
    key: store.key(store.object(description)),
    class: store.descriptionClass(typed),
    naming: store.naming(description),
    statements: all.flatMap((each) => [...ownStatements(store, each)].filter((statement) => store.inForce(statement))),
  };
}
