import { createMemo, For, Show } from 'solid-js';
import type { AlarmJson } from '../api/types.ts';
import { useApp } from '../app.ts';
import { clockMillis, hourMinute, shortStamp } from '../format/time.ts';
import { groupAlarms, needsAcknowledgement } from '../live/alarms.ts';
import { go } from '../route.ts';
import { PriorityGlyph } from '../ui/glyphs.tsx';

const ROWS = 3;

export const ALARM_STATE_WORDS: Readonly<Record<AlarmJson['state'], string>> = {
  unacknowledged: 'unacknowledged',
  acknowledged: 'acknowledged',
  returnedUnacknowledged: 'gone, unacknowledged',
  normal: 'normal',
};

/** `acknowledged by op1, 13:59`, or the state alone. */
export function stateSentence(alarm: AlarmJson, now: Date): string {
  if (!alarm.acknowledgedBy || needsAcknowledgement(alarm)) return ALARM_STATE_WORDS[alarm.state];
  const at = alarm.acknowledgedAt ? `, ${shortStamp(new Date(alarm.acknowledgedAt), now)}` : '';
  return `${alarm.state === 'normal' ? 'gone, acknowledged' : 'acknowledged'} by ${alarm.acknowledgedBy}${at}`;
}

/** Where an alarm is, in the shortest words that are known. */
export function alarmPlace(alarm: AlarmJson, nameOf: (point: string) => string | undefined): string {
  return (alarm.point ? nameOf(alarm.point) : undefined) ?? alarm.source ?? '';
}

/** What a head alarm says of those that came after it. */
export function followersSentence(followers: readonly AlarmJson[]): string {
  const count = followers.length;
  const worst = Math.min(...followers.map(({ priority }) => priority)) as AlarmJson['priority'];
  const gravest = followers.filter(({ priority }) => priority === worst).length;
  const which = gravest === count ? `priority ${worst}` : `${gravest} of priority ${worst}`;
  return `${count} more ${count === 1 ? 'alarm' : 'alarms'} within 10 s after it, ${which}.`;
}

/** The ground of a row: of the gravest alarm in it that waits for somebody. */
function tint(alarms: readonly AlarmJson[]): string {
  const waiting = alarms.filter(needsAcknowledgement).map(({ priority }) => priority);
  return waiting.length ? `un${Math.min(...waiting)}` : '';
}

/** The newest alarms that wait for somebody, at the foot of every page. */
export function AlarmStrip() {
  const app = useApp();
  const groups = createMemo(() => groupAlarms(app.activeAlarms()));
  const rows = createMemo(() => groups().slice(0, ROWS));
  const more = () => groups().length - rows().length;
  const lastEvent = () => app.events.newest().find(({ kind }) => kind === 'alarm');
  const place = (alarm: AlarmJson) =>
    alarmPlace(alarm, (mRID) => {
      const point = app.pointById().get(mRID);
      return point && (app.equipmentById().get(point.equipment ?? '')?.name ?? point.name);
    });
  return (
    <section class="strip" aria-label="Newest alarms" aria-live="polite">
      <Show
        when={rows().length}
        fallback={
          <div class="strip-empty">
            {app.booksLoaded()
              ? `No alarms${lastEvent() ? ` since ${hourMinute(new Date(lastEvent()!.at))}` : ''}.`
              : ''}
          </div>
        }
      >
        <For each={rows()}>
          {({ alarm, followers }) => (
            <button
              type="button"
              class={`strip-row ${tint([alarm, ...followers])}`}
              onClick={() => {
                if (alarm.point) app.select({ kind: 'point', mRID: alarm.point });
                go('alarms', { id: String(alarm.id) });
              }}
            >
              <PriorityGlyph priority={alarm.priority} filled={needsAcknowledgement(alarm)} />
              <span class="time">{clockMillis(new Date(alarm.raisedAt))}</span>
              <span class="where">{place(alarm)}</span>
              <span class="what">{alarm.message}</span>
              <span class="state">
                <Show when={followers.length}>
                  <b title={followersSentence(followers)}>+ {followers.length} after it</b>
                  {' · '}
                </Show>
                {stateSentence(alarm, app.now())}
              </span>
            </button>
          )}
        </For>
        <Show when={more() > 0}>
          <a class="strip-more" href="#/alarms">
            {more()} more
          </a>
        </Show>
      </Show>
    </section>
  );
}
