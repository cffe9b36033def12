/** Single outages that would break a limit, the gravest first; each can be looked at in the diagram, as "what if". */
import { createMemo, createSignal, For, onCleanup, onMount, Show } from 'solid-js';
import { type ContingenciesJson, type ContingencyJson, gridStateApi, lostLoad } from '../../api/grid-state.ts';
import { useApp } from '../../app.ts';
import { fixed } from '../../format/number.ts';
import { clock } from '../../format/time.ts';
import { go } from '../../route.ts';
import { Notice, Skeleton } from '../../ui/parts.tsx';
import { substationOf } from '../overview/places.ts';
import { worstOf } from './words.ts';

/** ms between two looks. */
const EVERY = 5000;

export function OutagesPage() {
  const app = useApp();
  const [found, setFound] = createSignal<ContingenciesJson>();
  const [problem, setProblem] = createSignal<string>();
  let timer: ReturnType<typeof setTimeout>;
  const look = async (): Promise<void> => {
    if (
      app.estimate.has('/contingencies') &&
      app.calculated() &&
      document.visibilityState === 'visible' &&
      app.live()
    ) {
      await gridStateApi.contingencies().then(
        (answer) => {
          setFound(answer);
          setProblem(undefined);
        },
        (error: unknown) => setProblem(error instanceof Error ? error.message : String(error)),
      );
    }
    timer = setTimeout(() => void look(), app.calculated() ? EVERY : 500);
  };
  onMount(() => void look());
  onCleanup(() => clearTimeout(timer));
  const refusal = () => app.refusal('commands.operate');
  const rows = createMemo(() => found()?.violations ?? []);
  const attempt = ({ outage }: ContingencyJson) => {
    const model = app.model();
    const equipment = app.equipmentById().get(outage.equipment);
    const substation = model && equipment ? substationOf(model, equipment) : undefined;
    app.select({ kind: 'equipment', mRID: outage.equipment });
    app.whatIf.begin({ outages: [outage.equipment] });
    go(app.drawsWhole() || !substation ? 'grid' : `grid/${substation.mRID}`);
  };
  return (
    <div class="sheet">
      <div class="filters">
        <h2>Single outages</h2>
        <Show when={found()}>
          {(answer) => (
            <span class="sub" role="status">
              {rows().length} of {answer().screened + answer().solved > 0 ? answer().screened : 0} would break a limit;{' '}
              {answer().solved} solved in full, at {clock(new Date(answer().at))}
            </span>
          )}
        </Show>
        <Show when={problem() && found()}>
          <span class="p3-text">not up to date: {problem()}</span>
        </Show>
      </div>
      <div class="scroll padded">
        <Show
          when={found()}
          fallback={
            <Show
              when={app.estimate.has('/contingencies')}
              fallback={
                <Notice title="No analysis of outages">
                  The grid-state service of this centre does not calculate single outages. Any of them can be tried by
                  hand with “What if” on the diagram.
                </Notice>
              }
            >
              <Show when={problem()} fallback={<Skeleton rows={8} />}>
                {(why) => <Notice title="No outages calculated yet">{why()}</Notice>}
              </Show>
            </Show>
          }
        >
          <Show
            when={rows().length}
            fallback={
              <Notice title="Every single outage can be borne">
                No line or transformer could fail now and take another one, or a busbar, beyond its limits.
              </Notice>
            }
          >
            <table class="table outages" aria-label="Single outages that would break a limit">
              <thead>
                <tr>
                  <th class="right">#</th>
                  <th>Outage of</th>
                  <th>Worst of it</th>
                  <th>Against its limit</th>
                  <th class="right">Limits passed</th>
                  <th class="right">Load lost</th>
                  <th />
                </tr>
              </thead>
              <tbody>
                <For each={rows()}>
                  {(row, index) => (
                    <tr>
                      <td class="right dim">{index() + 1}</td>
                      <td>
                        <button
                          type="button"
                          class="bare outage-name"
                          onClick={() => app.select({ kind: 'equipment', mRID: row.outage.equipment })}
                        >
                          {row.outage.name}
                        </button>
                      </td>
                      <td class="wide">{worstOf(row).text}</td>
                      <td>
                        <OutageBar share={worstOf(row).share} />
                      </td>
                      <td class="right">{row.limits.length}</td>
                      <td class="right">{lostLoad(row) > 0 ? `${fixed(lostLoad(row), 2)} MW` : '—'}</td>
                      <td>
                        <button
                          type="button"
                          disabled={refusal() !== undefined}
                          title={refusal()}
                          aria-label={`Try the outage of ${row.outage.name}`}
                          onClick={() => attempt(row)}
                        >
                          What if …
                        </button>
                      </td>
                    </tr>
                  )}
                </For>
              </tbody>
            </table>
          </Show>
        </Show>
      </div>
    </div>
  );
}

/** Loading of the worst against its limit, which stands at two thirds of the width. */
function OutageBar(props: { share: number | undefined }) {
  return (
    <Show when={props.share !== undefined} fallback={<span class="dim">—</span>}>
      <svg class="outage-bar" viewBox="0 0 150 12" aria-hidden="true">
        <rect class="bar-band" x="0" y="3" width="150" height="6" />
        <rect
          class={props.share! > 1 ? 'p2-fill' : 'bar-fill'}
          x="0"
          y="3"
          width={Math.max(1, Math.min(150, props.share! * 100))}
          height="6"
        />
        <rect class="limit-mark" x="99.5" y="0" width="1" height="12" />
      </svg>
    </Show>
  );
}
