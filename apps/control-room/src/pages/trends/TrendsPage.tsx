import { createEffect, createMemo, createResource, createSignal, For, on, onCleanup, onMount, Show } from 'solid-js';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { api } from '../../api/client.ts';
import type { HistoryGap, PointInfo, Sample } from '../../api/types.ts';
import { useApp } from '../../app.ts';
import { MINUS, shownNumber, stateWord } from '../../format/number.ts';
import { day, hourMinute, typedTime } from '../../format/time.ts';
import { go, route } from '../../route.ts';
import { theme } from '../../theme.ts';
import { LiveText } from '../../ui/live.tsx';
import { Notice } from '../../ui/parts.tsx';
import { TimeField } from '../../ui/TimeField.tsx';
import { GAP_WORDS } from '../gateways/GatewaysPage.tsx';
import { filterPoints } from '../points/filter.ts';
import { bucketFor, columns, fromBuckets, fromHistory, withGaps } from './series.ts';

const MOST = 6;
const RANGES: readonly (readonly [label: string, millis: number])[] = [
  ['15 min', 900_000],
  ['1 h', 3_600_000],
  ['6 h', 21_600_000],
  ['24 h', 86_400_000],
  ['7 d', 604_800_000],
];
const DASHES: readonly (readonly number[])[] = [[], [], [6, 3], [6, 3], [2, 2], [2, 2]];

const field = (at: Date): string => `${day(at)} ${hourMinute(at)}`;

interface Trend {
  readonly point: PointInfo;
  readonly samples: Sample[];
  readonly gaps: readonly HistoryGap[];
}

export function TrendsPage() {
  const app = useApp();
  const ids = createMemo(() => (route().query.get('points') ?? '').split(',').filter(Boolean).slice(0, MOST));
  const points = createMemo(() => ids().flatMap((mRID) => app.pointById().get(mRID) ?? []));
  const [span, setSpan] = createSignal(3_600_000);
  const [fixedRange, setFixedRange] = createSignal<{ from: Date; to: Date }>();
  const live = () => fixedRange() === undefined;
  const [reread, setReread] = createSignal(0);
  // A long range is fetched anew now and then instead of growing by the sample.
  const timer = setInterval(() => live() && span() > 2 * 3_600_000 && setReread((n) => n + 1), 60_000);
  onCleanup(() => clearInterval(timer));

  const [trends] = createResource(
    () => ({ points: points(), span: span(), range: fixedRange(), reread: reread(), live: app.live() }),
    async ({ points: wanted, span: millis, range }) => {
      const to = range?.to ?? new Date(Date.now() - app.clock.offset);
      const from = range?.from ?? new Date(to.getTime() - millis);
      const bucket = bucketFor(to.getTime() - from.getTime());
      return Promise.all(
        wanted.map(async (point): Promise<Trend> => {
          if (bucket && point.kind !== 'discrete') {
            const history = await api.buckets(point.mRID, from, to, bucket);
            return { point, samples: fromBuckets(history), gaps: history.gaps };
          }
          const history = await api.history(point.mRID, from, to);
          return { point, samples: [...fromHistory(history)], gaps: history.gaps };
        }),
      );
    },
  );
  const show = (list: readonly string[]) => go('trends', list.length ? { points: list.join(',') } : {});
  return (
    <div class="sheet trends">
      <div class="filters">
        <fieldset class="seg" aria-label="Range">
          <For each={RANGES}>
            {([label, millis]) => (
              <button
                type="button"
                classList={{ on: live() && span() === millis }}
                aria-pressed={live() && span() === millis}
                onClick={() => {
                  setFixedRange(undefined);
                  setSpan(millis);
                }}
              >
                {label}
              </button>
            )}
          </For>
        </fieldset>
        <form
          class="range"
          onSubmit={(event) => {
            event.preventDefault();
            const data = new FormData(event.currentTarget);
            const [from, to] = [typedTime(String(data.get('from'))), typedTime(String(data.get('to')))];
            if (!from || !to) return;
            setFixedRange(from < to ? { from, to } : { from: to, to: from });
          }}
        >
          <TimeField name="from" label="From" value={field(new Date(Date.now() - 7_200_000))} />
          <span class="dim">to</span>
          <TimeField name="to" label="To" value={field(new Date())} />
          <button type="submit" classList={{ main: !live() }}>
            Show
          </button>
        </form>
        <span class="sub" role="status">
          {trends.loading ? 'fetching …' : live() ? (app.live() ? 'live' : 'not live: connection lost') : 'history'}
        </span>
      </div>
      <div class="trend-points">
        <For each={points()}>
          {(point, index) => (
            <span class="tag">
              <svg class="key" viewBox="0 0 24 8" aria-hidden="true">
                <path class={`series${index()}`} d="M0 4h24" stroke-dasharray={DASHES[index()]!.join(' ')} />
              </svg>
              <button type="button" class="bare" onClick={() => app.select({ kind: 'point', mRID: point.mRID })}>
                {point.name}
              </button>
              <LiveText point={point} />
              <button
                type="button"
                class="bare"
                aria-label={`Remove ${point.name}`}
                onClick={() => show(ids().filter((id) => id !== point.mRID))}
              >
                ✕
              </button>
            </span>
          )}
        </For>
        <Show when={points().length < MOST}>
          <AddPoint onAdd={(mRID) => show([...ids(), mRID])} taken={ids()} />
        </Show>
      </div>
      <Show when={trends.error}>
        <Notice title="The history could not be fetched" tone="error">
          {String((trends.error as Error).message)}
        </Notice>
      </Show>
      <Show
        when={points().length}
        fallback={
          <Notice title="No point chosen">Add up to six points above, or choose Trend in the inspector.</Notice>
        }
      >
        <Show when={!trends.error && trends.latest}>
          {(found) => <Chart trends={found()} follow={live() ? span() : undefined} range={fixedRange()} />}
        </Show>
      </Show>
    </div>
  );
}

