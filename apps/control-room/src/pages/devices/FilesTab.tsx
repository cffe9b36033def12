import type { FilesView } from '@enerchain/model';
import { createMemo, createSignal, Show } from 'solid-js';
import { devicesApi } from '../../api/devices.ts';
import { useApp } from '../../app.ts';
import { bytes, count } from '../../format/number.ts';
import { stamp } from '../../format/time.ts';
import { Notice, Problem } from '../../ui/parts.tsx';
import { save } from '../../ui/save.ts';
import { Table } from '../../ui/Table.tsx';
import { Answer, type Asked, AskedAt } from './asked.tsx';
import { type ComtradeSummary, comtradeSummary, type FileRow, fileRows, folderAbove, isFolder } from './comtrade.ts';

/** Larger configuration files are no view for a screen, octets. */
const MOST_SUMMARY = 2 * 1024 * 1024;

/** The files of a device: fetched by a right of its own, each time audited. */
export function FilesTab(props: {
  source: string;
  endpoint: string;
  files: Asked<FilesView>;
  /** What is listed; undefined: what the device tells without being asked for a folder. */
  folder: string | undefined;
  onFolder: (folder: string | undefined) => void;
  away: string | undefined;
}) {
  const app = useApp();
  const [fetching, setFetching] = createSignal<string>();
  const [problem, setProblem] = createSignal<string>();
  const [summary, setSummary] = createSignal<{ name: string; of: ComtradeSummary }>();
  const refusal = () => props.away ?? app.refusal('files.read');
  async function fetchFile(name: string): Promise<Blob | undefined> {
    setFetching(name);
    setProblem(undefined);
    try {
      return await devicesApi.file(props.source, props.endpoint, name);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
      return undefined;
    } finally {
      setFetching(undefined);
    }
  }
  const download = async (name: string) => {
    const blob = await fetchFile(name);
    if (blob) save(blob, name.split(/[/\\]/).filter(Boolean).at(-1) ?? 'file');
  };
  const summarise = async (name: string) => {
    const text = await (await fetchFile(name))?.text();
    if (text === undefined) return;
    const read = comtradeSummary(text);
    if (typeof read === 'string') setProblem(`${name} cannot be read as COMTRADE. ${read}`);
    else setSummary({ name, of: read });
  };
  return (
    <>
      <Show when={props.folder && props.files.problem()}>
        <div class="filters">
          <button type="button" onClick={() => props.onFolder(folderAbove(props.folder ?? ''))}>
            Up
          </button>
        </div>
      </Show>
      <Answer asked={props.files} away={props.away} what="The files">
        {(view) => {
          const rows = createMemo(() => fileRows(view().files));
          return (
            <div class="device-tab scroll padded">
              <div class="device-bar">
                <Show when={props.folder}>
                  {(folder) => (
                    <button type="button" onClick={() => props.onFolder(folderAbove(folder()))}>
                      Up
                    </button>
                  )}
                </Show>
                <h3 class="folder">
                  {props.folder ? `${props.folder} · ` : ''}
                  {count(rows().length)} {rows().length === 1 ? 'entry' : 'entries'}
                  {view().truncated ? ', and more that are not listed' : ''}
                </h3>
                <span class="sub">
                  Each download stands in the audit of the centre and on the chain of the gateway.
                </span>
                <span class="grow" />
                <AskedAt asked={props.files} what="the list of files" />
              </div>
              <Show when={app.refusal('files.read')}>{(why) => <p class="sub refusal">{why()}</p>}</Show>
              <Problem text={problem()} />
              <Show
                when={rows().length > 0}
                fallback={<Notice title="No files">The device lists no files, or offers no file service.</Notice>}
              >
                <Table
                  columns={[
                    {
                      head: 'Name',
                      look: 'wide mono',
                      cell: (file) => (
                        <Show when={isFolder(file().name)} fallback={file().name}>
                          <button type="button" class="bare" onClick={() => props.onFolder(file().name)}>
                            {file().name}
                          </button>
                        </Show>
                      ),
                    },
                    { head: 'Kind', look: 'dim nowrap', cell: (file) => kindOf(file()) },
                    {
                      head: 'Size',
                      look: 'right nowrap',
                      cell: (file) => (isFolder(file().name) ? '' : bytes(file().size)),
                    },
                    { head: 'Modified', look: 'time', cell: (file) => modified(file(), app.now()) },
                    {
                      head: '',
                      look: 'right nowrap',
                      cell: (file) => (
                        <>
                          <Show when={file().record && file().size <= MOST_SUMMARY}>
                            <button
                              type="button"
                              aria-label={`Summary of ${file().name}`}
                              disabled={refusal() !== undefined || fetching() !== undefined}
                              title={refusal()}
                              onClick={() => void summarise(file().name)}
                            >
                              Summary
                            </button>{' '}
                          </Show>
                          <Show when={!isFolder(file().name)}>
                            <button
                              type="button"
                              aria-label={`Download ${file().name}`}
                              disabled={refusal() !== undefined || fetching() !== undefined}
                              title={refusal()}
                              onClick={() => void download(file().name)}
                            >
                              {fetching() === file().name ? 'Fetching …' : 'Download'}
                            </button>
                          </Show>
                        </>
                      ),
                    },
                  ]}
                  rows={rows()}
                  key={({ name }) => name}
                />
              </Show>
              <Show when={summary()}>
                {(shown) => <Summary name={shown().name} of={shown().of} onClose={() => setSummary(undefined)} />}
              </Show>
            </div>
          );
        }}
      </Answer>
    </>
  );
}

