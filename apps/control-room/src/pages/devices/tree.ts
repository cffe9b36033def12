/**
 * The model of an IED as a tree of rows: logical device, node, data object, attribute. What is not opened is not made, so that
 * a device with many thousand attributes opens at once. Pure.
 */
import type { IedModelView, ModelAttribute, ModelInput, ModelObject } from '@enerchain/model';

export type TreeKind = 'device' | 'node' | 'object' | 'structure' | 'attribute';

export interface TreeNode {
  /** The reference, for parts below a data object with the constraint behind a space. */
  readonly key: string;
  readonly kind: TreeKind;
  readonly name: string;
  /** `BCU1CTRL/QA1XCBR1.Pos.stVal`. */
  readonly reference: string;
  readonly parent: TreeNode | undefined;
  readonly depth: number;
  /** Of an attribute or a structure. */
  readonly fc?: string;
  /** Class of a node, CDC of an object, type of an attribute. */
  readonly type?: string;
  readonly description?: string;
  /** Words of an enumeration, by value. */
  readonly words?: ReadonlyMap<number, string>;
  /** Elements of an array. */
  readonly count?: number;
  readonly inputs?: readonly ModelInput[];
  /** Functional constraints of what lies below an object. */
  readonly constraints?: readonly string[];
  readonly leaf: boolean;
}

export interface TreeRow {
  readonly node: TreeNode;
  readonly open: boolean;
  /** Position among its siblings, from 1, and how many these are. */
  readonly position: number;
  readonly siblings: number;
}

/** What a search found: the highest places whose reference or description has every word, and the way to them. */
export interface Found {
  readonly matches: ReadonlySet<string>;
  /** Keys of what stands above a match. */
  readonly above: ReadonlySet<string>;
  /** Whether there were more than are shown. */
  readonly cut: boolean;
}

/** More than a person looks through; the next word makes them fewer. */
const MOST_FOUND = 500;

/** A data object of a type with what lies below it; made once for all nodes of the type. */
interface Shape {
  readonly object: ModelObject;
  readonly name: string;
  readonly inner: Shape[];
  readonly constraints: readonly string[];
}

export class IedTree {
  readonly #view: IedModelView;
  readonly #roots: readonly TreeNode[];
  readonly #children = new Map<string, readonly TreeNode[]>();
  readonly #nodes = new Map<string, TreeNode>();
  readonly #shapes = new Map<string, readonly Shape[]>();
  readonly #words = new Map<string, ReadonlyMap<number, string>>();
  /** Types of the logical nodes, by their references. */
  readonly #types = new Map<string, string>();
  /** Shapes of the data objects that were made, by their references. */
  readonly #made = new Map<string, Shape>();

