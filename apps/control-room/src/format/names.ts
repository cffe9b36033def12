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
