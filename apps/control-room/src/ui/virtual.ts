/** Which rows of a long list are in sight: only they are drawn. Rows are all of one height. */
import { type Accessor, createMemo, createSignal, onCleanup, onMount } from 'solid-js';

/** Rows drawn above and below what is in sight. */
const SPARE = 6;

export interface RowWindow {
  readonly first: Accessor<number>;
  /** 0, 1, … for the rows that are drawn, from `first` on. */
  readonly slots: Accessor<readonly number[]>;
  /** Whole rows in sight. */
  readonly page: Accessor<number>;
  scrolled(): void;
  /** Moves as little as is needed to bring a row into sight. */
  reveal(row: number): void;
}

export function createRowWindow(box: () => HTMLElement, count: Accessor<number>, rowHeight: number): RowWindow {
  const [top, setTop] = createSignal(0);
  const [height, setHeight] = createSignal(600);
  onMount(() => {
    const observer = new ResizeObserver(() => setHeight(box().clientHeight));
    observer.observe(box());
    onCleanup(() => observer.disconnect());
  });
  const first = createMemo(() =>
    Math.max(0, Math.min(Math.floor(top() / rowHeight) - SPARE, count() - Math.ceil(height() / rowHeight) - SPARE)),
  );
  const rows = createMemo(() => Math.ceil(height() / rowHeight) + 2 * SPARE);
  const slots = createMemo(
    () => Array.from({ length: Math.min(rows(), Math.max(0, count() - first())) }, (_, index) => index),
    [],
    { equals: (a, b) => a.length === b.length },
  );
  return {
    first,
    slots,
    page: () => Math.max(1, Math.floor(height() / rowHeight)),
    scrolled: () => setTop(box().scrollTop),
    reveal(row) {
      const element = box();
      const [start, end] = [row * rowHeight, (row + 1) * rowHeight];
      if (start < element.scrollTop) element.scrollTop = start;
      else if (end > element.scrollTop + element.clientHeight) element.scrollTop = end - element.clientHeight;
      setTop(element.scrollTop);
    },
  };
}
