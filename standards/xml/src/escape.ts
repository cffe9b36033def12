/** Text as it has to stand in a document (XML 1.0 § 2.4, § 3.3.3): read again, it is the same to the character. */
import { XmlError } from './error.ts';

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\r': '&#13;',
  '\t': '&#9;',
  '\n': '&#10;',
};
/** What no document may hold, not even as a reference (§ 2.2). */
const FORBIDDEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
  /[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

/** For the value of an attribute in double quotes. @throws XmlError `xml.character` (caller) */
export const escapeValue = (text: string): string => allowed(text).replaceAll(/[&<>"\r\t\n]/g, escaped);

/** For the content of an element. @throws XmlError `xml.character` (caller) */
export const escapeText = (text: string): string => allowed(text).replaceAll(/[&<>\r]/g, escaped);

const escaped = (character: string): string => ESCAPES[character]!;

function allowed(text: string): string {
  const found = FORBIDDEN.exec(text);
  if (!found) return text;
  const code = found[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
  throw new XmlError('caller', 'xml.character', `no XML document can hold the character U+${code}`);
}
