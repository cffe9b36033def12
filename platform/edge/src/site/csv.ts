/**
 * CSV as it really arrives (RFC 4180 and its neighbours): `;`, `,` or tab between the fields, quotes with doubled
 * quotes inside, line ends of every kind, a byte order mark, blank lines, comment lines that begin with `#`.
 */

export interface CsvRow {
  /** Line on which the row begins, counted from 1. */
  readonly line: number;
  readonly cells: readonly string[];
}

export interface CsvProblem {
  readonly line: number;
  readonly message: string;
}

export interface CsvTable {
  readonly separator: string;
  /** The header row; cells trimmed. */
  readonly header: readonly string[];
  readonly headerLine: number;
  readonly rows: readonly CsvRow[];
  readonly problems: readonly CsvProblem[];
}

const SEPARATORS = [';', ',', '\t'] as const;

/** Never throws: what is wrong with the text stands in `problems`. */
export function parseCsv(text: string): CsvTable {
  const body = text.startsWith('\ufeff') ? text.slice(1) : text;
  const separator = guessSeparator(body);
  const problems: CsvProblem[] = [];
  const records = splitRecords(body, separator, problems);
  const header = records[0];
  if (!header) {
    problems.push({ line: 1, message: 'the file is empty; expected a header row with the names of the columns' });
    return { separator, header: [], headerLine: 1, rows: [], problems };
  }
  return {
    separator,
    header: header.cells.map((cell) => cell.trim()),
    headerLine: header.line,
    rows: records.slice(1),
    problems,
  };
}

/** Quotes a cell where it must be. */
export function csvCell(value: string, separator = ';'): string {
  return /["\r\n]/.test(value) || value.includes(separator) || value.startsWith('#')
    ? `"${value.replaceAll('"', '""')}"`
    : value;
}

/** The separator that stands most often in the header line, outside quotes. */
function guessSeparator(text: string): string {
  const line =
    text.split(/\r\n|\r|\n/).find((candidate) => candidate.trim() !== '' && !candidate.startsWith('#')) ?? '';
  const bare = line.replace(/"(?:[^"]|"")*"/g, '');
  let best: string = SEPARATORS[0];
  for (const candidate of SEPARATORS) if (bare.split(candidate).length > bare.split(best).length) best = candidate;
  return best;
}

function splitRecords(text: string, separator: string, problems: CsvProblem[]): CsvRow[] {
  const records: CsvRow[] = [];
  let [at, line] = [0, 1];
  while (at < text.length) {
    const start = line;
    const cells: string[] = [];
    if (text[at] === '#') {
      while (at < text.length && text[at] !== '\n' && text[at] !== '\r') at++;
      [at, line] = skipLineEnd(text, at, line);
      continue;
    }
    for (;;) {
      let cell = '';
      if (text[at] === '"') {
        const opened = line;
        at++;
        for (;;) {
          if (at >= text.length) {
            problems.push({ line: opened, message: 'a quoted field is never closed; expected a closing "' });
            break;
          }
          if (text[at] === '"' && text[at + 1] === '"') {
            cell += '"';
            at += 2;
          } else if (text[at] === '"') {
            at++;
            break;
          } else {
            if (text[at] === '\n' || (text[at] === '\r' && text[at + 1] !== '\n')) line++;
            cell += text[at++];
          }
        }
        const rest = at;
        while (at < text.length && text[at] !== separator && text[at] !== '\n' && text[at] !== '\r') at++;
        if (text.slice(rest, at).trim() !== '') {
          problems.push({ line, message: `text after a closing quote: '${text.slice(rest, at).slice(0, 40)}'` });
        }
      } else {
        const begin = at;
        while (at < text.length && text[at] !== separator && text[at] !== '\n' && text[at] !== '\r') at++;
        cell = text.slice(begin, at);
      }
      cells.push(cell);
      if (text[at] !== separator) break;
      at++;
    }
    [at, line] = skipLineEnd(text, at, line);
    if (cells.some((cell) => cell.trim() !== '')) records.push({ line: start, cells });
  }
  return records;
}

function skipLineEnd(text: string, at: number, line: number): [at: number, line: number] {
  if (text[at] === '\r' && text[at + 1] === '\n') return [at + 2, line + 1];
  return text[at] === '\n' || text[at] === '\r' ? [at + 1, line + 1] : [at, line];
}
