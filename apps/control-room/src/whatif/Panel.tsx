/** In the place of the inspector while something is tried: what can be moved, what has been, and what comes of it. */
import { createEffect, createMemo, createSignal, For, type JSX, Match, on, Show, Switch } from 'solid-js';
import type { ChangeJson, PowerJson } from '../api/grid-state.ts';
import { useApp } from '../app.ts';
import { type Equipment, isBusbar, isSwitch } from '../diagram/equipment.ts';
import { fixed } from '../format/number.ts';
import { CLASS_WORDS } from '../frame/words.ts';
import { Icon } from '../ui/glyphs.tsx';
import { findingsOf } from './outcome.ts';

const MOST = 12;

export function TrialPanel() {
  const app = useApp();
  const chosen = createMemo(() => {
    const selection = app.selection();
    if (!selection) return undefined;
    return app.equipmentById().get(app.pointById().get(selection.mRID)?.equipment ?? selection.mRID);
  });
  return (
    <aside class="inspector trial-panel" aria-label="What if">
      <Show
        when={chosen()}
        fallback={
          <>
            <h2>What if</h2>
            <p class="sub">
              Select a switch, a transformer, a load or a source in the diagram, and change it here. The power flow
              shows what would come of it, beside what is live.
            </p>
          </>
        }
        keyed
      >
        {(equipment) => (
          <>
            <div class="inspector-head">
              <div>
                <h2>{equipment.name}</h2>
                <div class="sub">{CLASS_WORDS[equipment.class] ?? equipment.class}</div>
              </div>
              <button type="button" class="bare" aria-label="Close" onClick={() => app.select(undefined)}>
                <Icon name="close" size={14} />
              </button>
            </div>
            <Controls equipment={equipment} />
          </>
        )}
      </Show>
      <Changes />
      <Result />
    </aside>
  );
}

function Controls(props: { equipment: Equipment }) {
  const app = useApp();
  const { whatIf } = app;
  const of = () => props.equipment;
  const mRID = () => props.equipment.mRID;
  const isOut = () => whatIf.trial().outages.includes(mRID());
  return (
    <Switch fallback={<p class="sub">Nothing about it can be tried.</p>}>
      <Match when={isSwitch(of())}>
        <fieldset class="choices" aria-label="Position in the trial">
          <For each={[false, true]}>
            {(closed) => (
              <button
                type="button"
                classList={{ on: whatIf.trial().switches[mRID()] === closed }}
                aria-pressed={whatIf.trial().switches[mRID()] === closed}
                onClick={() => whatIf.setSwitch(mRID(), closed)}
              >
                {closed ? 'Closed' : 'Open'}
              </button>
            )}
          </For>
          <button
            type="button"
            disabled={whatIf.trial().switches[mRID()] === undefined}
            onClick={() => whatIf.setSwitch(mRID(), undefined)}
          >
            As live
          </button>
        </fieldset>
      </Match>
      <Match when={of().class !== 'Junction' && of().class !== 'Ground'}>
        <Show when={isBusbar(of())}>
          <Voltage node={of().terminals[0]?.connectivityNode ?? ''} />
        </Show>
        <Tap equipment={of()} />
        <Show when={drawsPower(of())}>
          <PowerForm equipment={of()} />
        </Show>
        <Show when={of().class === 'ExternalNetworkInjection'}>
          <Figure
            label="Voltage held"
            unit="kV"
            value={whatIf.trial().voltages[mRID()] ?? (of() as { voltage?: number }).voltage ?? 0}
            set={(kV) => whatIf.setVoltage(mRID(), kV)}
          />
        </Show>
        <label class="check">
          <input
            type="checkbox"
            checked={isOut()}
            onChange={(event) => whatIf.setOutage(mRID(), event.currentTarget.checked)}
          />
          Out of service
        </label>
      </Match>
    </Switch>
  );
}

/** Whether it has a power of its own that can be set; the service says the same. */
const drawsPower = (of: Equipment): boolean =>
  of.class === 'PowerElectronicsConnection' || ('p' in of && 'q' in of && of.class !== 'ExternalNetworkInjection');

