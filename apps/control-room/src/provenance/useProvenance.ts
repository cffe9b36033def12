import { type Accessor, createMemo, createResource, createSignal } from 'solid-js';
import { ApiError } from '../api/client.ts';
import { type ProvenanceJson, trustApi, type ValueTrust } from '../api/trust.ts';
import type { PointInfo } from '../api/types.ts';
import { useApp } from '../app.ts';
import { useLive } from '../ui/live.tsx';

/** The chain of the newest value is asked for this often while it is looked at, in milliseconds. */
const AGAIN = 10_000;

export interface ProvenanceView {
  /** The chain that is shown; undefined while it is fetched. */
  readonly chain: Accessor<ProvenanceJson | undefined>;
  readonly error: Accessor<Error | undefined>;
  /** A point without a value in the log, or a centre without the chain. */
  readonly absent: Accessor<boolean>;
  /** Time of the value that is asked for; undefined is the newest. */
  readonly at: Accessor<Date | undefined>;
  readonly setAt: (at: Date | undefined) => void;
  /** What the chain knows of the trust of the live value: results that came after it may have settled it. */
  readonly settled: Accessor<ValueTrust | undefined>;
}

export function useProvenance(point: Accessor<PointInfo>): ProvenanceView {
  const app = useApp();
  const value = useLive(() => point().mRID);
  const [at, setAt] = createSignal<Date>();
  const [answer] = createResource(
    () => {
      const past = at();
      if (!app.live() || (value() === undefined && !past)) return false;
      if (past) return `${point().mRID}\n${past.toISOString()}`;
      const node = app.trust.node(point().source);
      return [point().mRID, Math.floor(app.now().getTime() / AGAIN), node?.status, node?.reaction].join('\n');
    },
    () => trustApi.provenance(point().mRID, at()?.toISOString()),
  );
  const error = () => answer.error as Error | undefined;
  const chain = createMemo(() => {
    const found = error() ? undefined : answer.latest;
    return found?.point === point().mRID ? found : undefined;
  });
  return {
    chain,
    error,
    absent: () => (error() instanceof ApiError && (error() as ApiError).status === 404) || (!value() && !at()),
    at,
    setAt,
    settled: () => {
      const [known, live] = [chain(), value()];
      return known && live && Date.parse(known.sourceTime) === Math.floor(live.sourceTime) ? known.trust : undefined;
    },
  };
}
