/** Names that stand in a list under a common heading lose the words that all of them begin with. */

/** @returns the names without their common first words; a name never becomes empty */
export function withoutCommonWords(names: readonly string[]): string[] {
  if (names.length < 2) return [...names];
  const split = names.map((name) => name.split(' '));
  const shortest = Math.min(...split.map((words) => words.length));
  let common = 0;
  while (common < shortest - 1 && split.every((words) => words[common] === split[0]![common])) common++;
  return split.map((words) => words.slice(common).join(' '));
}

/** What a name has of a point that was never given one: its object reference, as `BRN_T2MON/CCGR1.CECtl control`. */
const REFERENCE = /^[^ /.]+\/[^ /.]+\.(\S+)/;

/**
 * The names of points that stand in one list, each without the words that all of its device begin with. One that has only
 * its object reference goes by its description and the last part of the reference.
 * @returns by mRID
 */
export function shortNames(
  points: readonly {
    readonly mRID: string;
    readonly name: string;
    readonly endpoint: string;
    readonly description?: string;
  }[],
): Map<string, string> {
  const found = new Map<string, string>();
  const isReference = ({ name }: { readonly name: string }) => REFERENCE.test(name);
  for (const of of Map.groupBy(points, ({ endpoint }) => endpoint).values()) {
    const named = of.filter((point) => !isReference(point));
    const names = withoutCommonWords(named.map(({ name }) => name));
    for (const [index, { mRID }] of named.entries()) found.set(mRID, names[index]!);
    for (const { mRID, name, description } of of.filter(isReference)) {
      const part = REFERENCE.exec(name)?.[1] ?? name;
      found.set(mRID, description === undefined ? name : `${description} · ${part}`);
    }
  }
  return found;
}
