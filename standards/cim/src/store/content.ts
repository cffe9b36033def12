/** What statements say, whichever store and file they stand in, so that two can be compared. */
import type { CimStore } from './store.ts';

/** Statements of a description itself, without those of nodes that stand within it. */
export function* ownStatements(store: CimStore, description: number): Generator<number> {
  const [from, to] = store.range(description);
  for (let statement = from; statement < to; statement++) {
    if (store.description(statement) === description) yield statement;
  }
}

/** The description of the node without an identifier that a statement holds, undefined when it holds none. */
export function nodeWithin(store: CimStore, statement: number): number | undefined {
  if (store.kind(statement) !== 'reference') return undefined;
  const target = store.target(statement);
  const node = target === undefined ? undefined : store.first(target);
  return node !== undefined && store.naming(node) === 'anonymous' ? node : undefined;
}

/**
 * Kind and value of a statement as one text. A node without an identifier is what it consists of: the name a reader gave it
 * differs from file to file.
 */
export function contentOf(store: CimStore, statement: number): string {
  const node = nodeWithin(store, statement);
  if (node === undefined) return `${store.kind(statement)} ${store.value(statement)}`;
  const parts = [...ownStatements(store, node)].map((each) => `${store.property(each)}=${contentOf(store, each)}`);
  return `{${store.descriptionClass(node) ?? ''} ${parts.sort().join(', ')}}`;
}

/** A value as a person reads it: the text, `→ identifier`, or the parts of a node without an identifier. */
export function readable(store: CimStore, statement: number): string {
  const node = nodeWithin(store, statement);
  if (node !== undefined) {
    const parts = [...ownStatements(store, node)].map((each) => `${store.property(each)} ${readable(store, each)}`);
    return `{${parts.join(', ')}}`;
  }
  return store.kind(statement) === 'reference' ? `→ ${store.value(statement)}` : store.value(statement);
}
