import { createMemo, For, Match, Show, Switch } from 'solid-js';
import { useApp } from '../../app.ts';
import { route } from '../../route.ts';
import { countTrust } from '../../trust/state.ts';
import { countSentence } from '../../trust/words.ts';
import { Notice, Skeleton } from '../../ui/parts.tsx';
import { Certificates } from './Certificates.tsx';
import { NetworkMap } from './NetworkMap.tsx';
import { NodeList } from './NodeList.tsx';
import { openNode } from './places.ts';

const TABS = [
  ['trust', 'Network'],
  ['trust/certificates', 'Certificates and keys'],
] as const;

/** Who attests whom, and whether it holds at this moment. */
export function TrustPage() {
  const app = useApp();
  const tab = () => (route().path[1] === 'certificates' ? 'trust/certificates' : 'trust');
  const failed = () => {
    const view = app.trust.view();
    return view instanceof Error ? view : undefined;
  };
  const nodes = () => app.trust.known()?.nodes ?? [];
  const count = createMemo(() => countTrust(nodes(), app.now()));
  return (
    <div class="sheet">
      <div class="filters">
        <nav class="seg" aria-label="Part of the trust page">
          <For each={TABS}>
            {([path, title]) => (
              <a
                href={`#/${path}`}
                classList={{ on: tab() === path }}
                aria-current={tab() === path ? 'page' : undefined}
              >
                {title}
              </a>
            )}
          </For>
        </nav>
        <Show when={tab() === 'trust' && nodes().length}>
          <span role="status">{countSentence(count())}</span>
        </Show>
      </div>
      <Show when={tab() === 'trust'} fallback={<Certificates />}>
        <Switch>
          <Match when={app.trust.view() === undefined}>
            <Skeleton rows={7} />
          </Match>
          <Match when={failed()}>
            {(error) => (
              <Notice title="The state of the nodes could not be fetched" tone="error">
                {error().message}
              </Notice>
            )}
          </Match>
          <Match when={app.trust.view() === null}>
            <Notice title="This centre keeps no attestation">
              It runs without the chain of trust: nobody checks which software the gateways run. Nothing on this page
              would be true.
            </Notice>
          </Match>
          <Match when={nodes().length === 0}>
            <Notice title="No node has been attested yet">A gateway is attested as soon as it connects.</Notice>
          </Match>
          <Match when={app.trust.known()}>
            {(trust) => (
              <div class="trust-net">
                <div class="trust-columns">
                  <NetworkMap trust={trust()} open={openNode()} />
                  <NodeList trust={trust()} open={openNode()} />
                </div>
              </div>
            )}
          </Match>
        </Switch>
      </Show>
    </div>
  );
}
