/** What each single outage would do, the gravest first; each can be looked at in the diagram, as "what if". */
import { createSignal, For, type JSX, onCleanup, onMount, Show } from 'solid-js';
import {
  type ContingenciesJson,
  type ContingencyJson,
  gridStateApi,
  lostLoad,
  type WorstLoadingJson,
} from '../../api/grid-state.ts';
import { useApp } from '../../app.ts';
import { fixed } from '../../format/number.ts';
import { clock } from '../../format/time.ts';
import { CLASS_WORDS } from '../../frame/words.ts';
import { go } from '../../route.ts';
import { Notice, Skeleton } from '../../ui/parts.tsx';
import { addressOf, substationOf } from '../overview/places.ts';
import { worstOf } from './words.ts';

/** ms between two looks, and before the service has spoken. */
const EVERY = 5000;
const AT_FIRST = 500;
/** Rows of the loadings; beyond that nothing is near its limit. */
const MOST_LOADINGS = 15;

export function OutagesPage() {
  const app = useApp();
  const [found, setFound] = createSignal<ContingenciesJson>();
  const [problem, setProblem] = createSignal<string>();
  let timer: ReturnType<typeof setTimeout>;
  const look = async (): Promise<void> => {
    const ready = app.estimate.has('/contingencies') && app.calculated() && app.live();
    if (ready && document.visibilityState === 'visible') {
      await gridStateApi.contingencies().then(
        (answer) => {
          setFound(answer);
          setProblem(answer.failure);
        },
        (error: unknown) => setProblem(error instanceof Error ? error.message : String(error)),
      );
    }
    timer = setTimeout(() => void look(), ready ? EVERY : AT_FIRST);
  };
  onMount(() => void look());
  onCleanup(() => clearTimeout(timer));
  return (
    <div class="sheet">
      <div class="filters">
        <h2>Single outages</h2>
        <Show when={found()}>
          {(answer) => (
            <span class="sub" role="status">
              {answer().violated ?? answer().violations.length} of {answer().screened} would break a limit,{' '}
              {answer().loadLost?.length ?? 0} leave load without supply; {answer().solved} solved in full, at{' '}
              {clock(new Date(answer().at))}
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
          {(answer) => (
            <>
              <Show
                when={answer().violations.length}
                fallback={
                  <p class="dim">
                    No single outage breaks a limit: nothing could fail now and take a line, a transformer or a busbar
                    beyond its limits.
                  </p>
                }
              >
                <OutageTable label="Single outages that would break a limit" rows={answer().violations} />
              </Show>
              <Show when={answer().loadLost?.length}>
                <h3>Load without supply</h3>
                <LostTable rows={answer().loadLost!} />
              </Show>
              <Show when={answer().loadings?.length}>
                <h3>Loading at worst, after any outage</h3>
                <Loadings rows={answer().loadings!.slice(0, MOST_LOADINGS)} />
              </Show>
            </>
          )}
        </Show>
      </div>
    </div>
  );
}

function OutageTable(props: { label: string; rows: readonly ContingencyJson[] }) {
  return (
    <table class="table outages" aria-label={props.label}>
      <thead>
        <tr>
          <th class="right">#</th>
          <th>Outage of</th>
          <th class="wide">Worst of it</th>
          <th>Against its limit</th>
          <th class="right">Limits broken</th>
          <th class="right">Load lost</th>
          <th />
        </tr>
      </thead>
      <tbody>
        <For each={props.rows}>
          {(row, index) => (
            <tr>
              <td class="right dim">{index() + 1}</td>
              <td>
                <Chooser of={row.outage} />
              </td>
              <td class="wide">{worstOf(row).text}</td>
              <td>
                <OutageBar share={worstOf(row).share} />
              </td>
              <td class="right">{row.limits.length + (row.more ?? 0) || '—'}</td>
              <td class="right">{lostLoad(row) > 0 ? `${fixed(lostLoad(row), 2)} MW` : '—'}</td>
              <td>
                <Attempt outage={row.outage} />
              </td>
            </tr>
          )}
        </For>
      </tbody>
    </table>
  );
}

/** Outages that leave load dark, by how much of what is dark at worst. */
function LostTable(props: { rows: readonly ContingencyJson[] }) {
  const app = useApp();
  const most = () => Math.max(...props.rows.map(lostLoad));
  const kind = ({ outage }: ContingencyJson) => {
    const of = outage.class ?? app.equipmentById().get(outage.equipment)?.class ?? '';
    return CLASS_WORDS[of] ?? of;
  };
  return (
    <table class="table outages" aria-label="Single outages that leave load without supply">
      <thead>
        <tr>
          <th class="right">#</th>
          <th>Outage of</th>
          <th>What it is</th>
          <th class="right">Load lost</th>
          <th class="wide">Against the most that one outage takes</th>
          <th />
        </tr>
      </thead>
      <tbody>
        <For each={props.rows}>
          {(row, index) => (
            <tr>
              <td class="right dim">{index() + 1}</td>
              <td>
                <Chooser of={row.outage} />
              </td>
              <td class="dim">{kind(row)}</td>
              <td class="right">{fixed(lostLoad(row), 2)} MW</td>
              <td class="wide">
                <svg class="outage-bar" viewBox="0 0 150 12" aria-hidden="true">
                  <rect class="bar-band" x="0" y="3" width="150" height="6" />
                  <rect class="bar-fill" x="0" y="3" width={Math.max(1, (150 * lostLoad(row)) / most())} height="6" />
                </svg>
              </td>
              <td>
                <Attempt outage={row.outage} />
              </td>
            </tr>
          )}
        </For>
      </tbody>
    </table>
  );
}

function Loadings(props: { rows: readonly WorstLoadingJson[] }) {
  return (
    <table class="table outages" aria-label="Loading at worst">
      <thead>
        <tr>
          <th>Line or transformer</th>
          <th class="right">Now</th>
          <th class="right">At worst</th>
          <th>Against its limit</th>
          <th class="wide">After the outage of</th>
          <th />
        </tr>
      </thead>
      <tbody>
        <For each={props.rows}>
          {(row) => (
            <tr>
              <td>
                <Chooser of={row} />
              </td>
              <td class="right">{fixed(row.before, 0)} %</td>
              <td class="right" classList={{ 'p2-text': row.worst > 100 }}>
                {fixed(row.worst, 0)} %
              </td>
              <td>
                <OutageBar share={row.worst / 100} now={row.before / 100} />
              </td>
              <td class="wide">{row.outage.name}</td>
              <td>
                <Attempt outage={row.outage} />
              </td>
            </tr>
          )}
        </For>
      </tbody>
    </table>
  );
}

/** A name that shows its equipment in the inspector. */
function Chooser(props: { of: { readonly equipment: string; readonly name: string } }): JSX.Element {
  const app = useApp();
  return (
    <button
      type="button"
      class="bare outage-name"
      onClick={() => app.select({ kind: 'equipment', mRID: props.of.equipment })}
    >
      {props.of.name}
    </button>
  );
}

/** Opens the diagram where the equipment stands, with it taken out. */
function Attempt(props: { outage: { readonly equipment: string; readonly name: string } }) {
  const app = useApp();
  const refusal = () => app.refusal('services.ask');
  const attempt = () => {
    const { equipment: mRID } = props.outage;
    const model = app.model();
    const equipment = app.equipmentById().get(mRID);
    const station = model && equipment ? substationOf(model, equipment) : undefined;
    app.select({ kind: 'equipment', mRID });
    app.whatIf.begin({ outages: [mRID] });
    go(addressOf(app.drawsWhole() || !station ? undefined : { substation: station.mRID }));
  };
  return (
    <button
      type="button"
      disabled={refusal() !== undefined}
      title={refusal()}
      aria-label={`Try the outage of ${props.outage.name}`}
      onClick={attempt}
    >
      What if …
    </button>
  );
}

/** A share of its limit, which stands at two thirds of the width; a mark where it is now. */
function OutageBar(props: { share: number | undefined; now?: number }) {
  const x = (share: number) => Math.max(1, Math.min(150, share * 100));
  return (
    <Show when={props.share !== undefined} fallback={<span class="dim">—</span>}>
      <svg class="outage-bar" viewBox="0 0 150 12" aria-hidden="true">
        <rect class="bar-band" x="0" y="3" width="150" height="6" />
        <rect class={props.share! > 1 ? 'p2-fill' : 'bar-fill'} x="0" y="3" width={x(props.share!)} height="6" />
        <Show when={props.now !== undefined}>
          <rect class="bar-live" x={x(props.now!) - 1} y="1" width="2" height="10" />
        </Show>
        <rect class="limit-mark" x="99.5" y="0" width="1" height="12" />
      </svg>
    </Show>
  );
}
