import type {
  ControlBlocksView,
  LogBlockView,
  PublisherView,
  ReportBlockView,
  SettingGroupView,
} from '@enerchain/model';
import { For, type JSX, Show } from 'solid-js';
import { useApp } from '../../app.ts';
import { count } from '../../format/number.ts';
import { duration, instant } from '../../format/time.ts';
import { CheckGlyph } from '../../ui/glyphs.tsx';
import { Answer, type Asked, AskedAt } from './asked.tsx';
import { revisionText, triggerText, valueText } from './words.ts';

/** Report, log and setting group control blocks, and what the device publishes, as the device has them now. */
export function BlocksTab(props: { blocks: Asked<ControlBlocksView>; away: string | undefined }) {
  return (
    <Answer asked={props.blocks} away={props.away} what="The control blocks">
      {(view) => (
        <div class="device-tab scroll padded">
          <div class="device-bar">
            <h3>Reports</h3>
            <span class="grow" />
            <AskedAt asked={props.blocks} what="the control blocks" />
          </div>
          <Reports blocks={view().reports} />
          <h3>Setting groups</h3>
          <SettingGroups blocks={view().settingGroups} />
          <h3>Logs</h3>
          <Logs blocks={view().logs} />
          <h3>Published by GOOSE and sampled values</h3>
          <Publishers blocks={view().publishers} />
        </div>
      )}
    </Answer>
  );
}

function Table(props: { heads: readonly string[]; empty: string; when: number; children: JSX.Element }) {
  return (
    <Show when={props.when > 0} fallback={<p class="sub">{props.empty}</p>}>
      <div class="table-box">
        <table class="table">
          <thead>
            <tr>
              <For each={props.heads}>{(head) => <th scope="col">{head}</th>}</For>
            </tr>
          </thead>
          <tbody>{props.children}</tbody>
        </table>
      </div>
    </Show>
  );
}

export function Revision(props: { actual: number | undefined; expected: number | undefined }) {
  const revision = () => revisionText(props.actual, props.expected);
  return <span classList={{ 'p2-text': revision().differs }}>{revision().text}</span>;
}

function Flag(props: { on: boolean | undefined; yes: string; no: string }) {
  return (
    <Show when={props.on !== undefined} fallback={<span class="dim">not told</span>}>
      {props.on ? props.yes : <span class="dim">{props.no}</span>}
    </Show>
  );
}

/** A time as the device tells it. */
function Told(props: { at: string | undefined }) {
  const app = useApp();
  return <>{props.at === undefined ? '' : valueText(props.at, {}, app.now())}</>;
}

function Trouble(props: { text: string | undefined }) {
  return (
    <Show when={props.text}>
      <div class="p2-text wrap">{props.text}</div>
    </Show>
  );
}

function Reports(props: { blocks: readonly ReportBlockView[] }) {
  const app = useApp();
  const holder = (block: ReportBlockView) =>
    block.ours
      ? 'this gateway'
      : (block.owner ?? (block.reserved ? 'reserved' : block.enabled ? 'another client' : 'nobody'));
  return (
    <Table
      heads={['Block', 'State', 'Held by', 'Data set', 'confRev', 'Triggers', 'Reports']}
      empty="The device has no report control blocks."
      when={props.blocks.length}
    >
      <For each={props.blocks}>
        {(block) => (
          <tr>
            <td>
              <span class="mono">{block.reference}</span>
              <div class="sub">
                {block.buffered ? 'buffered' : 'unbuffered'}
                {block.reportId ? ` · ${block.reportId}` : ''}
              </div>
              <Show when={block.entry && !/^0*$/.test(block.entry)}>
                <div class="sub mono">entry {block.entry}</div>
              </Show>
              <Trouble text={block.problem} />
            </td>
            <td class="nowrap">
              <Show when={block.ours || block.problem}>
                <CheckGlyph state={block.problem ? 'warn' : block.enabled === false ? 'bad' : 'ok'} />{' '}
              </Show>
              <Flag on={block.enabled} yes="enabled" no="not enabled" />
            </td>
            <td classList={{ dim: !block.ours }}>{holder(block)}</td>
            <td class="mono clip-cell" title={block.dataSet}>
              {block.dataSet ?? ''}
            </td>
            <td>
              <Revision actual={block.confRev} expected={block.expected} />
            </td>
            <td class="wrap dim">{triggerText(block.triggers ?? [], block.integrityPeriod)}</td>
            <td class="right">
              {block.reports === undefined ? '' : count(block.reports)}
              <Show when={block.lastReport}>
                {(at) => (
                  <div class="sub nowrap">last {duration(app.now().getTime() - instant(at()).getTime())} ago</div>
                )}
              </Show>
              <Show when={block.gaps}>
                {(gaps) => (
                  <div class="p2-text" title={block.lastGap}>
                    {count(gaps())} gaps
                  </div>
                )}
              </Show>
            </td>
          </tr>
        )}
      </For>
    </Table>
  );
}

