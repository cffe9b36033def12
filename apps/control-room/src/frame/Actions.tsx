import { createMemo, createSignal, For, Show } from 'solid-js';
import type { PointInfo } from '../api/types.ts';
import { useApp } from '../app.ts';
import { CommandDialog } from '../commands/CommandDialog.tsx';
import type { Equipment } from '../diagram/equipment.ts';
import { shortNames } from '../format/names.ts';
import { iedPath, iedsOf } from '../pages/devices/places.ts';
import { stationsOf } from '../pages/overview/places.ts';
import { go } from '../route.ts';

/**
 * What can be done with what is selected. It stands above what is to be read: it must not wander out of sight below a long
 * chain.
 */
export function Actions(props: {
  controls: readonly PointInfo[];
  main: PointInfo | undefined;
  equipment: Equipment | undefined;
}) {
  const app = useApp();
  const [ordering, setOrdering] = createSignal<PointInfo>();
  const refusal = () => app.refusal('commands.operate');
  const names = createMemo(() => shortNames(props.controls));
  const single = () => (props.controls.length === 1 ? props.controls[0] : undefined);
  return (
    <>
      <Show when={props.controls.length > 1}>
        <ul class="controls" aria-label="What can be ordered">
          <For each={props.controls}>
            {(control) => (
              <li>
                <button
                  type="button"
                  class="main"
                  disabled={refusal() !== undefined}
                  title={refusal() ?? control.name}
                  onClick={() => setOrdering(control)}
                >
                  {names()
                    .get(control.mRID)
                    ?.replace(/ (command|control)$/, '')}{' '}
                  …
                </button>
                <span class="sub clip" title={`${control.endpoint} at ${control.source}`}>
                  {control.endpoint}
                </span>
              </li>
            )}
          </For>
        </ul>
      </Show>
      <div class="btns">
        <Show when={single()}>
          {(control) => (
            <button
              type="button"
              class="main"
              disabled={refusal() !== undefined}
              title={refusal()}
              onClick={() => setOrdering(control())}
            >
              {control().kind === 'setpoint' ? 'Set …' : 'Operate …'}
            </button>
          )}
        </Show>
        <Show when={props.main}>
          {(point) => (
            <>
              <button type="button" onClick={() => go('trends', { points: point().mRID })}>
                Trend
              </button>
              <button type="button" onClick={() => go('events', { point: point().mRID })}>
                Events
              </button>
            </>
          )}
        </Show>
        <Diagrams equipment={props.equipment} />
        <DeviceLink point={props.main} />
      </div>
      <Show when={props.controls.length > 0 && refusal()}>{(why) => <p class="sub refusal">{why()}</p>}</Show>
      <Show when={ordering()} keyed>
        {(point) => <CommandDialog point={point} onClose={() => setOrdering(undefined)} />}
      </Show>
    </>
  );
}

/** The stations that an equipment stands in, as displays to open. */
function Diagrams(props: { equipment: Equipment | undefined }) {
  const app = useApp();
  const stations = createMemo(() => {
    const model = app.model();
    return model && props.equipment ? stationsOf(model, props.equipment) : [];
  });
  return (
    <For each={stations()}>
      {(station) => (
        <button type="button" onClick={() => go(`grid/${station.mRID}`)}>
          {stations().length > 1 ? station.name : 'Station'}
        </button>
      )}
    </For>
  );
}

/** Where the point stands in the model of its device, for one that has a model. */
function DeviceLink(props: { point: PointInfo | undefined }) {
  const app = useApp();
  const device = createMemo(() => {
    const { point } = props;
    return (
      point &&
      iedsOf(app.sources()).find(
        ({ source, endpoint }) => source.source === point.source && endpoint.id === point.endpoint,
      )
    );
  });
  return (
    <Show when={device() && props.point}>
      {(point) => (
        <button
          type="button"
          onClick={() =>
            go(iedPath(point().source, point().endpoint), { at: point().address.replace(/ control$/, '') })
          }
        >
          In the device
        </button>
      )}
    </Show>
  );
}