  constructor(view: IedModelView) {
    this.#view = view;
    for (const [id, values] of Object.entries(view.enumerations)) this.#words.set(id, new Map(values));
    for (const { name: device, nodes } of view.devices) {
      for (const { name, type } of nodes) this.#types.set(`${device}/${name}`, type);
    }
    this.#roots = view.devices.map(({ name, description }) =>
      this.#keep({
        key: name,
        kind: 'device',
        name,
        reference: name,
        parent: undefined,
        depth: 0,
        leaf: false,
        ...(description === undefined ? {} : { description }),
      }),
    );
  }

  get roots(): readonly TreeNode[] {
    return this.#roots;
  }

  /** Attributes that have a value, over all nodes. */
  get attributes(): number {
    const sizes = new Map(
      Object.entries(this.#view.types).map(([id, objects]) => [
        id,
        objects.reduce((sum, { attributes }) => sum + attributes.length, 0),
      ]),
    );
    return this.#view.devices.reduce(
      (sum, { nodes }) => sum + nodes.reduce((all, { type }) => all + (sizes.get(type) ?? 0), 0),
      0,
    );
  }

  /** Made already, or on the way to it. */
  node(key: string): TreeNode | undefined {
    return this.#nodes.get(key);
  }

  children(node: TreeNode): readonly TreeNode[] {
    if (node.leaf) return [];
    const known = this.#children.get(node.key);
    if (known) return known;
    const made = this.#make(node);
    this.#children.set(node.key, made);
    return made;
  }

  /** What is to be seen: with a search, only the ways to what was found. */
  rows(open: ReadonlySet<string>, found?: Found): TreeRow[] {
    const rows: TreeRow[] = [];
    const walk = (nodes: readonly TreeNode[], under: boolean) => {
      const shown = found && !under ? nodes.filter(({ key }) => found.matches.has(key) || found.above.has(key)) : nodes;
      shown.forEach((node, index) => {
        const isOpen = !node.leaf && open.has(node.key);
        rows.push({ node, open: isOpen, position: index + 1, siblings: shown.length });
        if (isOpen) walk(this.children(node), under || found === undefined || found.matches.has(node.key));
      });
    };
    walk(this.#roots, found === undefined);
    return rows;
  }

  /** Every word must occur in the reference or the description; the highest place that has them all counts. */
  search(text: string): Found | undefined {
    const words = text.toLocaleLowerCase().split(/\s+/).filter(Boolean);
    if (words.length === 0) return undefined;
    const has = (reference: string, description = '') => {
      const hay = `${reference}\n${description}`.toLocaleLowerCase();
      return words.every((word) => hay.includes(word));
    };
    const matches = new Set<string>();
    const above = new Set<string>();
    const add = (key: string, ...way: readonly string[]) => {
      matches.add(key);
      for (const each of way) above.add(each);
    };
    for (const { name: device, description: about, nodes } of this.#view.devices) {
      if (has(device, about)) {
        add(device);
        continue;
      }
      for (const node of nodes) {
        if (matches.size >= MOST_FOUND) return { matches, above, cut: true };
        const reference = `${device}/${node.name}`;
        if (has(reference, node.description)) {
          add(reference, device);
          continue;
        }
        this.#searchShapes(this.#shapesOf(node.type), reference, has, (key, ...way) =>
          add(key, device, reference, ...way),
        );
      }
    }
    return { matches, above, cut: false };
  }

  #searchShapes(
    shapes: readonly Shape[],
    above: string,
    has: (reference: string, description?: string) => boolean,
    add: (key: string, ...way: readonly string[]) => void,
  ): void {
    for (const { name, object, inner } of shapes) {
      const reference = `${above}.${name}`;
      if (has(reference, object.description)) {
        add(reference);
        continue;
      }
      for (const { name: attribute, fc } of object.attributes) {
        if (!has(`${reference}.${attribute}`)) continue;
        const parts = attribute.split('.');
        const way = parts.slice(0, -1).map((_, index) => `${reference}.${parts.slice(0, index + 1).join('.')} ${fc}`);
        add(`${reference}.${attribute} ${fc}`, reference, ...way);
      }
      this.#searchShapes(inner, reference, has, (key, ...way) => add(key, reference, ...way));
    }
  }

  /** Where a reference stands, opened down to it; undefined when the model does not have it. */
  find(reference: string): TreeNode | undefined {
    const [device = '', rest = ''] = reference.split('/');
    const root = this.#roots.find(({ name }) => name === device);
    let node = root;
    for (const name of rest.split('.').filter(Boolean)) {
      const next: TreeNode | undefined = node && this.children(node).find((child) => child.name === name);
      if (!next) return undefined;
      node = next;
    }
    return node;
  }

  #keep(node: TreeNode): TreeNode {
    this.#nodes.set(node.key, node);
    return node;
  }

  #shapesOf(type: string): readonly Shape[] {
    const known = this.#shapes.get(type);
    if (known) return known;
    const top: Shape[] = [];
    const byName = new Map<string, Shape>();
    for (const object of this.#view.types[type] ?? []) {
      const dot = object.name.lastIndexOf('.');
      const constraints = [...new Set(object.attributes.map(({ fc }) => fc))];
      const shape = { object, name: object.name.slice(dot + 1), inner: [], constraints };
      byName.set(object.name, shape);
      const above = dot < 0 ? undefined : byName.get(object.name.slice(0, dot));
      (above?.inner ?? top).push(shape);
    }
    this.#shapes.set(type, top);
    return top;
  }

  #make(node: TreeNode): readonly TreeNode[] {
    if (node.kind === 'device') return this.#nodesOf(node);
    if (node.kind === 'node') {
      return this.#shapesOf(this.#types.get(node.reference) ?? '').map((shape) => this.#object(shape, node));
    }
    const shape = this.#shapeOf(node);
    if (!shape) return [];
    if (node.kind === 'object') {
      const inner = shape.inner.map((each) => this.#object(each, node));
      return [...inner, ...this.#attributes(shape.object.attributes, node, '')];
    }
    const object = this.#objectAbove(node);
    const path = node.reference.slice(object.reference.length + 1);
    const below = shape.object.attributes.filter(({ name, fc }) => fc === node.fc && name.startsWith(`${path}.`));
    return this.#attributes(below, node, `${path}.`);
  }

  /** The data object that a place belongs to; itself when it is one. */
  objectOf(node: TreeNode): TreeNode | undefined {
    const object = this.#objectAbove(node);
    return object.kind === 'object' ? object : undefined;
  }

  /** Names of the attributes of a data object, with dots. */
  attributeNames(object: TreeNode): readonly string[] {
    return (this.#shapeOf(object)?.object.attributes ?? []).map(({ name }) => name);
  }

  #objectAbove(node: TreeNode): TreeNode {
    let at = node;
    while (at.kind !== 'object' && at.parent) at = at.parent;
    return at;
  }

  #shapeOf(node: TreeNode): Shape | undefined {
    return this.#made.get(this.#objectAbove(node).reference);
  }

  #nodesOf(device: TreeNode): readonly TreeNode[] {
    const nodes = this.#view.devices.find(({ name }) => name === device.name)?.nodes ?? [];
    return nodes.map(({ name, lnClass, description, inputs, type }) =>
      this.#keep({
        key: `${device.name}/${name}`,
        kind: 'node',
        name,
        reference: `${device.name}/${name}`,
        parent: device,
        depth: 1,
        type: lnClass,
        leaf: (this.#view.types[type] ?? []).length === 0,
        ...(description === undefined ? {} : { description }),
        ...(inputs ? { inputs } : {}),
      }),
    );
  }

  #object(shape: Shape, parent: TreeNode): TreeNode {
    const { name, object, inner, constraints } = shape;
    const reference = `${parent.reference}.${name}`;
    this.#made.set(reference, shape);
    return this.#keep({
      key: reference,
      kind: 'object',
      name,
      reference,
      parent,
      depth: parent.depth + 1,
      type: object.cdc,
      constraints,
      leaf: inner.length === 0 && object.attributes.length === 0,
      ...(object.description === undefined ? {} : { description: object.description }),
    });
  }

  /** @param below what the names begin with that are already above */
  #attributes(attributes: readonly ModelAttribute[], parent: TreeNode, below: string): TreeNode[] {
    const made: TreeNode[] = [];
    const seen = new Set<string>();
    for (const { name, fc, type, enumeration, count } of attributes) {
      const [first = '', ...rest] = name.slice(below.length).split('.');
      const reference = `${parent.reference}.${first}`;
      const key = `${reference} ${fc}`;
      if (seen.has(key)) continue;
      seen.add(key);
      const leaf = rest.length === 0;
      const words = enumeration === undefined || !leaf ? undefined : this.#words.get(enumeration);
      made.push(
        this.#keep({
          key,
          kind: leaf ? 'attribute' : 'structure',
          name: first,
          reference,
          parent,
          depth: parent.depth + 1,
          fc,
          leaf,
          ...(leaf ? { type } : {}),
          ...(words ? { words } : {}),
          ...(leaf && count ? { count } : {}),
        }),
      );
    }
    return made;
  }
}

