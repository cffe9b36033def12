import { createMemo, createResource, createSignal, For, Match, Show, Switch } from 'solid-js';
import { ApiError } from '../api/client.ts';
import { type ProvenanceStep, trustApi } from '../api/trust.ts';
import type { PointInfo } from '../api/types.ts';
import { useApp } from '../app.ts';
import { clock, clockMillis, stamp } from '../format/time.ts';
import { nodePath } from '../pages/trust/places.ts';
import { href } from '../route.ts';
import { CheckGlyph } from '../ui/glyphs.tsx';
import { useLive } from '../ui/live.tsx';
import { Skeleton } from '../ui/parts.tsx';
import { LiveChain } from './LiveChain.tsx';
import { Receipt } from './Receipt.tsx';
import { chainSentence, detailRows, STEP_STATE_WORDS, STEP_TONE } from './words.ts';

/** The chain of the newest value is asked for this often while it is looked at, in milliseconds. */
const AGAIN = 10_000;

/** The way of a value: every link with what was checked, when, and its weakness in words. */
export function Provenance(props: { point: PointInfo }) {
  const app = useApp();
  const value = useLive(() => props.point.mRID);
  const [chain] = createResource(
    () => {
      const node = app.trust.node(props.point.source);
      const round = Math.floor(app.now().getTime() / AGAIN);
      // A point that has never spoken has no way to tell of.
      return app.live() && value() !== undefined && [props.point.mRID, round, node?.status, node?.reaction].join('\n');
    },
    () => trustApi.provenance(props.point.mRID),
  );
  const known = createMemo(() => {
    const found = chain.error ? undefined : chain.latest;
    return found?.point === props.point.mRID ? found : undefined;
  });
  /** A centre without the chain, or a point that has no value in the log yet. */
  const none = () => chain.error instanceof ApiError && chain.error.status === 404;
  return (
    <Switch>
      <Match when={none() || !value()}>
        <LiveChain point={props.point} />
      </Match>
      <Match when={chain.error}>
        <p class="sub">The chain could not be fetched: {String((chain.error as Error).message)}</p>
        <LiveChain point={props.point} />
      </Match>
      <Match when={!known()}>
        <Skeleton rows={5} />
      </Match>
      <Match when={known()}>
        {(found) => (
          <>
            <p class="chain-sum" role="status">
              {chainSentence(found().steps)}
            </p>
            <ol class="chain" classList={{ stale: !app.live() }}>
              <For each={found().steps}>{(step) => <Step step={step} source={props.point.source} />}</For>
              <Show when={!app.live()}>
                <li>
                  <CheckGlyph state="bad" />
                  This screen
                  <small class="warn">has heard nothing from the centre since {clock(app.link().since)}</small>
                </li>
              </Show>
            </ol>
            <p class="sub chain-of">
              The chain of the value of {clockMillis(new Date(found().sourceTime))}, received{' '}
              {clockMillis(new Date(found().receiveTime))}.
            </p>
            <Receipt point={props.point} sourceTime={found().sourceTime} />
          </>
        )}
      </Match>
    </Switch>
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
      <span class="sr">{STEP_STATE_WORDS[props.step.state]}: </span>
      <Show when={node()} fallback={props.step.title}>
        <a class="chain-link" href={href(nodePath(props.source))}>
          {props.step.title}
        </a>
      </Show>
      <Show when={props.step.at}>
        {(at) => <span class="time chain-time">{stamp(new Date(at()), app.now()).replace(/\.\d+$/, '')}</span>}
      </Show>
      <small classList={{ warn: tone() === 'warn', 'p1-text': tone() === 'bad' }}>{props.step.text}</small>
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