function AddPoint(props: { onAdd: (mRID: string) => void; taken: readonly string[] }) {
  const app = useApp();
  const [text, setText] = createSignal('');
  const found = createMemo(() => {
    const list = app.points();
    if (!text().trim() || !Array.isArray(list)) return [];
    return filterPoints(list as readonly PointInfo[], { text: text(), kind: '', source: '' })
      .filter(
        (point) => ['analog', 'discrete', 'accumulator'].includes(point.kind) && !props.taken.includes(point.mRID),
      )
      .slice(0, 12);
  });
  return (
    <div class="add">
      <input
        type="search"
        placeholder="Add a point …"
        aria-label="Add a point"
        value={text()}
        onInput={(event) => setText(event.currentTarget.value)}
      />
      <Show when={found().length}>
        <ul class="menu">
          <For each={found()}>
            {(point) => (
              <li>
                <button
                  type="button"
                  onClick={() => {
                    setText('');
                    props.onAdd(point.mRID);
                  }}
                >
                  {point.name} <span class="dim">{point.endpoint}</span>
                </button>
              </li>
            )}
          </For>
        </ul>
      </Show>
    </div>
  );
}

function Chart(props: {
  trends: readonly Trend[];
  follow: number | undefined;
  range: { from: Date; to: Date } | undefined;
}) {
  const app = useApp();
  let box!: HTMLDivElement;
  let plot: uPlot | undefined;
  const colour = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  const room = () => ({ width: box.clientWidth - 24, height: Math.max(200, box.clientHeight - 48) });
  const tails = new Map<string, Sample[]>();
  const rows = (trend: Trend): Sample[] => {
    const end = trend.samples.at(-1)?.[0] ?? 0;
    const tail = props.follow ? (tails.get(trend.point.mRID) ?? []).filter(([at]) => at > end) : [];
    return withGaps([...trend.samples, ...tail], trend.gaps);
  };
  const data = (): uPlot.AlignedData => {
    const tables = props.trends.map(
      (trend) => columns(rows(trend), app.scaleFor(trend.point).factor) as unknown as uPlot.AlignedData,
    );
    return tables.length ? uPlot.join(tables) : [[]];
  };
  const window = (): [number, number] => {
    if (props.range) return [props.range.from.getTime() / 1000, props.range.to.getTime() / 1000];
    const now = app.now().getTime() / 1000;
    return [now - (props.follow ?? 3_600_000) / 1000, now];
  };

  function build(): void {
    plot?.destroy();
    const units = [...new Set(props.trends.map(({ point }) => app.scaleFor(point).unit))];
    const axisFont = '11px Inter, system-ui, sans-serif';
    const series: uPlot.Series[] = [{}];
    props.trends.forEach(({ point }, index) => {
      const scale = app.scaleFor(point);
      const paths = point.kind === 'discrete' ? uPlot.paths.stepped!({ align: 1 }) : uPlot.paths.linear!();
      const common: uPlot.Series = {
        scale: scale.unit || 'state',
        paths,
        stroke: colour(`--series${index}`),
        points: { show: false },
      };
      const value = (_: uPlot, raw: number | null) =>
        raw === null || raw === undefined ? '—' : `${shownNumber(raw, scale)} ${scale.unit}`;
      series.push({ ...common, label: point.name, width: 1.6, dash: [...DASHES[index]!], value });
      series.push({ ...common, label: `${point.name} (doubtful)`, width: 2.4, dash: [1, 4], value });
    });
    const stated = props.trends.map(({ point }) => point).find((point) => !app.scaleFor(point).unit);
    const axisText = (at: number, unit: string): string => {
      const word = !unit && stated ? stateWord(stated, at) : undefined;
      return word ?? String(Number(at.toPrecision(6))).replace('-', MINUS);
    };
    const bands = (u: uPlot) => {
      const { ctx } = u;
      const ratio = devicePixelRatio;
      ctx.save();
      ctx.font = `${11 * ratio}px Inter, system-ui, sans-serif`;
      const seen = new Set<string>();
      for (const { gaps } of props.trends) {
        for (const gap of gaps) {
          const key = `${gap.from}${gap.to}${gap.reason}`;
          if (seen.has(key)) continue;
          seen.add(key);
          const [x0, x1] = [gap.from, gap.to].map((at) => u.valToPos(Date.parse(at) / 1000, 'x', true)) as [
            number,
            number,
          ];
          const [left, right] = [Math.max(u.bbox.left, x0), Math.min(u.bbox.left + u.bbox.width, x1)];
          if (right - left < 1) continue;
          ctx.fillStyle = colour('--band');
          ctx.fillRect(left, u.bbox.top, right - left, u.bbox.height);
          ctx.fillStyle = colour('--dim');
          ctx.save();
          ctx.beginPath();
          ctx.rect(left, u.bbox.top, Math.max(right - left, 14 * ratio), u.bbox.height);
          ctx.clip();
          ctx.translate(left + 12 * ratio, u.bbox.top + u.bbox.height - 8 * ratio);
          ctx.rotate(-Math.PI / 2);
          ctx.textAlign = 'left';
          ctx.textBaseline = 'middle';
          ctx.fillText(`gap: ${GAP_WORDS[gap.reason] ?? gap.reason}`, 0, 0);
          ctx.restore();
        }
      }
      ctx.restore();
    };
    plot = new uPlot(
      {
        ...room(),
        series,
        scales: { x: { time: true, range: () => window() } },
        axes: [
          {
            stroke: colour('--dim'),
            font: axisFont,
            grid: { stroke: colour('--line'), width: 1 },
            ticks: { show: false },
            values: [
              [86400, '{YYYY}-{MM}-{DD}', null, null, null, null, null, null, 1],
              [3600, '{HH}:{mm}', '\n{YYYY}-{MM}-{DD}', null, null, null, null, null, 1],
              [60, '{HH}:{mm}', null, null, null, null, null, null, 1],
              [1, '{HH}:{mm}:{ss}', null, null, null, null, null, null, 1],
            ],
          },
          ...units.map(
            (unit, index): uPlot.Axis => ({
              scale: unit || 'state',
              side: index % 2 ? 1 : 3,
              label: unit || 'state',
              ...(unit ? {} : { incrs: [1, 2, 5, 10, 20, 50, 100] }),
              labelSize: 18,
              labelFont: axisFont,
              stroke: colour('--dim'),
              font: axisFont,
              grid: index === 0 ? { stroke: colour('--line'), width: 1 } : { show: false },
              ticks: { show: false },
              size: 56,
              values: (_, splits) => splits.map((at) => axisText(at, unit)),
            }),
          ),
        ],
        hooks: { drawClear: [bands] },
        cursor: { drag: { x: false, y: false } },
        legend: { show: true, live: true },
      },
      data(),
      box,
    );
  }

  onMount(() => {
    const observer = new ResizeObserver(() => plot?.setSize({ ...room() }));
    observer.observe(box);
    onCleanup(() => {
      observer.disconnect();
      plot?.destroy();
    });
    createEffect(on([() => props.trends, theme, () => props.follow, () => props.range], build));
  });
  createEffect(() => {
    for (const { point } of props.trends) {
      onCleanup(
        app.values.subscribe(point.mRID, () => {
          const value = app.values.get(point.mRID);
          if (typeof value?.value !== 'number') return;
          const tail = tails.get(point.mRID) ?? [];
          if (tail.at(-1)?.[0] === value.sourceTime) return;
          tails.set(point.mRID, [...tail.slice(-5000), [value.sourceTime, value.value, value.quality]]);
        }),
      );
    }
  });
  // One redraw a second is as fast as a trend can be read.
  createEffect(on(app.now, () => props.follow && app.live() && plot?.setData(data()), { defer: true }));
  return <div class="chart" classList={{ stale: !app.live() }} ref={box} />;
}