/** What a key does in a tree (WAI-ARIA, tree view pattern); undefined: nothing of the tree's. */
export type TreeStep =
  | { readonly kind: 'go'; readonly row: number }
  | { readonly kind: 'open' | 'close'; readonly key: string }
  | { readonly kind: 'openSiblings' };

/** @param page rows in sight */
export function stepOf(key: string, rows: readonly TreeRow[], at: number, page: number): TreeStep | undefined {
  const row = rows[at];
  const go = (to: number): TreeStep => ({ kind: 'go', row: Math.max(0, Math.min(rows.length - 1, to)) });
  switch (key) {
    case 'ArrowDown':
      return go(at + 1);
    case 'ArrowUp':
      return go(at - 1);
    case 'PageDown':
      return go(at + page);
    case 'PageUp':
      return go(at - page);
    case 'Home':
      return go(0);
    case 'End':
      return go(rows.length - 1);
    case '*':
      return { kind: 'openSiblings' };
    case 'ArrowRight':
      if (!row || row.node.leaf) return undefined;
      return row.open ? go(at + 1) : { kind: 'open', key: row.node.key };
    case 'ArrowLeft': {
      if (!row) return undefined;
      if (row.open) return { kind: 'close', key: row.node.key };
      const { parent } = row.node;
      const above = parent ? rows.findIndex(({ node }) => node.key === parent.key) : -1;
      return above < 0 ? undefined : go(above);
    }
    default:
      return undefined;
  }
}
