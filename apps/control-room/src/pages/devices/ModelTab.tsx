import type { IedModelView } from '@enerchain/model';
import { type Accessor, createEffect, createMemo, createSignal, For, Match, onCleanup, Show, Switch } from 'solid-js';
import type { PointInfo } from '../../api/types.ts';
import { useApp } from '../../app.ts';
import { count } from '../../format/number.ts';
import { qualityWords } from '../../format/quality.ts';
import { clock, stamp, timeWeaknesses } from '../../format/time.ts';
import { go, href, route } from '../../route.ts';
import { LiveText, useLive } from '../../ui/live.tsx';
import { Notice, Problem } from '../../ui/parts.tsx';
import { stationsOf } from '../overview/places.ts';
import { Answer, type Asked, AskedAt, ReadMark } from './asked.tsx';
import { iedPath } from './places.ts';
import { type DevicePoints, partOfPoint } from './points.ts';
import { itemsOf, type Readings } from './readings.ts';
import { IedTree, type TreeNode, type TreeRow } from './tree.ts';
import { VirtualTree } from './VirtualTree.tsx';
import { FC_WORDS, valueText } from './words.ts';

/** What is opened, searched and chosen in the tree; outlives a look at another tab. */
export function createTreeState() {
  const [text, setText] = createSignal('');
  const [open, setOpen] = createSignal<ReadonlySet<string>>(new Set());
  const [active, setActive] = createSignal<string>();
  return { text, setText, open, setOpen, active, setActive };
}

/** ms */
const REST = 250;
const AT_A_GLANCE = 60;

interface Props {
  readonly state: ReturnType<typeof createTreeState>;
  readonly source: string;
  readonly endpoint: string;
  readonly model: Asked<IedModelView>;
  readonly readings: Readings;
  readonly points: DevicePoints;
  readonly away: string | undefined;
}

/** The model of a device as a tree, with what is known of each value. */
export function ModelTab(props: Props) {
  return (
    <Answer asked={props.model} away={props.away} what="The model">
      {(view) => <ModelTree {...props} view={view()} />}
    </Answer>
  );
}

