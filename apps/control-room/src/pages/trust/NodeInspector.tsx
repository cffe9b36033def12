import { createMemo, createResource, createSignal, For, Index, Match, Show, Switch } from 'solid-js';
import {
  type NodeDetailJson,
  type NodeTrustJson,
  type ResultJson,
  type Trustworthiness,
  trustApi,
} from '../../api/trust.ts';
import { useApp } from '../../app.ts';
import { clock, duration, stamp } from '../../format/time.ts';
import { go } from '../../route.ts';
import { Freshness } from '../../trust/Freshness.tsx';
import { TrustGlyph } from '../../trust/glyphs.tsx';
import { byName, commandHindrance, stateOf } from '../../trust/state.ts';
import {
  asSentence,
  claimWords,
  ORIGIN_WORDS,
  REACTION_MEANINGS,
  REACTION_WORDS,
  ROLE_WORDS,
  STATE_MEANINGS,
  STATE_WORDS,
  STATUS_WORDS,
  TIER_MEANINGS,
  TIER_WORDS,
} from '../../trust/words.ts';
import { CheckGlyph, Icon } from '../../ui/glyphs.tsx';
import { Skeleton } from '../../ui/parts.tsx';
import { TRUST_RIGHT } from './places.ts';
import { ReasonDialog } from './ReasonDialog.tsx';

const TONE = { affirming: 'ok', warning: 'warn', contraindicated: 'bad', none: 'warn', silent: 'warn' } as const;
const MEASUREMENTS_SHOWN = 12;

/** Everything about one node: why it is in its state, who says so, what was measured, and what can be done. */
export function NodeInspector(props: { name: string }) {
  const app = useApp();
  const node = () => app.trust.node(props.name);
  return (
    <aside class="inspector node-inspector" aria-label="Inspector">
      <div class="inspector-head">
        <Show when={node()} fallback={<h2>{props.name}</h2>}>
          {(known) => (
            <div class="node-head">
              <TrustGlyph state={stateOf(known(), app.now())} size={28} />
              <div>
                <h2>{known().node}</h2>
                <div class="sub">{ROLE_WORDS[known().role]}</div>
              </div>
            </div>
          )}
        </Show>
        <button type="button" class="bare" aria-label="Close the inspector" onClick={() => go('trust')}>
          <Icon name="close" size={14} />
        </button>
      </div>
      <Show
        when={node()}
        fallback={
          <Show when={app.trust.view() !== undefined} fallback={<Skeleton rows={6} />}>
            <p class="sub">The centre knows no node of this name.</p>
          </Show>
        }
      >
        {(known) => <NodeDetail node={known()} />}
      </Show>
    </aside>
  );
}

function NodeDetail(props: { node: NodeTrustJson }) {
  const app = useApp();
  const state = () => stateOf(props.node, app.now());
  const policy = () => app.trust.known()?.policy;
  const [detail] = createResource(
    // Asked for anew when the node's state or its term has changed.
    () => {
      const { node, since, status, reaction, trustedUntil, release } = props.node;
      return app.live() && [node, since, status, reaction, trustedUntil, release?.id].join('\n');
    },
    () => trustApi.node(props.node.node),
  );
  const known = createMemo((): NodeDetailJson | undefined => {
    const found = detail.error ? undefined : detail.latest;
    return found?.node === props.node.node ? found : undefined;
  });
  const hindrance = () => commandHindrance(props.node, policy(), app.now());
  return (
    <div classList={{ stale: !app.live() }}>
      <p class={`node-state tstate-${state()}`}>
        {STATE_WORDS[state()]}
        <span class="sub"> for {duration(app.now().getTime() - Date.parse(props.node.since))}</span>
      </p>
      <p class="node-reason">{asSentence(props.node.reason || STATE_MEANINGS[state()])}</p>
      <Actions node={props.node} />
      <dl>
        <dt>trusted until</dt>
        <dd>
          <Freshness node={props.node} />
        </dd>
        <dt>reaction</dt>
        <dd>
          {REACTION_WORDS[props.node.reaction]}
          <small>{REACTION_MEANINGS[props.node.reaction]}</small>
        </dd>
        <dt>commands</dt>
        <dd class={hindrance() ? 'warn' : ''}>{hindrance() ?? 'may pass through it'}</dd>
        <dt>evidence</dt>
        <dd>
          {props.node.tier ? TIER_WORDS[props.node.tier] : 'none yet'}
          <Show when={props.node.tier}>{(tier) => <small>{TIER_MEANINGS[tier()]}</small>}</Show>
        </dd>
        <dt>identity</dt>
        <dd classList={{ warn: props.node.keyOrigin === 'file' }}>
          {props.node.keyOrigin ? ORIGIN_WORDS[props.node.keyOrigin] : 'not told'}
        </dd>
        <dt>since</dt>
        <dd>{stamp(new Date(props.node.since), app.now())}</dd>
      </dl>
      <h3>What the neighbours say</h3>
      <Show
        when={props.node.neighbours.length}
        fallback={<p class="sub">It has no neighbours: only the centre looks at it.</p>}
      >
        <ul class="says">
          <For each={props.node.neighbours}>
            {(each) => (
              <li>
                <CheckGlyph state={TONE[each.status]} />
                <span>{each.node}</span>
                <span class={each.status === 'contraindicated' ? 'p1-text' : 'dim'}>{STATUS_WORDS[each.status]}</span>
                <span class="dim right">
                  {each.at ? `${duration(app.now().getTime() - Date.parse(each.at))} ago` : ''}
                </span>
              </li>
            )}
          </For>
        </ul>
      </Show>
      <Switch>
        <Match when={detail.error && !known()}>
          <p class="sub">Its results could not be fetched: {String((detail.error as Error).message)}</p>
        </Match>
        <Match when={!known()}>
          <Skeleton rows={5} />
        </Match>
        <Match when={known()}>
          {(found) => (
            <>
              <Results results={found().results} />
              <Measurements of={found()} />
              <h3>History</h3>
              <Show
                when={found().history.length}
                fallback={<p class="sub">Nothing has changed since it was first seen.</p>}
              >
                <ol class="node-history">
                  <For each={found().history}>
                    {(change) => (
                      <li>
                        <span class="time">{stamp(new Date(change.at), app.now()).replace(/\.\d+$/, '')}</span>
                        <span>
                          <span class={change.status === 'contraindicated' ? 'p1-text' : ''}>
                            {change.reaction === 'none' || change.reaction === 'observe'
                              ? STATUS_WORDS[change.status]
                              : REACTION_WORDS[change.reaction]}
                          </span>
                          <small>{asSentence(change.reason)}</small>
                        </span>
                      </li>
                    )}
                  </For>
                </ol>
              </Show>
            </>
          )}
        </Match>
      </Switch>
    </div>
  );
}

