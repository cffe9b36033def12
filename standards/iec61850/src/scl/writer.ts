/**
 * Writes SCL (IEC 61850-6) from records, by the same tables that the reader goes by: what is written reads back as the
 * same records. Attributes that stand at the default of the schema are left out; children come in the order of the
 * schema. Of Private sections it writes what the reader was told to keep (`keepPrivate`), and nothing of attributes and
 * elements of other namespaces outside them, such as the coordinates of drawings.
 */
import { escapeText, escapeValue } from '@enerchain/xml';
import { SCL_NAMESPACE } from './namespaces.ts';
import type { ElementSpec, XmlNode } from './schema/element.ts';
import { SCL, type Scl } from './schema/scl.ts';

type Fields = Readonly<Record<string, unknown>>;

/** @throws XmlError `xml.character` (caller) when a text holds what no XML document can */
export function sclText(scl: Scl): string {
  const parts = ['<?xml version="1.0" encoding="UTF-8"?>\n'];
  writeElement(parts, SCL, scl as unknown as Fields, 0);
  return parts.join('');
}

function writeElement(parts: string[], spec: ElementSpec<unknown>, record: Fields, depth: number): void {
  const indent = '  '.repeat(depth);
  parts.push(indent, '<', spec.tag);
  if (depth === 0) parts.push(' xmlns="', SCL_NAMESPACE, '"');
  for (const [key, { type, required, fallback }] of Object.entries(spec.attributes)) {
    const value = record[key];
    if (value === undefined || (!required && value === fallback)) continue;
    parts.push(' ', key, '="', escapeValue(type.format(value)), '"');
  }
  const head = parts.push('') - 1;
  for (const [key, { spec: child }] of Object.entries(spec.children)) {
    const value = record[key];
    for (const one of Array.isArray(value) ? value : value === undefined ? [] : [value])
      writeElement(parts, child(), one as Fields, depth + 1);
  }
  for (const node of spec.anything ? (record.nodes as readonly XmlNode[]) : [])
    writeNode(parts, node, SCL_NAMESPACE, depth + 1);
  const text = spec.text ? escapeText(record.text as string) : '';
  closeElement(parts, spec.tag, head, text, indent);
}

/** What no table knows. @param namespace the one that holds where it stands */
function writeNode(parts: string[], node: XmlNode, namespace: string, depth: number): void {
  const indent = '  '.repeat(depth);
  parts.push(indent, '<', node.name);
  if (node.namespace !== namespace) parts.push(' xmlns="', escapeValue(node.namespace), '"');
  for (const [name, value] of Object.entries(node.attributes)) parts.push(' ', name, '="', escapeValue(value), '"');
  const head = parts.push('') - 1;
  for (const child of node.nodes) writeNode(parts, child, node.namespace, depth + 1);
  closeElement(parts, node.name, head, escapeText(node.text), indent);
}

/** @param head where the end of the start tag goes, before the children */
function closeElement(parts: string[], tag: string, head: number, text: string, indent: string): void {
  const empty = parts.length === head + 1;
  if (empty && text === '') {
    parts[head] = '/>\n';
    return;
  }
  // A text alone is written without space around it; beside children the reader trims it.
  parts[head] = empty ? `>${text}` : `>${text}\n`;
  parts.push(empty ? '' : indent, '</', tag, '>\n');
}
