/** A table that is brought up to date in place: what is focused or marked stays so while the values move. */
import type { Bar, Row } from './view.ts';

const SVG = 'http://www.w3.org/2000/svg';
const BAR = { width: 160, height: 12 } as const;

export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className = '',
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/** Sets what has changed only: a text that is replaced loses its selection. */
export function setText(node: Node, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

export interface Column {
  readonly title: string;
  readonly right?: boolean;
  /** Text that may take the rest of the width. */
  readonly wide?: boolean;
}

export class Table {
  readonly element: HTMLElement;
  readonly #columns: readonly Column[];
  readonly #body = element('tbody');
  readonly #rows = new Map<string, { readonly tr: HTMLTableRowElement; update(row: Row): void }>();
  readonly #barTitle: string | undefined;
  readonly #select: (point: string) => void;

  /** @param barTitle heading of the column with the bars; without it there are none */
  constructor(caption: string, columns: readonly Column[], select: (point: string) => void, barTitle?: string) {
    this.#columns = columns;
    this.#select = select;
    this.#barTitle = barTitle;
    const head = element('tr');
    for (const { title, right } of columns) head.append(element('th', right ? 'right' : '', title));
    if (barTitle) head.append(element('th', 'wide', barTitle));
    const table = element('table', 'table', element('thead', '', head), this.#body);
    table.setAttribute('aria-label', caption);
    this.element = element('section', '', element('h3', '', caption), table);
  }

  update(rows: readonly Row[]): void {
    const keys = new Set(rows.map(({ key }) => key));
    for (const [key, { tr }] of this.#rows) {
      if (keys.has(key)) continue;
      tr.remove();
      this.#rows.delete(key);
    }
    for (const [index, row] of rows.entries()) {
      const known = this.#rows.get(row.key) ?? this.#make(row);
      known.update(row);
      if (this.#body.children[index] !== known.tr)
        this.#body.insertBefore(known.tr, this.#body.children[index] ?? null);
    }
  }

  #make(first: Row): { readonly tr: HTMLTableRowElement; update(row: Row): void } {
    const tr = element('tr');
    const cells = this.#columns.map(({ right, wide }, index) => {
      const text = index === 0 && first.point ? this.#opener(first.point) : element('span', 'num');
      const unit = element('span', 'unit');
      const td = element('td', [right ? 'right' : '', wide ? 'wide' : ''].join(' ').trim(), text, unit);
      tr.append(td);
      return { td, text, unit };
    });
    const bar = this.#barTitle ? new BarDrawing() : undefined;
    if (bar) tr.append(element('td', 'wide', bar.element));
    const made = {
      tr,
      update: (row: Row): void => {
        tr.classList.toggle('gs-dead', row.dead);
        for (const [index, { text, unit }] of cells.entries()) {
          const cell = row.cells[index];
          setText(text, cell?.text ?? '');
          setText(unit, cell?.unit ?? '');
          text.classList.toggle('p2-text', cell?.tone === 'p2-text');
          text.classList.toggle('dim', cell?.tone === 'dim');
        }
        bar?.update(row.bar);
      },
    };
    this.#rows.set(first.key, made);
    return made;
  }

  /** The name of a row leads to its point in the inspector. */
  #opener(point: string): HTMLButtonElement {
    const button = element('button', 'bare gs-name');
    button.type = 'button';
    button.addEventListener('click', () => this.#select(point));
    return button;
  }
}

/** A value as a bar against its limits. The figures stand beside it. */
class BarDrawing {
  readonly element = document.createElementNS(SVG, 'svg');
  readonly #value = document.createElementNS(SVG, 'rect');
  readonly #marks: SVGRectElement[] = [];

  constructor() {
    const { width, height } = BAR;
    this.element.setAttribute('viewBox', `0 0 ${width} ${height}`);
    this.element.setAttribute('class', 'gs-bar');
    this.element.setAttribute('aria-hidden', 'true');
    this.element.append(box('gs-band', 0, 3, width, height - 6), this.#value);
  }

  update(bar: Bar | undefined): void {
    this.element.classList.toggle('gs-none', bar === undefined);
    if (!bar) return;
    const { width, height } = BAR;
    place(this.#value, bar.from * width, 3, Math.max(1, (bar.to - bar.from) * width), height - 6);
    this.#value.setAttribute('class', bar.beyond ? 'p2-fill' : 'gs-fill');
    for (const [index, mark] of bar.marks.entries()) {
      let drawn = this.#marks[index];
      if (!drawn) {
        drawn = box('gs-mark', 0, 0, 1, height);
        this.#marks[index] = drawn;
        this.element.append(drawn);
      }
      place(drawn, mark * width, 0, 1, height);
    }
  }
}

function box(className: string, x: number, y: number, width: number, height: number): SVGRectElement {
  const rect = document.createElementNS(SVG, 'rect');
  rect.setAttribute('class', className);
  place(rect, x, y, width, height);
  return rect;
}

function place(rect: SVGRectElement, x: number, y: number, width: number, height: number): void {
  for (const [name, value] of Object.entries({ x, y, width, height })) rect.setAttribute(name, String(value));
}