function Voltage(props: { node: string }) {
  const app = useApp();
  const pair = () => app.whatIf.outcome()?.voltage(props.node);
  const text = (value: number | null | undefined) =>
    value === null || value === undefined ? 'without voltage' : `${fixed(value, 2)} kV`;
  return (
    <Show when={pair()}>
      {(both) => (
        <dl>
          <dt>in the trial</dt>
          <dd>{text(both().tried)}</dd>
          <dt>live</dt>
          <dd>{text(both().live)}</dd>
        </dl>
      )}
    </Show>
  );
}

function Tap(props: { equipment: Equipment }) {
  const app = useApp();
  const changer = () => (props.equipment.class === 'PowerTransformer' ? props.equipment.ratioTapChanger : undefined);
  const live = () => {
    const point = app.measurements().get(props.equipment.mRID)?.byRole.tap;
    const value = point ? app.values.number(point.mRID) : Number.NaN;
    return Number.isNaN(value) ? (changer()?.normalStep ?? 0) : Math.round(value);
  };
  const step = () => app.whatIf.trial().taps[props.equipment.mRID] ?? live();
  const set = (next: number) => {
    const { lowStep, highStep } = changer()!;
    app.whatIf.setTap(props.equipment.mRID, Math.max(lowStep, Math.min(highStep, next)));
  };
  return (
    <Show when={changer()}>
      {(of) => (
        <fieldset class="stepper" aria-label="Tap position in the trial">
          <span>Tap</span>
          <button
            type="button"
            aria-label="One step down"
            disabled={step() <= of().lowStep}
            onClick={() => set(step() - 1)}
          >
            −
          </button>
          <output>{fixed(step(), 0)}</output>
          <button
            type="button"
            aria-label="One step up"
            disabled={step() >= of().highStep}
            onClick={() => set(step() + 1)}
          >
            +
          </button>
          <span class="dim">
            {fixed(of().lowStep, 0)} to {fixed(of().highStep, 0)}, live {fixed(live(), 0)}
          </span>
        </fieldset>
      )}
    </Show>
  );
}

const MEGA: Readonly<Record<string, number>> = { none: 1e-6, k: 1e-3, M: 1, G: 1e3 };

function PowerForm(props: { equipment: Equipment }) {
  const app = useApp();
  const live = (role: 'P' | 'Q'): number => {
    const point = app.measurements().get(props.equipment.mRID)?.byRole[role];
    const value = point
      ? app.values.number(point.mRID) *
        (MEGA[point.unitMultiplier ?? 'none'] ?? 1) *
        (point.positiveFlowIn === false ? -1 : 1)
      : Number.NaN;
    const { p, q } = props.equipment as { p?: number; q?: number };
    return Number.isNaN(value) ? ((role === 'P' ? p : q) ?? 0) : value;
  };
  const now = (): PowerJson => app.whatIf.trial().powers[props.equipment.mRID] ?? { p: live('P'), q: live('Q') };
  const set = (power: Partial<PowerJson>) => app.whatIf.setPower(props.equipment.mRID, { ...now(), ...power });
  return (
    <>
      <Figure label="Active power drawn" unit="MW" value={now().p} set={(p) => set({ p })} />
      <Figure label="Reactive power drawn" unit="Mvar" value={now().q} set={(q) => set({ q })} />
      <p class="sub">Positive is drawn from the grid, negative is fed in.</p>
    </>
  );
}

function Figure(props: { label: string; unit: string; value: number; set: (value: number) => void }) {
  const [text, setText] = createSignal(props.value.toFixed(3));
  createEffect(
    on(
      () => props.value,
      (value) => Number(text()) !== value && setText(value.toFixed(3)),
      { defer: true },
    ),
  );
  const take = () => {
    const value = Number(text().replace(',', '.'));
    if (text().trim() !== '' && Number.isFinite(value) && Math.abs(value) <= 100_000) props.set(value);
    else setText(props.value.toFixed(3));
  };
  return (
    <label class="figure">
      <span>{props.label}</span>
      <input
        inputmode="decimal"
        value={text()}
        onInput={(event) => setText(event.currentTarget.value)}
        onChange={take}
      />
      <span class="dim">{props.unit}</span>
    </label>
  );
}

