/** The fault records that an IED keeps as files: the newest ones, in the folder that 8-1 § 23 names. */
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDER = 'COMTRADE';
/** Records that are kept; older ones make room. */
const KEPT = 10;

/** @param folder of the IED's files; made when it is not there */
export function recordsIn(
  folder: string,
): (name: string, files: { readonly cfg: string; readonly dat: string }) => void {
  const records = join(folder, FOLDER);
  mkdirSync(records, { recursive: true });
  return (name, { cfg, dat }) => {
    // The configuration last: a record is there when it is complete.
    for (const [ending, text] of [
      ['dat', dat],
      ['cfg', cfg],
    ] as const) {
      const path = join(records, `${name}.${ending}`);
      writeFileSync(`${path}.new`, text);
      renameSync(`${path}.new`, path);
    }
    const names = readdirSync(records)
      .filter((each) => each.endsWith('.cfg'))
      .map((each) => each.slice(0, -4))
      .sort((a, b) => stampOf(a).localeCompare(stampOf(b)));
    for (const old of names.slice(0, -KEPT))
      for (const ending of ['cfg', 'dat']) rmSync(join(records, `${old}.${ending}`), { force: true });
  };
}

const stampOf = (name: string): string => name.slice(name.lastIndexOf('_') + 1);