/** The newest result of each verifier with its claims; the older ones are folded away. */
function Results(props: { results: readonly ResultJson[] }) {
  const app = useApp();
  const newest = createMemo(() => {
    const seen = new Set<string>();
    const first = props.results.filter(({ verifier }) => !seen.has(verifier) && seen.add(verifier));
    return first.sort((a, b) => worse(a.status) - worse(b.status) || byName(a.verifier, b.verifier));
  });
  const older = createMemo(() => props.results.filter((each) => !newest().includes(each)));
  return (
    <>
      <h3>Results</h3>
      <Show when={newest().length} fallback={<p class="sub">Nobody has appraised it yet.</p>}>
        {/* By place, so that what was opened stays open when newer results come. */}
        <Index each={newest()}>{(result, index) => <ResultCard result={result()} open={index === 0} />}</Index>
        <Show when={older().length}>
          <details>
            <summary class="sub">{older().length} older results</summary>
            <ul class="says">
              <For each={older().slice(0, 60)}>
                {(result) => (
                  <li>
                    <CheckGlyph state={TONE[result.status]} />
                    <span>{result.verifier}</span>
                    <span class="dim">{STATUS_WORDS[result.status]}</span>
                    <span class="time right">{stamp(new Date(result.issuedAt), app.now()).replace(/\.\d+$/, '')}</span>
                  </li>
                )}
              </For>
            </ul>
          </details>
        </Show>
      </Show>
    </>
  );
}

const worse = (status: Trustworthiness): number => ['contraindicated', 'none', 'warning', 'affirming'].indexOf(status);

function ResultCard(props: { result: ResultJson; open: boolean }) {
  return (
    <details class="result-card" open={props.open}>
      <summary>
        <CheckGlyph state={TONE[props.result.status]} /> <b>{props.result.verifier}</b>{' '}
        <span class={props.result.status === 'contraindicated' ? 'p1-text' : 'dim'}>
          says: {STATUS_WORDS[props.result.status]}
        </span>
      </summary>
      <For each={props.result.reasons}>
        {(reason) => (
          <p class="result-reason" classList={{ 'p1-text': props.result.status === 'contraindicated' }}>
            {asSentence(reason)}
          </p>
        )}
      </For>
      <dl class="claims">
        <For each={Object.entries(props.result.vector)}>
          {([claim, value]) => {
            const words = claimWords(claim, value, props.result.tier);
            return (
              <>
                <dt>
                  <CheckGlyph state={TONE[words.tier]} /> {words.title}
                </dt>
                <dd
                  classList={{ 'p1-text': words.tier === 'contraindicated', warn: words.tier === 'warning' }}
                  title={`${claim} = ${value} (AR4SI)`}
                >
                  {words.text}
                </dd>
              </>
            );
          }}
        </For>
      </dl>
      <p class="sub">
        {clock(new Date(props.result.issuedAt))}, stands until {clock(new Date(props.result.validUntil))} · policy{' '}
        {props.result.policy}
      </p>
    </details>
  );
}

