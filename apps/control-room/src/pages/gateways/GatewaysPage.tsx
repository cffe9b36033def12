import type { GapReason } from '@enerchain/model';
import { For, Show } from 'solid-js';
import type { EndpointReport, SourceStatusJson } from '../../api/types.ts';
import { useApp } from '../../app.ts';
import { bytes, count } from '../../format/number.ts';
import { duration, instant, stamp } from '../../format/time.ts';
import { TrustGlyph } from '../../trust/glyphs.tsx';
import { stateOf } from '../../trust/state.ts';
import { STATE_WORDS } from '../../trust/words.ts';
import { CheckGlyph } from '../../ui/glyphs.tsx';
import { Notice, Skeleton } from '../../ui/parts.tsx';
import { Table } from '../../ui/Table.tsx';
import { iedPath } from '../devices/places.ts';
import { nodePath } from '../trust/places.ts';

export const GAP_WORDS: Readonly<Record<GapReason, string>> = {
  outboxOverflow: 'the outbox reached its bound and dropped its oldest batches',
  outboxFailure: 'the outbox could not be written',
  uncleanRestart: 'the gateway stopped without closing',
  deviceAway: 'the device was not reachable',
  deviceOverflow: 'the device’s own event buffer overflowed',
  connectorOverflow: 'values arrived faster than the outbox could take them',
  ingestLost: 'the centre found sequence numbers missing or a broken chain',
  ingestRetention: 'the log dropped records before they were read',
};
const ENDPOINT_TONE = { up: 'ok', connecting: 'warn', down: 'bad', disabled: 'warn' } as const;

/** `framesReceived` → `frames received`. */
const words = (name: string): string =>
  name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replaceAll(/[._]/g, ' ')
    .toLowerCase();

export function GatewaysPage() {
  const app = useApp();
  return (
    <div class="sheet scroll padded">
      <Show
        when={app.sources().length}
        fallback={
          app.booksLoaded() ? (
            <Notice title="No gateway has ever connected">
              An engineer enrols one with a one-time token; it announces itself then.
            </Notice>
          ) : (
            <Skeleton rows={6} />
          )
        }
      >
        <For each={app.sources().map(({ source }) => source)}>
          {(name) => (
            <Show when={app.sources().find(({ source }) => source === name)}>
              {(source) => <SourceCard source={source()} />}
            </Show>
          )}
        </For>
      </Show>
      <h3>Gaps</h3>
      <Table
        columns={[
          { head: 'From', look: 'time', cell: (gap) => stamp(new Date(gap().from), app.now()) },
          { head: 'To', look: 'time', cell: (gap) => stamp(new Date(gap().to), app.now()) },
          { head: 'Gateway', cell: (gap) => gap().source },
          { head: 'Device', cell: (gap) => gap().endpoint ?? 'all' },
          {
            head: 'Why',
            look: 'wide',
            cell: (gap) => (
              <>
                {GAP_WORDS[gap().reason] ?? gap().reason}
                <Show when={gap().detail}>
                  <span class="dim"> · {gap().detail}</span>
                </Show>
              </>
            ),
          },
          {
            head: 'Values lost',
            look: 'right',
            cell: (gap) => (gap().lost === undefined ? 'unknown' : count(gap().lost!)),
          },
          { head: 'Log entry', look: 'right mono', cell: (gap) => count(gap().offset) },
        ]}
        rows={app.gaps()}
        key={({ offset, source, endpoint, from }) => `${offset} ${source} ${endpoint} ${from}`}
        empty={app.booksLoaded() ? 'No gap records: nothing that was sent is missing.' : ''}
      />
    </div>
  );
}

