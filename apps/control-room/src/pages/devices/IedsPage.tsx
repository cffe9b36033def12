import type { IedIdentity } from '@enerchain/model';
import { createEffect, createMemo, createSignal, For, on, Show } from 'solid-js';
import { devicesApi } from '../../api/devices.ts';
import { useApp } from '../../app.ts';
import { count } from '../../format/number.ts';
import { duration, instant } from '../../format/time.ts';
import { CheckGlyph } from '../../ui/glyphs.tsx';
import { Notice, Skeleton } from '../../ui/parts.tsx';
import { IedPage } from './IedPage.tsx';
import { type Ied, iedPath, iedsOf, openIed } from './places.ts';
import { devicePoints } from './points.ts';
import { clockState, valueState } from './words.ts';

export const STATE_TONE = { up: 'ok', connecting: 'warn', down: 'bad', disabled: 'warn' } as const;
export const STATE_WORD = {
  up: 'connected',
  connecting: 'connecting',
  down: 'not connected',
  disabled: 'disabled in the site file',
} as const;
/** Questions of a list under way at the same time; a gateway answers four. */
const AT_ONCE = 2;

type Known = { readonly identity?: IedIdentity; readonly problem?: string };

/** One IED where the address names one; else all of them. */
export function IedsPage() {
  const place = createMemo(() => openIed(), undefined, {
    equals: (a, b) => a?.source === b?.source && a?.endpoint === b?.endpoint,
  });
  return (
    <Show when={place()} keyed fallback={<IedList />}>
      {(open) => <IedPage source={open.source} endpoint={open.endpoint} />}
    </Show>
  );
}

function IedList() {
  const app = useApp();
  const ieds = createMemo(() => iedsOf(app.sources()));
  const [known, setKnown] = createSignal<ReadonlyMap<string, Known>>(new Map());
  const keyOf = ({ source, endpoint }: Ied) => `${source.source}/${endpoint.id}`;
  /** Those that are there, so that each is asked when it comes. */
  const present = createMemo(() =>
    ieds()
      .filter(({ source, endpoint }) => source.connected && endpoint.state === 'up')
      .map(keyOf)
      .join('\n'),
  );
  const asked = new Set<string>();
  const waiting: Ied[] = [];
  let underWay = 0;
  const askNext = () => {
    while (underWay < AT_ONCE) {
      const next = waiting.shift();
      if (!next) return;
      underWay++;
      const key = keyOf(next);
      devicesApi
        .identity(next.source.source, next.endpoint.id)
        .then(
          (identity): Known => ({ identity }),
          (error: unknown): Known => ({ problem: error instanceof Error ? error.message : String(error) }),
        )
        .then((result) => {
          underWay--;
          setKnown((before) => new Map(before).set(key, result));
          askNext();
        });
    }
  };
  createEffect(
    on(present, () => {
      if (!app.live()) return;
      for (const ied of ieds()) {
        const key = keyOf(ied);
        if (asked.has(key) || !ied.source.connected) continue;
        asked.add(key);
        waiting.push(ied);
      }
      askNext();
    }),
  );
  return (
    <div class="sheet scroll padded">
      <Show
        when={ieds().length > 0}
        fallback={
          <Show when={app.booksLoaded()} fallback={<Skeleton rows={8} />}>
            <Notice title="No IEC 61850 device">
              A gateway whose site file has an endpoint with protocol iec61850 and an SCL file shows its IEDs here.
            </Notice>
          </Show>
        }
      >
        <div class="table-box">
          <table class="table ieds">
            <thead>
              <tr>
                <th scope="col">IED</th>
                <th scope="col">Gateway</th>
                <th scope="col">State</th>
                <th scope="col">Device</th>
                <th scope="col">configRev</th>
                <th scope="col">Clock</th>
                <th scope="col" class="right">
                  Points
                </th>
              </tr>
            </thead>
            <tbody>
              <For each={ieds()}>{(ied) => <IedRow ied={ied} known={known().get(keyOf(ied))} />}</For>
            </tbody>
          </table>
        </div>
      </Show>
    </div>
  );
}

