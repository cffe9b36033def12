import { For, type JSX, Show } from 'solid-js';

/** A column of a table: its head, how its cells stand, and what is in them. */
export interface Column<Row> {
  readonly head: string;
  /** Classes of its cells: `right` for digits, `mono`, `wide` takes the room that is left, `wrap` may have lines. */
  readonly look?: string;
  readonly cell: (row: Row, index: () => number) => JSX.Element;
}

export function Table<Row>(props: {
  label?: string;
  class?: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  /** Said in the place of a table without rows. */
  empty?: string;
}) {
  return (
    <Show when={props.rows.length > 0} fallback={<p class="sub">{props.empty}</p>}>
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
            <For each={props.rows}>
              {(row, index) => (
                <tr>
                  <For each={props.columns}>{({ look, cell }) => <td class={look}>{cell(row, index)}</td>}</For>
                </tr>
              )}
            </For>
          </tbody>
        </table>
      </div>
    </Show>
  );
}
