import { createMemo, For, Show } from 'solid-js';
import type { PointInfo } from '../api/types.ts';
import { shortNames } from '../format/names.ts';
import { LiveText } from '../ui/live.tsx';

/** The points of an equipment with their values, device by device where several speak of it. */
export function PointList(props: {
  points: readonly PointInfo[];
  chosen: string | undefined;
  choose: (mRID: string) => void;
}) {
  const names = createMemo(() => shortNames(props.points));
  const devices = createMemo(() => [...Map.groupBy(props.points, ({ source, endpoint }) => `${source} ${endpoint}`)]);
  return (
    <For each={devices()}>
      {([, points]) => (
        <>
          <Show when={devices().length > 1}>
            <h4>
              {points[0]!.endpoint} <span>{points[0]!.source}</span>
            </h4>
          </Show>
          <ul class="pointlist">
            <For each={points}>
              {(point) => (
                <li>
                  <button
                    type="button"
                    classList={{ on: props.chosen === point.mRID }}
                    onClick={() => props.choose(point.mRID)}
                  >
                    <span class="pl-name" title={point.name}>
                      {names().get(point.mRID)}
                    </span>
                    <LiveText point={point} />
                  </button>
                </li>
              )}
            </For>
          </ul>
        </>
      )}
    </For>
  );
}