/** What was measured; what does not match stands first, with what was expected. */
function Measurements(props: { of: NodeDetailJson }) {
  const wrong = createMemo(() => props.of.measurements.filter(({ ok }) => !ok));
  const right = createMemo(() => props.of.measurements.filter(({ ok }) => ok));
  return (
    <>
      <h3>Measured</h3>
      <Show when={props.of.measurements.length} fallback={<p class="sub">No measurements came with the evidence.</p>}>
        <ul class="measured">
          <For each={wrong()}>
            {(each) => (
              <li>
                <CheckGlyph state="bad" />
                <span>
                  <span class="p1-text path">{each.name}</span>
                  <Digest word="found" of={each.digest} />
                  <For each={each.expected ?? []}>{(digest) => <Digest word="expected" of={digest} />}</For>
                  <Show when={!each.expected?.length}>
                    <small>nothing of this name is in the reference values</small>
                  </Show>
                </span>
              </li>
            )}
          </For>
          <Show when={right().length}>
            <li>
              <CheckGlyph state="ok" />
              <details>
                <summary>
                  {right().length} {right().length === 1 ? 'matches' : 'match'} the reference values
                </summary>
                <For each={right().slice(0, MEASUREMENTS_SHOWN)}>
                  {(each) => (
                    <div class="measure">
                      <span class="path">{each.name}</span>
                      <Digest of={each.digest} />
                    </div>
                  )}
                </For>
                <Show when={right().length > MEASUREMENTS_SHOWN}>
                  <p class="sub">and {right().length - MEASUREMENTS_SHOWN} more</p>
                </Show>
              </details>
            </li>
          </Show>
        </ul>
      </Show>
    </>
  );
}

/** The ends of a digest, which are what an eye compares; the whole of it on demand. */
function Digest(props: { word?: string; of: string }) {
  const short = () => (props.of.length > 24 ? `${props.of.slice(0, 16)} … ${props.of.slice(-6)}` : props.of);
  return (
    <small class="digest" title={props.of}>
      <Show when={props.word}>
        <span>{props.word}</span>
      </Show>
      <span class="mono">{short()}</span>
    </small>
  );
}

/** Quarantine with a reason; release with a reason, by two persons. */
function Actions(props: { node: NodeTrustJson }) {
  const app = useApp();
  const [asking, setAsking] = createSignal<'quarantine' | 'release'>();
  const [problem, setProblem] = createSignal<string>();
  const [busy, setBusy] = createSignal(false);
  const refusal = () => app.refusal(TRUST_RIGHT);
  const shut = () => props.node.reaction === 'quarantine';
  const release = () => props.node.release ?? undefined;
  const own = () => release()?.requestedBy === app.session()?.user;
  async function approve(id: string): Promise<void> {
    setBusy(true);
    setProblem(undefined);
    try {
      await trustApi.approve(id);
      await app.loadTrust();
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  }
  return (
    <>
      <Show when={release()}>
        {(asked) => (
          <section class="release" aria-label="Release">
            <p>
              <b>{own() ? 'You ask' : `${asked().requestedBy} asks`} for its release</b>{' '}
              <span class="time">{clock(new Date(asked().at))}</span>
            </p>
            <p class="quote">{asked().reason}</p>
            <button
              type="button"
              class="main strong"
              disabled={busy() || own() || refusal() !== undefined}
              title={refusal()}
              onClick={() => void approve(asked().id)}
            >
              Approve the release
            </button>
            <Show when={own()}>
              <p class="sub refusal">You asked for it yourself. Another person has to approve: two pairs of eyes.</p>
            </Show>
          </section>
        )}
      </Show>
      <div class="btns node-actions">
        <Show
          when={shut()}
          fallback={
            <button
              type="button"
              disabled={refusal() !== undefined}
              title={refusal()}
              onClick={() => setAsking('quarantine')}
            >
              Quarantine …
            </button>
          }
        >
          <Show when={!release()}>
            <button
              type="button"
              class="main"
              disabled={refusal() !== undefined}
              title={refusal()}
              onClick={() => setAsking('release')}
            >
              Ask for release …
            </button>
          </Show>
        </Show>
        <Show when={props.node.role === 'edge' || props.node.role === 'service'}>
          <button type="button" onClick={() => go('points', { source: props.node.node })}>
            Its points
          </button>
        </Show>
      </div>
      <Show when={refusal()}>{(why) => <p class="sub refusal">{why()}</p>}</Show>
      <Show when={problem()}>
        {(text) => (
          <p class="p1-text" role="alert">
            {text()}
          </p>
        )}
      </Show>
      <Show when={asking()} keyed>
        {(what) => <ReasonDialog node={props.node} what={what} onClose={() => setAsking(undefined)} />}
      </Show>
    </>
  );
}
