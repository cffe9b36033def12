import { type Accessor, createEffect, createSignal, createUniqueId, For, type JSX, on, Show } from 'solid-js';
import { createRowWindow } from '../../ui/virtual.ts';
import { stepOf, type TreeNode, type TreeRow } from './tree.ts';

const ROW_HEIGHT = 26;

/**
 * A tree that draws only the rows in sight (WAI-ARIA tree view). The focus stays on the tree; which row is meant is told by
 * `aria-activedescendant`, and that row is always drawn.
 */
export function VirtualTree(props: {
  rows: readonly TreeRow[];
  label: string;
  active: string | undefined;
  onActive: (node: TreeNode) => void;
  onOpen: (key: string, open: boolean) => void;
  onOpenSiblings: (node: TreeNode) => void;
  /** Enter, and other keys that are not the tree's. @returns whether it meant something */
  onKey: (key: string, node: TreeNode) => boolean;
  children: (row: Accessor<TreeRow>) => JSX.Element;
}) {
  const id = createUniqueId();
  let box!: HTMLDivElement;
  const { first, slots, page, scrolled, reveal } = createRowWindow(
    () => box,
    () => props.rows.length,
    ROW_HEIGHT,
  );
  const [place, setPlace] = createSignal(0);
  // Rows come and go above it; the active one stays the one that is meant.
  createEffect(() => {
    const found = props.rows.findIndex(({ node }) => node.key === props.active);
    if (found >= 0) setPlace(found);
  });
  createEffect(
    on(
      () => props.active,
      () => queueMicrotask(() => props.rows.length > 0 && reveal(place())),
    ),
  );

  const go = (row: number) => {
    const to = props.rows[row];
    if (to) props.onActive(to.node);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const at = Math.min(place(), props.rows.length - 1);
    const row = props.rows[at];
    if (!row) return;
    const step =
      props.active === undefined && event.key.startsWith('Arrow')
        ? ({ kind: 'go', row: at } as const)
        : stepOf(event.key, props.rows, at, page());
    if (!step) {
      if (!props.onKey(event.key, row.node)) return;
    } else if (step.kind === 'go') go(step.row);
    else if (step.kind === 'openSiblings') props.onOpenSiblings(row.node);
    else props.onOpen(step.key, step.kind === 'open');
    event.preventDefault();
  };
  const rowId = (key: string) => `${id}-${key}`;
  return (
    <div
      class="virtual tree"
      ref={box}
      role="tree"
      tabIndex={0}
      aria-label={props.label}
      aria-activedescendant={props.active === undefined ? undefined : rowId(props.active)}
      onScroll={scrolled}
      onKeyDown={onKeyDown}
    >
      <div class="virtual-space" role="presentation" style={{ height: `${props.rows.length * ROW_HEIGHT}px` }}>
        <div class="virtual-rows" role="presentation" style={{ transform: `translateY(${first() * ROW_HEIGHT}px)` }}>
          <For each={slots()}>
            {(slot) => (
              <Show when={props.rows[first() + slot]}>
                {(row) => (
                  // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are those of the tree around it
                  // biome-ignore lint/a11y/useFocusableInteractive: the focus stays on the tree
                  <div
                    class={`tree-row tree-${row().node.kind}`}
                    classList={{ on: row().node.key === props.active }}
                    role="treeitem"
                    id={rowId(row().node.key)}
                    aria-level={row().node.depth + 1}
                    aria-expanded={row().node.leaf ? undefined : row().open}
                    aria-selected={row().node.key === props.active}
                    aria-posinset={row().position}
                    aria-setsize={row().siblings}
                    onClick={() => {
                      box.focus({ preventScroll: true });
                      props.onActive(row().node);
                    }}
                    onDblClick={() => !row().node.leaf && props.onOpen(row().node.key, !row().open)}
                  >
                    {props.children(row)}
                  </div>
                )}
              </Show>
            )}
          </For>
        </div>
      </div>
    </div>
  );
}
