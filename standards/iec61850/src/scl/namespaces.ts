/** What the names of elements mean where they stand (Namespaces in XML 1.0). */
import type { Attributes, NameTable } from '@enerchain/xml';

/** IEC 61850-6 has had one namespace in all editions; the version is told by attributes of SCL. */
export const SCL_NAMESPACE = 'http://www.iec.ch/61850/2003/SCL';

export interface QualifiedName {
  /** URI; empty without one. */
  readonly namespace: string;
  readonly local: string;
}

export class Namespaces {
  readonly #names: NameTable;
  #bindings = new Map<string, string>();
  #meaning: (QualifiedName | undefined)[] = [];
  readonly #outer: { depth: number; bindings: Map<string, string> }[] = [];

  constructor(names: NameTable) {
    this.#names = names;
  }

  /** Takes in the declarations of the tag just opened. @param depth of its element */
  enter(attributes: Attributes, depth: number): void {
    let bindings: Map<string, string> | undefined;
    for (let index = 0; index < attributes.count; index++) {
      const name = this.#names.text(attributes.name(index));
      if (!name.startsWith('xmlns')) continue;
      if (name.length > 5 && name[5] !== ':') continue;
      bindings ??= new Map(this.#bindings);
      bindings.set(name.slice(6), textOf(attributes, index));
    }
    if (!bindings) return;
    this.#outer.push({ depth, bindings: this.#bindings });
    this.#bindings = bindings;
    this.#meaning = [];
  }

  leave(depth: number): void {
    if (this.#outer.at(-1)?.depth !== depth) return;
    this.#bindings = this.#outer.pop()!.bindings;
    this.#meaning = [];
  }

  /** An undeclared prefix means no namespace that anyone knows, so such an element is passed over. */
  element(name: number): QualifiedName {
    const known = this.#meaning[name];
    if (known) return known;
    const text = this.#names.text(name);
    const colon = text.indexOf(':');
    const prefix = colon < 0 ? '' : text.slice(0, colon);
    const meaning = {
      namespace: this.#bindings.get(prefix) ?? (prefix === '' ? '' : `undeclared:${prefix}`),
      local: text.slice(colon + 1),
    };
    this.#meaning[name] = meaning;
    return meaning;
  }
}

/** The value of an attribute. */
export function textOf(attributes: Attributes, index: number): string {
  const bytes = attributes.bytes(index);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString(
    'utf8',
    attributes.start(index),
    attributes.end(index),
  );
}