const kindOf = (file: FileRow): string =>
  isFolder(file.name)
    ? 'folder'
    : file.record
      ? `disturbance record (${file.record.map((part) => part.toUpperCase()).join(' ')})`
      : '';

function modified({ modified: at }: FileRow, now: Date): string {
  if (at === undefined) return '';
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? at : stamp(date, now);
}

function Summary(props: { name: string; of: ComtradeSummary; onClose: () => void }) {
  return (
    <section class="card" aria-label={`Disturbance record ${props.name}`}>
      <div class="card-head">
        <h2>{props.of.station || 'Station without a name'}</h2>
        <span class="sub">
          {props.of.device} · {props.name}
        </span>
        <span class="grow" />
        <button type="button" onClick={() => props.onClose()}>
          Close
        </button>
      </div>
      <dl class="facts">
        <div>
          <dt>trigger</dt>
          <dd class="mono">{props.of.trigger}</dd>
        </div>
        <div>
          <dt>first sample</dt>
          <dd class="mono">{props.of.start}</dd>
        </div>
        <div>
          <dt>sampling</dt>
          <dd>
            {props.of.rates
              .map(
                ({ perSecond, last }) => `${perSecond ? `${count(perSecond)}/s` : 'varying'} to sample ${count(last)}`,
              )
              .join(', ')}
          </dd>
        </div>
        <div>
          <dt>frequency</dt>
          <dd>{props.of.frequency === undefined ? 'not given' : `${props.of.frequency} Hz`}</dd>
        </div>
        <div>
          <dt>format</dt>
          <dd>
            {props.of.format}, edition {props.of.revision}
          </dd>
        </div>
      </dl>
      <p class="sub">
        {props.of.analog.length} analogue {props.of.analog.length === 1 ? 'channel' : 'channels'}:{' '}
        {props.of.analog.map(({ name, unit }) => (unit ? `${name} (${unit})` : name)).join(', ') || 'none'}
      </p>
      <p class="sub">
        {props.of.digital.length} status {props.of.digital.length === 1 ? 'channel' : 'channels'}:{' '}
        {props.of.digital.join(', ') || 'none'}
      </p>
    </section>
  );
}
