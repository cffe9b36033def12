/** Live values in the page: each element listens to its own point and is told once per frame. */
import { type Accessor, createEffect, createSignal, For, onCleanup, Show } from 'solid-js';
import type { PointInfo } from '../api/types.ts';
import { useApp } from '../app.ts';
import { shown } from '../format/number.ts';
import { isInvalid, isOld, qualityMarks, qualityWords } from '../format/quality.ts';
import { duration } from '../format/time.ts';
import type { LiveValue } from '../live/values.ts';
import { DistrustMark } from '../trust/glyphs.tsx';

/** The live value of a point as a signal, alive as long as the element that asked. */
export function useLive(point: Accessor<string | undefined>): Accessor<LiveValue | undefined> {
  const { values } = useApp();
  const [value, setValue] = createSignal<LiveValue>();
  createEffect(() => {
    const mRID = point();
    setValue(mRID ? values.get(mRID) : undefined);
    if (mRID) onCleanup(values.subscribe(mRID, () => setValue(values.get(mRID))));
  });
  return value;
}

export function QualityMarks(props: { quality: number; sourceTime?: number }) {
  const { now } = useApp();
  return (
    <>
      <For each={qualityMarks(props.quality)}>
        {(mark) => (
          <span class={`mark mark-${mark.tone}`} title={mark.word}>
            {mark.sign}
          </span>
        )}
      </For>
      <Show when={isOld(props.quality) && props.sourceTime}>
        <span class="age">old {duration(now().getTime() - props.sourceTime!)}</span>
      </Show>
    </>
  );
}

/** Number, unit and quality of a point, as it stands. */
export function LiveText(props: { point: PointInfo; class?: string }) {
  const value = useLive(() => props.point.mRID);
  const { scaleFor, trustOf } = useApp();
  const parts = () => shown(props.point, value()?.value, scaleFor(props.point));
  return (
    <Show when={value()} fallback={<span class="nodata">no value yet</span>}>
      {(live) => (
        <span
          class={`value ${props.class ?? ''}`}
          classList={{ old: isOld(live().quality), invalid: isInvalid(live().quality) }}
          title={qualityWords(live().quality)}
        >
          <span class="num">{parts().text}</span>
          <Show when={parts().unit}>
            <span class="unit">{parts().unit}</span>
          </Show>
          <QualityMarks quality={live().quality} sourceTime={live().sourceTime} />
          <DistrustMark trust={trustOf(props.point.source, live().trust)} />
        </span>
      )}
    </Show>
  );
}
