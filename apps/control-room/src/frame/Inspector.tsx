import { createEffect, createMemo, createSignal, For, Show } from 'solid-js';
import { useApp } from '../app.ts';
import { isSwitchPosition } from '../format/number.ts';
import { Icon, PriorityGlyph } from '../ui/glyphs.tsx';
import { Actions } from './Actions.tsx';
import { stateSentence } from './AlarmStrip.tsx';
import { PointDetail } from './PointDetail.tsx';
import { PointList } from './PointList.tsx';
import { CLASS_WORDS } from './words.ts';

/** Everything about what is selected: value, limits, the last hour, quality, and where it comes from. */
export function Inspector() {
  const app = useApp();
  const chosen = createMemo(() => {
    const selection = app.selection();
    if (!selection) return undefined;
    const asPoint = app.pointById().get(selection.mRID);
    const equipment = app.equipmentById().get(asPoint?.equipment ?? selection.mRID);
    return { key: selection.mRID, asPoint, equipment };
  });
  const [preferred, setPreferred] = createSignal<string>();
  createEffect(() => {
    chosen()?.key;
    setPreferred(undefined);
  });
  const all = createMemo(() => {
    const found = chosen();
    const of = found?.equipment ? app.measurements().get(found.equipment.mRID)?.all : undefined;
    return of ?? (found?.asPoint ? [found.asPoint] : []);
  });
  const measured = createMemo(() => all().filter(({ kind }) => kind !== 'command' && kind !== 'setpoint'));
  const controls = createMemo(() => all().filter(({ kind }) => kind === 'command' || kind === 'setpoint'));
  const main = createMemo(() => {
    const asked = preferred() ?? chosen()?.asPoint?.mRID;
    const list = measured();
    return (
      list.find(({ mRID }) => mRID === asked) ??
      list.find(isSwitchPosition) ??
      list.find(({ measurementType }) => measurementType === 'ThreePhaseActivePower') ??
      list[0] ??
      chosen()?.asPoint
    );
  });
  const alarms = () => app.alarmsByThing().get(chosen()?.equipment?.mRID ?? chosen()?.key ?? '') ?? [];

  return (
    <aside class="inspector" aria-label="Inspector">
      <Show when={chosen()} fallback={<EmptyInspector />}>
        {(found) => (
          <>
            <div class="inspector-head">
              <div>
                <h2>{main()?.name ?? found().equipment?.name ?? 'Unknown'}</h2>
                <div class="sub">
                  {[
                    found().equipment &&
                      `${found().equipment!.name}, ${CLASS_WORDS[found().equipment!.class] ?? found().equipment!.class}`,
                    main()?.measurementType,
                  ]
                    .filter(Boolean)
                    .join(' · ')}
                </div>
              </div>
              <button type="button" class="bare" aria-label="Close the inspector" onClick={() => app.select(undefined)}>
                <Icon name="close" size={14} />
              </button>
            </div>
            <For each={alarms().slice(0, 3)}>
              {(alarm) => (
                <a class="inspector-alarm" href={`#/alarms?id=${encodeURIComponent(String(alarm.id))}`}>
                  <PriorityGlyph priority={alarm.priority} filled={alarm.state !== 'acknowledged'} />
                  <span>
                    {alarm.message}
                    <small>{stateSentence(alarm, app.now())}</small>
                  </span>
                </a>
              )}
            </For>
            <Show
              when={main()}
              fallback={
                <>
                  <p class="sub">No point of the announced sites belongs to this equipment.</p>
                  <Actions controls={controls()} main={undefined} equipment={found().equipment} />
                </>
              }
              keyed
            >
              {(point) => (
                <PointDetail point={point}>
                  <Actions controls={controls()} main={point} equipment={found().equipment} />
                </PointDetail>
              )}
            </Show>
            <Show when={measured().length > 1}>
              <h3>Points of {found().equipment?.name}</h3>
              <PointList points={measured()} chosen={main()?.mRID} choose={setPreferred} />
            </Show>
          </>
        )}
      </Show>
    </aside>
  );
}

function EmptyInspector() {
  const app = useApp();
  const energisedHint = () => app.model() !== undefined;
  return (
    <div class="inspector-empty">
      <h2>Nothing selected</h2>
      <p class="sub">
        {energisedHint()
          ? 'Select equipment in the diagram, a point or an alarm: here stand its value, its limits, the last hour, and where it comes from.'
          : 'Select a point or an alarm to see where its value comes from.'}
      </p>
      <h3>Keys</h3>
      <dl>
        <dt>Tab, Enter</dt>
        <dd>walk, select</dd>
        <dt>o, double click</dt>
        <dd>open the station of it</dd>
        <dt>Backspace</dt>
        <dd>back to the wider view</dd>
        <dt>+ − 0 arrows</dt>
        <dd>zoom, fit, pan</dd>
        <dt>/</dt>
        <dd>filter a list</dd>
        <dt>Esc</dt>
        <dd>clear the selection</dd>
      </dl>
    </div>
  );
}
