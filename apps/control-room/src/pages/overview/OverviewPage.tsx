import {
  createEffect,
  createMemo,
  createResource,
  createSignal,
  For,
  Match,
  on,
  onCleanup,
  Show,
  Switch,
} from 'solid-js';
import type { GridModel } from '../../api/types.ts';
import { useApp } from '../../app.ts';
import { Diagram, type Display, type Overlay } from '../../diagram/Diagram.tsx';
import type { Place } from '../../diagram/drawing.ts';
import type { ValueMode } from '../../diagram/measurements.ts';
import { Notice, Skeleton } from '../../ui/parts.tsx';
import { TrialBanner } from '../../whatif/Banner.tsx';
import { EstimateChip } from './EstimateChip.tsx';
import { openPlace, placeOf, titleOf } from './places.ts';

const OVERLAYS: readonly (readonly [Overlay, string])[] = [
  ['none', 'Plain'],
  ['source', 'By source'],
  ['voltage', 'By voltage'],
];
const MODES: readonly (readonly [ValueMode, string])[] = [
  ['measured', 'Measured'],
  ['estimated', 'Estimated'],
  ['residual', 'Residual'],
];
/** ms after which a trial is asked for anew: what is live beside it has moved on. */
const TRIAL_EVERY = 3000;

export function OverviewPage() {
  const app = useApp();
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
            An engineer loads one with enerchain import or PUT /api/v1/grid; the diagram is drawn from it. Values are
            under Points meanwhile.
          </Notice>
        </Match>
        <Match when={app.model()}>{(model) => <GridDisplay model={model()} />}</Match>
      </Switch>
    </div>
  );
}

/** One display: the grid, a substation or a bay, live or as a trial. */
function GridDisplay(props: { model: GridModel }) {
  const app = useApp();
  const [overlay, setOverlay] = createSignal<Overlay>('none');
  const place = createMemo<Place | undefined>(() => placeOf(props.model), undefined, {
    equals: (a, b) => a?.substation === b?.substation && a?.bay === b?.bay,
  });
  // What stands on the screen stays until the next display is laid out.
  const [display] = createResource(
    () => ({ model: props.model, place: place() }),
    async ({ model, place: where }): Promise<Display> => ({
      model,
      place: where,
      drawing: await app.drawings.draw(model, where),
    }),
  );
  const problem = () => display.error as Error | undefined;
  onCleanup(app.estimate.look(() => app.calculated()));
  const timer = setInterval(() => app.whatIf.active() && app.live() && app.whatIf.again(), TRIAL_EVERY);
  onCleanup(() => {
    clearInterval(timer);
    app.whatIf.end();
  });
  // Another model is another grid: what was tried on the old one means nothing.
  createEffect(
    on(
      () => props.model,
      () => app.whatIf.end(),
      { defer: true },
    ),
  );
  const up = (event: KeyboardEvent) => {
    if (event.key !== 'Backspace' || event.target instanceof HTMLInputElement) return;
    const here = place();
    if (!here) return;
    event.preventDefault();
    openPlace(here.bay === undefined ? undefined : { substation: here.substation });
  };
  const refusal = () => {
    if (!app.live()) return 'The connection to the centre is lost.';
    if (!app.estimate.has('/what-if')) return 'No service of this centre calculates trials.';
    return app.whatIf.active() ? undefined : app.refusal('services.ask');
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: a key for the whole display, beside the links that do the same
    <div class="display" classList={{ trial: app.whatIf.active() }} onKeyDown={up}>
      <Show when={app.whatIf.active()}>
        <TrialBanner />
      </Show>
      <div class="tool">
        <fieldset class="seg" aria-label="Live, or what if">
          <button
            type="button"
            classList={{ on: !app.whatIf.active() }}
            aria-pressed={!app.whatIf.active()}
            onClick={() => app.whatIf.end()}
          >
            Live
          </button>
          <button
            type="button"
            classList={{ on: app.whatIf.active() }}
            aria-pressed={app.whatIf.active()}
            disabled={refusal() !== undefined}
            title={refusal() ?? 'Try switches, taps and set-points on the screen; nothing reaches the field'}
            onClick={() => !app.whatIf.active() && app.whatIf.begin()}
          >
            What if
          </button>
        </fieldset>
        <Show when={!app.whatIf.active()}>
          <fieldset class="seg" aria-label="Values">
            <For each={MODES}>
              {([id, title]) => (
                <button
                  type="button"
                  classList={{ on: app.valueMode() === id }}
                  aria-pressed={app.valueMode() === id}
                  onClick={() => app.setValueMode(id)}
                >
                  {title}
                </button>
              )}
            </For>
          </fieldset>
        </Show>
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
        <Show when={!app.whatIf.active()}>
          <EstimateChip />
        </Show>
      </div>
      <Switch fallback={<Skeleton rows={6} />}>
        <Match when={problem()}>
          {(error) => (
            <Notice title="The diagram could not be drawn" tone="error">
              {error().message} Values are under Points.
            </Notice>
          )}
        </Match>
        <Match when={display.latest}>
          {(of) => <Diagram of={of()} overlay={overlay()} title={titleOf(of().model, of().place)} open={openPlace} />}
        </Match>
      </Switch>
    </div>
  );
}
