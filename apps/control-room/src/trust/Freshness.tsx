import { Show } from 'solid-js';
import type { NodeTrustJson } from '../api/trust.ts';
import { useApp } from '../app.ts';
import { freshness, trustLeft } from './state.ts';
import { untilWords } from './words.ts';

/**
 * How long a good result still stands: a bar that shrinks from one result to the next. The tick is where the next one was
 * due; below it a round was missed.
 */
export function Freshness(props: { node: NodeTrustJson }) {
  const app = useApp();
  const policy = () => app.trust.known()?.policy;
  const fresh = () => freshness(props.node, policy(), app.now());
  const due = () => Math.max(0, 1 - policy()!.period / policy()!.validFor);
  const left = () => trustLeft(props.node, app.now());
  return (
    <span class="freshness" classList={{ late: fresh()?.late ?? false, out: (left() ?? 1) <= 0 }}>
      <Show when={fresh()} fallback={<span class="dim">not good now</span>}>
        {(now) => (
          <>
            <Show when={left()! > 0}>
              <svg viewBox="0 0 64 8" width="64" height="8" aria-hidden="true">
                <rect class="bar-band" y="1" width="64" height="6" rx="1.5" />
                <rect class="fresh-fill" y="1" width={Math.max(0, 64 * now().share)} height="6" rx="1.5" />
                <rect class="fresh-due" x={64 * due() - 0.5} width="1" height="8" />
              </svg>
            </Show>
            <span class="fresh-words">{untilWords(left())}</span>
          </>
        )}
      </Show>
    </span>
  );
}
