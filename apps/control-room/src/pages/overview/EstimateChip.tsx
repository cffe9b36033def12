/** How good the state estimation is: whether it sees everything, whether it adds up, and what it does not believe. */
import { createMemo, For, Show } from 'solid-js';
import { useApp } from '../../app.ts';
import { indexOf } from '../../diagram/layout.ts';
import { fixed } from '../../format/number.ts';
import { clock } from '../../format/time.ts';

/** Names in a list at most; the rest is counted. */
const MOST = 8;

export function EstimateChip() {
  const app = useApp();
  const estimate = () => app.estimate.current();
  const suspects = createMemo(() => (estimate()?.measurements ?? []).filter(({ suspect }) => suspect));
  /** The busbar at a node, or the node itself. */
  const nameOfNode = (mRID: string): string => {
    const model = app.model();
    const busbar =
      model &&
      indexOf(model)
        .at(mRID)
        .find(({ equipment }) => equipment.class === 'BusbarSection');
    return busbar?.equipment.name ?? model?.connectivityNodes.find((node) => node.mRID === mRID)?.name ?? mRID;
  };
  const nameOfPoint = (mRID: string | undefined): string => app.pointById().get(mRID ?? '')?.name ?? 'unknown point';
  const notBelieved = () =>
    suspects().map(({ point, equipment, normalizedResidual }) => ({
      name: point ? nameOfPoint(point) : (app.equipmentById().get(equipment ?? '')?.name ?? 'unknown'),
      sigma: normalizedResidual,
      point,
    }));
  const KINDS: Readonly<Record<string, string>> = {
    voltage: 'voltage',
    angle: 'angle',
    p: 'active power',
    q: 'reactive power',
    current: 'current',
  };
  const restoring = () =>
    (estimate()?.restore ?? []).map(({ kind, node, equipment }) => {
      const where = app.equipmentById().get(equipment ?? '')?.name ?? (node ? nameOfNode(node) : 'somewhere');
      return `${KINDS[kind] ?? kind} of ${where}`;
    });
  const ratio = () => {
    const { j, degreesOfFreedom } = estimate()!;
    return j === null || !(degreesOfFreedom > 0) ? undefined : j / degreesOfFreedom;
  };
  const bad = () => suspects().length;
  const wrong = () => !estimate()!.observable || bad() > 0;
  const words = () => {
    const { observable, unobservable } = estimate()!;
    const seen = observable ? 'all observable' : `${unobservable.length} not observable`;
    return `Estimate: ${seen} · ${bad() || 'none'} suspect`;
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
              <Show when={ratio() !== undefined}>
                <dt>J/dof</dt>
                <dd>{fixed(ratio()!, 2)} (1 is what the noise of the instruments gives)</dd>
              </Show>
              <dt>at</dt>
              <dd>{clock(new Date(estimate()!.at))}</dd>
            </dl>
            <Show when={estimate()!.unobservable.length}>
              <h3>Not observable</h3>
              <ul>
                <For each={[...new Set(estimate()!.unobservable.map(nameOfNode))].slice(0, MOST)}>
                  {(name) => <li>{name}</li>}
                </For>
                <Show when={estimate()!.unobservable.length > MOST}>
                  <li class="dim">and {estimate()!.unobservable.length - MOST} more</li>
                </Show>
              </ul>
            </Show>
            <Show when={restoring().length}>
              <h3>Would be with</h3>
              <ul>
                <For each={restoring().slice(0, MOST)}>{(text) => <li>{text}</li>}</For>
              </ul>
            </Show>
            <Show when={notBelieved().length}>
              <h3>Not believed</h3>
              <ul>
                <For each={notBelieved().slice(0, MOST)}>
                  {({ name, sigma, point }) => (
                    <li>
                      <button
                        type="button"
                        class="bare suspect"
                        disabled={!point}
                        onClick={() => point && app.select({ kind: 'point', mRID: point })}
                      >
                        {name}
                        <small>{sigma === null ? 'not plausible' : `${fixed(sigma, 1)} σ from the rest`}</small>
                      </button>
                    </li>
                  )}
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
