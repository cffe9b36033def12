/** Prefixes in scope (Namespaces in XML 1.0), and the store's symbol of each name, looked up once per scope. */
import type { Attributes, NameTable } from '@enerchain/xml';
import { CimError } from '../error.ts';
import type { CimStore } from '../store/store.ts';
import { shortName, VOCABULARIES } from './namespaces.ts';

const XML = 'http://www.w3.org/XML/1998/namespace';
const MAX_NAMESPACES = 256;

export class NamespaceScope {
  readonly #names: NameTable;
  readonly #store: CimStore;
  #bindings: Map<string, string> = new Map([['xml', XML]]);
  readonly #outer: { depth: number; bindings: Map<string, string> }[] = [];
  /** Symbol + 1 of an element name, 0 unknown; likewise of an attribute name. */
  #elements: number[] = [];
  #attributes: number[] = [];
  /** Whether an attribute name declares a namespace: 1 no, 2 yes. */
  readonly #declares: number[] = [];
  /** Every namespace bound so far. */
  readonly seen = new Set<string>();

  readonly #file: number;

  constructor(names: NameTable, store: CimStore, file: number) {
    this.#names = names;
    this.#store = store;
    this.#file = file;
  }

  /** @throws CimError `xml.namespace` for a name that is none with a prefix */
  declares(name: number, line: number): boolean {
    let known = this.#declares[name];
    if (known === undefined) {
      const text = this.#names.text(name);
      checkForm(text, line);
      known = text === 'xmlns' || text.startsWith('xmlns:') ? 2 : 1;
      this.#declares[name] = known;
    }
    return known === 2;
  }

  /** Takes in the declarations of a tag. @param depth of its element */
  enter(attributes: Attributes, depth: number, line: number): void {
    let bindings: Map<string, string> | undefined;
    for (let index = 0; index < attributes.count; index++) {
      const name = attributes.name(index);
      if (!this.declares(name, line)) continue;
      bindings ??= new Map(this.#bindings);
      const bytes = attributes.bytes(index);
      const uri = Buffer.from(bytes.subarray(attributes.start(index), attributes.end(index))).toString('utf8');
      const prefix = this.#names.text(name).slice('xmlns:'.length);
      if (prefix !== '' && uri === '') {
        throw new CimError('peer', 'xml.namespace', `the prefix ${prefix} is bound to nothing`, { line });
      }
      bindings.set(prefix, uri);
      this.seen.add(uri);
      if (this.seen.size > MAX_NAMESPACES) {
        throw new CimError('peer', 'xml.limit', `more than ${MAX_NAMESPACES} namespaces`, { line });
      }
    }
    if (!bindings) return;
    this.#outer.push({ depth, bindings: this.#bindings });
    this.#change(bindings);
  }

  leave(depth: number): void {
    if (this.#outer.at(-1)?.depth === depth) this.#change(this.#outer.pop()!.bindings);
  }

  #change(bindings: Map<string, string>): void {
    this.#bindings = bindings;
    this.#elements = [];
    this.#attributes = [];
  }

  /** @throws CimError `xml.namespace` for a prefix nobody bound */
  element(name: number, line: number): number {
    const known = this.#elements[name];
    if (known !== undefined) return known;
    const symbol = this.#resolve(name, line, true);
    this.#elements[name] = symbol;
    return symbol;
  }

  attribute(name: number, line: number): number {
    const known = this.#attributes[name];
    if (known !== undefined) return known;
    // A declaration may stand where the prefix is first used, and is none of the names it declares.
    const symbol = this.declares(name, line) ? this.#store.symbol('@xmlns') : this.#resolve(name, line, false);
    this.#attributes[name] = symbol;
    return symbol;
  }

  #resolve(name: number, line: number, element: boolean): number {
    const text = this.#names.text(name);
    checkForm(text, line);
    const colon = text.indexOf(':');
    const prefix = colon < 0 ? '' : text.slice(0, colon);
    const local = text.slice(colon + 1);
    if (prefix === '' && !element) return this.#store.symbol(`@${local}`);
    const namespace = this.#bindings.get(prefix);
    if (namespace === undefined && prefix !== '') {
      throw new CimError('peer', 'xml.namespace', `the prefix ${prefix} of ${text} is not declared`, { line });
    }
    const symbol = this.#store.symbol(shortName(namespace ?? '', local));
    if (namespace !== undefined && VOCABULARIES.has(namespace)) {
      this.#store.spell({ symbol, namespace, file: this.#file, line });
    }
    return symbol;
  }
}

/** Namespaces in XML 1.0 § 4: one colon at most, with something on either side. */
function checkForm(text: string, line: number): void {
  const colon = text.indexOf(':');
  if (colon < 0 || (colon > 0 && colon < text.length - 1 && text.indexOf(':', colon + 1) < 0)) return;
  throw new CimError('peer', 'xml.namespace', `${text} is no name with a prefix`, { line });
}
