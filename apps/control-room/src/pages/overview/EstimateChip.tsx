/** How good the state estimation is: whether it sees everything, whether it adds up, and what it does not believe. */
import { createMemo, For, Show } from 'solid-js';
import { useApp } from '../../app.ts';
import { fixed } from '../../format/number.ts';

/** Names in a list at most; the rest is counted. */
const MOST = 8;

export function EstimateChip() {
  const app = useApp();
  const estimate = () => app.estimate.current();
  const suspects = createMemo(() => (estimate()?.measurements ?? []).filter(({ suspect }) => suspect));
  const nameOf = (of: unknown): string => {
    if (typeof of === 'string') return app.pointById().get(of)?.name ?? app.equipmentById().get(of)?.name ?? of;
    const { name, point, equipment, nodes } = of as Record<string, unknown>;
    if (typeof name === 'string') return name;
    for (const each of [point, equipment, ...(Array.isArray(nodes) ? nodes : [])])
      if (typeof each === 'string') return nameOf(each);
    return 'unnamed';
  };
  const ratio = () => {
    const { j, degreesOfFreedom } = estimate()!;
    return j === null || !(degreesOfFreedom > 0) ? undefined : j / degreesOfFreedom;
  };
  const bad = () => Math.max(suspects().length, estimate()!.badData.length);
  const wrong = () => !estimate()!.observable || bad() > 0;
  const words = () => {
    const { observable, unobservable } = estimate()!;
    const seen = observable ? 'observable' : `${unobservable.length} not observable`;
    const sum = ratio();
    return `${seen}${sum === undefined ? '' : ` · J/dof ${fixed(sum, 2)}`} · ${bad()} suspect`;
  };
  return (
    <Show when={app.estimate.has('/estimate')}>
      <Show
        when={estimate()}
        fallback={
          <span class="chip quality" title={app.estimate.problem()}>
            no estimate yet
          </span>
        }
      >
        <details class="quality">
          <summary class="chip" classList={{ on: true, 'p3-text': wrong() }}>
            {wrong() ? '? ' : ''}
            {words()}
          </summary>
          <div class="quality-card">
            <h2>State estimation</h2>
            <dl>
              <dt>measurements</dt>
              <dd>{estimate()!.measurements.length}</dd>
              <dt>J(x)</dt>
              <dd>
                {estimate()!.j === null ? '—' : fixed(estimate()!.j!, 1)} with {estimate()!.degreesOfFreedom} degrees of
                freedom
              </dd>
              <dt>at</dt>
              <dd>{new Date(estimate()!.at).toLocaleTimeString([], { hour12: false })}</dd>
            </dl>
            <Show when={estimate()!.unobservable.length}>
              <h3>Not observable</h3>
              <ul>
                <For each={estimate()!.unobservable.slice(0, MOST)}>{(each) => <li>{nameOf(each)}</li>}</For>
                <Show when={estimate()!.unobservable.length > MOST}>
                  <li class="dim">and {estimate()!.unobservable.length - MOST} more</li>
                </Show>
              </ul>
            </Show>
            <Show when={bad() > 0}>
              <h3>Not believed</h3>
              <ul>
                <For each={suspects().length ? suspects().slice(0, MOST) : estimate()!.badData.slice(0, MOST)}>
                  {(each) => <li>{nameOf(each)}</li>}
                </For>
              </ul>
            </Show>
            <Show when={app.estimate.problem()}>{(why) => <p class="p3-text">{why()}</p>}</Show>
          </div>
        </details>
      </Show>
    </Show>
  );
}