function SettingGroups(props: { blocks: readonly SettingGroupView[] }) {
  return (
    <Table
      heads={['Block', 'Active group', 'Edited', 'Active since']}
      empty="The device has no setting groups."
      when={props.blocks.length}
    >
      <For each={props.blocks}>
        {(block) => (
          <tr>
            <td class="mono">
              {block.reference}
              <Trouble text={block.problem} />
            </td>
            <td>{block.active === undefined ? 'not told' : `${block.active} of ${block.groups ?? '?'}`}</td>
            <td classList={{ 'p2-text': (block.edited ?? 0) > 0 }}>
              {(block.edited ?? 0) > 0 ? `group ${block.edited} is being edited` : <span class="dim">no</span>}
            </td>
            <td class="wide">
              <Told at={block.since} />
            </td>
          </tr>
        )}
      </For>
    </Table>
  );
}

function Logs(props: { blocks: readonly LogBlockView[] }) {
  return (
    <Table
      heads={['Block', 'State', 'Log', 'Data set', 'Oldest entry', 'Newest entry']}
      empty="The device keeps no logs."
      when={props.blocks.length}
    >
      <For each={props.blocks}>
        {(block) => (
          <tr>
            <td class="mono">
              {block.reference}
              <Trouble text={block.problem} />
            </td>
            <td>
              <Flag on={block.enabled} yes="enabled" no="not enabled" />
            </td>
            <td class="mono">{block.log ?? ''}</td>
            <td class="mono">{block.dataSet ?? ''}</td>
            <td>
              <Told at={block.oldest} />
            </td>
            <td class="wide">
              <Told at={block.newest} />
            </td>
          </tr>
        )}
      </For>
    </Table>
  );
}

const hex = (value: number | undefined): string =>
  value === undefined ? '' : `0x${value.toString(16).toUpperCase().padStart(4, '0')}`;

function Publishers(props: { blocks: readonly PublisherView[] }) {
  return (
    <Table
      heads={['Block', 'State', 'Identifier', 'Data set', 'confRev', 'To', 'APPID', 'VLAN']}
      empty="The device publishes nothing."
      when={props.blocks.length}
    >
      <For each={props.blocks}>
        {(block) => (
          <tr>
            <td>
              <span class="mono">{block.reference}</span>
              <div class="sub">{block.kind === 'goose' ? 'GOOSE' : 'sampled values'}</div>
              <Trouble text={block.problem} />
            </td>
            <td>
              <Flag on={block.enabled} yes="enabled" no="not enabled" />
              <Show when={block.needsCommissioning}>
                <div class="p2-text">needs commissioning</div>
              </Show>
            </td>
            <td class="mono">{block.id ?? ''}</td>
            <td class="mono">{block.dataSet ?? ''}</td>
            <td>
              <Revision actual={block.confRev} expected={block.expected} />
            </td>
            <td class="mono">{block.destination ?? ''}</td>
            <td class="mono">{hex(block.appId)}</td>
            <td class="wide">{block.vlan ?? ''}</td>
          </tr>
        )}
      </For>
    </Table>
  );
}
