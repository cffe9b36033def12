/** The IMA list as text (`/sys/kernel/security/ima/ascii_runtime_measurements*`): one entry a line, fields between spaces. */
import { Tpm2Error } from '../error.ts';
import { HASHES } from '../spec/algorithms.ts';
import { digest } from '../structures/hash.ts';
import type { ImaListOptions } from './ima-binary.ts';
import { IMA_TEMPLATES, type ImaEntry, oldTemplateData, templateData } from './ima-template.ts';

/** @throws Tpm2Error `tpm2.malformed` (fault peer) with the line */
export function parseImaAscii(text: string, options?: ImaListOptions): ImaEntry[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines.map((line, i) => parseImaLine(line, i + 1, options));
}

/** @param number of the line, for messages */
export function parseImaLine(
  line: string,
  number = 1,
  { hash = 'sha1', entrySize = 1024 * 1024 }: ImaListOptions = {},
): ImaEntry {
  const fail = (what: string) => new Tpm2Error('peer', 'tpm2.malformed', `IMA list, line ${number}: ${what}`);
  if (line.length > 2 * entrySize) throw fail(`${line.length} characters are too many`);
  const match = /^ *(\d{1,2}) ([0-9a-f]+) ([a-z0-9-]{1,63}) (\S+) (.*)$/.exec(line);
  if (match === null) throw fail('it is no entry');
  const [, pcr, digestHex, template, fileDigest, rest] = match as unknown as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  if (Number(pcr) > 23) throw fail(`it extends PCR ${pcr}, which does not exist`);
  if (digestHex.length !== 2 * HASHES[hash].size) throw fail(`the template digest is no ${hash}`);
  const fields = IMA_TEMPLATES[template];
  if (fields === undefined) throw fail(`the template ${template} is not known`);
  const file = readFileDigest(template, fileDigest);
  if (file === undefined) throw fail(`'${fileDigest}' is no digest of a file`);
  const head = {
    pcr: Number(pcr),
    templateDigest: octets(digestHex)!,
    template,
    violation: /^0+$/.test(digestHex),
    file: file.file,
  };
  if (template === 'ima') {
    return { ...head, name: rest, templateData: oldTemplateData(file.file.digest, Buffer.from(rest)) };
  }
  const candidates = [...splits(rest, fields.length - 2)].map(({ name, values }) => ({
    ...head,
    name,
    ...(fields[2] === 'sig' ? { signature: values[0]! } : {}),
    ...(fields[2] === 'buf' ? { buffer: values[0]! } : {}),
    templateData: templateData([file.encoded, Buffer.from(`${name}\0`), ...values]),
  }));
  if (candidates.length === 0) throw fail('fields are missing or are not hexadecimal');
  // Names may hold spaces: where the line can be read in several ways, the template digest tells which one was meant.
  const meant = ({ templateData }: ImaEntry) => Buffer.compare(digest(hash, templateData), head.templateDigest) === 0;
  return (candidates.length > 1 ? candidates.find(meant) : undefined) ?? candidates[0]!;
}

/** `sha256:<hex>`, `ima:sha256:<hex>`, or without a name for `ima`. */
function readFileDigest(template: string, text: string): { file: ImaEntry['file']; encoded: Uint8Array } | undefined {
  const parts = text.split(':');
  const digest = octets(parts.pop()!);
  if (digest === undefined) return undefined;
  if (template === 'ima') {
    return parts.length === 0 && digest.length === 20
      ? { file: { kind: 'ima', algorithm: 'sha1', digest }, encoded: digest }
      : undefined;
  }
  const kind = template.endsWith('v2') ? parts.shift() : 'ima';
  const [algorithm] = parts;
  if (parts.length !== 1 || !algorithm || (kind !== 'ima' && kind !== 'verity')) return undefined;
  const prefix = Buffer.from(`${template.endsWith('v2') ? `${kind}:` : ''}${algorithm}:\0`);
  return { file: { kind, algorithm, digest }, encoded: Buffer.concat([prefix, digest]) };
}

/** Ways to read what follows the digest: a name, and then `count` fields in hexadecimal, which may be empty. */
function* splits(rest: string, count: number): Generator<{ name: string; values: Uint8Array[] }> {
  if (count === 0) {
    yield { name: rest, values: [] };
    return;
  }
  // An empty signature leaves its space at the end of the line, or nothing.
  const words = rest.split(' ');
  for (let last = Math.min(count, words.length - 1); last >= 0; last--) {
    const values = words.slice(words.length - last).map(octets);
    if (values.some((value) => value === undefined)) continue;
    const filled = [...(values as Uint8Array[]), ...Array.from({ length: count - last }, () => new Uint8Array(0))];
    yield { name: words.slice(0, words.length - last).join(' '), values: filled };
  }
}

const octets = (hex: string): Uint8Array | undefined =>
  hex.length % 2 === 0 && /^[0-9a-f]*$/.test(hex) ? Buffer.from(hex, 'hex') : undefined;
