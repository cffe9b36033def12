import { Match, onMount, Show, Switch } from 'solid-js';
import { useApp } from '../app.ts';
import { AlarmsPage } from '../pages/alarms/AlarmsPage.tsx';
import { IedsPage } from '../pages/devices/IedsPage.tsx';
import { EventsPage } from '../pages/events/EventsPage.tsx';
import { ExtensionPage } from '../pages/extension/ExtensionPage.tsx';
import { GatewaysPage } from '../pages/gateways/GatewaysPage.tsx';
import { LoginPage } from '../pages/login/LoginPage.tsx';
import { SetupPage } from '../pages/login/SetupPage.tsx';
import { OutagesPage } from '../pages/outages/OutagesPage.tsx';
import { OverviewPage } from '../pages/overview/OverviewPage.tsx';
import { PointsPage } from '../pages/points/PointsPage.tsx';
import { TrendsPage } from '../pages/trends/TrendsPage.tsx';
import { NodeInspector } from '../pages/trust/NodeInspector.tsx';
import { openNode } from '../pages/trust/places.ts';
import { TrustPage } from '../pages/trust/TrustPage.tsx';
import { go, route } from '../route.ts';
import { Notice } from '../ui/parts.tsx';
import { TrialPanel } from '../whatif/Panel.tsx';
import { AlarmStrip } from './AlarmStrip.tsx';
import { Inspector } from './Inspector.tsx';
import { LostBanner } from './LostBanner.tsx';
import { Rail } from './Rail.tsx';
import { TopBar } from './TopBar.tsx';

/** The one door: set-up link, login, or the frame with the page that the hash names. */
export function Root() {
  const app = useApp();
  return (
    <Switch
      fallback={
        <Show when={app.unreachable()}>
          {(why) => (
            <main class="alone">
              <Notice title="The centre cannot be reached" tone="error">
                {why()}
              </Notice>
              <button type="button" class="main" onClick={() => void app.start()}>
                Try again
              </button>
            </main>
          )}
        </Show>
      }
    >
      <Match when={route().path[0] === 'setup' && route().path[1]}>{(token) => <SetupPage token={token()} />}</Match>
      <Match when={app.session() === null}>
        <LoginPage />
      </Match>
      <Match when={app.session() && !app.session()?.rights.includes('values.read')}>
        <main class="alone">
          <Notice title="This account may not see the grid">
            {app.session()?.user} ({app.session()?.roles.join(', ') || 'no role'}) has no right values.read. A role such
            as VIEWER or OPERATOR gives it; accounts are managed by an administrator.
          </Notice>
          <button type="button" onClick={() => void app.logOut()}>
            Log out
          </button>
        </main>
      </Match>
      <Match when={app.session()}>
        <Frame />
      </Match>
    </Switch>
  );
}

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;

function Frame() {
  const app = useApp();
  const place = () => route().path[0] ?? 'grid';
  /** The same, with the page of a service by its own name. */
  const placeId = () => (place() === 'page' ? (route().path[1] ?? '') : place());
  onMount(() => {
    addEventListener('keydown', (event) => {
      if (document.querySelector('dialog[open]')) return;
      if (event.key === '/' && !isTyping(event.target)) {
        const filter = document.querySelector<HTMLInputElement>('#display input[type=search]');
        if (!filter) return;
        event.preventDefault();
        filter.select();
      }
      if (event.key !== 'Escape') return;
      app.select(undefined);
      if (openNode()) go('trust');
    });
  });
  return (
    <div
      class="frame"
      classList={{
        lost: app.link().state === 'lost',
        inspecting: app.selection() !== undefined || openNode() !== undefined,
        trusting: place() === 'trust',
        trying: app.whatIf.active(),
        listing: place() !== 'grid',
      }}
    >
      <button type="button" class="skip" onClick={() => document.getElementById('display')?.focus()}>
        To the display
      </button>
      <TopBar place={placeId()} />
      <Rail place={placeId()} />
      <main id="display" tabindex="-1">
        <LostBanner />
        <div class="page">
          <Switch fallback={<Notice title="There is no such page">Choose a place from the rail at the left.</Notice>}>
            <Match when={place() === 'grid'}>
              <OverviewPage />
            </Match>
            <Match when={place() === 'outages'}>
              <OutagesPage />
            </Match>
            <Match when={place() === 'points'}>
              <PointsPage />
            </Match>
            <Match when={place() === 'trends'}>
              <TrendsPage />
            </Match>
            <Match when={place() === 'alarms'}>
              <AlarmsPage />
            </Match>
            <Match when={place() === 'events'}>
              <EventsPage />
            </Match>
            <Match when={place() === 'trust'}>
              <TrustPage />
            </Match>
            <Match when={place() === 'gateways'}>
              <GatewaysPage />
            </Match>
            <Match when={place() === 'ieds'}>
              <IedsPage />
            </Match>
            <Match when={place() === 'page' && app.pages().find(({ id }) => id === route().path[1])}>
              {(page) => <ExtensionPage page={page()} />}
            </Match>
          </Switch>
        </div>
      </main>
      <Switch fallback={<Inspector />}>
        <Match when={openNode()}>{(node) => <NodeInspector name={node()} />}</Match>
        <Match when={app.whatIf.active()}>
          <TrialPanel />
        </Match>
      </Switch>
      <AlarmStrip />
    </div>
  );
}
