import { type Accessor, createMemo, For, type JSX, Show } from 'solid-js';
import type { PointInfo, Sample } from '../api/types.ts';
import { fixed, type Scale, shownNumber } from '../format/number.ts';
import { isBad } from '../format/quality.ts';
import { hourMinute } from '../format/time.ts';
import { CheckGlyph } from './glyphs.tsx';
import { createRowWindow } from './virtual.ts';

/** What a place says that has nothing to show. */
export function Notice(props: { title: string; children?: JSX.Element; tone?: 'error' }) {
  return (
    <div
      class="notice"
      classList={{ 'notice-error': props.tone === 'error' }}
      role={props.tone === 'error' ? 'alert' : 'status'}
    >
      <strong>{props.title}</strong>
      <Show when={props.children}>
        <p>{props.children}</p>
      </Show>
    </div>
  );
}

/** Why what was asked for was not done. */
export function Problem(props: { text: string | undefined }) {
  return (
    <Show when={props.text}>
      {(text) => (
        <p class="result p1-text" role="alert">
          <CheckGlyph state="bad" /> {text()}
        </p>
      )}
    </Show>
  );
}

/** Grey shapes where the content will stand; nothing moves. */
export function Skeleton(props: { rows: number }) {
  return (
    <div class="skeleton" role="status" aria-label="loading">
      <For each={Array.from({ length: props.rows })}>{(_, index) => <i class={`skeleton-row s${index() % 4}`} />}</For>
    </div>
  );
}

/** A list that draws only the rows in sight. Rows are all of one height. */
export function VirtualList<T>(props: {
  items: readonly T[];
  rowHeight: number;
  label: string;
  children: (item: Accessor<T>, index: Accessor<number>) => JSX.Element;
}) {
  let box!: HTMLElement;
  const { first, slots, scrolled } = createRowWindow(
    () => box,
    () => props.items.length,
    props.rowHeight,
  );
  return (
    <section class="virtual" ref={box} onScroll={scrolled} aria-label={props.label}>
      <div class="virtual-space" style={{ height: `${props.items.length * props.rowHeight}px` }}>
        <div class="virtual-rows" style={{ transform: `translateY(${first() * props.rowHeight}px)` }}>
          <For each={slots()}>
            {(slot) => {
              const index = () => first() + slot;
              // A slot can outlive its item for a moment while the list shrinks.
              return (
                <Show when={props.items[index()] !== undefined}>
                  {props.children(() => props.items[index()]!, index)}
                </Show>
              );
            }}
          </For>
        </div>
      </div>
    </section>
  );
}

export interface Range {
  readonly low: number;
  readonly high: number;
  readonly marks: readonly { readonly at: number; readonly kind: string; readonly priority: number }[];
}

/** The range in which a point is judged, from its limits; undefined when it has none. */
export function rangeOf(point: PointInfo): Range | undefined {
  const limits = point.limits ?? [];
  const upper = limits.filter(({ kind }) => kind.startsWith('high')).map(({ value }) => value);
  const lower = limits.filter(({ kind }) => kind.startsWith('low')).map(({ value }) => value);
  const marks = limits.map(({ value, kind, priority }) => ({ at: value, kind, priority }));
  if (point.minimum !== undefined && point.maximum !== undefined)
    return { low: point.minimum, high: point.maximum, marks };
  if (upper.length && lower.length) {
    const [a, b] = [Math.min(...lower), Math.max(...upper)];
    const rim = (b - a) * 0.15;
    return { low: a - rim, high: b + rim, marks };
  }
  if (upper.length) {
    const top = Math.max(...upper) * 1.08;
    // A load that may feed back has room on both sides of zero.
    return { low: 0, high: top, marks };
  }
  return undefined;
}

