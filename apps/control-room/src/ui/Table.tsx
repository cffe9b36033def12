import { type Accessor, createMemo, For, type JSX, Show } from 'solid-js';

/** A column of a table: its head, how its cells stand, and what is in them. */
export interface Column<Row> {
  readonly head: string;
  /** Classes of its cells: `right` for digits, `mono`, `wide` takes the room that is left, `wrap` may have lines. */
  readonly look?: string;
  readonly cell: (row: Accessor<Row>, index: Accessor<number>) => JSX.Element;
}

/** Rows stay what they are while their values change: what has the focus keeps it. */
export function Table<Row>(props: {
  label?: string;
  class?: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  /** What a row is known by; no two have the same. */
  key: (row: Row) => string;
  /** Said in the place of a table without rows. */
  empty?: string;
}) {
  const byKey = createMemo(() => new Map(props.rows.map((row) => [props.key(row), row])));
  const keys = createMemo(() => [...byKey().keys()]);
  return (
    <Show when={keys().length > 0} fallback={<p class="sub">{props.empty}</p>}>
      <div class="table-box">
        <table class={`table ${props.class ?? ''}`} aria-label={props.label}>
          <thead>
            <tr>
              <For each={props.columns}>
                {({ head, look = '' }) => (
                  <th scope="col" classList={{ right: /\bright\b/.test(look), wide: /\bwide\b/.test(look) }}>
                    {head}
                  </th>
                )}
              </For>
            </tr>
          </thead>
          <tbody>
            <For each={keys()}>
              {(key, index) => {
                // A row that has just gone is asked once more before it is taken away.
                const row = createMemo<Row>((last) => byKey().get(key) ?? last, byKey().get(key)!);
                return (
                  <tr>
                    <For each={props.columns}>{({ look, cell }) => <td class={look}>{cell(row, index)}</td>}</For>
                  </tr>
                );
              }}
            </For>
          </tbody>
        </table>
      </div>
    </Show>
  );
}
