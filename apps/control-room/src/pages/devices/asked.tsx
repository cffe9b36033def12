/** Answers of a gateway about a device: fetched when shown, kept with their moment, asked for again by hand. */
import { type Accessor, createResource, type JSX, Show } from 'solid-js';
import { useApp } from '../../app.ts';
import { clock } from '../../format/time.ts';
import { Notice, Skeleton } from '../../ui/parts.tsx';

export interface Asked<T> {
  /** The newest answer, also while another one is asked for. */
  readonly answer: Accessor<T | undefined>;
  readonly problem: Accessor<string | undefined>;
  readonly loading: Accessor<boolean>;
  again(): void;
}

/** Asks as soon as the gateway is there, and again when it comes back. @param key of what is asked about; undefined: not now */
export function createAsked<T>(key: Accessor<string | undefined>, ask: () => Promise<T>): Asked<T> {
  const [resource, { refetch }] = createResource(key, ask);
  return {
    // After an error the resource would throw.
    answer: () => (resource.state === 'errored' ? undefined : resource.latest),
    problem: () => (resource.state === 'errored' ? String((resource.error as Error).message) : undefined),
    loading: () => resource.loading,
    again: () => void refetch(),
  };
}

/** The moment of an answer, and the way to another one. */
export function AskedAt<T extends { readonly at: string }>(props: { asked: Asked<T>; what: string }) {
  const at = () => props.asked.answer()?.at;
  return (
    <span class="asked">
      <Show when={at()}>
        {(moment) => (
          <span class="sub">
            <ReadMark /> read {clock(new Date(Number(BigInt(moment()) / 1_000_000n)))}
          </span>
        )}
      </Show>
      <button
        type="button"
        disabled={props.asked.loading()}
        aria-label={`Read ${props.what} again`}
        onClick={() => props.asked.again()}
      >
        {props.asked.loading() ? 'Reading …' : 'Read again'}
      </button>
    </span>
  );
}

/** What was read just now has no receipt: an open ring, whose word is always beside it or in its title. */
export function ReadMark() {
  return (
    <svg class="glyph read-mark" viewBox="0 0 12 12" role="img" aria-label="read now, without a receipt">
      <title>Read now from the device: seen by the gateway, not stored, without a receipt</title>
      <circle cx="6" cy="6" r="4.2" />
      <path d="M6 3.4V6l1.8 1.2" />
    </svg>
  );
}

/** The answer, or what stands in its place. */
export function Answer<T>(props: {
  asked: Asked<T>;
  /** Why nothing can be asked now; what is there stays. */
  away: string | undefined;
  what: string;
  children: (answer: Accessor<T>) => JSX.Element;
}) {
  const app = useApp();
  return (
    <Show
      when={props.asked.answer()}
      fallback={
        <Show when={props.away ?? props.asked.problem()} fallback={<Skeleton rows={8} />}>
          {(why) => (
            <div class="sheet-notice">
              <Notice title={`${props.what} cannot be shown`} tone="error">
                {why()}
              </Notice>
              <Show when={!props.away && app.live()}>
                <button type="button" onClick={() => props.asked.again()}>
                  Ask again
                </button>
              </Show>
            </div>
          )}
        </Show>
      }
    >
      {(answer) => props.children(answer)}
    </Show>
  );
}