function ModelTree(props: Props & { view: IedModelView }) {
  const app = useApp();
  const tree = createMemo(() => new IedTree(props.view));
  const { text, setText, open, setOpen, active, setActive } = props.state;
  const found = createMemo(() => tree().search(text()));
  const [copied, setCopied] = createSignal<string>();
  let search!: HTMLInputElement;

  // A logical device alone is opened, and several whose nodes are seen at a glance; what a search found is opened down to it.
  createEffect(() => {
    const { roots } = tree();
    const nodes = props.view.devices.reduce((sum, device) => sum + device.nodes.length, 0);
    if (roots.length > 1 && nodes > AT_A_GLANCE) return;
    setOpen((known) => (known.size > 0 ? known : new Set(roots.map(({ key }) => key))));
  });
  createEffect(() => {
    const ways = found()?.above;
    if (ways) setOpen((known) => new Set([...known, ...ways]));
  });
  // A link to a reference opens the tree there.
  createEffect(() => {
    const reference = route().query.get('at');
    const node = reference === null ? undefined : tree().find(reference);
    if (!node) return;
    const above: string[] = [];
    for (let at = node.parent; at; at = at.parent) above.push(at.key);
    setText('');
    setOpen((known) => new Set([...known, ...above]));
    setActive(node.key);
  });

  const rows = createMemo(() => tree().rows(open(), found()));
  const chosen = createMemo(() => {
    const key = active();
    // Places are made as they are opened: the rows are looked at first.
    return rows() && key !== undefined ? tree().node(key) : undefined;
  });
  const setOne = (key: string, isOpen: boolean) =>
    setOpen((known) => {
      const next = new Set(known);
      if (isOpen) next.add(key);
      else next.delete(key);
      return next;
    });
  /** Whoever runs through the rows rests before the inspector asks for a history. */
  let resting: ReturnType<typeof setTimeout> | undefined;
  onCleanup(() => clearTimeout(resting));
  const activate = (node: TreeNode) => {
    setActive(node.key);
    clearTimeout(resting);
    const point = pointAt(node);
    if (point) resting = setTimeout(() => app.select({ kind: 'point', mRID: point.mRID }), REST);
  };
  /** The point that a data object, or an attribute of it, belongs to; some attributes have one of their own. */
  const pointAt = (node: TreeNode): PointInfo | undefined => {
    const object = tree().objectOf(node);
    const own = node.kind === 'attribute' ? props.points.monitored.get(node.reference) : undefined;
    return own ?? (object && props.points.monitored.get(object.reference));
  };
  const read = (node: TreeNode) => {
    if (readRefusal() === undefined) void props.readings.read(itemsOf(tree(), node));
  };
  const readRefusal = () => (app.live() ? props.away : 'The connection to the centre is lost.');
  const copy = (node: TreeNode) => {
    void navigator.clipboard?.writeText(node.reference).then(() => {
      setCopied(node.reference);
      setTimeout(() => setCopied((known) => (known === node.reference ? undefined : known)), 2_000);
    });
  };
  const onKey = (key: string, node: TreeNode): boolean => {
    if (key === 'Enter') {
      if (node.leaf) activate(node);
      else setOne(node.key, !open().has(node.key));
    } else if (key === 'r') read(node);
    else if (key === 'c') copy(node);
    else if (key === '/') search.focus();
    else return false;
    return true;
  };
  const summary = () => {
    const result = found();
    if (!result) return `${count(tree().attributes)} attributes`;
    return `${result.cut ? 'more than ' : ''}${count(result.matches.size)} found`;
  };
  return (
    <div class="device-tab">
      <div class="filters">
        <input
          ref={search}
          type="search"
          placeholder="Reference or description …"
          aria-label="Search the model"
          value={text()}
          onInput={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => event.key === 'Escape' && setText('')}
        />
        <span class="sub" role="status">
          {summary()}
        </span>
        <button type="button" disabled={open().size === 0} onClick={() => setOpen(new Set<string>())}>
          Close all
        </button>
        <span class="grow" />
        <AskedAt asked={props.model} what="the model" />
      </div>
      <Show when={props.view.truncated}>
        <p class="device-note warn">The model is larger than what is shown; the rest was left out.</p>
      </Show>
      <div class="head tree-grid" aria-hidden="true">
        <span>Name</span>
        <span>FC</span>
        <span>Type</span>
        <span>Value</span>
        <span>Quality</span>
        <span>Time</span>
      </div>
      <Show
        when={rows().length > 0}
        fallback={
          <Notice title={found() ? 'Nothing found' : 'The model is empty'}>
            {found()
              ? 'Every word must occur in the reference, like QA1XCBR1.Pos, or in the description.'
              : 'The SCL file has no logical device for this IED.'}
          </Notice>
        }
      >
        <VirtualTree
          rows={rows()}
          label="Model of the device"
          active={active()}
          onActive={activate}
          onOpen={setOne}
          onOpenSiblings={(node) =>
            setOpen((known) => {
              const beside = node.parent ? tree().children(node.parent) : tree().roots;
              return new Set([...known, ...beside.filter(({ leaf }) => !leaf).map(({ key }) => key)]);
            })
          }
          onKey={onKey}
        >
          {(row) => (
            <ModelRow row={row} tree={tree()} point={pointAt(row().node)} readings={props.readings} onOpen={setOne} />
          )}
        </VirtualTree>
      </Show>
      <Show when={chosen()}>
        {(node) => (
          <section class="device-detail" aria-label="What is chosen">
            <div class="grow">
              <code class="mono">{node().reference}</code>
              <span class="sub">
                {[
                  node().fc && `${node().fc} ${FC_WORDS[node().fc!] ?? ''}`.trim(),
                  node().type,
                  node().count && `array of ${node().count}`,
                  node().description,
                ]
                  .filter(Boolean)
                  .join(' · ')}
              </span>
              <For each={node().inputs}>
                {(input) => (
                  <span class="sub">
                    takes {input.from}
                    {input.service ? ` by ${input.service}` : ''}
                    {input.block ? ` (${input.block})` : ''}
                    {input.to ? ` as ${input.to}` : ''}
                  </span>
                )}
              </For>
              <Problem text={props.readings.problem()} />
            </div>
            <ControlLink control={props.points.controls.get(tree().objectOf(node())?.reference ?? '')} />
            <button type="button" onClick={() => copy(node())}>
              {copied() === node().reference ? 'Copied' : 'Copy reference'}
            </button>
            <button
              type="button"
              class="main"
              disabled={props.readings.reading() || readRefusal() !== undefined}
              title={readRefusal() ?? 'Asks the device through its gateway; nothing is stored'}
              onClick={() => read(node())}
            >
              {props.readings.reading() ? 'Reading …' : 'Read now'}
            </button>
          </section>
        )}
      </Show>
    </div>
  );
}

/** Commands are given where the equipment stands, with its surroundings in sight. */
function ControlLink(props: { control: PointInfo | undefined }) {
  const app = useApp();
  const place = (control: PointInfo) => {
    const model = app.model();
    const equipment = app.equipmentById().get(control.equipment ?? '');
    const station = model && equipment ? stationsOf(model, equipment)[0] : undefined;
    return { equipment, address: station ? `grid/${station.mRID}` : 'grid' };
  };
  return (
    <Show when={props.control}>
      {(control) => (
        <Show
          when={place(control()).equipment}
          fallback={
            <a
              class="button"
              href={href('points', { q: control().name })}
              title="No equipment of the grid model belongs to it"
              onClick={() => app.select({ kind: 'point', mRID: control().mRID })}
            >
              Operate from the inspector
            </a>
          }
        >
          {(equipment) => (
            <button
              type="button"
              onClick={() => {
                app.select({ kind: 'equipment', mRID: equipment().mRID });
                go(place(control()).address);
              }}
            >
              Operate on the diagram
            </button>
          )}
        </Show>
      )}
    </Show>
  );
}

