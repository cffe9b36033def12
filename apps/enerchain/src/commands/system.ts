/** Commands that ask a running system through its API. */
import { toQualityObject } from '@enerchain/model';
import { SystemClient } from '../system-client.ts';

interface SourceItem {
  readonly source: string;
  readonly role: string;
  readonly connected: boolean;
  readonly sequence: number;
  readonly observations: number;
  readonly gaps: number;
  readonly report?: {
    readonly endpoints: readonly { readonly id: string; readonly protocol: string; readonly state: string }[];
  };
}

interface PointItem {
  readonly mRID: string;
  readonly name: string;
  readonly unitSymbol?: string;
  readonly unitMultiplier?: string;
  readonly source: string;
  readonly endpoint: string;
}

const print = (text: string): void => void process.stdout.write(`${text}\n`);

export async function status(options: { data: string; json?: boolean }): Promise<void> {
  const { items } = await SystemClient.find(options.data).request<{ items: SourceItem[] }>('GET', '/sources');
  for (const item of items) {
    if (options.json) {
      print(JSON.stringify(item));
      continue;
    }
    const state = item.connected ? 'connected' : 'away';
    print(
      `${item.source.padEnd(23)} ${item.role.padEnd(8)} ${state.padEnd(11)}${item.observations} observations, ${item.gaps} gaps`,
    );
    for (const endpoint of item.report?.endpoints ?? []) {
      print(`  ${endpoint.id.padEnd(23)} ${endpoint.protocol.padEnd(11)} ${endpoint.state}`);
    }
  }
  if (items.length === 0 && !options.json) print('no gateway or service has connected yet');
}

export async function values(filter: string | undefined, options: { data: string; json?: boolean }): Promise<void> {
  const client = SystemClient.find(options.data);
  for (let cursor: string | undefined = ''; cursor !== undefined; ) {
    const query = new URLSearchParams({
      limit: '500',
      ...(filter ? { q: filter } : {}),
      ...(cursor ? { cursor } : {}),
    });
    const page: { items: PointItem[]; next?: string } = await client.request('GET', `/points?${query}`);
    cursor = page.next;
    if (page.items.length === 0) continue;
    const ids = page.items.map((point) => point.mRID).join(',');
    const { values: live } = await client.request<{
      values: { p: string; v: number | string | null; q: number; t: number }[];
    }>('GET', `/values?points=${ids}`);
    const byPoint = new Map(live.map((value) => [value.p, value]));
    for (const point of page.items) {
      const value = byPoint.get(point.mRID);
      if (options.json) {
        print(
          JSON.stringify({
            mRID: point.mRID,
            name: point.name,
            source: point.source,
            endpoint: point.endpoint,
            value: value?.v ?? null,
            ...(value ? { quality: toQualityObject(value.q), time: new Date(value.t).toISOString() } : {}),
          }),
        );
      } else {
        const multiplier = point.unitMultiplier && point.unitMultiplier !== 'none' ? point.unitMultiplier : '';
        const text = value
          ? `${value.v} ${multiplier}${point.unitSymbol ?? ''} ${toQualityObject(value.q).validity}`
          : 'no value yet';
        print(`${point.name.padEnd(47)} ${text}`);
      }
    }
  }
}

export async function revoke(
  name: string,
  options: { data: string; reason: string; fingerprint?: string },
): Promise<void> {
  const { reason, fingerprint } = options;
  const client = SystemClient.find(options.data);
  const { revoked } = await client.request<{ revoked: string[] }>(
    'POST',
    `/sources/${encodeURIComponent(name)}/revoke`,
    { reason, ...(fingerprint ? { fingerprint } : {}) },
  );
  for (const each of revoked) print(`revoked ${each}`);
  print(`${name} is shut out; without its identity folder, a new enrolment token lets it in again with another key`);
}

export async function rotateKey({ data, reason }: { data: string; reason: string }): Promise<void> {
  const client = SystemClient.find(data);
  const { fingerprint } = await client.request<{ fingerprint: string }>('POST', '/centre/key', { reason });
  print(`the centre has another key; its certificate is ${fingerprint}`);
}

export async function enrolToken(name: string, options: { data: string; role: string }): Promise<void> {
  const client = SystemClient.find(options.data);
  const { token } = await client.request<{ token: string }>('POST', '/enrolment-tokens', { name, role: options.role });
  print(token);
}
