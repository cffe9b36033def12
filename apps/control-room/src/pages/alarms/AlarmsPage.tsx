import { createEffect, createMemo, createResource, createSignal, For, Match, on, Show, Switch } from 'solid-js';
import { api } from '../../api/client.ts';
import type { AlarmJson } from '../../api/types.ts';
import { useApp } from '../../app.ts';
import { stamp } from '../../format/time.ts';
import { ALARM_STATE_WORDS, alarmPlace, followersSentence, stateSentence } from '../../frame/AlarmStrip.tsx';
import { compareAlarms, groupAlarms, needsAcknowledgement } from '../../live/alarms.ts';
import { go, route } from '../../route.ts';
import { PRIORITY_WORDS, PriorityGlyph } from '../../ui/glyphs.tsx';
import { Notice, Skeleton } from '../../ui/parts.tsx';

const TABS = [
  ['active', 'Active'],
  ['unacknowledged', 'Unacknowledged'],
  ['all', 'With past ones'],
] as const;
type Tab = (typeof TABS)[number][0];

export function AlarmsPage() {
  const app = useApp();
  const [tab, setTab] = createSignal<Tab>('active');
  const [open, setOpen] = createSignal<string | undefined>(route().query.get('id') ?? undefined);
  createEffect(on(route, ({ query }) => query.get('id') && setOpen(query.get('id')!), { defer: true }));
  // Alarms that are normal again are not kept here; the centre tells them when they are asked for, and as the list changes.
  const [past] = createResource(
    () => tab() === 'all' && app.live() && { active: app.activeAlarms().length },
    async () => (await api.alarms('all')).items.filter(({ state }) => state === 'normal'),
  );
  const rows = createMemo(() => {
    if (tab() !== 'all') return app.activeAlarms().filter((alarm) => tab() === 'active' || needsAcknowledgement(alarm));
    const found = past.error ? [] : (past.latest ?? []);
    return [...app.activeAlarms(), ...[...found].sort(compareAlarms)];
  });
  const lines = createMemo(() =>
    groupAlarms(rows()).flatMap(({ alarm, followers }) => [
      { alarm, followers, follows: false },
      ...followers.map((each) => ({ alarm: each, followers: [], follows: true })),
    ]),
  );
  const rowById = createMemo(() => new Map(lines().map((line) => [String(line.alarm.id), line])));
  const order = createMemo(() => [...rowById().keys()]);
  return (
    <div class="sheet">
      <div class="filters">
        <fieldset class="seg" aria-label="Which alarms">
          <For each={TABS}>
            {([id, title]) => (
              <button
                type="button"
                classList={{ on: tab() === id }}
                aria-pressed={tab() === id}
                onClick={() => setTab(id)}
              >
                {title}
              </button>
            )}
          </For>
        </fieldset>
        <span class="sub" role="status">
          {app.activeAlarms().filter(needsAcknowledgement).length} of {app.activeAlarms().length} wait for
          acknowledgement
        </span>
      </div>
      <div class="scroll">
        <Switch>
          <Match when={!app.booksLoaded() && rows().length === 0}>
            <Skeleton rows={5} />
          </Match>
          <Match when={tab() === 'all' && past.error}>
            <Notice title="The past alarms could not be fetched" tone="error">
              {String((past.error as Error).message)}
            </Notice>
          </Match>
          <Match when={rows().length === 0}>
            <Notice title={tab() === 'unacknowledged' ? 'Nothing waits for acknowledgement' : 'No alarms'}>
              What has been is under Events.
            </Notice>
          </Match>
          <Match when={true}>
            <ul class="alarms">
              <For each={order()}>
                {(id) => (
                  <Show when={rowById().get(id)}>
                    {(row) => (
                      <AlarmRow
                        alarm={row().alarm}
                        followers={row().followers}
                        follows={row().follows}
                        open={open() === id}
                        toggle={() => setOpen(open() === id ? undefined : id)}
                      />
                    )}
                  </Show>
                )}
              </For>
            </ul>
          </Match>
        </Switch>
      </div>
    </div>
  );
}

