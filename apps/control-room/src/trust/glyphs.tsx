/** Signs of trust. Each state has a shape of its own: filled is a key in a chip, hollow is software, dashed is not known. */
import { Match, Show, Switch } from 'solid-js';
import type { ValueTrust } from '../api/trust.ts';
import type { NodeState } from './state.ts';
import { STATE_WORDS, VALUE_TRUST_WORDS } from './words.ts';

const SHIELD = 'M12 2 20.5 5v6.6c0 5-3.6 8.3-8.5 10.2-4.9-1.9-8.5-5.2-8.5-10.2V5z';

/** The inside of a shield of 24 × 24, for a drawing that has an `<svg>` already. */
export function ShieldShape(props: { state: NodeState }) {
  return (
    <g class={`shield shield-${props.state}`}>
      <path class="shield-body" d={SHIELD} />
      <Switch>
        <Match when={props.state === 'attested' || props.state === 'software'}>
          <path class="shield-sign" d="m7.6 11.8 3.1 3.2 5.7-6.4" />
        </Match>
        <Match when={props.state === 'warned'}>
          <path class="shield-sign" d="M12 6.8v6.4M12 15.6v1.6" />
        </Match>
        <Match when={props.state === 'unknown'}>
          <path class="shield-sign" d="M9.3 9.2a2.7 2.7 0 1 1 3.9 2.5c-.9.5-1.2.9-1.2 1.9M12 15.8v1.4" />
        </Match>
        <Match when={props.state === 'ranOut'}>
          <path class="shield-sign" d="M12 7v5.2l3.4 2" />
        </Match>
        <Match when={props.state === 'failed'}>
          <path class="shield-sign" d="m8.4 7.8 7.2 7.6m0-7.6-7.2 7.6" />
        </Match>
        <Match when={props.state === 'quarantined'}>
          <path class="shield-sign" d="M7.4 11.6h9.2" />
        </Match>
      </Switch>
    </g>
  );
}

export function TrustGlyph(props: { state: NodeState; size?: number }) {
  return (
    <svg
      class="trust-glyph"
      width={props.size ?? 16}
      height={props.size ?? 16}
      viewBox="0 0 24 24"
      role="img"
      aria-label={STATE_WORDS[props.state]}
    >
      <ShieldShape state={props.state} />
    </svg>
  );
}

/** Beside the marks of quality, in lists and in the diagram. */
export const DISTRUST_SIGN = '⊘';

/** The mark of a distrusted value; nothing for all others: grey carries the normal. */
export function DistrustMark(props: { trust: ValueTrust | undefined }) {
  return (
    <Show when={props.trust === 'distrusted'}>
      <span class="mark mark-invalid" title={VALUE_TRUST_WORDS.distrusted}>
        {DISTRUST_SIGN}
      </span>
    </Show>
  );
}
