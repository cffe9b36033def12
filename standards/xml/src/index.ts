/** XML 1.0 as it comes, piece by piece: a scanner, the gate that makes UTF-8 of other encodings, findings. */
export { isSpace } from './characters.ts';
export { Utf8Gate } from './encoding.ts';
export { XmlError, type XmlFault } from './error.ts';
export { escapeText, escapeValue } from './escape.ts';
export { type Finding, Findings, type Severity } from './findings.ts';
export { isXmlName, NameTable } from './names.ts';
export { type Attributes, XML_LIMITS, type XmlHandler, type XmlLimits, XmlScanner } from './scanner.ts';