function Changes() {
  const app = useApp();
  const { whatIf } = app;
  const changes = createMemo((): ChangeJson[] => {
    const answered = whatIf.outcome()?.answer.changes;
    return answered ? [...answered] : [];
  });
  const words = (of: ChangeJson['live'], kind: ChangeJson['kind']): string => {
    if (of === null) return '—';
    if (typeof of === 'boolean')
      return kind === 'outage' ? (of ? 'out of service' : 'in service') : of ? 'closed' : 'open';
    if (typeof of === 'number') return kind === 'tap' ? `tap ${fixed(of, 0)}` : `${fixed(of, 2)} kV`;
    return `${fixed(of.p, 2)} MW, ${fixed(of.q, 2)} Mvar`;
  };
  const undo: Record<ChangeJson['kind'], (mRID: string) => void> = {
    switch: (mRID) => whatIf.setSwitch(mRID, undefined),
    tap: (mRID) => whatIf.setTap(mRID, undefined),
    power: (mRID) => whatIf.setPower(mRID, undefined),
    voltage: (mRID) => whatIf.setVoltage(mRID, undefined),
    outage: (mRID) => whatIf.setOutage(mRID, false),
  };
  return (
    <Show when={changes().length}>
      <h3>Tried</h3>
      <ul class="trial-changes" aria-label="What is tried">
        <For each={changes()}>
          {(change) => (
            <li>
              <button
                type="button"
                class="bare trial-name"
                onClick={() => app.select({ kind: 'equipment', mRID: change.equipment })}
              >
                {change.name}
                <small>
                  {words(change.live, change.kind)} → {words(change.tried, change.kind)}
                </small>
              </button>
              <button
                type="button"
                class="bare"
                aria-label={`Undo ${change.name}`}
                onClick={() => undo[change.kind](change.equipment)}
              >
                <Icon name="close" size={12} />
              </button>
            </li>
          )}
        </For>
      </ul>
    </Show>
  );
}

function Result() {
  const app = useApp();
  const { whatIf } = app;
  const names = createMemo(() => {
    const list = (app.model()?.equipment ?? []).flatMap((each): [string, string][] =>
      isBusbar(each) ? [[each.terminals[0]?.connectivityNode ?? '', each.name]] : [],
    );
    return new Map(list);
  });
  const findings = createMemo(() => {
    const outcome = whatIf.outcome();
    return outcome ? findingsOf(outcome, names()) : [];
  });
  const busbarOf = (node: string) =>
    (app.model()?.equipment ?? []).find((each) => isBusbar(each) && each.terminals[0]?.connectivityNode === node)?.mRID;
  const open = (of: string) =>
    app.select({ kind: 'equipment', mRID: app.equipmentById().has(of) ? of : (busbarOf(of) ?? of) });
  const line = (name: JSX.Element, text: JSX.Element) => (
    <>
      <dt>{name}</dt>
      <dd>{text}</dd>
    </>
  );
  return (
    <>
      <h3>Outcome</h3>
      <Show when={whatIf.problem()}>
        {(why) => (
          <p class="p1-text" role="alert">
            {why()}
          </p>
        )}
      </Show>
      <Show
        when={whatIf.outcome()}
        fallback={<p class="sub">{whatIf.busy() ? 'Calculating …' : 'Nothing calculated.'}</p>}
      >
        {(outcome) => (
          <>
            <dl class="trial-facts" aria-busy={whatIf.busy()}>
              {line(
                'power flow',
                <span classList={{ 'p1-text': !outcome().answer.converged }}>
                  {outcome().answer.converged
                    ? `converged in ${outcome().answer.iterations} steps`
                    : 'did not converge'}
                </span>,
              )}
              {line('losses', outcome().answer.losses === null ? '—' : `${fixed(outcome().answer.losses!, 3)} MW`)}
              {line('energised islands', outcome().answer.islands.filter(({ energised }) => energised).length)}
            </dl>
            <ul class="trial-findings" aria-label="What would come of it">
              <For
                each={findings().slice(0, MOST)}
                fallback={<li class="sub">No limit is passed, and nothing loses its voltage.</li>}
              >
                {(finding) => (
                  <li>
                    <button
                      type="button"
                      class="bare trial-name"
                      onClick={() => finding.equipment && open(finding.equipment)}
                    >
                      {finding.name}
                      <small class={finding.tone}>{finding.text}</small>
                    </button>
                  </li>
                )}
              </For>
              <Show when={findings().length > MOST}>
                <li class="sub">and {findings().length - MOST} more</li>
              </Show>
            </ul>
          </>
        )}
      </Show>
    </>
  );
}
