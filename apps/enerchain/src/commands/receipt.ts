/** Receipts and the anchor out of a running system, and the monitor that follows its log. */
import { renameSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { EnerchainError, fromIso, toIso } from '@enerchain/model';
import { LogMonitor, type MonitorFinding, parseAnchor, readAnchor, verifyReceipt } from '@enerchain/provenance';
import { readIfThere } from '../data-folder.ts';
import { SystemClient } from '../system-client.ts';
import { read } from './verify.ts';

const MRID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const AGAIN_MILLIS = 1_000;

const print = (text: string): void => void process.stdout.write(`${text}\n`);

/** @throws EnerchainError with the words of the system, or `cli.point` when the name fits none or several points */
export async function receipt(
  point: string,
  options: { data: string; out: string; at?: string; wait: string },
): Promise<void> {
  const client = SystemClient.find(options.data);
  const { mRID, name } = await pointNamed(client, point);
  const anchor = readAnchor(await client.request('GET', '/trust/anchor'));
  const deadline = performance.now() + Number(options.wait) * 1000;
  let at = options.at === undefined ? undefined : toIso(fromIso(options.at));
  for (;;) {
    const query = at === undefined ? '' : `?${new URLSearchParams({ at })}`;
    const bytes = await client.download(`/points/${mRID}/receipt${query}`);
    const { ok, trust, value } = verifyReceipt(bytes, anchor);
    if (trust === 'provisional' && value && performance.now() < deadline) {
      // The same value again, when the result behind it is there.
      at = toIso(value.sourceTime);
      await pause(AGAIN_MILLIS);
      continue;
    }
    writeFileSync(options.out, bytes);
    print(
      `${options.out}: receipt of ${name}, ${value ? toIso(value.sourceTime) : 'no value'}, ${bytes.length} octets`,
    );
    if (!ok) print(`not every link of it holds (${trust}): enerchain verify ${options.out} --anchor … says which`);
    return;
  }
}

export async function anchor(options: { data: string; out: string }): Promise<void> {
  const file = await SystemClient.find(options.data).request('GET', '/trust/anchor');
  readAnchor(file);
  writeFileSync(options.out, `${JSON.stringify(file, undefined, 2)}\n`);
  print(`${options.out}: what receipts of this system are checked against; keep it apart from them`);
}

async function pointNamed(client: SystemClient, point: string): Promise<{ mRID: string; name: string }> {
  const query = new URLSearchParams({ q: point, limit: '1000' });
  const { items } = await client.request<{ items: { mRID: string; name: string; source: string }[] }>(
    'GET',
    `/points?${query}`,
  );
  if (MRID.test(point)) return items.find(({ mRID }) => mRID === point) ?? { mRID: point, name: point };
  const exact = items.filter(({ name }) => name === point);
  const found = exact.length > 0 ? exact : items;
  const [first, ...others] = found;
  if (first && others.length === 0) return first;
  const some = found.slice(0, 5).map(({ name, mRID, source }) => `${name} of ${source} (${mRID})`);
  const text = first
    ? `'${point}' fits ${found.length} points: ${some.join(', ')}${found.length > 5 ? ', …' : ''}`
    : `no point is called '${point}'; enerchain values lists them`;
  throw new EnerchainError('caller', 'cli.point', text);
}

/** Follows a log until it does what it must not. */
export async function monitor(options: {
  data: string;
  anchor: string;
  state: string;
  every: string;
  once?: boolean;
  json?: boolean;
}): Promise<void> {
  const { origin, logKey, witnesses } = parseAnchor(read(options.anchor).toString('utf8'));
  const client = SystemClient.find(options.data);
  const seen = readIfThere(options.state);
  const follower = new LogMonitor({
    origin,
    key: logKey,
    witnesses,
    seen: seen === undefined ? undefined : `${seen.trimEnd()}\n`,
  });
  const source = {
    checkpoint: () => client.request<string>('GET', '/transparency/checkpoint'),
    consistency: async (from: number, to: number) => {
      const path = `/transparency/consistency?from=${from}&to=${to}`;
      const { proof } = await client.request<{ proof: string[] }>('GET', path);
      return proof.map((hash) => Buffer.from(hash, 'base64'));
    },
  };
  for (;;) {
    const finding = await follower.look(source);
    if (follower.note !== undefined && finding.kind === 'grown') {
      writeFileSync(`${options.state}.new`, follower.note);
      renameSync(`${options.state}.new`, options.state);
    }
    tell(finding, options.json === true);
    if (finding.kind === 'bad') process.exitCode = 1;
    if (options.once) {
      if (finding.kind === 'unreachable') process.exitCode = 1;
      return;
    }
    await pause(Number(options.every) * 1000);
  }
}

function tell(finding: MonitorFinding, json: boolean): void {
  const at = new Date().toISOString();
  if (json) {
    print(JSON.stringify({ at, ...finding }));
    return;
  }
  const by = finding.witnesses.length > 0 ? `; cosigned by ${finding.witnesses.join(', ')}` : '';
  const word = finding.kind === 'bad' ? `BAD (${finding.code}) ` : '';
  print(`${at} ${word}${finding.text}${by}`);
}