function SourceCard(props: { source: SourceStatusJson }) {
  const app = useApp();
  const report = () => props.source.report;
  const facts = (): [string, string, boolean][] => {
    const { source } = props;
    const outbox = report()?.outbox;
    return [
      ['values', count(source.observations), false],
      ['batches', count(source.batches), false],
      ['position', `epoch ${source.epoch} · ${count(source.sequence)}`, false],
      ['rejected', count(source.rejected), source.rejected > 0],
      ['gaps', count(source.gaps), source.gaps > 0],
      ['chain breaks', count(source.chainBreaks), source.chainBreaks > 0],
      ...(outbox
        ? [
            [
              'outbox',
              `${count(outbox.batches)} ${outbox.batches === 1 ? 'batch' : 'batches'} · ${bytes(outbox.bytes)}${outbox.oldest ? ` · oldest ${duration(app.now().getTime() - instant(outbox.oldest).getTime())}` : ''}`,
              outbox.batches > 100,
            ] as [string, string, boolean],
          ]
        : []),
    ];
  };
  return (
    <section class="card" classList={{ stale: !app.live() }} aria-label={props.source.source}>
      <div class="card-head">
        <CheckGlyph state={props.source.connected ? 'ok' : 'bad'} />
        <h2>{props.source.source}</h2>
        <span class="sub">
          {props.source.role === 'edge' ? 'gateway' : 'service'} ·{' '}
          <span classList={{ 'p1-text': !props.source.connected }}>
            {props.source.connected ? 'connected' : 'not connected'}
          </span>{' '}
          for {duration(app.now().getTime() - Date.parse(props.source.since))}
          <Show when={report()}>
            {(known) =>
              ` · software ${known().version}, running for ${duration(app.now().getTime() - instant(known().startedAt).getTime())}`
            }
          </Show>
        </span>
        <span class="grow" />
        <Show when={app.trust.node(props.source.source)}>
          {(node) => (
            <a
              class={`chip tstate-${stateOf(node(), app.now())}`}
              href={`#/${nodePath(node().node)}`}
              title={node().reason}
            >
              <TrustGlyph state={stateOf(node(), app.now())} size={15} />
              {STATE_WORDS[stateOf(node(), app.now())]}
            </a>
          )}
        </Show>
      </div>
      <dl class="facts">
        <For each={facts()}>
          {([name, value, abnormal]) => (
            <div>
              <dt>{name}</dt>
              <dd classList={{ 'p2-text': abnormal }}>{value}</dd>
            </div>
          )}
        </For>
      </dl>
      <Show when={report()?.endpoints.length}>
        <table class="table">
          <thead>
            <tr>
              <th>Device</th>
              <th>Protocol</th>
              <th>State</th>
              <th class="right">Values</th>
              <th class="wide">Counters</th>
            </tr>
          </thead>
          <tbody>
            <For each={report()!.endpoints}>
              {(endpoint) => <EndpointRow endpoint={endpoint} source={props.source.source} />}
            </For>
          </tbody>
        </table>
      </Show>
      <Show when={report() && Object.keys(report()!.counters).length}>
        <details>
          <summary>Counters of the gateway</summary>
          <p class="counters">
            <Counters of={report()!.counters} />
          </p>
        </details>
      </Show>
    </section>
  );
}

function EndpointRow(props: { endpoint: EndpointReport; source: string }) {
  const app = useApp();
  const others = () => {
    const { observations: _, ...rest } = props.endpoint.counters;
    return rest;
  };
  return (
    <tr>
      <td>
        <a
          href={
            props.endpoint.protocol === 'iec61850'
              ? `#/${iedPath(props.source, props.endpoint.id)}`
              : `#/points?q=${encodeURIComponent(props.endpoint.id)}`
          }
        >
          {props.endpoint.id}
        </a>
      </td>
      <td class="dim">{props.endpoint.protocol}</td>
      <td class="nowrap">
        <CheckGlyph state={ENDPOINT_TONE[props.endpoint.state]} />{' '}
        <span classList={{ 'p1-text': props.endpoint.state === 'down' }}>{props.endpoint.state}</span>
        <Show when={props.endpoint.since}>
          {(since) => <span class="dim"> for {duration(app.now().getTime() - instant(since()).getTime())}</span>}
        </Show>
        <Show when={props.endpoint.detail}>
          <div class="dim wrap">{props.endpoint.detail}</div>
        </Show>
      </td>
      <td class="right">{count(props.endpoint.counters.observations)}</td>
      <td class="wide counters">
        <Counters of={others()} />
      </td>
    </tr>
  );
}

/** Name and figure; those at zero are named together, so that what counts is seen. */
function Counters(props: { of: Readonly<Record<string, number>> }) {
  const names = (zero: boolean) => Object.keys(props.of).filter((name) => (props.of[name] === 0) === zero);
  return (
    <>
      <For each={names(false)}>
        {(name) => (
          <span>
            {words(name)} <b>{/bytes|octets|rss/i.test(name) ? bytes(props.of[name] ?? 0) : count(props.of[name])}</b>
          </span>
        )}
      </For>
      <Show when={names(true).length}>
        <span class="zero" title={names(true).map(words).join(', ')}>
          {names(true).length} at <b>0</b>
        </span>
      </Show>
    </>
  );
}
