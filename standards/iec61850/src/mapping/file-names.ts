/** Names of files as they come over MMS (IEC 61850-8-1 § 23): pure, and suspicious. */

/** Characters of a name and of a whole path, and folders above a file; more is no name. */
const MAX_PART = 255;
const MAX_PATH = 1_024;
const MAX_DEPTH = 16;

/**
 * The names on the way to a file or folder, from the root down; none for the root itself. Clients write them in many ways:
 * in one piece or several, with slashes or backslashes, with one in front, with one behind a folder.
 * @returns undefined for what could lead out of the root, or is no name: `..`, control characters, drives, too much of it
 */
export function pathOf(name: readonly string[]): readonly string[] | undefined {
  const text = name.join('/');
  if (text.length > MAX_PATH) return undefined;
  const parts = text.split(/[/\\]/).filter((part) => part !== '' && part !== '.');
  if (parts.length > MAX_DEPTH || /^[A-Za-z]:/.test(parts[0] ?? '')) return undefined;
  return parts.every(isPlain) ? parts : undefined;
}

/** Blanks and dots at the end are dropped by some file systems: `..` and `.. ` are one. */
const isPlain = (part: string): boolean =>
  part.length <= MAX_PART &&
  !/^[. ]+$/.test(part) &&
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what it looks for
  !/[\u0000-\u001f\u007f]/.test(part);

/** With slashes, without those at the ends: for comparing what devices and people write. */
export const cleanedName = (name: string): string => name.replaceAll('\\', '/').replace(/^[/]+|[/]+$/g, '');

/** GeneralizedTime in UTC: `20260115120000.123Z`. @param millis since 1970 */
export const generalizedTime = (millis: number): string => new Date(millis).toISOString().replace(/[-:T]/g, '');

/** Milliseconds since 1970 of a GeneralizedTime: whole seconds or parts, Z or a difference. @returns undefined when it is none */
export function millisOfGeneralizedTime(text: string): number | undefined {
  const found = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)?(\d\d)?(?:[.,](\d{1,9}))?(Z|[+-]\d\d(?:\d\d)?)?$/.exec(text);
  if (!found) return undefined;
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map((part) => Number(part ?? 0));
  const fraction = found[7] === undefined ? 0 : Number(`0.${found[7]}`) * 1000;
  const at = Date.UTC(year!, month! - 1, day!, hour!, minute!, second!) + Math.round(fraction);
  const zone = /^([+-])(\d\d)(\d\d)?$/.exec(found[8] ?? '');
  const shift = zone ? (zone[1] === '-' ? 1 : -1) * (Number(zone[2]) * 60 + Number(zone[3] ?? 0)) * 60_000 : 0;
  return month! >= 1 && month! <= 12 && day! >= 1 && day! <= 31 ? at + shift : undefined;
}
