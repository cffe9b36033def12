import { createSignal, For, Match, Switch } from 'solid-js';
import { useApp } from '../../app.ts';
import { Diagram, type Overlay } from '../../diagram/Diagram.tsx';
import { Notice, Skeleton } from '../../ui/parts.tsx';

const OVERLAYS: readonly (readonly [Overlay, string])[] = [
  ['none', 'Plain'],
  ['source', 'By source'],
  ['voltage', 'By voltage'],
];

export function OverviewPage() {
  const app = useApp();
  const [overlay, setOverlay] = createSignal<Overlay>('none');
  const failed = () => {
    const grid = app.grid();
    return grid instanceof Error ? grid : undefined;
  };
  return (
    <div class="overview">
      <Switch>
        <Match when={app.grid() === undefined}>
          <Skeleton rows={6} />
        </Match>
        <Match when={failed()}>
          {(error) => (
            <Notice title="The grid model could not be fetched" tone="error">
              {error().message}
            </Notice>
          )}
        </Match>
        <Match when={app.grid() === null}>
          <Notice title="No grid model yet">
            An engineer loads one with PUT /api/v1/grid; the diagram is drawn from it. Values are under Points
            meanwhile.
          </Notice>
        </Match>
        <Match when={app.model()}>
          {(model) => (
            <>
              <div class="tool">
                <fieldset class="seg" aria-label="Colouring of conductors">
                  <For each={OVERLAYS}>
                    {([id, title]) => (
                      <button
                        type="button"
                        classList={{ on: overlay() === id }}
                        aria-pressed={overlay() === id}
                        onClick={() => setOverlay(id)}
                      >
                        {title}
                      </button>
                    )}
                  </For>
                </fieldset>
              </div>
              <Diagram model={model()} overlay={overlay()} />
            </>
          )}
        </Match>
      </Switch>
    </div>
  );
}
