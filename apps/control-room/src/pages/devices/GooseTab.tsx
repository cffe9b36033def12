import type { GooseSubscriptionView, GooseView } from '@enerchain/model';
import { For, onCleanup, Show } from 'solid-js';
import { useApp } from '../../app.ts';
import { count } from '../../format/number.ts';
import { duration, instant } from '../../format/time.ts';
import { CheckGlyph } from '../../ui/glyphs.tsx';
import { Notice } from '../../ui/parts.tsx';
import { Answer, type Asked, AskedAt } from './asked.tsx';
import { Revision } from './BlocksTab.tsx';
import { GOOSE_STATE_WORDS } from './words.ts';

/** ms; the gateway answers out of what it has heard, the device is not asked. */
const LOOK_EVERY = 5_000;

/** What the gateway hears of the device by GOOSE, and how well. */
export function GooseTab(props: { goose: Asked<GooseView>; away: string | undefined }) {
  const look = setInterval(() => {
    if (!props.away && !props.goose.loading()) props.goose.again();
  }, LOOK_EVERY);
  onCleanup(() => clearInterval(look));
  return (
    <Answer asked={props.goose} away={props.away} what="What is heard by GOOSE">
      {(view) => (
        <div class="device-tab scroll padded">
          <div class="device-bar">
            <h3>{view().link ? `Heard on ${view().link}` : 'GOOSE'}</h3>
            <Show when={view().note}>
              <span class="sub">{view().note}</span>
            </Show>
            <span class="grow" />
            <AskedAt asked={props.goose} what="what is heard by GOOSE" />
          </div>
          <Show
            when={view().subscriptions.length > 0}
            fallback={
              <Notice title="The gateway hears nothing of this device by GOOSE">
                {view().note ??
                  'Either the device publishes nothing, or the site file names no interface on which the gateway is to listen.'}
              </Notice>
            }
          >
            <div class="table-box">
              <table class="table">
                <thead>
                  <tr>
                    <For
                      each={['Control block', 'Supervision', 'stNum', 'sqNum', 'confRev', 'Last message', 'Counters']}
                    >
                      {(head) => <th scope="col">{head}</th>}
                    </For>
                  </tr>
                </thead>
                <tbody>
                  <For each={view().subscriptions}>{(each) => <Subscription of={each} />}</For>
                </tbody>
              </table>
            </div>
          </Show>
        </div>
      )}
    </Answer>
  );
}

const TONES = { alive: 'ok', lost: 'bad', never: 'warn' } as const;

function Subscription(props: { of: GooseSubscriptionView }) {
  const app = useApp();
  const ago = (at: string | undefined) =>
    at === undefined ? '' : `${duration(app.now().getTime() - instant(at).getTime())} ago`;
  const where = () => {
    const { destination, appId, vlan } = props.of;
    return [
      destination,
      appId === undefined ? undefined : `APPID 0x${appId.toString(16).toUpperCase().padStart(4, '0')}`,
      vlan === undefined ? undefined : `VLAN ${vlan}`,
    ]
      .filter(Boolean)
      .join(' · ');
  };
  const figures = () => Object.entries(props.of.counters).filter(([, value]) => value > 0);
  return (
    <tr>
      <td>
        <span class="mono">{props.of.reference}</span>
        <div class="sub">{[props.of.id, where()].filter(Boolean).join(' · ')}</div>
        <Show when={props.of.dataSet}>
          <div class="sub mono">{props.of.dataSet}</div>
        </Show>
      </td>
      <td>
        <CheckGlyph state={TONES[props.of.state]} />{' '}
        <span classList={{ 'p1-text': props.of.state === 'lost' }}>{GOOSE_STATE_WORDS[props.of.state]}</span>
        <Show when={props.of.timeAllowedToLive}>
          {(millis) => <div class="sub">each is good for {count(millis())} ms</div>}
        </Show>
        <Show when={props.of.test}>
          <div class="p3-text">T test</div>
        </Show>
        <Show when={props.of.needsCommissioning}>
          <div class="p2-text">needs commissioning</div>
        </Show>
        <Show when={props.of.problem}>
          <div class="p2-text wrap">{props.of.problem}</div>
        </Show>
      </td>
      <td class="right">{props.of.stNum === undefined ? '' : count(props.of.stNum)}</td>
      <td class="right">{props.of.sqNum === undefined ? '' : count(props.of.sqNum)}</td>
      <td>
        <Revision actual={props.of.confRev} expected={props.of.expected} />
      </td>
      <td class="nowrap">
        {ago(props.of.lastMessage)}
        <Show when={props.of.lastChange}>{(at) => <div class="sub">changed {ago(at())}</div>}</Show>
      </td>
      <td class="wide counters">
        <For each={figures()} fallback={<span>none</span>}>
          {([name, value]) => (
            <span>
              {name.replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2').toLowerCase()} <b>{count(value)}</b>
            </span>
          )}
        </For>
      </td>
    </tr>
  );
}