function ModelRow(props: {
  row: Accessor<TreeRow>;
  tree: IedTree;
  point: PointInfo | undefined;
  readings: Readings;
  onOpen: (key: string, open: boolean) => void;
}) {
  const node = () => props.row().node;
  return (
    <div class="tree-grid">
      <span class="tree-name" style={{ 'padding-left': `${node().depth * 16}px` }}>
        <span
          class="twisty"
          classList={{ open: props.row().open, none: node().leaf }}
          aria-hidden="true"
          onClick={(event) => {
            event.stopPropagation();
            if (!node().leaf) props.onOpen(node().key, !props.row().open);
          }}
        />
        <span class="clip" title={node().reference}>
          {node().name}
        </span>
        <Show when={node().description}>
          <span class="dim clip">{node().description}</span>
        </Show>
      </span>
      <span class="dim mono" title={FC_WORDS[node().fc ?? '']}>
        {node().fc ?? ''}
      </span>
      <span class="dim clip">{node().type ?? ''}</span>
      <Switch fallback={<ReadValue node={node()} readings={props.readings} />}>
        <Match when={node().kind === 'object' && props.point}>
          {(point) => <LiveCells point={point()} part="value" />}
        </Match>
        <Match when={livePart(props.tree, node(), props.point)}>
          {(part) => <LiveCells point={props.point!} part={part()} node={node()} readings={props.readings} />}
        </Match>
      </Switch>
    </div>
  );
}

/** Which part of a live point an attribute is. */
function livePart(tree: IedTree, node: TreeNode, point: PointInfo | undefined): 'value' | 'q' | 't' | undefined {
  if (!point || node.kind !== 'attribute' || (node.fc !== 'ST' && node.fc !== 'MX')) return undefined;
  if (point.address === node.reference) return 'value';
  const object = tree.objectOf(node);
  if (!object) return undefined;
  return partOfPoint(node.reference.slice(object.reference.length + 1), tree.attributeNames(object));
}

/** What came over the chain: it has a receipt. What was read on request after it stands instead, and says so. */
function LiveCells(props: { point: PointInfo; part: 'value' | 'q' | 't'; node?: TreeNode; readings?: Readings }) {
  const app = useApp();
  const value = useLive(() => props.point.mRID);
  const newer = () => {
    const read = props.node && props.readings?.of(props.node);
    return read !== undefined && read.at.getTime() >= (value()?.receiveTime ?? 0);
  };
  const time = () => {
    const now = value();
    return now ? stamp(new Date(now.sourceTime), app.now()) : '';
  };
  return (
    <Show when={!newer()} fallback={<ReadValue node={props.node!} readings={props.readings!} />}>
      <span class="clip">
        <Switch>
          <Match when={props.part === 'value'}>
            <LiveText point={props.point} />
          </Match>
          <Match when={props.part === 'q'}>{value() ? qualityWords(value()!.quality) : ''}</Match>
          <Match when={props.part === 't'}>
            <span class="mono">{time()}</span>
          </Match>
        </Switch>
      </span>
      <span class="clip dim">{props.part === 'value' && value() ? qualityWords(value()!.quality) : ''}</span>
      <span class="time clip" title={timeWeaknesses(value()?.timeQuality ?? 0).join(', ') || undefined}>
        {props.part === 'value' ? time() : ''}
        <Show when={timeWeaknesses(value()?.timeQuality ?? 0).length > 0}>
          <span class="mark mark-questionable" title={timeWeaknesses(value()!.timeQuality).join(', ')}>
            ?
          </span>
        </Show>
      </span>
    </Show>
  );
}

function ReadValue(props: { node: TreeNode; readings: Readings }) {
  const app = useApp();
  const reading = () => (props.node.kind === 'attribute' ? props.readings.of(props.node) : undefined);
  return (
    <>
      <span class="clip read-value">
        <Show when={reading()}>
          {(read) => (
            <Show
              when={read().problem === undefined}
              fallback={
                <span class="nodata" title={read().problem}>
                  {read().problem}
                </span>
              }
            >
              {valueText(read().value ?? null, props.node, app.now())}
            </Show>
          )}
        </Show>
      </span>
      <span class="sub clip">
        <Show when={reading()}>
          <ReadMark /> read now
        </Show>
      </span>
      <span class="time">{reading() ? clock(reading()!.at) : ''}</span>
    </>
  );
}

/** Where a reference stands in the model. */
export function ReferenceLink(props: { source: string; endpoint: string; reference: string }) {
  return (
    <a class="reference mono" href={href(iedPath(props.source, props.endpoint), { at: props.reference })}>
      {props.reference}
    </a>
  );
}
