import { createEffect, createMemo, createSignal, For, onCleanup, onMount, Show } from 'solid-js';
import { ApiError, api } from '../api/client.ts';
import { operatorsApi } from '../api/operators.ts';
import type { CommandJson, PointInfo } from '../api/types.ts';
import { useApp } from '../app.ts';
import { shown } from '../format/number.ts';
import { clockMillis } from '../format/time.ts';
import { CheckGlyph } from '../ui/glyphs.tsx';
import { LiveText, useLive } from '../ui/live.tsx';
import { Problem } from '../ui/parts.tsx';
import { signWith } from './authenticator.ts';
import { BreakGlass } from './BreakGlass.tsx';
import { Checks } from './Checks.tsx';
import { laterOf } from './known.ts';
import { choicesOf } from './order-words.ts';
import { feedbackFor, feedbackSeen, outcomeOf } from './outcome.ts';
import { timeLeft } from './waiting.ts';
import { mayBreakGlass, phaseOf, STEP_WORDS, stepTone } from './words.ts';

/** How long the dialog waits for the feedback before it says that it is late, in seconds. */
const FEEDBACK_SECONDS = 20;
/** Live values are gathered on their way and may come so much later than the word of the centre about them, in milliseconds. */
const VALUES_LATE = 2_000;

const OUTCOME_GLYPHS = { good: 'ok', bad: 'bad', unsure: 'warn' } as const;