/** What the state of a device is, as far as its gateway can be believed to know. */
export function IedState(props: { ied: Ied }) {
  const app = useApp();
  return (
    <Show
      when={props.ied.source.connected}
      fallback={
        <>
          <CheckGlyph state="bad" /> <span class="p1-text">unknown: the gateway is not connected</span>
        </>
      }
    >
      <CheckGlyph state={STATE_TONE[props.ied.endpoint.state]} />{' '}
      <span classList={{ 'p1-text': props.ied.endpoint.state === 'down' }}>{STATE_WORD[props.ied.endpoint.state]}</span>
      <Show when={props.ied.endpoint.since}>
        {(since) => <span class="dim"> for {duration(app.now().getTime() - instant(since()).getTime())}</span>}
      </Show>
      <Show when={props.ied.endpoint.detail}>
        <div class="dim wrap">{props.ied.endpoint.detail}</div>
      </Show>
    </Show>
  );
}

function IedRow(props: { ied: Ied; known: Known | undefined }) {
  const app = useApp();
  const points = createMemo(() =>
    devicePoints(app.pointById().values(), props.ied.source.source, props.ied.endpoint.id),
  );
  const monitored = () => points().all.filter(({ access }) => access === 'read');
  const clock = createMemo(() => {
    app.now();
    return clockState(monitored().flatMap(({ mRID }) => app.values.get(mRID)?.timeQuality ?? []));
  });
  const values = createMemo(() => {
    app.now();
    return valueState(monitored().map(({ mRID }) => app.values.quality(mRID)));
  });
  const identity = () => props.known?.identity;
  const device = () => [identity()?.manufacturer, identity()?.type].filter(Boolean).join(' ');
  const differs = () =>
    (identity()?.devices ?? []).some(
      ({ configRev, expected }) => expected !== undefined && configRev !== undefined && configRev !== expected,
    );
  const revisions = () => {
    const all = [
      ...new Set(
        (identity()?.devices ?? []).flatMap(
          ({ configRev, expected }) => configRev ?? (expected === undefined ? [] : `(${expected} in the file)`),
        ),
      ),
    ];
    return all.slice(0, 3).join(', ');
  };
  return (
    <tr classList={{ stale: !app.live() || !props.ied.source.connected }}>
      <td>
        <a class="reference" href={`#/${iedPath(props.ied.source.source, props.ied.endpoint.id)}`}>
          {props.ied.endpoint.id}
        </a>
        <Show when={identity() && identity()!.ied !== props.ied.endpoint.id}>
          <div class="sub">{identity()!.ied}</div>
        </Show>
      </td>
      <td>{props.ied.source.source}</td>
      <td>
        <IedState ied={props.ied} />
      </td>
      <td>
        <Show when={props.known} fallback={<span class="dim">{props.ied.source.connected ? 'asking …' : ''}</span>}>
          <Show when={!props.known!.problem} fallback={<span class="dim wrap">{props.known!.problem}</span>}>
            {device() || <span class="dim">not told</span>}
            <Show when={identity()?.software}>
              <div class="sub">software {identity()!.software}</div>
            </Show>
            <Show when={(identity()?.differences.length ?? 0) > 0}>
              <div class="p2-text">
                differs from its SCL file in {identity()!.differences.length}{' '}
                {identity()!.differences.length === 1 ? 'place' : 'places'}
              </div>
            </Show>
          </Show>
        </Show>
      </td>
      <td classList={{ 'p2-text': differs() }}>
        {revisions()}
        <Show when={differs()}>
          <div>not as in the file</div>
        </Show>
      </td>
      <td class="nowrap">
        <Show when={clock().tone !== 'unknown'} fallback={<span class="dim">{clock().text}</span>}>
          <CheckGlyph state={clock().tone as 'ok' | 'warn' | 'bad'} /> {clock().text}
        </Show>
      </td>
      <td class="right nowrap">
        {count(values().all)}
        <Show when={values().bad + values().none > 0}>
          <div class="sub">
            {[
              values().bad && `${count(values().bad)} not good`,
              values().none && `${count(values().none)} without a value`,
            ]
              .filter(Boolean)
              .join(', ')}
          </div>
        </Show>
      </td>
    </tr>
  );
}
