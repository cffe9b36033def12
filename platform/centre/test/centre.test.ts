import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import {
  isConsistent,
  isSignedBy,
  parseCheckpoint,
  readAnchor,
  rootFromInclusion,
  verifyReceipt,
} from '@enerchain/provenance';
import { enrol } from '@enerchain/trust';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CentreHandle, runCentre } from '../src/centre.ts';
import { newDataFolder, removeDataFolder } from './data-folder.ts';
import { breaker, Gateway, position, voltage } from './gateway.ts';

const dataDir = newDataFolder('centre');
const logger = pino({ level: 'silent' });
let stop: AbortController;
let centre: CentreHandle;
let cookie = '';

async function start(): Promise<void> {
  stop = new AbortController();
  const local = { host: '127.0.0.1', port: 0 };
  centre = await runCentre({ dataDir, http: local, link: local, logger, signal: stop.signal });
}
const read = (name: string): string => readFileSync(join(dataDir, name), 'utf8').trim();
const headers = () => ({ cookie, 'x-enerchain-request': '1', 'content-type': 'application/json' });

// biome-ignore lint/suspicious/noExplicitAny: answers are checked by what the tests expect of them
async function call(method: string, path: string, body?: unknown): Promise<any> {
  const response = await fetch(`${centre.url}/api/v1${path}`, {
    method,
    headers: headers(),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return response.json();
}

/** Reads the stream until the text satisfies. */
async function streamUntil(satisfied: (text: string) => boolean, after?: string): Promise<string> {
  const abort = new AbortController();
  const url = `${centre.url}/api/v1/stream${after ? `?after=${after}` : ''}`;
  const response = await fetch(url, {
    headers: { cookie },
    signal: AbortSignal.any([abort.signal, AbortSignal.timeout(60_000)]),
  });
  let text = '';
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += Buffer.from(chunk).toString('utf8');
    if (satisfied(text)) break;
  }
  abort.abort();
  return text;
}

beforeAll(start);
afterAll(async () => {
  await centre?.close();
  removeDataFolder(dataDir);
});

describe('a centre from the first start', () => {
  let gateway: Gateway;
  let lastId = '';

  it('prints a one-time link, and keeps its secrets from other users of the machine', async () => {
    expect(centre.setupLink).toBe(`${centre.url}/#/setup/${read('setup-token')}`);
    for (const name of ['setup-token', 'admin.token']) expect(statSync(join(dataDir, name)).mode & 0o777).toBe(0o600);
    const body = JSON.stringify({ token: read('setup-token'), user: 'anna', password: 'correct horse battery' });
    const answer = await fetch(`${centre.url}/api/v1/setup`, { method: 'POST', headers: headers(), body });
    expect(answer.status).toBe(201);
    cookie = answer.headers.get('set-cookie')?.split(';')[0] ?? '';
    expect(await call('GET', '/session')).toMatchObject({ user: 'anna' });
    const local = await fetch(`${centre.url}/api/v1/users`, {
      headers: { authorization: `Bearer ${read('admin.token')}` },
    });
    expect(await local.json()).toMatchObject({ items: [{ name: 'anna' }] });
    expect(existsSync(join(dataDir, 'setup-token'))).toBe(false);
  });

  it('shows a value of an enrolled gateway in the values, on the stream and in the history', async () => {
    const { token } = await call('POST', '/enrolment-tokens', { name: 'edge-a', role: 'edge' });
    gateway = new Gateway(await enrol({ dir: join(dataDir, 'edge-a'), token }), centre.linkUrl);
    await gateway.announce();
    const seen = streamUntil((text) => text.includes('"v":20.4'));
    await gateway.observe(voltage.mRID, 20.4);
    expect(await seen).toContain(`"p":"${voltage.mRID}"`);
    await expect
      .poll(async () => (await call('GET', `/values?points=${voltage.mRID}`)).values)
      .toMatchObject([{ p: voltage.mRID, v: 20.4, q: 0, s: 'edge-a' }]);
    expect(await call('GET', '/points?q=cb')).toMatchObject({ total: 2 });
    await expect
      .poll(async () => (await call('GET', `/history/${voltage.mRID}`)).samples)
      .toMatchObject([[expect.any(Number), 20.4, 0]]);
    expect((await call('GET', '/sources')).items).toMatchObject([{ source: 'edge-a', connected: true }]);
  });

  it('says where a value comes from, and gives its receipt and what it is checked against', async () => {
    const way = await call('GET', `/points/${voltage.mRID}/provenance`);
    expect(way).toMatchObject({
      point: voltage.mRID,
      name: 'U',
      unit: 'kV',
      value: 20.4,
      source: 'edge-a',
      holds: false,
    });
    expect(way.steps.map(({ kind, state }: { kind: string; state: string }) => `${kind} ${state}`)).toEqual([
      'device weak',
      'gateway ok',
      'software missing',
      'neighbours weak',
      'signature ok',
      'log ok',
      'witnesses missing',
    ]);
    const at = new Date(way.sourceTime).toISOString();
    expect((await call('GET', `/points/${voltage.mRID}/provenance?at=${at}`)).sourceTime).toBe(way.sourceTime);
    const answer = await fetch(`${centre.url}/api/v1/points/${voltage.mRID}/receipt`, { headers: headers() });
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/cbor']);
    const bytes = new Uint8Array(await answer.arrayBuffer());
    const anchor = await call('GET', '/trust/anchor');
    const { value, findings } = verifyReceipt(bytes, readAnchor(anchor));
    expect(value).toMatchObject({ value: 20.4, source: 'edge-a' });
    expect(findings.filter(({ state }) => state === 'bad')).toEqual([]);
    await expect
      .poll(async () => (await call('GET', '/audit?limit=50')).items)
      .toContainEqual(expect.objectContaining({ action: 'receipt.made', actor: 'anna' }));

    const text = async (path: string) => (await fetch(`${centre.url}/api/v1${path}`, { headers: headers() })).text();
    const first = parseCheckpoint(await text('/transparency/checkpoint'));
    expect(isSignedBy(first, readAnchor(anchor).logKey)).toBe(true);
    await gateway.observe(voltage.mRID, 20.4);
    await expect
      .poll(async () => parseCheckpoint(await text('/transparency/checkpoint')).checkpoint.size)
      .toBeGreaterThan(first.checkpoint.size);
    const second = parseCheckpoint(await text('/transparency/checkpoint')).checkpoint;
    const hashes = (proof: string[]) => proof.map((hash) => Buffer.from(hash, 'base64'));
    const range = `from=${first.checkpoint.size}&to=${second.size}`;
    const { proof } = await call('GET', `/transparency/consistency?${range}`);
    expect(isConsistent(first.checkpoint, second, hashes(proof))).toBe(true);
    const { leaf, proof: path } = await call('GET', `/transparency/inclusion?index=3&size=${second.size}`);
    expect(rootFromInclusion(Buffer.from(leaf, 'base64'), 3, second.size, hashes(path))).toEqual(second.root);

    for (const [path, status, code] of [
      [`/points/${breaker.mRID}/receipt`, 404, 'receipt.not-found'],
      ['/points/00000000-0000-4000-8000-00000000ffff/receipt', 404, 'receipt.point'],
      [`/points/${voltage.mRID}/receipt?at=2001-01-01T00:00:00Z`, 404, 'receipt.not-found'],
      [`/points/${voltage.mRID}/receipt?at=yesterday`, 400, 'api.invalid'],
      ['/transparency/inclusion?index=9&size=99999999', 404, 'provenance.proof.index'],
    ] as const) {
      expect(await call('GET', path)).toMatchObject({ status, code });
    }
  });

  it('takes a command down to the device and its result back up, and raises the alarm that follows', async () => {
    await gateway.observe(position.mRID, 2);
    await expect.poll(async () => (await call('GET', `/values?points=${position.mRID}`)).values.length).toBe(1);
    const prepared = await call('POST', '/commands', { point: breaker.mRID, value: 1 });
    expect(prepared).toMatchObject({ state: 'prepared', ctlModel: 'sbo', by: 'anna' });
    const state = async () => (await call('GET', `/commands/${prepared.id}`)).state;
    await call('POST', `/commands/${prepared.id}/select`);
    await expect.poll(state).toBe('selected');
    const text = streamUntil((all) => all.includes('"feedbackSeen"') && all.includes('event: alarm'));
    await call('POST', `/commands/${prepared.id}/operate`);
    await expect.poll(state).toBe('feedbackSeen');
    lastId = [...(await text).matchAll(/^id: (.*)$/gm)].at(-1)?.[1] ?? '';
    const done = await call('GET', `/commands/${prepared.id}`);
    expect(done.final).toBe(true);
    expect(done.events.map((event: { step: string }) => event.step)).toEqual([
      'prepared',
      'sent',
      'received',
      'selected',
      'sent',
      'received',
      'operateSent',
      'confirmed',
      'terminated',
      'feedbackSeen',
    ]);
    const { items } = await call('GET', '/alarms');
    expect(items).toMatchObject([{ state: 'unacknowledged', priority: 1, point: position.mRID }]);
    expect(await call('POST', `/alarms/${items[0].id}/acknowledge`, { comment: 'switched on purpose' })).toMatchObject({
      state: 'acknowledged',
      acknowledgedBy: 'anna',
    });
    await expect
      .poll(async () => (await call('GET', '/audit')).items.map((item: { action: string }) => item.action))
      .toEqual(
        expect.arrayContaining([
          'setup',
          'enrol.token',
          'command.prepare',
          'command.select',
          'command.operate',
          'alarm.acknowledge',
        ]),
      );
    expect((await call('GET', '/events?kind=command')).items.length).toBeGreaterThanOrEqual(10);
  });

  it('goes on after a restart: sessions, alarms, numbers of the stream, and an open command with unknown outcome', async () => {
    const events = await call('GET', '/events?limit=1000');
    const open = await call('POST', '/commands', { point: breaker.mRID, value: 2 });
    expect(open.state).toBe('prepared');
    await gateway.link.close();
    await centre.close();
    await start();
    expect(centre.setupLink).toBeUndefined();
    expect(await call('GET', '/session')).toMatchObject({ user: 'anna' });
    expect((await call('GET', '/alarms')).items).toMatchObject([{ state: 'acknowledged', acknowledgedBy: 'anna' }]);
    expect(await call('GET', `/commands/${open.id}`)).toMatchObject({ state: 'cancelled', final: true });
    const again = (await call('GET', '/events?limit=1000')).items;
    expect(again).toEqual(expect.arrayContaining(events.items));
    const text = await streamUntil((all) => all.includes('start of the centre'), lastId);
    expect(text).not.toContain('event: reset');
    const missed = [...text.matchAll(/^id: (.*)$/gm)].map(([, id]) => Number(id?.split(':')[1]));
    expect(missed).toEqual([...new Set(missed)].sort((a, b) => a - b));
    expect(text).toContain('switched on purpose');
  });
});
