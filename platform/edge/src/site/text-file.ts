/** Text files of a site, in the encodings that people and their spreadsheets write. */
import { readFileSync } from 'node:fs';
import type { FindingList } from './findings.ts';

/**
 * @param line where the file is named, with `field`, in the file `reportedIn`; for the finding
 * @returns undefined when it cannot be read; the finding says why
 */
export function readText(
  file: string,
  line: number | undefined,
  field: string | undefined,
  reportedIn: string,
  findings: FindingList,
): string | undefined {
  try {
    const bytes = readFileSync(file);
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      // Not UTF-8: what an older spreadsheet writes in Western Europe.
      return new TextDecoder('windows-1252').decode(bytes);
    }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const why = code === 'ENOENT' ? 'does not exist' : `cannot be read (${code})`;
    findings.error(reportedIn, line, field, `the file ${file} ${why}; expected a readable text file`);
    return undefined;
  }
}
