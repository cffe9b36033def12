import { createEffect, createMemo, createSignal, For, Match, on, Show, Switch } from 'solid-js';
import { api } from '../../api/client.ts';
import type { EventJson } from '../../api/types.ts';
import { useApp } from '../../app.ts';
import { stateWord } from '../../format/number.ts';
import { clockMillis, day } from '../../format/time.ts';
import { mergeEvents } from '../../live/events.ts';
import { go, route } from '../../route.ts';
import { QualityMarks } from '../../ui/live.tsx';
import { Notice, Skeleton, VirtualList } from '../../ui/parts.tsx';

export const KIND_WORDS: Readonly<Record<EventJson['kind'], string>> = {
  stateChange: 'state',
  gap: 'gap',
  source: 'gateway',
  command: 'command',
  alarm: 'alarm',
  audit: 'audit',
};
const PAGE = 500;
const KEPT = 20_000;

/** The sequence of events: what happened, in the order in which it happened at its source. */
export function EventsPage() {
  const app = useApp();
  const [kind, setKind] = createSignal('');
  const [text, setText] = createSignal('');
  const point = () => route().query.get('point') ?? '';
  const source = () => route().query.get('source') ?? '';
  const [older, setOlder] = createSignal<readonly EventJson[]>([]);
  const [next, setNext] = createSignal<string>();
  const [problem, setProblem] = createSignal<string>();
  const [loading, setLoading] = createSignal(false);

  async function load(cursor?: string): Promise<void> {
    setLoading(true);
    setProblem(undefined);
    try {
      const page = await api.events({
        limit: PAGE,
        ...(point() ? { point: point() } : {}),
        ...(source() ? { source: source() } : {}),
        ...(cursor ? { cursor } : {}),
      });
      setOlder((known) => mergeEvents(cursor ? known : [], page.items, KEPT));
      setNext(page.next);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    } finally {
      setLoading(false);
    }
  }
  createEffect(on([point, source], () => void load()));

  const rows = createMemo(() => {
    const words = text().toLocaleLowerCase().split(/\s+/).filter(Boolean);
    return mergeEvents(older(), app.events.newest(), KEPT).filter((event) => {
      if (kind() && event.kind !== kind()) return false;
      if (point() && event.point !== point()) return false;
      if (source() && event.source !== source()) return false;
      const hay =
        `${event.text} ${event.source ?? ''} ${app.pointById().get(event.point ?? '')?.name ?? ''}`.toLocaleLowerCase();
      return words.every((word) => hay.includes(word));
    });
  });
  return (
    <div class="sheet">
      <div class="filters">
        <input
          type="search"
          placeholder="Filter by words …"
          aria-label="Filter events"
          value={text()}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <select aria-label="Kind of event" onChange={(event) => setKind(event.currentTarget.value)}>
          <option value="">every kind</option>
          <For each={Object.entries(KIND_WORDS)}>{([id, word]) => <option value={id}>{word}</option>}</For>
        </select>
        <Show when={point() || source()}>
          <button type="button" class="tag" onClick={() => go('events')} title="Show all events">
            {app.pointById().get(point())?.name ?? (point() || source())} ✕
          </button>
        </Show>
        <span class="sub" role="status">
          {rows().length} events
        </span>
        <Show when={next()}>
          <button type="button" disabled={loading()} onClick={() => void load(next())}>
            Older ones
          </button>
        </Show>
      </div>
      <div class="head events-grid" aria-hidden="true">
        <span>Time at the source</span>
        <span>Kind</span>
        <span>Gateway</span>
        <span>What happened</span>
        <span class="right">Log entry</span>
      </div>
      <Switch>
        <Match when={problem()}>
          {(why) => (
            <Notice title="The events could not be fetched" tone="error">
              {why()}
            </Notice>
          )}
        </Match>
        <Match when={loading() && rows().length === 0}>
          <Skeleton rows={12} />
        </Match>
        <Match when={rows().length === 0}>
          <Notice title="No events">Nothing matches the filter, or nothing has happened yet.</Notice>
        </Match>
        <Match when={true}>
          <VirtualList items={rows()} rowHeight={28} label="Events">
            {(event) => <EventRow event={event()} />}
          </VirtualList>
        </Match>
      </Switch>
    </div>
  );
}

function EventRow(props: { event: EventJson }) {
  const app = useApp();
  const at = () => new Date(props.event.at);
  const point = () => app.pointById().get(props.event.point ?? '');
  const word = () =>
    typeof props.event.value === 'number' && point() ? stateWord(point()!, props.event.value) : undefined;
  return (
    <button
      type="button"
      class="row events-grid"
      onClick={() => props.event.point && app.select({ kind: 'point', mRID: props.event.point })}
    >
      <span class="time">
        <span class="dim">{day(at())}</span> {clockMillis(at())}
      </span>
      <span class="dim">{KIND_WORDS[props.event.kind] ?? props.event.kind}</span>
      <span class="dim clip">{props.event.source ?? ''}</span>
      <span class="clip" title={props.event.text}>
        {props.event.text}
        <Show when={word() && !props.event.text.includes(word()!)}> · {word()}</Show>
        <Show when={props.event.quality}>{(quality) => <QualityMarks quality={quality()} />}</Show>
      </span>
      <span class="right mono dim">{props.event.offset ?? ''}</span>
    </button>
  );
}
