import type {
  ControlBlocksView,
  LogBlockView,
  PublisherView,
  ReportBlockView,
  SettingGroupView,
} from '@enerchain/model';
import { Show } from 'solid-js';
import { useApp } from '../../app.ts';
import { count } from '../../format/number.ts';
import { duration, instant } from '../../format/time.ts';
import { CheckGlyph } from '../../ui/glyphs.tsx';
import { type Column, Table } from '../../ui/Table.tsx';
import { Answer, type Asked, AskedAt } from './asked.tsx';
import { appIdText, revisionText, triggerText, valueText } from './words.ts';

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
          <Table
            columns={REPORTS}
            rows={view().reports}
            key={byReference}
            empty="The device has no report control blocks."
          />
          <h3>Setting groups</h3>
          <Table
            columns={SETTING_GROUPS}
            rows={view().settingGroups}
            key={byReference}
            empty="The device has no setting groups."
          />
          <h3>Logs</h3>
          <Table columns={LOGS} rows={view().logs} key={byReference} empty="The device keeps no logs." />
          <h3>Published by GOOSE and sampled values</h3>
          <Table
            columns={PUBLISHERS}
            rows={view().publishers}
            key={byReference}
            empty="The device publishes nothing."
          />
        </div>
      )}
    </Answer>
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

const byReference = ({ reference }: { readonly reference: string }): string => reference;

/** Where a block is, what it is, and what is wrong with it. */
function Block(props: { reference: string; says?: string | undefined; problem: string | undefined }) {
  return (
    <>
      <span class="mono">{props.reference}</span>
      <Show when={props.says}>
        <div class="sub">{props.says}</div>
      </Show>
      <Trouble text={props.problem} />
    </>
  );
}

/** The columns that several kinds of blocks have. */
const ENABLED: Column<{ readonly enabled?: boolean }> = {
  head: 'State',
  look: 'nowrap',
  cell: (block) => <Flag on={block().enabled} yes="enabled" no="not enabled" />,
};
const DATA_SET: Column<{ readonly dataSet?: string }> = {
  head: 'Data set',
  look: 'mono clip-cell',
  cell: (block) => <span title={block().dataSet}>{block().dataSet ?? ''}</span>,
};
const CONF_REV: Column<{ readonly confRev?: number; readonly expected?: number }> = {
  head: 'confRev',
  look: 'right',
  cell: (block) => <Revision actual={block().confRev} expected={block().expected} />,
};

const holder = (block: ReportBlockView): string =>
  block.ours
    ? 'this gateway'
    : (block.owner ?? (block.reserved ? 'reserved' : block.enabled ? 'another client' : 'nobody'));

const REPORTS: readonly Column<ReportBlockView>[] = [
  {
    head: 'Block',
    cell: (block) => (
      <>
        <span class="mono">{block().reference}</span>
        <div class="sub">
          {block().buffered ? 'buffered' : 'unbuffered'}
          {block().reportId ? ` · ${block().reportId}` : ''}
        </div>
        <Show when={/[^0]/.test(block().entry ?? '')}>
          <div class="sub mono">entry {block().entry}</div>
        </Show>
        <Trouble text={block().problem} />
      </>
    ),
  },
  {
    ...ENABLED,
    cell: (block, index) => (
      <>
        <Show when={block().ours || block().problem}>
          <CheckGlyph state={block().problem ? 'warn' : block().enabled === false ? 'bad' : 'ok'} />{' '}
        </Show>
        {ENABLED.cell(block, index)}
      </>
    ),
  },
  { head: 'Held by', cell: (block) => <span classList={{ dim: !block().ours }}>{holder(block())}</span> },
  DATA_SET,
  CONF_REV,
  {
    head: 'Triggers',
    look: 'wrap dim',
    cell: (block) => triggerText(block().triggers ?? [], block().integrityPeriod),
  },
  { head: 'Reports', look: 'right', cell: (block) => <Received block={block()} /> },
];

/** How many reports came, when the last, and whether any are missing. */
function Received(props: { block: ReportBlockView }) {
  const app = useApp();
  return (
    <>
      {props.block.reports === undefined ? '' : count(props.block.reports)}
      <Show when={props.block.lastReport}>
        {(at) => <div class="sub nowrap">last {duration(app.now().getTime() - instant(at()).getTime())} ago</div>}
      </Show>
      <Show when={props.block.gaps}>
        {(gaps) => (
          <div class="p2-text" title={props.block.lastGap}>
            {count(gaps())} gaps
          </div>
        )}
      </Show>
    </>
  );
}

const SETTING_GROUPS: readonly Column<SettingGroupView>[] = [
  { head: 'Block', cell: (block) => <Block reference={block().reference} problem={block().problem} /> },
  {
    head: 'Active group',
    cell: (block) => (block().active === undefined ? 'not told' : `${block().active} of ${block().groups ?? '?'}`),
  },
  {
    head: 'Edited',
    cell: (block) =>
      (block().edited ?? 0) > 0 ? (
        <span class="p2-text">group {block().edited} is being edited</span>
      ) : (
        <span class="dim">no</span>
      ),
  },
  { head: 'Active since', look: 'wide', cell: (block) => <Told at={block().since} /> },
];

const LOGS: readonly Column<LogBlockView>[] = [
  { head: 'Block', cell: (block) => <Block reference={block().reference} problem={block().problem} /> },
  ENABLED,
  { head: 'Log', look: 'mono', cell: (block) => block().log ?? '' },
  DATA_SET,
  { head: 'Oldest entry', cell: (block) => <Told at={block().oldest} /> },
  { head: 'Newest entry', look: 'wide', cell: (block) => <Told at={block().newest} /> },
];

const PUBLISHERS: readonly Column<PublisherView>[] = [
  {
    head: 'Block',
    cell: (block) => (
      <Block
        reference={block().reference}
        says={block().kind === 'goose' ? 'GOOSE' : 'sampled values'}
        problem={block().problem}
      />
    ),
  },
  {
    ...ENABLED,
    cell: (block, index) => (
      <>
        {ENABLED.cell(block, index)}
        <Show when={block().needsCommissioning}>
          <div class="p2-text">needs commissioning</div>
        </Show>
      </>
    ),
  },
  { head: 'Identifier', look: 'mono', cell: (block) => block().id ?? '' },
  DATA_SET,
  CONF_REV,
  { head: 'To', look: 'mono', cell: (block) => block().destination ?? '' },
  { head: 'APPID', look: 'mono', cell: (block) => appIdText(block().appId) },
  { head: 'VLAN', look: 'right wide', cell: (block) => block().vlan ?? '' },
];
