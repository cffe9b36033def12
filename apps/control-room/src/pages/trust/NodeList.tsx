import { createMemo, For, Show } from 'solid-js';
import type { NodeTrustJson, TrustJson } from '../../api/trust.ts';
import { useApp } from '../../app.ts';
import { duration } from '../../format/time.ts';
import { go } from '../../route.ts';
import { Freshness } from '../../trust/Freshness.tsx';
import { TrustGlyph } from '../../trust/glyphs.tsx';
import { byAttention, stateOf } from '../../trust/state.ts';
import {
  asSentence,
  ORIGIN_WORDS,
  policySentence,
  REACTION_WORDS,
  ROLE_WORDS,
  STATE_WORDS,
  TIER_WORDS,
} from '../../trust/words.ts';
import { nodePath } from './places.ts';

/** Every node in two lines: who and in which state, on what evidence, for how long; what needs attention stands first. */
export function NodeList(props: { trust: TrustJson; open: string | undefined }) {
  const app = useApp();
  const byNode = createMemo(() => new Map(props.trust.nodes.map((node) => [node.node, node])));
  const order = createMemo(() => byAttention(props.trust.nodes, app.now()).map(({ node }) => node), undefined, {
    equals: (a: readonly string[], b: readonly string[]) => a.join('\n') === b.join('\n'),
  });
  return (
    <section class="trust-list" aria-label="Nodes">
      <div class="head nodes-grid" aria-hidden="true">
        <span />
        <span>Node</span>
        <span>State</span>
        <span>Evidence and key</span>
        <span>Trusted until</span>
        <span>Since</span>
      </div>
      <div class="trust-rows">
        <For each={order()}>
          {(name) => (
            <Show when={byNode().get(name)}>{(node) => <NodeRow node={node()} open={props.open === name} />}</Show>
          )}
        </For>
        <p class="sub trust-policy">{policySentence(props.trust.policy)}</p>
      </div>
    </section>
  );
}

function NodeRow(props: { node: NodeTrustJson; open: boolean }) {
  const app = useApp();
  const state = () => stateOf(props.node, app.now());
  const since = () => app.now().getTime() - Date.parse(props.node.since);
  const consequence = () => {
    const { reaction, release } = props.node;
    if (release) return `${release.requestedBy} asks for release`;
    return reaction === 'none' || state() === 'quarantined' ? undefined : REACTION_WORDS[reaction];
  };
  return (
    <button
      type="button"
      class="row nodes-grid node-row"
      classList={{ on: props.open, stale: !app.live() }}
      aria-pressed={props.open}
      title={props.node.reason}
      onClick={() => go(nodePath(props.node.node))}
    >
      <TrustGlyph state={state()} size={20} />
      <span class="two">
        <span class="clip">{props.node.node}</span>
        <small class="clip">{ROLE_WORDS[props.node.role]}</small>
      </span>
      <span class="two">
        <span class={`tstate-${state()} clip`}>{STATE_WORDS[state()]}</span>
        <small class="clip">{consequence() ?? asSentence(props.node.reason)}</small>
      </span>
      <span class="two">
        <span class="clip">{props.node.tier ? TIER_WORDS[props.node.tier] : 'none yet'}</span>
        <small class="clip">{props.node.keyOrigin ? ORIGIN_WORDS[props.node.keyOrigin] : 'key not known'}</small>
      </span>
      <Freshness node={props.node} />
      <span class="dim nowrap">{duration(since())}</span>
    </button>
  );
}