function AlarmRow(props: {
  alarm: AlarmJson;
  /** What came within seconds after it. */
  followers: readonly AlarmJson[];
  /** Whether it is one of these itself. */
  follows: boolean;
  open: boolean;
  toggle: () => void;
}) {
  const app = useApp();
  const [comment, setComment] = createSignal('');
  const [busy, setBusy] = createSignal(false);
  const [problem, setProblem] = createSignal<string>();
  const refusal = () => app.refusal('alarms.acknowledge');
  const waiting = () => needsAcknowledgement(props.alarm);
  const place = () =>
    alarmPlace(props.alarm, (mRID) => {
      const point = app.pointById().get(mRID);
      return point && (app.equipmentById().get(point.equipment ?? '')?.name ?? point.name);
    });
  const waitingFollowers = () => props.followers.filter(needsAcknowledgement);
  async function acknowledge(...alarms: readonly AlarmJson[]): Promise<void> {
    setBusy(true);
    setProblem(undefined);
    try {
      for (const { id } of alarms) app.alarms.apply(await api.acknowledge(id, comment().trim() || undefined));
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  }
  return (
    <li
      class={`alarm ${waiting() ? `un${props.alarm.priority}` : ''}`}
      classList={{ open: props.open, follows: props.follows }}
    >
      <button type="button" class="alarm-line" aria-expanded={props.open} onClick={props.toggle}>
        <PriorityGlyph priority={props.alarm.priority} filled={waiting()} />
        <span class="time">{stamp(new Date(props.alarm.raisedAt), app.now())}</span>
        <span class="where clip">{place()}</span>
        <span>
          <span class="what">{props.alarm.message}</span>
          <Show when={props.followers.length}>
            <span class="dim"> {followersSentence(props.followers)}</span>
          </Show>
        </span>
        <span class="state">{stateSentence(props.alarm, app.now())}</span>
      </button>
      <Show when={props.open}>
        <div class="alarm-more">
          <dl>
            <dt>priority</dt>
            <dd>
              {props.alarm.priority} · {PRIORITY_WORDS[props.alarm.priority]}
            </dd>
            <dt>state</dt>
            <dd>
              {ALARM_STATE_WORDS[props.alarm.state]} since {stamp(new Date(props.alarm.changedAt), app.now())}
            </dd>
            <Show when={props.follows}>
              <dt>came after</dt>
              <dd>the switch above, within 10 s: it may be the cause</dd>
            </Show>
            <Show when={props.alarm.consequence}>
              <dt>what it means</dt>
              <dd>{props.alarm.consequence}</dd>
            </Show>
            <Show when={props.alarm.action}>
              <dt>what can be done</dt>
              <dd>{props.alarm.action}</dd>
            </Show>
            <Show when={props.alarm.comment}>
              <dt>comment</dt>
              <dd>
                {props.alarm.comment} — {props.alarm.acknowledgedBy}
              </dd>
            </Show>
          </dl>
          <form
            class="btns"
            onSubmit={(event) => {
              event.preventDefault();
              void acknowledge(props.alarm);
            }}
          >
            <Show when={waiting()}>
              <input
                aria-label="Comment"
                placeholder="Comment (optional)"
                maxLength={500}
                value={comment()}
                onInput={(event) => setComment(event.currentTarget.value)}
              />
              <button type="submit" class="main" disabled={busy() || refusal() !== undefined} title={refusal()}>
                Acknowledge
              </button>
            </Show>
            <Show when={waitingFollowers().length}>
              <button
                type="button"
                disabled={busy() || refusal() !== undefined}
                title={refusal()}
                onClick={() => void acknowledge(...(waiting() ? [props.alarm] : []), ...waitingFollowers())}
              >
                {waiting() ? 'With' : 'Acknowledge'} the {waitingFollowers().length} that came after it
              </button>
            </Show>
            <Show when={props.alarm.point}>
              {(point) => (
                <>
                  <button
                    type="button"
                    onClick={() => {
                      app.select({ kind: 'point', mRID: point() });
                      go('grid');
                    }}
                  >
                    Show in the grid
                  </button>
                  <button type="button" onClick={() => go('trends', { points: point() })}>
                    Trend
                  </button>
                </>
              )}
            </Show>
          </form>
          <Show when={waiting() && refusal()}>{(why) => <p class="sub refusal">{why()}</p>}</Show>
          <Show when={problem()}>
            {(text) => (
              <p class="p1-text" role="alert">
                {text()}
              </p>
            )}
          </Show>
        </div>
      </Show>
    </li>
  );
}
