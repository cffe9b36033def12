import type { GooseSubscriptionView, GooseView } from '@enerchain/model';
import { For, onCleanup, Show } from 'solid-js';
import { useApp } from '../../app.ts';
import { count } from '../../format/number.ts';
import { duration, instant } from '../../format/time.ts';
import { CheckGlyph } from '../../ui/glyphs.tsx';
import { Notice } from '../../ui/parts.tsx';
import { type Column, Table } from '../../ui/Table.tsx';
import { Answer, type Asked, AskedAt } from './asked.tsx';
import { Revision } from './BlocksTab.tsx';
import { appIdText, GOOSE_STATE_WORDS } from './words.ts';

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
            <Table columns={SUBSCRIPTIONS} rows={view().subscriptions} key={({ reference }) => reference} />
          </Show>
        </div>
      )}
    </Answer>
  );
}

const TONES = { alive: 'ok', lost: 'bad', never: 'warn' } as const;

/** Where its frames go, and how they are told apart there. */
const addressOf = ({ id, destination, appId, vlan }: GooseSubscriptionView): string =>
  [
    id,
    destination,
    appId === undefined ? undefined : `APPID ${appIdText(appId)}`,
    vlan === undefined ? undefined : `VLAN ${vlan}`,
  ]
    .filter(Boolean)
    .join(' · ');

const SUBSCRIPTIONS: readonly Column<GooseSubscriptionView>[] = [
  {
    head: 'Control block',
    cell: (of) => (
      <>
        <span class="mono">{of().reference}</span>
        <div class="sub">{addressOf(of())}</div>
        <Show when={of().dataSet}>
          <div class="sub mono">{of().dataSet}</div>
        </Show>
      </>
    ),
  },
  {
    head: 'Supervision',
    cell: (of) => (
      <>
        <CheckGlyph state={TONES[of().state]} />{' '}
        <span classList={{ 'p1-text': of().state === 'lost' }}>{GOOSE_STATE_WORDS[of().state]}</span>
        <Show when={of().timeAllowedToLive}>
          {(millis) => <div class="sub">each is good for {count(millis())} ms</div>}
        </Show>
        <Show when={of().test}>
          <div class="p3-text">T test</div>
        </Show>
        <Show when={of().needsCommissioning}>
          <div class="p2-text">needs commissioning</div>
        </Show>
        <Show when={of().problem}>
          <div class="p2-text wrap">{of().problem}</div>
        </Show>
      </>
    ),
  },
  { head: 'stNum', look: 'right', cell: (of) => (of().stNum === undefined ? '' : count(of().stNum)) },
  { head: 'sqNum', look: 'right', cell: (of) => (of().sqNum === undefined ? '' : count(of().sqNum)) },
  {
    head: 'confRev',
    look: 'right',
    cell: (of) => <Revision actual={of().confRev} expected={of().expected} />,
  },
  { head: 'Last message', look: 'nowrap', cell: (of) => <Heard of={of()} /> },
  {
    head: 'Counters',
    look: 'wide counters',
    cell: (of) => (
      <For each={Object.entries(of().counters).filter(([, value]) => value > 0)} fallback={<span>none</span>}>
        {([name, value]) => (
          <span>
            {name.replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2').toLowerCase()} <b>{count(value)}</b>
          </span>
        )}
      </For>
    ),
  },
];

function Heard(props: { of: GooseSubscriptionView }) {
  const app = useApp();
  const ago = (at: string) => `${duration(app.now().getTime() - instant(at).getTime())} ago`;
  return (
    <>
      <Show when={props.of.lastMessage}>{(at) => ago(at())}</Show>
      <Show when={props.of.lastChange}>{(at) => <div class="sub">changed {ago(at())}</div>}</Show>
    </>
  );
}
