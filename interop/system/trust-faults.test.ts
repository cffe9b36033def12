/** The faults of the Trusted Core Network in the lab, each on the whole system: what the centre finds, and how it ends. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AlarmItem, Api, type SourceItem } from './api.ts';
import { enerchain } from './command-line.ts';
import { type RunningSystem, STARTS_WITHIN, startSystem, until } from './running-system.ts';

interface Node {
  readonly node: string;
  readonly fresh: boolean;
  readonly reaction: string;
  readonly neighbours: readonly { readonly node: string; readonly status: string }[];
}

describe('faults of the lab’s network', () => {
  let system: RunningSystem;
  let api: Api;

  beforeAll(async () => {
    system = await startSystem();
    api = new Api(system);
  }, STARTS_WITHIN);
  afterAll(() => system?.stop());

  const fault = async (...words: string[]): Promise<void> => {
    const done = await enerchain(['lab', 'fault', ...words, '--data', system.data]);
    expect(done.status, done.stderr).toBe(0);
  };
  const becomes = (name: string, what: string, fits: (state: Node) => boolean) =>
    until(`${name} ${what}`, async () => {
      const { nodes } = await api.request<{ nodes: readonly Node[] }>('GET', '/trust');
      const state = nodes.find(({ node }) => node === name);
      return state !== undefined && fits(state);
    });
  const isGood = ({ fresh, reaction }: Node) => fresh && reaction === 'none';
  const good = (name: string) => becomes(name, 'good', isGood);
  const notGood = (name: string) => becomes(name, 'not good any more', (state) => !isGood(state));

  it('an attester that is stopped is trusted no longer than its last result, and again when it answers', async () => {
    await good('core-1');
    await fault('attester-stopped', 'core-1', 'seconds=40');
    await notGood('core-1');
    await good('core-1');
  }, 400_000);

  it('old evidence in the place of fresh one is found by every neighbour that asks', async () => {
    await good('core-2');
    await fault('quote-replayed', 'core-2', 'seconds=600');
    await notGood('core-2');
    await becomes(
      'core-2',
      'found out by the gateways',
      ({ neighbours }) => neighbours.filter(({ status }) => status === 'contraindicated').length >= 2,
    );
  }, 400_000);

  it('a node that is cut off from its neighbours is not trusted, and is again after the healing', async () => {
    await good('core-1');
    await fault('network-partition', 'core-1', 'seconds=45');
    await notGood('core-1');
    await good('core-1');
  }, 400_000);

  it('a second device with the key of a node is noticed', async () => {
    await fault('device-cloned', 'core-1', 'seconds=600');
    await until('an alarm about two devices', async () => {
      const { items } = await api.request<{ items: readonly AlarmItem[] }>('GET', '/alarms');
      return items.some(({ message }) => /core-1.*two devices/.test(message));
    });
  }, 400_000);

  it('a gateway whose certificates are revoked is gone at once', async () => {
    await fault('certificate-revoked', 'edge-west');
    await until('edge-west gone', async () => {
      const { items } = await api.request<{ items: readonly SourceItem[] }>('GET', '/sources');
      return items.find(({ source }) => source === 'edge-west')?.connected === false;
    });
    const { items } = await api.request<{ items: readonly { revoked: boolean }[] }>(
      'GET',
      '/sources/edge-west/certificates',
    );
    expect(items.length).toBeGreaterThan(0);
    expect(items.every(({ revoked }) => revoked)).toBe(true);
  }, 120_000);
});
