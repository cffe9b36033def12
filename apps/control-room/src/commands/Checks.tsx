import { For, Show } from 'solid-js';
import type { CheckJson } from '../api/types.ts';
import { CheckGlyph } from '../ui/glyphs.tsx';

/** Where the nodes are listed below, what is wrong with them is not said twice. */
const textOf = ({ name, ok, overridden, text, hops }: CheckJson): string =>
  hops?.length && (!ok || overridden) ? 'Not every node on the way is good enough for commands.' : text || name;

/** What the centre has checked, one sentence each; the way of the command hop by hop. */
export function Checks(props: { checks: readonly CheckJson[] }) {
  return (
    <ul class="checks">
      <For each={props.checks}>
        {(check) => (
          <li>
            <CheckGlyph state={check.overridden ? 'warn' : check.ok ? 'ok' : 'bad'} />
            <span classList={{ 'p1-text': !check.ok, 'p2-text': check.overridden }}>
              <Show when={check.overridden}>Passed over: </Show>
              {textOf(check)}
              <Show when={check.hops?.length}>
                <ol class="hops" aria-label="The way of the command">
                  <For each={check.hops}>
                    {(hop) => (
                      <li>
                        <CheckGlyph state={hop.ok ? 'ok' : 'bad'} />{' '}
                        <span classList={{ 'p1-text': !hop.ok }}>{hop.text}</span>
                      </li>
                    )}
                  </For>
                </ol>
              </Show>
            </span>
          </li>
        )}
      </For>
    </ul>
  );
}