/** A value as a bar against its limits. */
export function RangeBar(props: { range: Range; value: number; scale: Scale }) {
  const share = (at: number) => Math.max(0, Math.min(1, (at - props.range.low) / (props.range.high - props.range.low)));
  const zero = () =>
    share(
      Math.max(
        props.range.low,
        Math.min(props.range.high, props.range.low <= 0 && props.range.high >= 0 ? 0 : props.range.low),
      ),
    );
  const number = (at: number) =>
    fixed(Number((at * props.scale.factor).toPrecision(4)), 0 + decimalsOf(at * props.scale.factor));
  const beyond = () =>
    props.range.marks.find(({ at, kind }) => (kind.startsWith('high') ? props.value > at : props.value < at));
  return (
    <>
      <svg
        class="rangebar"
        viewBox="0 0 308 16"
        preserveAspectRatio="none"
        role="img"
        aria-label={`${shownNumber(props.value * props.scale.factor, props.scale)} between ${number(props.range.low)} and ${number(props.range.high)} ${props.scale.unit}`}
      >
        <rect class="bar-band" x="0" y="3" width="308" height="10" rx="2" />
        <rect
          class={beyond() ? `p${beyond()!.priority}-fill` : 'bar-fill'}
          x={308 * Math.min(zero(), share(props.value))}
          y="3"
          width={Math.max(1, 308 * Math.abs(share(props.value) - zero()))}
          height="10"
          rx="2"
        />
        <For each={props.range.marks}>
          {(mark) => <rect class={`p${mark.priority}-fill`} x={308 * share(mark.at) - 1} y="0" width="2" height="16" />}
        </For>
      </svg>
      <div class="scale">
        <span>{number(props.range.low)}</span>
        <span>
          {[...props.range.marks]
            .sort((x, y) => x.at - y.at)
            .map((mark) => `${LIMIT_WORDS[mark.kind] ?? mark.kind} ${number(mark.at)}`)
            .join(' · ')}
        </span>
        <span>{number(props.range.high)}</span>
      </div>
    </>
  );
}
const LIMIT_WORDS: Readonly<Record<string, string>> = {
  highHigh: 'highest',
  high: 'high',
  low: 'low',
  lowLow: 'lowest',
};
const decimalsOf = (value: number): number =>
  Math.abs(value) >= 100 || Number.isInteger(value) ? 0 : Math.abs(value) >= 10 ? 1 : 2;

/** The last hour in 308 × 70: the line breaks where there is a gap, and is dotted where the quality was not good. */
export function Sparkline(props: {
  samples: readonly Sample[];
  from: number;
  to: number;
  limits: readonly { at: number; priority: number }[];
  stepped: boolean;
  dimmed: boolean;
}) {
  const [w, h] = [308, 70];
  const numbers = () =>
    props.samples.filter((sample): sample is readonly [number, number, number] => typeof sample[1] === 'number');
  const extent = createMemo(() => {
    const values = numbers().map(([, value]) => value);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const span = high - low || Math.abs(high) * 0.1 || 1;
    const near = props.limits.map(({ at }) => at).filter((at) => at > low - 0.6 * span && at < high + 0.6 * span);
    const [a, b] = [Math.min(low, ...near), Math.max(high, ...near)];
    return [a - (b - a || 1) * 0.12, b + (b - a || 1) * 0.12] as const;
  });
  /** Limits far off the values are left out: they would flatten the trend. */
  const limitsInView = () => props.limits.filter(({ at }) => at >= extent()[0] && at <= extent()[1]);
  const x = (at: number) => ((at - props.from) / (props.to - props.from)) * w;
  const y = (value: number) => h - ((value - extent()[0]) / (extent()[1] - extent()[0])) * h;
  const paths = createMemo(() => {
    let good = '';
    let bad = '';
    let last: readonly [number, number, number] | undefined;
    const typical = (props.to - props.from) / 24;
    for (const sample of numbers()) {
      const [at, value, quality] = sample;
      const joined = last && (props.stepped || at - last[0] < typical);
      const step = props.stepped && last ? `L${x(at).toFixed(1)} ${y(last[1]).toFixed(1)}` : '';
      const start = joined ? `M${x(last![0]).toFixed(1)} ${y(last![1]).toFixed(1)}${step}L` : 'M';
      const piece = `${start}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
      if (isBad(quality)) bad += piece;
      else good += piece;
      last = sample;
    }
    return { good, bad };
  });
  return (
    <Show when={numbers().length > 0} fallback={<div class="sub">No history in the last hour.</div>}>
      <svg
        class="sparkline"
        classList={{ dimmed: props.dimmed }}
        viewBox={`0 0 ${w} ${h}`}
        role="img"
        aria-label="trend of the last hour"
      >
        <For each={limitsInView()}>
          {(limit) => <path class={`p${limit.priority}-line limit`} d={`M0 ${y(limit.at)}H${w}`} />}
        </For>
        <path class="trend-good" d={paths().good} />
        <path class="trend-bad" d={paths().bad} />
      </svg>
      <div class="scale">
        <span>{hourMinute(new Date(props.from))}</span>
        <span>{hourMinute(new Date(props.to))}</span>
      </div>
    </Show>
  );
}
