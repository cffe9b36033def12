import { Show } from 'solid-js';
import type { ValueTrust } from '../api/trust.ts';
import { DistrustMark } from '../trust/glyphs.tsx';
import { VALUE_TRUST_WORDS } from '../trust/words.ts';
import { trustWord } from './words.ts';

/** Trust beside a value, never in the place of its quality. An attested value says nothing: that is the normal. */
export function TrustWord(props: { trust: ValueTrust | undefined }) {
  return (
    <Show when={trustWord(props.trust)}>
      {(word) => (
        <span class={`trust-word trust-${props.trust}`} title={VALUE_TRUST_WORDS[props.trust!]}>
          <DistrustMark trust={props.trust} />
          {word()}
        </span>
      )}
    </Show>
  );
}
