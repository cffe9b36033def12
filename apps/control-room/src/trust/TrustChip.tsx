import { createMemo, Show } from 'solid-js';
import { useApp } from '../app.ts';
import { TrustGlyph } from './glyphs.tsx';
import { countTrust, type NodeState } from './state.ts';
import { countSentence } from './words.ts';

/** How many nodes are attested at this moment, in the top bar; bad ones first. */
export function TrustChip() {
  const app = useApp();
  const count = createMemo(() => countTrust(app.trust.known()?.nodes ?? [], app.now()));
  /** Filled only when every good node has its key in a chip: software is the weaker mark. */
  const sign = (): NodeState => {
    const { bad, open, software } = count();
    return bad ? 'failed' : open ? 'unknown' : software ? 'software' : 'attested';
  };
  return (
    <Show when={count().all}>
      <a class="chip on attested" href="#/trust" title={`${countSentence(count())}.`}>
        <TrustGlyph state={sign()} size={15} />
        <Show when={count().bad}>
          <b class="p1-text">{count().bad} failed</b>
        </Show>
        <span classList={{ dim: count().bad > 0 }}>
          {count().good} / {count().all} attested
        </span>
      </a>
    </Show>
  );
}