/** One order: choose, check, select and operate as two explicit steps, then watch until the feedback tells. */
export function CommandDialog(props: { point: PointInfo; onClose: () => void }) {
  const app = useApp();
  let dialog!: HTMLDialogElement;
  const [value, setValue] = createSignal<number>();
  const [prepared, setPrepared] = createSignal<CommandJson>();
  const [busy, setBusy] = createSignal(false);
  const [problem, setProblem] = createSignal<string>();
  const [operatedAt, setOperatedAt] = createSignal<number>();
  const [tick, setTick] = createSignal(performance.now());
  const timer = setInterval(() => setTick(performance.now()), 200);
  onCleanup(() => clearInterval(timer));
  onMount(() => dialog.showModal());

  const choices = createMemo(() => (props.point.kind === 'command' ? choicesOf(props.point) : []));
  const command = createMemo(() => {
    const known = prepared();
    const streamed = known && app.commands().get(known.id);
    return streamed ? laterOf(known, streamed) : known;
  });
  const phase = () => (command() ? phaseOf(command()!) : 'choose');
  const sbo = () => props.point.ctlModel === 'sbo';
  const feedback = createMemo(() => app.pointById().get(props.point.feedback ?? ''));
  const feedbackValue = useLive(() => props.point.feedback);
  const word = (of: number) =>
    choices().find((choice) => choice.value === of)?.word ?? shown(props.point, of, app.scaleFor(props.point)).text;
  const ordered = () => command()?.value ?? value();
  const allGood = () => command()?.checks.every(({ ok }) => ok) ?? false;
  /** What the feedback point has to stand at, where that is a position. */
  const awaited = () => {
    const point = feedback();
    const value = ordered();
    return point && value !== undefined ? feedbackFor(props.point, point, value) : undefined;
  };
  const waited = () => (operatedAt() === undefined ? 0 : (tick() - operatedAt()!) / 1000);
  const [seenAt, setSeenAt] = createSignal<number>();
  createEffect(() => {
    const known = command();
    if (seenAt() === undefined && known && feedbackSeen(known)) setSeenAt(performance.now());
  });
  /** Seconds from operate to the feedback. */
  const settledAfter = () => {
    const [from, to] = [operatedAt(), seenAt()];
    return from === undefined || to === undefined ? undefined : (to - from) / 1000;
  };
  const agrees = () => {
    const live = feedbackValue()?.value;
    return awaited() === undefined || live === undefined ? undefined : live === awaited();
  };
  /** The centre has seen the feedback, and the live value has not come yet. */
  const valueOnItsWay = () => agrees() === false && seenAt() !== undefined && tick() - seenAt()! < VALUES_LATE;
  const outcome = createMemo(() => {
    const known = command();
    const point = feedback();
    if (!known) return undefined;
    const sight = point && {
      name: point.name,
      shows: shown(point, feedbackValue()?.value, app.scaleFor(point)),
      agrees: agrees(),
    };
    return outcomeOf(
      known,
      sight && { ...sight, shows: [sight.shows.text, sight.shows.unit].filter(Boolean).join(' ') },
      seenAt() === undefined || tick() - seenAt()! < VALUES_LATE,
    );
  });
  const refusal = () => app.refusal('commands.operate');
  const expired = () => {
    const known = command();
    if (!known || phase() === 'done' || operatedAt() !== undefined) return false;
    return Date.parse(known.expiresAt) < app.now().getTime();
  };

  async function run(action: () => Promise<CommandJson>): Promise<void> {
    setBusy(true);
    setProblem(undefined);
    try {
      const next = await action();
      setPrepared(next);
      app.applyCommand(next);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  }
  const prepare = (of: number) => {
    setValue(of);
    void run(() => api.prepare(props.point.mRID, of));
  };
  /** The order that waits or was refused is given up; another one takes its place. */
  const breakGlass = async (reason: string) => {
    const { id, final, value: of } = command()!;
    await run(async () => {
      if (!final) await api.step(id, 'cancel');
      const broken = await operatorsApi.breakGlass(props.point.mRID, of, reason);
      if (broken.final) return broken;
      setPrepared(broken);
      // Gateways may ask that whoever does it signs it. Who has no authenticator goes without.
      const options = await operatorsApi.approvalOptions(broken.id).catch((error: unknown) => {
        if (error instanceof ApiError && error.status === 409) return undefined;
        throw error;
      });
      return options ? operatorsApi.approve(broken.id, await signWith(options)) : broken;
    });
  };
  const operate = () => {
    setOperatedAt(performance.now());
    void run(() => api.step(command()!.id, 'operate'));
  };
  const close = () => {
    const open = command();
    const cancellable = open && !open.final && operatedAt() === undefined;
    // A prepared order that nobody operates is taken back, so that the device does not stay selected.
    if (cancellable) void api.step(open.id, 'cancel').catch(() => {});
    props.onClose();
  };
  const unit = () => app.scaleFor(props.point);

  return (
    <dialog
      ref={dialog}
      class="dialog"
      classList={{ glass: command()?.breakGlass !== undefined }}
      aria-labelledby="command-title"
      onCancel={(event) => {
        event.preventDefault();
        close();
      }}
    >
      <h2 id="command-title">{props.point.name}</h2>
      <div class="sub">
        {sbo() ? 'Select before operate' : 'Direct operate'} · {props.point.endpoint} ·{' '}
        <span class="mono">{props.point.address}</span>
      </div>

      <Show when={feedback()}>
        {(point) => (
          <div class="now">
            <span class="sub">now</span>{' '}
            <Show when={valueOnItsWay()} fallback={<LiveText point={point()} />}>
              <span class="value">{shown(point(), awaited()).text}</span>
            </Show>
          </div>
        )}
      </Show>

      <section class="step" classList={{ active: phase() === 'choose' }}>
        <h3>What</h3>
        <Show
          when={props.point.kind === 'command'}
          fallback={
            <form
              class="setpoint"
              onSubmit={(event) => {
                event.preventDefault();
                const typed = Number(new FormData(event.currentTarget).get('value'));
                if (Number.isFinite(typed)) prepare(typed / unit().factor);
              }}
            >
              <input
                name="value"
                type="number"
                step="any"
                required
                disabled={phase() !== 'choose' || busy()}
                aria-label={`Set-point in ${unit().unit}`}
                min={props.point.minimum === undefined ? undefined : props.point.minimum * unit().factor}
                max={props.point.maximum === undefined ? undefined : props.point.maximum * unit().factor}
              />
              <span class="unit">{unit().unit}</span>
              <Show when={props.point.minimum !== undefined}>
                <span class="sub">
                  {shown(props.point, props.point.minimum, unit()).text} to{' '}
                  {shown(props.point, props.point.maximum, unit()).text}
                </span>
              </Show>
              <button type="submit" class="main" disabled={phase() !== 'choose' || busy() || refusal() !== undefined}>
                Check
              </button>
            </form>
          }
        >
          <fieldset class="choices" aria-label="Order">
            <For each={choices()}>
              {(choice) => {
                const stands = () => {
                  const point = feedback();
                  const would = point && feedbackFor(props.point, point, choice.value);
                  return !command() && would !== undefined && feedbackValue()?.value === would
                    ? shown(point!, would).text
                    : undefined;
                };
                return (
                  <button
                    type="button"
                    classList={{ main: ordered() === choice.value }}
                    aria-pressed={ordered() === choice.value}
                    disabled={phase() !== 'choose' || busy() || refusal() !== undefined}
                    onClick={() => prepare(choice.value)}
                  >
                    {choice.word}
                    <Show when={stands()}>{(word) => <small> is {word()} already</small>}</Show>
                  </button>
                );
              }}
            </For>
          </fieldset>
        </Show>
        <Show when={refusal()}>{(why) => <p class="sub refusal">{why()}</p>}</Show>
      </section>

      <Show when={command()}>
        {(known) => (
          <>
            <section class="step">
              <h3>Checks of the centre</h3>
              <Checks checks={known().checks} />
            </section>
            <Show when={known().breakGlass}>
              {(broken) => (
                <section class="step glass-broken" role="alert">
                  <strong>Break-glass</strong> {broken().reason}
                </section>
              )}
            </Show>
            <Show when={phase() === 'approving'}>
              <section class="step active" aria-label="Second person">
                <h3>Second person</h3>
                <p role="status">
                  Another operator sees this order now and has to approve it with an authenticator of their own.{' '}
                  {timeLeft(known().expiresAt, app.now())} left.
                </p>
              </section>
            </Show>
            <Show when={mayBreakGlass(known()) && operatedAt() === undefined}>
              <BreakGlass busy={busy()} onBreak={(reason) => void breakGlass(reason)} />
            </Show>
            <section class="step" classList={{ active: phase() === 'prepared' || phase() === 'selected' }}>
              <h3>{sbo() ? 'Two steps' : 'One step'}</h3>
              <div class="choices">
                <Show when={sbo()}>
                  <button
                    type="button"
                    class={phase() === 'prepared' ? 'main' : ''}
                    disabled={phase() !== 'prepared' || !allGood() || busy() || expired() || refusal() !== undefined}
                    onClick={() => void run(() => api.step(known().id, 'select'))}
                  >
                    1 · Select
                  </button>
                </Show>
                <button
                  type="button"
                  class={phase() === (sbo() ? 'selected' : 'prepared') ? 'main strong' : ''}
                  disabled={
                    phase() !== (sbo() ? 'selected' : 'prepared') ||
                    !allGood() ||
                    busy() ||
                    expired() ||
                    operatedAt() !== undefined ||
                    refusal() !== undefined
                  }
                  onClick={operate}
                >
                  {sbo() ? '2 · ' : ''}Operate: {word(known().value)}
                </button>
              </div>
              <Show when={expired()}>
                <p class="sub p2-text">The order has expired. Close this and prepare it anew.</p>
              </Show>
            </section>
            <section class="step">
              <h3>What happened</h3>
              <ol class="happened" aria-live="polite">
                <For each={known().events}>
                  {(event) => (
                    <li>
                      <span class="time">{clockMillis(new Date(event.at))}</span>
                      <span
                        classList={{
                          'p1-text': stepTone(event.step) === 'bad',
                          'p2-text': stepTone(event.step) === 'unsure',
                        }}
                      >
                        {STEP_WORDS[event.step]}
                        {event.reason ? ` ${event.reason}` : ''}
                      </span>
                    </li>
                  )}
                </For>
              </ol>
              <Show when={operatedAt() !== undefined && feedback() && outcome()?.tone !== 'bad'}>
                <div class="feedback">
                  <svg class="timer" viewBox="0 0 308 6" preserveAspectRatio="none" aria-hidden="true">
                    <rect class="bar-band" width="308" height="6" rx="2" />
                    <rect
                      class={waited() > FEEDBACK_SECONDS && settledAfter() === undefined ? 'p2-fill' : 'bar-fill'}
                      width={308 * Math.min(1, (settledAfter() ?? waited()) / FEEDBACK_SECONDS)}
                      height="6"
                      rx="2"
                    />
                  </svg>
                  <span class="sub">
                    <Show
                      when={settledAfter()}
                      fallback={
                        waited() > FEEDBACK_SECONDS
                          ? `No feedback after ${FEEDBACK_SECONDS} s. Nothing was repeated.`
                          : `Waiting for the feedback, ${waited().toFixed(1)} s`
                      }
                    >
                      {(after) => `Feedback after ${after().toFixed(1)} s`}
                    </Show>
                  </span>
                </div>
              </Show>
              <Show when={outcome()}>
                {(known) => (
                  <p class="result" classList={{ 'p2-text': known().tone !== 'good' }}>
                    <CheckGlyph state={OUTCOME_GLYPHS[known().tone]} /> {known().text}
                  </p>
                )}
              </Show>
            </section>
          </>
        )}
      </Show>
      <Problem text={problem()} />
      <div class="btns end">
        <button type="button" onClick={close}>
          {phase() === 'done' || operatedAt() !== undefined ? 'Close' : 'Cancel'}
        </button>
      </div>
    </dialog>
  );
}
