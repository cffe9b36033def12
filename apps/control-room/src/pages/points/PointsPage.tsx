import { createMemo, createSignal, For, Match, Switch } from 'solid-js';
import type { PointInfo } from '../../api/types.ts';
import { useApp } from '../../app.ts';
import { count } from '../../format/number.ts';
import { clockMillis } from '../../format/time.ts';
import { route } from '../../route.ts';
import { LiveText, useLive } from '../../ui/live.tsx';
import { Notice, Skeleton, VirtualList } from '../../ui/parts.tsx';
import { filterPoints } from './filter.ts';

const KINDS = ['analog', 'discrete', 'accumulator', 'string', 'command', 'setpoint'] as const;

export function PointsPage() {
  const app = useApp();
  const [text, setText] = createSignal(route().query.get('q') ?? '');
  const [kind, setKind] = createSignal('');
  const [source, setSource] = createSignal(route().query.get('source') ?? '');
  const list = createMemo(() => {
    const points = app.points();
    return Array.isArray(points) ? (points as readonly PointInfo[]) : [];
  });
  const collator = new Intl.Collator('en', { numeric: true });
  const sorted = createMemo(() => [...list()].sort((a, b) => collator.compare(a.name, b.name)));
  const found = createMemo(() => filterPoints(sorted(), { text: text(), kind: kind(), source: source() }));
  const sources = createMemo(() => [...new Set(list().map((point) => point.source))].sort());
  return (
    <div class="sheet">
      <div class="filters">
        <input
          type="search"
          placeholder="Filter by name, address, device …"
          aria-label="Filter points"
          value={text()}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <select aria-label="Kind" onChange={(event) => setKind(event.currentTarget.value)}>
          <option value="">every kind</option>
          <For each={KINDS}>{(each) => <option value={each}>{each}</option>}</For>
        </select>
        <select aria-label="Gateway" onChange={(event) => setSource(event.currentTarget.value)}>
          <option value="">every gateway</option>
          <For each={sources()}>
            {(each) => (
              <option value={each} selected={each === source()}>
                {each}
              </option>
            )}
          </For>
        </select>
        <span class="sub" role="status">
          {found().length === list().length
            ? `${count(list().length)} points`
            : `${count(found().length)} of ${count(list().length)} points`}
        </span>
      </div>
      <div class="head points-grid" aria-hidden="true">
        <span>Point</span>
        <span class="right">Value</span>
        <span>Time</span>
        <span>Kind</span>
        <span>Device</span>
        <span>Address</span>
        <span>Gateway</span>
      </div>
      <Switch>
        <Match when={app.points() === undefined}>
          <Skeleton rows={12} />
        </Match>
        <Match when={app.points() instanceof Error}>
          <Notice title="The points could not be fetched" tone="error">
            {(app.points() as Error).message}
          </Notice>
        </Match>
        <Match when={list().length === 0}>
          <Notice title="No points yet">A gateway announces its points when it connects for the first time.</Notice>
        </Match>
        <Match when={found().length === 0}>
          <Notice title="No point matches">
            Every word of the filter must occur in name, device, address or gateway.
          </Notice>
        </Match>
        <Match when={true}>
          <VirtualList items={found()} rowHeight={28} label="Points">
            {(point) => <PointRow point={point()} />}
          </VirtualList>
        </Match>
      </Switch>
    </div>
  );
}

function PointRow(props: { point: PointInfo }) {
  const app = useApp();
  const value = useLive(() => props.point.mRID);
  const control = () => props.point.access === 'control';
  return (
    <button
      type="button"
      class="row points-grid"
      classList={{ on: app.selection()?.mRID === props.point.mRID, stale: !app.live() }}
      onClick={() => app.select({ kind: 'point', mRID: props.point.mRID })}
    >
      <span class="clip" title={props.point.description ?? props.point.name}>
        {props.point.name}
      </span>
      <span class="right">{control() ? <span class="nodata">control</span> : <LiveText point={props.point} />}</span>
      <span class="time">{value() ? clockMillis(new Date(value()!.sourceTime)) : ''}</span>
      <span class="dim">{props.point.kind}</span>
      <span class="dim clip">{props.point.endpoint}</span>
      <span class="dim mono clip">{props.point.address}</span>
      <span class="dim clip">{props.point.source}</span>
    </button>
  );
}
