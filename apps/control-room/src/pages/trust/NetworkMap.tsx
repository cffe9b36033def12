import { createMemo, createSignal, For, onCleanup, onMount, Show } from 'solid-js';
import type { LinkTrust, TrustJson } from '../../api/trust.ts';
import { useApp } from '../../app.ts';
import { go } from '../../route.ts';
import { ShieldShape, TrustGlyph } from '../../trust/glyphs.tsx';
import { freshness, STATES, stateOf } from '../../trust/state.ts';
import { LINK_WORDS, ROLE_WORDS, STATE_MEANINGS, STATE_WORDS } from '../../trust/words.ts';
import { layoutTrust, RING } from './layout.ts';
import { nodePath } from './places.ts';

const LINKS: readonly LinkTrust[] = ['attested', 'failing', 'silent', 'unknown'];
/** With more links than these, only what is wrong and what belongs to the open node is drawn. */
const MOST_LINKS = 90;
const ROUND = 2 * Math.PI * RING;

/** The network of neighbours as a drawing: who stands where, in which state, and what the links say. */
export function NetworkMap(props: { trust: TrustJson; open: string | undefined }) {
  const app = useApp();
  let box!: HTMLDivElement;
  const [size, setSize] = createSignal({ width: 480, height: 300 });
  onMount(() => {
    const observer = new ResizeObserver(() => setSize({ width: box.clientWidth, height: box.clientHeight }));
    observer.observe(box);
    onCleanup(() => observer.disconnect());
  });
  const nodes = createMemo(() => new Map(props.trust.nodes.map((each) => [each.node, each])));
  /** Laid out anew only when nodes or links come and go, not at every result. */
  const shape = createMemo(() =>
    JSON.stringify([
      props.trust.nodes.map(({ node, role }) => [node, role]),
      props.trust.links.map(({ a, b, state }) => [a, b, state]),
    ]),
  );
  const map = createMemo(() => {
    shape();
    return layoutTrust(props.trust.nodes, props.trust.links, Math.max(300, size().width), size().height);
  });
  const states = createMemo(() => new Set(props.trust.nodes.map((node) => stateOf(node, app.now()))));
  const drawn = createMemo(() => {
    const all = map().links;
    if (all.length <= MOST_LINKS) return all;
    return all.filter(
      ({ a, b, state }) => state === 'failing' || state === 'silent' || a === props.open || b === props.open,
    );
  });
  const links = createMemo(() => new Set(drawn().map(({ state }) => state)));
  return (
    <section class="trust-map" aria-label="Network of neighbours">
      <div class="trust-drawing" ref={box}>
        <svg
          class="tmap"
          classList={{ stale: !app.live() }}
          width={map().width}
          height={map().height}
          viewBox={`0 0 ${map().width} ${map().height}`}
          role="application"
          aria-label="Nodes and who attests whom"
        >
          <For each={drawn()}>
            {(link) => (
              <g
                class={`tlink tlink-${link.state}`}
                classList={{ own: link.a === props.open || link.b === props.open }}
              >
                <path d={link.path}>
                  <title>
                    {link.a} – {link.b}: {LINK_WORDS[link.state]}
                  </title>
                </path>
                <Show when={link.state === 'failing'}>
                  <circle class="tlink-ground" cx={link.x} cy={link.y} r="7" />
                  <path class="tlink-sign" d={`M${link.x - 3.5} ${link.y - 3.5}l7 7m0-7-7 7`} />
                </Show>
              </g>
            )}
          </For>
          <For each={map().nodes}>
            {(place) => {
              const node = () => nodes().get(place.node);
              const state = () => (node() ? stateOf(node()!, app.now()) : 'unknown');
              const fresh = () => node() && freshness(node()!, props.trust.policy, app.now());
              const open = () => go(nodePath(place.node));
              return (
                // biome-ignore lint/a11y/useSemanticElements: SVG has no button element
                <g
                  class="tnode"
                  classList={{ selected: props.open === place.node, late: fresh()?.late ?? false }}
                  transform={`translate(${place.x} ${place.y})`}
                  tabindex="0"
                  role="button"
                  aria-pressed={props.open === place.node}
                  aria-label={`${place.node}, ${ROLE_WORDS[node()?.role ?? 'network']}: ${STATE_WORDS[state()]}`}
                  onClick={open}
                  onKeyDown={(event) => {
                    if (event.key !== 'Enter' && event.key !== ' ') return;
                    event.preventDefault();
                    open();
                  }}
                >
                  <title>{`${place.node}: ${node()?.reason ?? ''}`}</title>
                  <Show
                    when={!place.compact}
                    fallback={
                      <>
                        <circle class="tnode-ground" r="13" />
                        <g transform="translate(-8 -8) scale(.667)">
                          <ShieldShape state={state()} />
                        </g>
                      </>
                    }
                  >
                    <circle class="tnode-ground" r={RING + 3} />
                    <circle class="ring-band" r={RING} />
                    <Show when={fresh()}>
                      {(now) => (
                        <circle
                          class="ring-fresh"
                          r={RING}
                          transform="rotate(-90)"
                          stroke-dasharray={`${ROUND * now().share} ${ROUND}`}
                        />
                      )}
                    </Show>
                    <g transform="translate(-13 -13) scale(1.083)">
                      <ShieldShape state={state()} />
                    </g>
                    <text class="tnode-name" y={RING + 18} text-anchor="middle">
                      {place.node}
                    </text>
                    <text class={`tnode-state tstate-${state()}`} y={RING + 33} text-anchor="middle">
                      {STATE_WORDS[state()]}
                    </text>
                  </Show>
                </g>
              );
            }}
          </For>
        </svg>
      </div>
      <ul class="trust-legend" aria-label="Legend">
        <For each={STATES.filter((state) => states().has(state)).reverse()}>
          {(state) => (
            <li title={STATE_MEANINGS[state]}>
              <TrustGlyph state={state} size={15} /> {STATE_WORDS[state]}
            </li>
          )}
        </For>
        <For each={LINKS.filter((state) => links().has(state))}>
          {(state) => (
            <li>
              <svg class="tlink-key" viewBox="0 0 24 12" width="24" height="12" aria-hidden="true">
                <g class={`tlink tlink-${state}`}>
                  <path d="M0 6H24" />
                  <Show when={state === 'failing'}>
                    <circle class="tlink-ground" cx="12" cy="6" r="6" />
                    <path class="tlink-sign" d="M8.5 2.5l7 7m0-7-7 7" />
                  </Show>
                </g>
              </svg>{' '}
              {LINK_WORDS[state]}
            </li>
          )}
        </For>
        <Show when={map().links.length > drawn().length}>
          <li>{map().links.length - drawn().length} links without findings are not drawn</li>
        </Show>
        <li>ring and bar: what is left of the result</li>
      </ul>
    </section>
  );
}
