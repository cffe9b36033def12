import { createSignal, For, Index, Match, Show, Switch, untrack } from 'solid-js';
import type { ProvenanceJson, ProvenanceStep } from '../api/trust.ts';
import type { PointInfo } from '../api/types.ts';
import { useApp } from '../app.ts';
import { shown } from '../format/number.ts';
import { clock, day, stamp, typedTime } from '../format/time.ts';
import { nodePath } from '../pages/trust/places.ts';
import { href } from '../route.ts';
import { CheckGlyph } from '../ui/glyphs.tsx';
import { Skeleton } from '../ui/parts.tsx';
import { TimeField } from '../ui/TimeField.tsx';
import { LiveChain } from './LiveChain.tsx';
import { Receipt } from './Receipt.tsx';
import { SilentScreen } from './SilentScreen.tsx';
import type { ProvenanceView } from './useProvenance.ts';
import { chainSentence, detailRows, STEP_STATE_WORDS, STEP_TONE, withLocalTimes } from './words.ts';

/** The way of a value: every link with what was checked, when, and its weakness in words. */
export function Provenance(props: { point: PointInfo; view: ProvenanceView }) {
  const app = useApp();
  const bad = () => app.badNodes().get(props.point.source);
  return (
    <>
      <Switch>
        <Match when={props.view.absent() && !props.view.at()}>
          <LiveChain point={props.point} />
        </Match>
        <Match when={props.view.error()}>
          {(error) => <p class="sub">The chain could not be fetched: {error().message}</p>}
        </Match>
        <Match when={!props.view.chain()}>
          <Skeleton rows={5} />
        </Match>
        <Match when={props.view.chain()}>
          {(found) => (
            <>
              <Show when={bad()}>
                {(state) => (
                  <p class="p1-text">
                    <a class="chain-link" href={href(nodePath(props.point.source))}>
                      {props.point.source}
                    </a>{' '}
                    {state() === 'quarantined' ? 'is shut out' : 'has failed attestation'}: what comes from it now is
                    distrusted, whatever its signatures say.
                  </p>
                )}
              </Show>
              <p class="chain-sum" role="status">
                {chainSentence(found().steps)}
              </p>
              <ol class="chain" classList={{ stale: !app.live() }}>
                {/* By place, so that what was opened stays open when the chain is fetched again. */}
                <Index each={found().steps}>{(step) => <Step step={step()} source={props.point.source} />}</Index>
                <SilentScreen />
              </ol>
              <p class="sub chain-of">
                <Which of={found()} point={props.point} past={props.view.at() !== undefined} />
              </p>
              <Receipt point={props.point} sourceTime={found().sourceTime} trust={found().trust} />
            </>
          )}
        </Match>
      </Switch>
      <Show when={!props.view.absent() || props.view.at()}>
        <OtherTime view={props.view} />
      </Show>
    </>
  );
}

/** Which value it is whose chain is shown. */
function Which(props: { of: ProvenanceJson; point: PointInfo; past: boolean }) {
  const app = useApp();
  const parts = () => shown(props.point, props.of.value, app.scaleFor(props.point));
  const at = (text: string) => stamp(new Date(text), app.now());
  return (
    <>
      {props.past ? 'At that time it stood at ' : 'The chain of '}
      <b>{[parts().text, parts().unit].filter(Boolean).join(' ')}</b>, of {at(props.of.sourceTime)}, received{' '}
      {at(props.of.receiveTime)}
      {props.past ? `; ${props.of.trust}` : ''}.
    </>
  );
}

/** Chain and receipt of an earlier value. */
function OtherTime(props: { view: ProvenanceView }) {
  const app = useApp();
  const opened = untrack(app.now);
  const start = `${day(opened)} ${clock(opened)}`;
  return (
    <details class="other-time" open={props.view.at() !== undefined}>
      <summary class="sub">Of another time</summary>
      <form
        class="btns"
        onSubmit={(event) => {
          event.preventDefault();
          const typed = typedTime(String(new FormData(event.currentTarget).get('at')));
          if (typed) props.view.setAt(typed);
        }}
      >
        <TimeField name="at" label="Time of the value" value={start} />
        <button type="submit">Show</button>
        <Show when={props.view.at()}>
          <button type="reset" onClick={() => props.view.setAt(undefined)}>
            Newest
          </button>
        </Show>
      </form>
    </details>
  );
}

function Step(props: { step: ProvenanceStep; source: string }) {
  const app = useApp();
  const [open, setOpen] = createSignal(false);
  const tone = () => STEP_TONE[props.step.state];
  const rows = () => detailRows(props.step.details);
  const node = () => (props.step.kind === 'gateway' ? app.trust.node(props.source) : undefined);
  return (
    <li class={`step-${props.step.state}`}>
      <Show
        when={tone() !== 'none'}
        fallback={
          <svg class="glyph" viewBox="0 0 14 14" role="img" aria-label={STEP_STATE_WORDS[props.step.state]}>
            <circle class="glyph-missing" cx="7" cy="7" r="4.5" />
          </svg>
        }
      >
        <CheckGlyph state={tone() as 'ok' | 'warn' | 'bad'} />
      </Show>
      <Show when={props.step.at}>
        {(at) => <span class="time chain-time">{stamp(new Date(at()), app.now()).replace(/\.\d+$/, '')}</span>}
      </Show>
      <Show when={node()} fallback={props.step.title}>
        <a class="chain-link" href={href(nodePath(props.source))}>
          {props.step.title}
        </a>
      </Show>
      <Show when={props.step.state !== 'ok'}>
        <span class={`step-word step-word-${props.step.state}`}> · {STEP_STATE_WORDS[props.step.state]}</span>
      </Show>
      <small classList={{ 'p1-text': tone() === 'bad' }}>{withLocalTimes(props.step.text, app.now())}</small>
      <Show when={rows().length}>
        <details class="step-more" onToggle={(event) => setOpen(event.currentTarget.open)}>
          <summary>{open() ? 'less' : 'more'}</summary>
          <dl>
            <For each={rows()}>
              {([name, value]) => (
                <>
                  <dt>{name}</dt>
                  <dd class={value.length > 24 ? 'mono' : ''}>{value}</dd>
                </>
              )}
            </For>
          </dl>
        </details>
      </Show>
    </li>
  );
}
