import { createMemo, createSignal, For, Match, Show, Switch } from 'solid-js';
import { devicesApi } from '../../api/devices.ts';
import { useApp } from '../../app.ts';
import { count } from '../../format/number.ts';
import { go } from '../../route.ts';
import { CheckGlyph } from '../../ui/glyphs.tsx';
import { Notice, Skeleton } from '../../ui/parts.tsx';
import { createAsked, ReadMark } from './asked.tsx';
import { BlocksTab } from './BlocksTab.tsx';
import { DataSetsTab } from './DataSetsTab.tsx';
import { FilesTab } from './FilesTab.tsx';
import { GooseTab } from './GooseTab.tsx';
import { IedState } from './IedsPage.tsx';
import { createTreeState, ModelTab } from './ModelTab.tsx';
import { iedPath, iedsOf, openIed, TABS, type Tab } from './places.ts';
import { devicePoints } from './points.ts';
import { createReadings } from './readings.ts';
import { clockState, configRevisions } from './words.ts';

/** One IED: who it is, and a tab each for its model, control blocks, GOOSE, data sets and files. */
export function IedPage(props: { source: string; endpoint: string }) {
  const app = useApp();
  const { source, endpoint } = props;
  const ied = createMemo(() =>
    iedsOf(app.sources()).find((each) => each.source.source === source && each.endpoint.id === endpoint),
  );
  const tab = () => openIed()?.tab ?? 'model';
  const connected = () => app.live() && ied()?.source.connected === true;
  const up = () => connected() && ied()?.endpoint.state === 'up';
  /** Why the gateway cannot be asked. */
  const gatewayAway = () => {
    if (!app.live()) return 'The connection to the centre is lost.';
    return ied()?.source.connected
      ? undefined
      : `The gateway ${source} is not connected; its devices can be looked at once it is back.`;
  };
  /** Why the device cannot be asked. */
  const deviceAway = () => gatewayAway() ?? (up() ? undefined : `${endpoint} is not connected to its gateway.`);

  const at = (wanted: Tab | undefined, there: () => boolean) =>
    (wanted === undefined || tab() === wanted) && there() ? `${source}/${endpoint}` : undefined;
  // Each is asked for when its tab is first shown, and again when what was away comes back.
  const identity = createAsked(
    () => at(undefined, connected),
    () => devicesApi.identity(source, endpoint),
  );
  const model = createAsked(
    () => at('model', connected) ?? at('data-sets', connected),
    () => devicesApi.model(source, endpoint),
  );
  const blocks = createAsked(
    () => at('blocks', connected) ?? at('data-sets', connected),
    () => devicesApi.controlBlocks(source, endpoint),
  );
  const goose = createAsked(
    () => at('goose', connected),
    () => devicesApi.goose(source, endpoint),
  );
  const [folder, setFolder] = createSignal<string>();
  const files = createAsked(
    () => {
      const place = at('files', up);
      return place && `${place} ${folder() ?? ''}`;
    },
    () => devicesApi.files(source, endpoint, folder()),
  );
  const readings = createReadings(source, endpoint);
  const state = createTreeState();
  const points = createMemo(() => devicePoints(app.pointById().values(), source, endpoint));
  const clock = createMemo(() => {
    app.now();
    const read = points().all.filter(({ access }) => access === 'read');
    return clockState(read.flatMap(({ mRID }) => app.values.get(mRID)?.timeQuality ?? []));
  });
  const facts = (): (readonly [string, string | undefined])[] => {
    const who = identity.answer();
    return [
      ['device', [who?.manufacturer, who?.type].filter(Boolean).join(' ')],
      ['hardware', who?.hardware],
      ['software', who?.software],
      ['serial number', who?.serialNumber],
      ['location', who?.location],
      ['SCL file', who?.file],
      ['points', count(points().all.length)],
    ];
  };
  const revisions = () => configRevisions(identity.answer()?.devices ?? []);
  const onTabKey = (event: KeyboardEvent) => {
    const place = TABS.findIndex(({ id }) => id === tab());
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    const next = TABS[(place + step + TABS.length) % TABS.length]!;
    go(iedPath(source, endpoint, next.id));
    document.getElementById(`tab-${next.id}`)?.focus();
    event.preventDefault();
  };
  return (
    <div class="sheet device" classList={{ stale: !connected() }}>
      <Show
        when={ied()}
        fallback={
          <Show when={app.booksLoaded()} fallback={<Skeleton rows={8} />}>
            <Notice title={`There is no IED ${endpoint} at ${source}`}>
              <a href="#/ieds">All IEDs</a>
            </Notice>
          </Show>
        }
      >
        {(known) => (
          <>
            <header class="device-head">
              <div class="card-head">
                <h2>{endpoint}</h2>
                <span class="sub">
                  {identity.answer()?.ied !== endpoint ? `${identity.answer()?.ied ?? ''} ` : ''}
                  {identity.answer()?.description ?? ''}
                </span>
                <span>
                  <IedState ied={known()} />
                </span>
                <Show when={clock().tone === 'warn' || clock().tone === 'bad'}>
                  <span class="chip">
                    <CheckGlyph state={clock().tone === 'bad' ? 'bad' : 'warn'} /> {clock().text}
                  </span>
                </Show>
                <span class="grow" />
                <a class="sub" href={`#/points?q=${encodeURIComponent(endpoint)}&source=${encodeURIComponent(source)}`}>
                  Points
                </a>
                <a class="sub" href="#/gateways">
                  Gateway {source}
                </a>
              </div>
              <dl class="facts">
                <For each={facts().filter(([, text]) => text)}>
                  {([name, text]) => (
                    <div>
                      <dt>{name}</dt>
                      <dd>{text}</dd>
                    </div>
                  )}
                </For>
                <For each={revisions()}>
                  {({ name, text, differs }) => (
                    <div>
                      <dt>{name}</dt>
                      <dd classList={{ 'p2-text': differs }}>{text}</dd>
                    </div>
                  )}
                </For>
              </dl>
              <Show when={identity.problem() && !gatewayAway()}>
                <p class="sub">{identity.problem()}</p>
              </Show>
              <Show when={(identity.answer()?.differences.length ?? 0) > 0}>
                <details class="device-differences">
                  <summary class="p2-text">
                    The device differs from its SCL file in {identity.answer()!.differences.length}{' '}
                    {identity.answer()!.differences.length === 1 ? 'place' : 'places'}
                  </summary>
                  <ul>
                    <For each={identity.answer()!.differences}>{(text) => <li>{text}</li>}</For>
                  </ul>
                </details>
              </Show>
              <div class="device-tabs">
                <div class="tabs" role="tablist" aria-label="Views of the device" onKeyDown={onTabKey}>
                  <For each={TABS}>
                    {({ id, title }) => (
                      <a
                        id={`tab-${id}`}
                        role="tab"
                        href={`#/${iedPath(source, endpoint, id)}`}
                        tabindex={tab() === id ? 0 : -1}
                        aria-selected={tab() === id}
                        classList={{ on: tab() === id }}
                      >
                        {title}
                      </a>
                    )}
                  </For>
                </div>
                <span class="grow" />
                <span class="sub trust-line">
                  Values of points came over the signed chain and have a receipt. <ReadMark /> read now: seen by the
                  gateway, not stored, without a receipt.
                </span>
              </div>
            </header>
            <section class="device-body" role="tabpanel" aria-labelledby={`tab-${tab()}`}>
              <Switch>
                <Match when={tab() === 'model'}>
                  <ModelTab
                    source={source}
                    endpoint={endpoint}
                    state={state}
                    model={model}
                    readings={readings}
                    points={points()}
                    away={deviceAwayFor(model.answer() !== undefined, gatewayAway(), deviceAway())}
                  />
                </Match>
                <Match when={tab() === 'blocks'}>
                  <BlocksTab blocks={blocks} away={gatewayAway()} />
                </Match>
                <Match when={tab() === 'goose'}>
                  <GooseTab goose={goose} away={gatewayAway()} />
                </Match>
                <Match when={tab() === 'data-sets'}>
                  <DataSetsTab source={source} endpoint={endpoint} model={model} blocks={blocks} away={gatewayAway()} />
                </Match>
                <Match when={tab() === 'files'}>
                  <FilesTab
                    source={source}
                    endpoint={endpoint}
                    files={files}
                    folder={folder()}
                    onFolder={setFolder}
                    away={deviceAway()}
                  />
                </Match>
              </Switch>
            </section>
          </>
        )}
      </Show>
    </div>
  );
}

/** The model is known of the file even where the device is away; its values are not. */
const deviceAwayFor = (
  hasModel: boolean,
  gateway: string | undefined,
  device: string | undefined,
): string | undefined => (hasModel ? device : gateway);
