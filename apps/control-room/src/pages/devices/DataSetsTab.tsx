import type { ControlBlocksView, IedModelView, ModelDataSet } from '@enerchain/model';
import { createMemo, For, Show } from 'solid-js';
import { Notice } from '../../ui/parts.tsx';
import { Table } from '../../ui/Table.tsx';
import { Answer, type Asked } from './asked.tsx';
import { ReferenceLink } from './ModelTab.tsx';

/** The data sets of the file, what carries them, and which IEDs take something of them. */
export function DataSetsTab(props: {
  source: string;
  endpoint: string;
  model: Asked<IedModelView>;
  blocks: Asked<ControlBlocksView>;
  away: string | undefined;
}) {
  /** Control blocks by the data set that they carry. */
  const carriers = createMemo(() => {
    const view = props.blocks.answer();
    const found = new Map<string, string[]>();
    for (const { reference, dataSet } of [
      ...(view?.reports ?? []),
      ...(view?.logs ?? []),
      ...(view?.publishers ?? []),
    ]) {
      if (dataSet !== undefined) found.set(dataSet, [...(found.get(dataSet) ?? []), reference]);
    }
    return found;
  });
  const inputs = (view: IedModelView) =>
    view.devices.flatMap(({ name, nodes }) =>
      nodes.flatMap((node) => (node.inputs ?? []).map((input) => ({ at: `${name}/${node.name}`, input }))),
    );
  return (
    <Answer asked={props.model} away={props.away} what="The data sets">
      {(view) => (
        <div class="device-tab scroll padded">
          <Show
            when={view().dataSets.length > 0}
            fallback={<Notice title="No data sets">The SCL file has none for this device.</Notice>}
          >
            <For each={view().dataSets}>
              {(set) => (
                <DataSet
                  set={set}
                  carriers={carriers().get(set.reference) ?? []}
                  source={props.source}
                  endpoint={props.endpoint}
                />
              )}
            </For>
          </Show>
          <h3>What the device takes from others</h3>
          <Table
            columns={[
              {
                head: 'Node',
                cell: (row) => <ReferenceLink source={props.source} endpoint={props.endpoint} reference={row().at} />,
              },
              { head: 'Takes', look: 'mono', cell: (row) => row().input.from },
              { head: 'By', cell: (row) => [row().input.service, row().input.block].filter(Boolean).join(' ') },
              { head: 'Inside as', look: 'wide mono', cell: (row) => row().input.to ?? '' },
            ]}
            rows={inputs(view())}
            key={({ at, input }) => `${at} ${input.service} ${input.block} ${input.from} ${input.to}`}
            empty="The SCL file has no inputs (ExtRef) for this device."
          />
        </div>
      )}
    </Answer>
  );
}

function DataSet(props: { set: ModelDataSet; carriers: readonly string[]; source: string; endpoint: string }) {
  return (
    <details class="card data-set">
      <summary>
        <span class="mono">{props.set.reference}</span>
        <span class="sub">
          {props.set.members.length} {props.set.members.length === 1 ? 'member' : 'members'}
          {props.carriers.length > 0 ? ` · carried by ${props.carriers.join(', ')}` : ''}
          {props.set.subscribers.length > 0
            ? ` · taken by ${props.set.subscribers.join(', ')}`
            : ' · no other IED of the file takes it'}
        </span>
      </summary>
      <ol>
        <For each={props.set.members}>
          {(member) => (
            <li>
              <ReferenceLink source={props.source} endpoint={props.endpoint} reference={member.reference} />
              <span class="dim mono"> {member.fc ?? ''}</span>
            </li>
          )}
        </For>
      </ol>
    </details>
  );
}
