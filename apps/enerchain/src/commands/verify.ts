/** `enerchain verify`: a receipt against an anchor, with nothing else at hand. */
import { readFileSync } from 'node:fs';
import { describeError, EnerchainError, toIso, toQualityObject } from '@enerchain/model';
import { type Anchor, parseAnchor, type Verdict, verifyReceipt } from '@enerchain/provenance';

const WIDTH = 100;
const INDENT = 10;
const TRUST = {
  attested: 'attested: its source was found in order before and after',
  provisional: 'provisional: its source was found in order before, and not yet after',
  distrusted: 'distrusted: its source was found changed',
  unknown: 'not attested',
} as const;
const LINKS = {
  receipt: 'Receipt',
  device: 'Device',
  gateway: 'Gateway',
  software: 'Software',
  neighbours: 'Neighbours',
  signature: 'Signature',
  log: 'Log',
  witnesses: 'Witnesses',
} as const;

/** @throws EnerchainError `cli.file` (caller) when a file cannot be read, `provenance.anchor` when the anchor is none */
export async function verify(file: string, options: { anchor: string; json?: boolean }): Promise<void> {
  const anchor: Anchor = parseAnchor(read(options.anchor).toString('utf8'));
  const verdict = verifyReceipt(read(file), anchor);
  process.stdout.write(options.json ? `${asJson(verdict)}\n` : asText(file, verdict));
  if (!verdict.ok) process.exitCode = 1;
}

export function read(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new EnerchainError('caller', 'cli.file', `${file} cannot be read: ${describeError(cause)}`, { cause });
  }
}

/** Times in ISO 8601. */
function asJson({ value, ...rest }: Verdict): string {
  const shown = value && { ...value, quality: toQualityObject(value.quality) };
  return JSON.stringify({ ...rest, value: shown ?? null, tier: rest.tier ?? null }, (_, each) =>
    typeof each === 'bigint' ? toIso(each) : each,
  );
}

function asText(file: string, { ok, value, trust, tier, findings }: Verdict): string {
  const lines: string[] = [];
  if (value) {
    const amount = value.value === null ? 'no value' : `${value.value}${value.unit ? ` ${value.unit}` : ''}`;
    lines.push(
      `${value.name ?? value.point}: ${amount}, ${toQualityObject(value.quality).validity}`,
      `  measured ${toIso(value.sourceTime)}, received ${toIso(value.receiveTime)} by ${value.source}`,
      `  ${TRUST[trust]}${tier === 'software' ? ' (software only, no TPM)' : ''}`,
      '',
    );
  }
  for (const { link, state, code, text } of findings) {
    lines.push(`${state.padEnd(INDENT)}${LINKS[link]}${state === 'bad' || state === 'missing' ? ` (${code})` : ''}`);
    lines.push(...wrapped(text).map((line) => ' '.repeat(INDENT) + line));
  }
  lines.push('', ok ? `${file}: every link holds` : `${file}: does NOT hold`);
  return `${lines.join('\n')}\n`;
}

function wrapped(text: string): string[] {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1)!;
    if (line && line.length + word.length + 1 > WIDTH - INDENT) lines.push(word);
    else lines[lines.length - 1] = line ? `${line} ${word}` : word;
  }
  return lines;
}
