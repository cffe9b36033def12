/** What each single outage would do, the gravest first; each can be looked at in the diagram, as "what if". */
import { createSignal, type JSX, onCleanup, onMount, Show } from 'solid-js';
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
import { type Column, Table } from '../../ui/Table.tsx';
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
                <Table
                  label="Single outages that would break a limit"
                  class="outages"
                  columns={VIOLATIONS}
                  rows={answer().violations}
                  key={byOutage}
                />
              </Show>
              <Show when={answer().loadLost?.length}>
                <h3>Load without supply</h3>
                <LostTable rows={answer().loadLost!} />
              </Show>
              <Show when={answer().loadings?.length}>
                <h3>Loading at worst, after any outage</h3>
                <Table
                  label="Loading at worst"
                  class="outages"
                  columns={LOADINGS}
                  rows={answer().loadings!.slice(0, MOST_LOADINGS)}
                  key={({ equipment }) => equipment}
                />
              </Show>
            </>
          )}
        </Show>
      </div>
    </div>
  );
}

const byOutage = ({ outage }: ContingencyJson): string => outage.equipment;

/** The columns that every table of outages has at its left and at its right. */
const NUMBER: Column<unknown> = { head: '#', look: 'right dim', cell: (_, index) => index() + 1 };
const OUTAGE: Column<ContingencyJson> = { head: 'Outage of', cell: (row) => <Chooser of={row().outage} /> };
const LOST: Column<ContingencyJson> = {
  head: 'Load lost',
  look: 'right',
  cell: (row) => (lostLoad(row()) > 0 ? `${fixed(lostLoad(row()), 2)} MW` : '—'),
};
const TRY: Column<{ readonly outage: ContingencyJson['outage'] }> = {
  head: '',
  cell: (row) => <Attempt outage={row().outage} />,
};

const VIOLATIONS: readonly Column<ContingencyJson>[] = [
  NUMBER,
  OUTAGE,
  { head: 'Worst of it', look: 'wide', cell: (row) => worstOf(row()).text },
  { head: 'Against its limit', cell: (row) => <OutageBar share={worstOf(row()).share} /> },
  { head: 'Limits broken', look: 'right', cell: (row) => row().limits.length + (row().more ?? 0) || '—' },
  LOST,
  TRY,
];

/** Outages that leave load dark, by how much of what is dark at worst. */
function LostTable(props: { rows: readonly ContingencyJson[] }) {
  const app = useApp();
  const most = () => Math.max(...props.rows.map(lostLoad));
  const kind = ({ outage }: ContingencyJson) => {
    const of = outage.class ?? app.equipmentById().get(outage.equipment)?.class ?? '';
    return CLASS_WORDS[of] ?? of;
  };
  const columns: readonly Column<ContingencyJson>[] = [
    NUMBER,
    OUTAGE,
    { head: 'What it is', look: 'dim', cell: (row) => kind(row()) },
    LOST,
    {
      head: 'Against the most that one outage takes',
      look: 'wide',
      cell: (row) => (
        <svg class="outage-bar" viewBox="0 0 150 12" aria-hidden="true">
          <rect class="bar-band" x="0" y="3" width="150" height="6" />
          <rect class="bar-fill" x="0" y="3" width={Math.max(1, (150 * lostLoad(row())) / most())} height="6" />
        </svg>
      ),
    },
    TRY,
  ];
  return (
    <Table
      label="Single outages that leave load without supply"
      class="outages"
      columns={columns}
      rows={props.rows}
      key={byOutage}
    />
  );
}

const LOADINGS: readonly Column<WorstLoadingJson>[] = [
  { head: 'Line or transformer', cell: (row) => <Chooser of={row()} /> },
  { head: 'Now', look: 'right', cell: (row) => `${fixed(row().before, 0)} %` },
  {
    head: 'At worst',
    look: 'right',
    cell: (row) => <span classList={{ 'p2-text': row().worst > 100 }}>{fixed(row().worst, 0)} %</span>,
  },
  { head: 'Against its limit', cell: (row) => <OutageBar share={row().worst / 100} now={row().before / 100} /> },
  { head: 'After the outage of', look: 'wide', cell: (row) => row().outage.name },
  TRY,
];

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
