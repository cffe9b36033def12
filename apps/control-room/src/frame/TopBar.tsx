import { createMemo, createSignal, For, Show } from 'solid-js';
import { useApp } from '../app.ts';
import { ApprovalChip } from '../commands/Approvals.tsx';
import { AuthenticatorsDialog } from '../commands/Authenticators.tsx';
import { clock, zone } from '../format/time.ts';
import { countByPriority } from '../live/alarms.ts';
import { addressOf, crumbsOf, placeOf, substationOf } from '../pages/overview/places.ts';
import { openNode } from '../pages/trust/places.ts';
import { route } from '../route.ts';
import { theme, toggleTheme } from '../theme.ts';
import { TrustChip } from '../trust/TrustChip.tsx';
import { Icon, PRIORITY_WORDS, PriorityGlyph } from '../ui/glyphs.tsx';
import { PLACES } from './Rail.tsx';

export function TopBar(props: { place: string }) {
  const app = useApp();
  const [authenticators, setAuthenticators] = createSignal(false);
  const counts = createMemo(() => countByPriority(app.activeAlarms()));
  const gateways = createMemo(() => {
    const edges = app.sources().filter(({ role }) => role === 'edge');
    return { all: edges.length, up: edges.filter(({ connected }) => connected).length };
  });
  const gaps = createMemo(() => app.gaps().length);
  const selectedName = () => {
    const chosen = app.selection();
    if (!chosen) return undefined;
    return app.equipmentById().get(chosen.mRID)?.name ?? app.pointById().get(chosen.mRID)?.name;
  };
  /** Grid, substation, bay: of the display that is open, or else of what is selected. */
  const containment = createMemo((): readonly { readonly name: string; readonly address?: string }[] => {
    const model = app.model();
    if (!model) return [];
    const place = placeOf(model);
    const open = crumbsOf(model, place).map((crumb) => ({ name: crumb.name, address: addressOf(crumb.place) }));
    if (place) return open;
    const chosen = app.selection();
    const equipment =
      app.equipmentById().get(chosen?.mRID ?? '') ??
      app.equipmentById().get(app.pointById().get(chosen?.mRID ?? '')?.equipment ?? '');
    if (!equipment) return open;
    const substation = substationOf(model, equipment);
    const bay = model.bays.find(({ mRID }) => mRID === equipment.container);
    return [
      ...open,
      ...(substation ? [{ name: substation.name, address: addressOf({ substation: substation.mRID }) }] : []),
      ...(substation && bay
        ? [{ name: bay.name, address: addressOf({ substation: substation.mRID, bay: bay.mRID }) }]
        : []),
    ];
  });
  const crumbs = (): readonly { readonly name: string; readonly address?: string }[] => {
    const title =
      PLACES.find(({ id }) => id === props.place)?.title ??
      app.pages().find(({ id }) => id === props.place)?.title ??
      '';
    const [place, , device] = route().path;
    if (place === 'ieds' && device) return [{ name: title, address: 'ieds' }, { name: device }];
    if (place === 'trust' && openNode()) return [{ name: title, address: 'trust' }, { name: openNode()! }];
    if (place !== undefined && place !== 'grid') return [{ name: title }];
    const trail = [{ name: 'Grid', address: 'grid' }, ...containment()];
    const selected = selectedName();
    return [...trail, ...(selected && selected !== trail.at(-1)?.name ? [{ name: selected }] : [])];
  };
  const roles = () => {
    const [first = 'no role', ...others] = app.session()?.roles ?? [];
    return others.length > 1 ? `${first} +${others.length}` : [first, ...others].join(', ');
  };
  const sync = () => {
    app.now();
    return app.clock.uncertainty;
  };
  return (
    <header class="topbar">
      <b>CloudEnerChain</b>
      <nav class="crumb" aria-label="Where you are">
        <For each={crumbs()}>
          {(crumb, index) => (
            <>
              <Show when={index() > 0}>
                <i aria-hidden="true">/</i>
              </Show>
              <Show
                when={index() < crumbs().length - 1 ? crumb.address : undefined}
                fallback={<span class={index() === crumbs().length - 1 ? 'here' : ''}>{crumb.name}</span>}
              >
                {(address) => <a href={`#/${address()}`}>{crumb.name}</a>}
              </Show>
            </>
          )}
        </For>
      </nav>
      <span class="grow" />
      <a class="counts" href="#/alarms" aria-label="Alarms by priority">
        <For each={counts()}>
          {(each) => (
            <span
              class="chip"
              classList={{ on: each.standing > 0 }}
              title={`priority ${each.priority} (${PRIORITY_WORDS[each.priority]}): ${each.standing} in the list, ${each.unacknowledged} unacknowledged`}
            >
              <PriorityGlyph priority={each.priority} filled={each.unacknowledged > 0} quiet={each.standing === 0} />
              {each.standing}
            </span>
          )}
        </For>
      </a>
      <ApprovalChip />
      <TrustChip />
      <a class="chip on" href="#/gateways" title="gateways connected, and gap records known">
        <Show
          when={gateways().up === gateways().all}
          fallback={
            <span class="p1-text">
              {gateways().up} of {gateways().all} gateways
            </span>
          }
        >
          {gateways().all} {gateways().all === 1 ? 'gateway' : 'gateways'}
        </Show>
        {` · ${gaps()} ${gaps() === 1 ? 'gap' : 'gaps'}`}
      </a>
      <span
        class="clock"
        title="The centre's clock as this screen sees it; the figure is the spread of what was heard."
      >
        {clock(app.now())}{' '}
        <small>
          {zone(app.now())} {app.live() && sync() !== undefined ? `±${sync()} ms` : 'not synchronised'}
        </small>
      </span>
      <button
        type="button"
        class="bare"
        onClick={toggleTheme}
        aria-label={theme() === 'dark' ? 'Change to the light theme' : 'Change to the dark theme'}
      >
        <Icon name={theme() === 'dark' ? 'sun' : 'moon'} size={16} />
      </button>
      <span class="who" title={app.session()?.roles.join(', ')}>
        {app.session()?.user}
        <span class="roles"> · {roles()}</span>
      </span>
      <Show when={app.session()?.rights.includes('commands.operate')}>
        <button type="button" class="bare" onClick={() => setAuthenticators(true)} aria-label="Authenticators">
          <Icon name="key" size={16} />
        </button>
      </Show>
      <button type="button" class="bare" onClick={() => void app.logOut()} aria-label="Log out">
        <Icon name="out" size={16} />
      </button>
      <Show when={authenticators()}>
        <AuthenticatorsDialog onClose={() => setAuthenticators(false)} />
      </Show>
    </header>
  );
}
