/** The centre without its database: at the start, frozen, and when it comes back. */
import { existsSync, readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { enrol } from '@enerchain/trust';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CentreHandle, runCentre } from '../src/centre.ts';
import { EmbeddedPostgres } from '../src/database/embedded.ts';
import { newDataFolder, removeDataFolder } from './data-folder.ts';
import { breaker, Gateway, position, voltage } from './gateway.ts';

const logger = pino({ level: 'silent' });

/** The way to the database: there, gone, or a server that takes connections and says nothing. */
class Way {
  readonly #socket: string;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #server: Server | undefined;
  port = 0;
  #frozen = false;

  constructor(socket: string) {
    this.#socket = socket;
  }

  async open(): Promise<void> {
    const server = createServer((down) => {
      const up = connect(this.#socket);
      const pair = [down, up] as const;
      this.#pairs.add(pair);
      for (const [one, other] of [pair, [up, down]] as const) {
        one.on('error', () => {});
        one.on('close', () => {
          other.destroy();
          this.#pairs.delete(pair);
        });
        one.on('data', (bytes) => other.write(bytes));
        if (this.#frozen) one.pause();
      }
    });
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
    this.port = (server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    for (const [down] of this.#pairs) down.destroy();
    await new Promise((resolve) => this.#server?.close(resolve));
  }

  freeze(frozen: boolean): void {
    this.#frozen = frozen;
    for (const pair of this.#pairs) for (const socket of pair) socket[frozen ? 'pause' : 'resume']();
  }
}

describe('a centre whose database is away', () => {
  const dataDir = newDataFolder('centre-away');
  const databaseDir = newDataFolder('centre-away-db');
  let postgres: EmbeddedPostgres;
  let way: Way;
  let databaseUrl = '';
  let centre: CentreHandle;
  let gateway: Gateway;

  const start = async () => {
    const local = { host: '127.0.0.1', port: 0 };
    const { signal } = new AbortController();
    centre = await runCentre({ dataDir, http: local, link: local, databaseUrl, logger, signal });
  };
  const read = (name: string): string => readFileSync(join(dataDir, name), 'utf8').trim();
  // biome-ignore lint/suspicious/noExplicitAny: answers are checked by what the tests expect of them
  async function call(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<any> {
    const response = await fetch(path.startsWith('/healthz') ? centre.url + path : `${centre.url}/api/v1${path}`, {
      method,
      headers: {
        'x-enerchain-request': '1',
        'content-type': 'application/json',
        ...(headers ?? { authorization: `Bearer ${read('admin.token')}` }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return response.json();
  }
  const health = () => call('GET', '/healthz');
  /** Reads the stream until the text satisfies. */
  async function streamUntil(satisfied: (text: string) => boolean): Promise<string> {
    const abort = new AbortController();
    const response = await fetch(`${centre.url}/api/v1/stream`, {
      headers: { authorization: `Bearer ${read('admin.token')}` },
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
  const connectGateway = async (): Promise<void> => {
    const { token } = await call('POST', '/enrolment-tokens', { name: 'edge-a', role: 'edge' });
    gateway = new Gateway(await enrol({ dir: join(dataDir, 'edge-a'), token }), centre.linkUrl);
    await gateway.announce();
    await gateway.observe(position.mRID, 2);
  };
  const live = async () => (await call('GET', `/values?points=${voltage.mRID}`)).values[0]?.v;

  beforeAll(async () => {
    postgres = await EmbeddedPostgres.start({ dataDir: databaseDir, logger });
    const { host, port, user, password } = postgres.connection;
    way = new Way(join(host, `.s.PGSQL.${port}`));
    await way.open();
    databaseUrl = `postgres://${user}:${password}@127.0.0.1:${way.port}/postgres`;
    await way.close();
    await start();
  });
  afterAll(async () => {
    await gateway?.link.close();
    await centre?.close();
    await way.close();
    await postgres.stop();
    for (const folder of [dataDir, databaseDir]) removeDataFolder(folder);
  });

  it('starts, says what is wrong, and refuses plainly what it cannot do', async () => {
    expect(await health()).toMatchObject({
      status: 'degraded',
      reasons: [expect.stringMatching(/^the database \(127\.0\.0\.1.*\) is away: .*ECONNREFUSED/)],
    });
    expect(JSON.stringify(await health())).not.toContain(postgres.connection.password);
    const anybody = { 'content-type': 'application/json' };
    const unavailable = { status: 503, code: 'accounts.unavailable' };
    const login = { user: 'anna', password: 'correct horse battery' };
    expect(await call('POST', '/session', login, anybody)).toMatchObject(unavailable);
    expect(await call('GET', '/setup', undefined, anybody)).toMatchObject(unavailable);
    const cookie = { cookie: `enerchain_session=${'x'.repeat(43)}` };
    expect(await call('GET', '/points', undefined, { cookie: 'other=1' })).toMatchObject({ status: 401 });
    for (const shown of [cookie, { authorization: `Bearer ${'x'.repeat(43)}` }])
      for (const path of ['/session', '/points'])
        expect(await call('GET', path, undefined, shown)).toMatchObject(unavailable);
    expect(existsSync(join(dataDir, 'setup-token'))).toBe(false);
    expect(await call('GET', '/session')).toMatchObject({ user: 'token:local' });
    for (const path of ['/events', '/audit'])
      expect(await call('GET', path)).toMatchObject({ status: 503, code: 'centre.database.away' });
    expect(await call('GET', '/grid')).toMatchObject({ status: 503, code: 'grid.unavailable' });
    expect(await call('GET', '/users')).toMatchObject(unavailable);
  });

  it('takes values and shows them, and carries out commands', async () => {
    await connectGateway();
    const seen = streamUntil((text) => text.includes('"v":20.4'));
    await gateway.observe(voltage.mRID, 20.4);
    expect(await seen).toContain(`"p":"${voltage.mRID}"`);
    await expect.poll(live).toBe(20.4);
    expect(await call('GET', `/history/${voltage.mRID}`)).toMatchObject({ status: 503, code: 'centre.database.away' });
    const { id } = await call('POST', '/commands', { point: breaker.mRID, value: 1 });
    await call('POST', `/commands/${id}/select`);
    await expect.poll(async () => (await call('GET', `/commands/${id}`)).state).toBe('selected');
    await call('POST', `/commands/${id}/operate`);
    await expect.poll(async () => (await call('GET', `/commands/${id}`)).state).toBe('feedbackSeen');
    expect((await call('GET', '/alarms')).items).toMatchObject([{ point: position.mRID }]);
  });

  it('catches up when the database comes back', async () => {
    await way.open();
    await expect.poll(async () => (await health()).status).toBe('ok');
    await expect.poll(() => existsSync(join(dataDir, 'setup-token'))).toBe(true);
    const anna = { token: read('setup-token'), user: 'anna', password: 'correct horse battery' };
    expect(await call('POST', '/setup', anna, { 'content-type': 'application/json' })).toMatchObject({ user: 'anna' });
    expect(await call('GET', '/grid')).toMatchObject({ status: 404 });
    await expect
      .poll(async () => (await call('GET', `/history/${voltage.mRID}`)).samples)
      .toMatchObject([[expect.any(Number), 20.4, 0]]);
    await expect.poll(async () => (await call('GET', '/events?kind=command')).items?.length).toBeGreaterThanOrEqual(10);
  });

  it('goes on with its alarms and its numbers when it is started without it again', async () => {
    const alarms = (await call('GET', '/alarms')).items;
    const before = JSON.parse(/data: (.*)/.exec(await streamUntil((text) => text.includes('hello')))?.[1] ?? '');
    await gateway.link.close();
    await centre.close();
    await way.close();
    await start();
    expect((await health()).status).toBe('degraded');
    const after = JSON.parse(/data: (.*)/.exec(await streamUntil((text) => text.includes('hello')))?.[1] ?? '');
    expect(after.instance).toBe(before.instance);
    expect((await call('GET', '/alarms')).items).toEqual(alarms);
    gateway.moveTo(centre.linkUrl);
    await gateway.observe(voltage.mRID, 20.5);
    await expect.poll(live).toBe(20.5);
    await way.open();
    await expect.poll(async () => (await health()).status).toBe('ok');
    const login = { user: 'anna', password: 'correct horse battery' };
    await expect
      .poll(() => call('POST', '/session', login, { 'content-type': 'application/json' }), { timeout: 10_000 })
      .toMatchObject({ user: 'anna' });
    await expect
      .poll(async () => (await call('GET', `/history/${voltage.mRID}`)).samples?.map(([, value]: number[]) => value), {
        timeout: 10_000,
      })
      .toEqual([20.4, 20.5]);
  });

  it('answers within seconds while it is frozen, and takes values all the same', async () => {
    way.freeze(true);
    const began = performance.now();
    const asked = ['/events', '/audit', '/events?kind=gap'].map((path) => call('GET', path));
    await gateway.observe(voltage.mRID, 20.6);
    await expect.poll(live).toBe(20.6);
    for (const answer of asked) expect(await answer).toMatchObject({ status: 503, code: 'centre.database.away' });
    expect(performance.now() - began).toBeLessThan(6_500);
    expect((await health()).status).toBe('degraded');
    way.freeze(false);
    await expect.poll(async () => (await health()).status).toBe('ok');
    expect((await call('GET', '/events')).items.length).toBeGreaterThan(0);
  });
});
