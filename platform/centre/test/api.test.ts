import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DevelopmentCa, obtainIdentity, tlsContext } from '@enerchain/trust';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RIGHT_NAMES, ROLE_RIGHTS, type Role } from '../src/accounts/rights.ts';
import type { Access } from '../src/api/access.ts';
import { checkBinding } from '../src/api/server.ts';
import type { ServiceRequest } from '../src/ports.ts';
import { mRID, observations, siteOf, T0 } from './doubles.ts';
import { type Face, newFace, PASSWORD } from './face.ts';

const WRITE = { 'x-enerchain-request': '1' };
let face: Face;

beforeAll(async () => {
  const controlRoomDir = mkdtempSync(join(tmpdir(), 'control-room-'));
  writeFileSync(join(controlRoomDir, 'index.html'), '<!doctype html><title>Control room</title>');
  face = await newFace({ controlRoomDir });
});
afterAll(() => face.close());

describe('default deny', () => {
  const param = (url: string) =>
    url
      .replace(/:(id|point)/g, mRID(1))
      .replace(':name', 'nobody')
      .replace('*', 'some/thing');

  it('has a declared access on every route, and refuses whoever is not logged in or has no right', async () => {
    const rightless = await face.tokenWith([]);
    let closed = 0;
    for (const route of face.routes) {
      const access = route.config?.access as Access;
      expect(access, route.url).toBeDefined();
      if (access === 'public') continue;
      closed++;
      for (const method of [route.method].flat()) {
        const url = param(route.url);
        const headers = { host: 'centre.example', ...WRITE };
        const nobody = await face.app.inject({ method: method as 'GET', url, headers });
        expect(nobody.statusCode, `${method} ${url} without a login`).toBe(401);
        if (access === 'session') continue;
        const without = await face.app.inject({
          method: method as 'GET',
          url,
          headers: { ...headers, authorization: `Bearer ${rightless}` },
        });
        expect(without.statusCode, `${method} ${url} without the right`).toBe(403);
      }
    }
    expect(closed).toBeGreaterThan(25);
  });

  it('needs exactly the declared right, for every right and role', async () => {
    for (const role of Object.keys(ROLE_RIGHTS) as Role[]) {
      const token = await face.tokenWith([role]);
      for (const [right, method, url] of [
        ['values.read', 'GET', '/api/v1/sources'],
        ['users.write', 'GET', '/api/v1/users'],
        ['tokens.write', 'GET', '/api/v1/tokens'],
        ['audit.read', 'GET', '/api/v1/audit'],
        ['commands.operate', 'POST', `/api/v1/commands/${mRID(9)}/cancel`],
        ['commands.breakGlass', 'POST', '/api/v1/commands/break-glass'],
        ['alarms.acknowledge', 'POST', '/api/v1/alarms/12345/acknowledge'],
        ['grid.write', 'PUT', '/api/v1/grid'],
        ['services.ask', 'POST', '/api/v1/grid-state/what-if'],
        ['enrol.write', 'POST', '/api/v1/enrolment-tokens'],
        ['trust.write', 'POST', '/api/v1/trust/releases/one/approve'],
        ['certificates.revoke', 'POST', '/api/v1/sources/edge-a/revoke'],
      ] as const) {
        const answer = await face.app.inject({
          method,
          url,
          headers: { authorization: `Bearer ${token}` },
          ...(method === 'GET' ? {} : { payload: {} }),
        });
        const has = (ROLE_RIGHTS[role] as readonly string[]).includes(right);
        expect(answer.statusCode === 403, `${role} on ${method} ${url}: ${answer.body}`).toBe(!has);
      }
    }
    expect(RIGHT_NAMES).toHaveLength(13);
  });

  it('leaves open only what is listed here', () => {
    const open = face.routes
      .filter(({ config, method }) => (config?.access as Access) === 'public' && method !== 'HEAD')
      .map(({ method, url }) => `${method} ${url}`);
    expect(open.filter((route) => route.includes('/api/')).sort()).toEqual([
      'GET /api/v1/openapi.json',
      'GET /api/v1/session',
      'GET /api/v1/setup',
      'POST /api/v1/session',
      'POST /api/v1/setup',
    ]);
  });

  it('tells whoever asks without a login that they are nobody and have no rights', async () => {
    const answer = await face.app.inject({ url: '/api/v1/session' });
    expect([answer.statusCode, answer.json()]).toEqual([200, { user: null, roles: [], rights: [] }]);
    const stale = await face.app.inject({ url: '/api/v1/session', cookies: { enerchain_session: 'x'.repeat(43) } });
    expect(stale.json()).toEqual({ user: null, roles: [], rights: [] });
  });

  it('lets nobody keep what the API answers', async () => {
    for (const url of ['/api/v1/session', '/api/v1/sources', '/api/v1/nothing'])
      expect((await face.app.inject({ url })).headers['cache-control'], url).toBe('no-store');
  });

  it('does not fall back to the cookie when a token is wrong', async () => {
    const cookies = await face.login();
    const headers = { authorization: 'Bearer not-a-token-that-anybody-has-given' };
    expect((await face.app.inject({ url: '/api/v1/session', cookies, headers })).statusCode).toBe(401);
  });
});

describe('sessions', () => {
  it('log in with a cookie that scripts cannot read and other sites do not send', async () => {
    const payload = { user: 'anna', password: PASSWORD };
    const answer = await face.app.inject({ method: 'POST', url: '/api/v1/session', headers: WRITE, payload });
    expect(answer.json()).toMatchObject({ user: 'anna', rights: RIGHT_NAMES });
    expect(answer.cookies[0]).toMatchObject({
      name: 'enerchain_session',
      httpOnly: true,
      sameSite: 'Strict',
      path: '/',
    });
  });

  it('refuse a write without the header, and one from a page of another site', async () => {
    const cookies = await face.login();
    const send = (headers: Record<string, string>) =>
      face.app.inject({ method: 'DELETE', url: '/api/v1/session', cookies, headers });
    expect((await send({})).json()).toMatchObject({ code: 'api.header-missing', status: 403 });
    expect((await send({ ...WRITE, 'sec-fetch-site': 'cross-site' })).json()).toMatchObject({ code: 'api.cross-site' });
    expect((await send(WRITE)).statusCode).toBe(204);
    expect((await face.app.inject({ url: '/api/v1/session', cookies })).json()).toMatchObject({ user: null });
    expect((await face.app.inject({ url: '/api/v1/sources', cookies })).statusCode).toBe(401);
  });

  it('slow down whoever guesses, and say for how long', async () => {
    const guess = () =>
      face.app.inject({
        method: 'POST',
        url: '/api/v1/session',
        headers: WRITE,
        payload: { user: 'mallory', password: 'guess' },
        remoteAddress: '10.9.8.7',
      });
    for (let i = 0; i < 5; i++) expect((await guess()).json()).toMatchObject({ code: 'accounts.login-refused' });
    const blocked = await guess();
    expect(blocked.statusCode).toBe(429);
    expect(Number(blocked.headers['retry-after'])).toBeGreaterThan(0);
  });

  it('tell the clients of a proxy on this machine apart, and keep the cookie within its TLS', async () => {
    const through = (ip: string, password: string) =>
      face.app.inject({
        method: 'POST',
        url: '/api/v1/session',
        headers: { ...WRITE, 'x-forwarded-for': ip, 'x-forwarded-proto': 'https' },
        payload: { user: 'anna', password },
      });
    for (let i = 0; i < 6; i++) await through('203.0.113.9', 'guess');
    expect((await through('203.0.113.9', PASSWORD)).statusCode).toBe(429);
    const other = await through('203.0.113.10', PASSWORD);
    expect(other.statusCode).toBe(200);
    expect(other.cookies[0]).toMatchObject({ secure: true });
  });

  it('cannot be set up a second time', async () => {
    const payload = { token: 'x', user: 'eve', password: 'a long enough password' };
    const answer = await face.app.inject({ method: 'POST', url: '/api/v1/setup', headers: WRITE, payload });
    expect(answer.json()).toMatchObject({ status: 403, code: 'accounts.setup-refused' });
  });
});

describe('errors', () => {
  it('are problem+json with a code, whatever went wrong', async () => {
    const headers = { ...WRITE, authorization: `Bearer ${face.admin}` };
    const cases = [
      [{ url: '/api/v1/points?limit=0' }, 400, 'api.invalid'],
      [{ url: '/api/v1/values?points=nonsense' }, 400, 'api.invalid'],
      [{ url: '/api/v1/events?from=yesterday' }, 400, 'api.invalid'],
      [{ url: '/api/v1/nowhere' }, 404, 'api.not-found'],
      [{ url: '/nowhere.json' }, 404, 'api.not-found'],
      [{ url: `/api/v1/history/${mRID(999)}` }, 404, 'points.unknown'],
      [{ method: 'POST', url: '/api/v1/commands', payload: '{' }, 400, 'api.ctp-invalid-json-body'],
      [{ method: 'POST', url: '/api/v1/commands', payload: { point: 'x', value: 'y' } }, 400, 'api.invalid'],
      [
        { method: 'POST', url: '/api/v1/session', payload: { user: 'a', password: 'x'.repeat(2 ** 21) } },
        413,
        undefined,
      ],
    ] as const;
    for (const [request, status, code] of cases) {
      const json =
        typeof (request as { payload?: unknown }).payload === 'string' ? { 'content-type': 'application/json' } : {};
      const answer = await face.app.inject({ method: 'GET', ...request, headers: { ...headers, ...json } } as never);
      expect(answer.statusCode, JSON.stringify(request).slice(0, 100) + answer.body).toBe(status);
      expect(answer.headers['content-type']).toContain('application/problem+json');
      const body = answer.json();
      expect(body).toMatchObject({ status, title: expect.any(String), detail: expect.any(String) });
      if (code) expect(body.code).toBe(code);
    }
  });
});

describe('the control room and the surroundings', () => {
  it('is served with a policy that allows nothing but its own files', async () => {
    const answer = await face.app.inject({ url: '/' });
    expect(answer.statusCode).toBe(200);
    expect(answer.headers['content-security-policy']).toContain("default-src 'none'");
    expect(answer.headers['x-content-type-options']).toBe('nosniff');
    const deep = await face.app.inject({ url: '/some/page', headers: { accept: 'text/html' } });
    expect(deep.body).toContain('Control room');
    expect((await face.app.inject({ url: '/..%2f..%2fetc/passwd' })).statusCode).not.toBe(200);
  });

  it('refuses to serve plain HTTP to other machines', () => {
    expect(() => checkBinding({ host: '0.0.0.0' })).toThrow(/must not cross a network in plain HTTP/);
    expect(() => checkBinding({ host: '192.168.1.5' })).toThrow();
    expect(() => checkBinding({ host: '::' })).toThrow();
    expect(() => checkBinding({ host: '127.0.0.1' })).not.toThrow();
    expect(() => checkBinding({ host: 'localhost' })).not.toThrow();
    expect(() => checkBinding({ host: '0.0.0.0', tls: { cert: '', key: '' } })).not.toThrow();
  });

  it('describes itself in OpenAPI 3.1 from the schemas that check the requests', async () => {
    const description = (await face.app.inject({ url: '/api/v1/openapi.json' })).json();
    expect(description.openapi).toBe('3.1.0');
    expect(Object.keys(description.paths)).toEqual(
      expect.arrayContaining([
        '/api/v1/points',
        '/api/v1/history/{point}',
        '/api/v1/commands/{id}/operate',
        '/api/v1/grid',
      ]),
    );
    expect(description.paths['/api/v1/commands'].post.description).toBe('Needs: commands.operate');
    expect(JSON.stringify(description)).not.toContain('"$id"');
  });

  it('shows its numbers to programs on this machine, and to others only with a right', async () => {
    const local = await face.app.inject({ url: '/metrics', headers: { host: 'localhost:8080' } });
    expect(local.statusCode).toBe(200);
    expect(local.body).toMatch(/^enerchain_journal_records_total \d+$/m);
    const rebound = await face.app.inject({ url: '/metrics', headers: { host: 'evil.example' } });
    expect(rebound.statusCode).toBe(401);
    const playing = { host: 'evil.example', 'x-forwarded-host': 'localhost' };
    expect((await face.app.inject({ url: '/metrics', headers: playing })).statusCode).toBe(401);
    const remote = await face.app.inject({
      url: '/metrics',
      headers: { host: 'localhost' },
      remoteAddress: '10.0.0.1',
    });
    expect(remote.statusCode).toBe(401);
    expect((await face.app.inject({ url: '/healthz' })).json()).toEqual({ status: 'ok', reasons: [] });
  });
});

describe('what there is to see', () => {
  const point = {
    mRID: mRID(1),
    name: 'U L1',
    kind: 'analog' as const,
    unitSymbol: 'V',
    limits: [{ kind: 'high' as const, value: 250, priority: 1 }],
  };
  const auth = () => ({ authorization: `Bearer ${face.admin}`, ...WRITE });

  it('pages through the points by a cursor, each once', async () => {
    const many = Array.from({ length: 25 }, (_, i) => ({
      mRID: mRID(100 + i),
      name: `P ${i}`,
      kind: 'discrete' as const,
    }));
    face.announce(siteOf('edge-a', [point, ...many]));
    const seen: string[] = [];
    let next: string | undefined;
    do {
      const url = `/api/v1/points?kind=discrete&limit=10${next ? `&cursor=${next}` : ''}`;
      const page = (await face.app.inject({ url, headers: auth() })).json();
      expect(page.total).toBe(25);
      seen.push(...page.items.map((each: { name: string }) => each.name));
      next = page.next;
    } while (next);
    expect(new Set(seen).size).toBe(25);
    const found = (await face.app.inject({ url: '/api/v1/points?q=u%20l1', headers: auth() })).json();
    expect(found.items[0]).toMatchObject({ name: 'U L1', source: 'edge-a', endpoint: 'rtu-1' });
  });

  it('raises an alarm from a limit, and acknowledges it through the log', async () => {
    face.log.add('edge-a', observations({ point: point.mRID, value: 260, at: 1 }));
    await face.settled();
    const [alarm] = (await face.app.inject({ url: '/api/v1/alarms', headers: auth() })).json().items;
    expect(alarm).toMatchObject({ state: 'unacknowledged', priority: 1, point: point.mRID });
    expect(alarm.message).toBe(
      'U L1 in Substation edge-a is above its upper warning limit of 250 V since 2027-01-15 08:00:01 UTC: 260 V.',
    );
    const url = `/api/v1/alarms/${alarm.id}/acknowledge`;
    const answer = await face.app.inject({ method: 'POST', url, headers: auth(), payload: { comment: 'on it' } });
    expect(answer.json()).toMatchObject({ state: 'acknowledged', acknowledgedBy: 'token:admin', comment: 'on it' });
    expect(face.log.audits().at(-1)).toMatchObject({ action: 'alarm.acknowledge', actor: 'token:admin' });
    const again = await face.app.inject({ method: 'POST', url, headers: auth() });
    expect(again.statusCode).toBe(200);
  });

  it('takes a command from prepare to its result', async () => {
    const control = {
      mRID: mRID(2),
      name: 'CB on/off',
      kind: 'command' as const,
      cdc: 'DPC',
      ctlModel: 'direct' as const,
    };
    face.announce(siteOf('edge-a', [point, control], 2));
    face.sources.set('edge-a', true);
    const post = (path: string, payload: unknown = {}) =>
      face.app.inject({ method: 'POST', url: `/api/v1/commands${path}`, headers: auth(), payload: payload as object });
    const bad = (await post('', { point: control.mRID, value: 7 })).json();
    expect(bad).toMatchObject({ state: 'refusedByCentre', final: true });
    expect(bad.checks.find((check: { ok: boolean }) => !check.ok)).toMatchObject({ name: 'value' });
    const prepared = await post('', { point: control.mRID, value: 2 });
    expect(prepared.statusCode).toBe(201);
    const { id } = prepared.json();
    expect((await post('', { point: control.mRID, value: 1 })).json().state).toBe('refusedByCentre');
    expect((await post(`/${id}/select`)).json()).toMatchObject({ status: 409, code: 'centre.command.refused' });
    expect((await post(`/${id}/operate`)).json()).toMatchObject({ state: 'sent', final: false });
    expect(face.sources.sent.at(-1)).toMatchObject({ id, action: 'operate', value: 2, target: 'edge-a' });
    const at = String(T0);
    const step = (name: 'confirmed' | 'terminated') => ({
      command: id,
      point: control.mRID,
      action: 'operate' as const,
      step: name,
      at,
    });
    face.log.add('edge-a', { kind: 'commandEvents', events: [step('confirmed'), step('terminated')] });
    await face.settled();
    const done = (await face.app.inject({ url: `/api/v1/commands/${id}`, headers: auth() })).json();
    expect(done).toMatchObject({ state: 'terminated', final: true, by: 'token:admin' });
    expect(done.events.map((each: { step: string }) => each.step)).toEqual([
      'prepared',
      'sent',
      'confirmed',
      'terminated',
    ]);
  });

  it('keeps the grid model in versions and refuses one whose references lead nowhere', async () => {
    const node = mRID(33);
    const model = {
      mRID: mRID(30),
      name: 'Small',
      version: 1,
      frequency: 50,
      substations: [{ mRID: mRID(31), name: 'S' }],
      voltageLevels: [{ mRID: mRID(32), name: '20 kV', substation: mRID(31), nominalVoltage: 20 }],
      bays: [],
      connectivityNodes: [{ mRID: node, name: 'N', voltageLevel: mRID(32) }],
      equipment: [
        { class: 'BusbarSection', mRID: mRID(34), name: 'B', terminals: [{ mRID: mRID(35), connectivityNode: node }] },
      ],
    };
    const put = (payload: object, headers = {}) =>
      face.app.inject({ method: 'PUT', url: '/api/v1/grid', headers: { ...auth(), ...headers }, payload });
    expect((await face.app.inject({ url: '/api/v1/grid', headers: auth() })).statusCode).toBe(404);
    expect((await put(model)).json()).toEqual({ version: 1, changed: true });
    expect((await put(model)).json()).toEqual({ version: 1, changed: false });
    expect((await put({ ...model, name: 'Other' }, { 'if-match': '"7"' })).statusCode).toBe(412);
    expect((await put({ ...model, name: 'Other' }, { 'if-match': '"1"' })).json()).toMatchObject({ version: 2 });
    const broken = await put({ ...model, connectivityNodes: [] });
    expect(broken.json()).toMatchObject({
      status: 400,
      code: 'grid.invalid',
      detail: expect.stringContaining('/equipment/0'),
    });
    const got = await face.app.inject({ url: '/api/v1/grid', headers: auth() });
    expect(got.headers.etag).toBe('"2"');
    expect(got.json().name).toBe('Other');
  });

  it('stores secrets only as hashes', async () => {
    const made = await face.app.inject({
      method: 'POST',
      url: '/api/v1/tokens',
      headers: auth(),
      payload: { name: 'scraper', roles: ['VIEWER'], days: 1 },
    });
    const { token } = made.json();
    const stored = JSON.stringify([...face.accountStore.tokens.values(), ...face.accountStore.users.values()]);
    expect(stored).not.toContain(token);
    expect(stored).not.toContain(PASSWORD);
    expect(stored).toContain(createHash('sha256').update(token).digest('hex'));
    const list = (await face.app.inject({ url: '/api/v1/tokens', headers: auth() })).json();
    expect(list.items.find((each: { name: string }) => each.name === 'scraper')).not.toHaveProperty('hash');
  });
});

describe('over TLS', () => {
  it('the cookie goes nowhere else, and browsers are told to stay', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'tls-'));
    const ca = await DevelopmentCa.open(join(dir, 'ca'));
    const identity = await obtainIdentity(join(dir, 'centre'), { name: 'centre', role: 'centre' }, async (request) => ({
      certificate: await ca.issue(request, { name: 'centre', role: 'centre' }),
      ca: ca.certificatePem,
    }));
    const { cert, key } = tlsContext(identity);
    const face = await newFace({ tls: { cert: String(cert), key: String(key) } });
    const payload = { user: 'anna', password: PASSWORD };
    const answer = await face.app.inject({ method: 'POST', url: '/api/v1/session', headers: WRITE, payload });
    expect(answer.cookies[0]).toMatchObject({ secure: true, httpOnly: true });
    expect(answer.headers['strict-transport-security']).toContain('max-age');
    await face.close();
    rmSync(dir, { recursive: true });
  });
});

describe('revocation lists', () => {
  it('are there for anybody who holds a certificate, without a login', async () => {
    const face = await newFace();
    const answer = await face.app.inject({ url: `/crl/${'ab'.repeat(20)}.crl` });
    expect([answer.statusCode, answer.headers['content-type'], answer.body]).toEqual([
      200,
      'application/pkix-crl',
      'a list',
    ]);
    expect((await face.app.inject({ url: `/crl/${'cd'.repeat(20)}.crl` })).statusCode).toBe(404);
    await face.close();
  });
});

describe('while the database is away', () => {
  it('shows values and alarms, takes acknowledgements and commands, and says plainly what it cannot', async () => {
    const face = await newFace();
    const headers = { authorization: `Bearer ${face.admin}`, ...WRITE };
    const get = (url: string) => face.app.inject({ url: `/api/v1${url}`, headers });
    const post = (url: string, payload: object = {}) =>
      face.app.inject({ method: 'POST', url: `/api/v1${url}`, headers, payload });
    const breaker = { mRID: mRID(1), name: 'CB', kind: 'discrete' as const, normalValue: 1 };
    const control = { mRID: mRID(2), name: 'CB ctl', kind: 'command' as const, cdc: 'SPC' };
    face.announce(siteOf('edge-a', [breaker, control]));
    face.sources.set('edge-a', true);
    face.databaseAway(true);
    face.log.add('edge-a', observations({ point: breaker.mRID, value: 0, at: 1 }));
    await face.settled();
    const [alarm] = (await get('/alarms')).json().items;
    expect((await post(`/alarms/${alarm.id}/acknowledge`)).json()).toMatchObject({ state: 'acknowledged' });
    const { id } = (await post('/commands', { point: control.mRID, value: 1 })).json();
    expect((await post(`/commands/${id}/operate`)).json()).toMatchObject({ state: 'sent' });
    expect((await get(`/commands/${id}`)).json()).toMatchObject({ state: 'sent' });
    expect((await get('/values')).statusCode).toBe(200);
    expect((await get('/session')).statusCode).toBe(200);
    expect((await get('/events')).json()).toMatchObject({ status: 503, code: 'centre.database.away' });
    await face.close();
  });
});

describe('services in other processes', () => {
  it('are part of the description of the API, and change nothing of ours', async () => {
    const face = await newFace();
    const before = (await face.app.inject({ url: '/api/v1/openapi.json' })).json().paths;
    const get = { summary: 'what it says' };
    face.services.descriptions = () =>
      new Map<string, unknown>([
        ['/services/mean', { '/result': { get, trace: {}, post: 7 }, '../x': { get }, '/bad': 1 }],
        ['/points', { '': { get } }],
        ['/other', 'nothing'],
      ]);
    const { paths } = (await face.app.inject({ url: '/api/v1/openapi.json' })).json();
    expect(paths).toMatchObject(before);
    expect(Object.keys(paths).filter((path) => !(path in before))).toEqual(['/api/v1/services/mean/result']);
    expect(paths['/api/v1/services/mean/result']).toEqual({
      get: { ...get, description: 'Needs: values.read', security: [{ session: [] }, { token: [] }] },
    });
    await face.close();
  });

  it('answer below their prefix for whoever is logged in and has the right, and add pages', async () => {
    const face = await newFace();
    const asked: ServiceRequest[] = [];
    face.services.request = (request) => {
      if (!request.path.startsWith('/grid-state')) return undefined;
      asked.push(request);
      const headers = { 'content-type': 'application/json', 'set-cookie': 'evil=1' };
      return Promise.resolve({ status: 200, headers, body: Buffer.from('{"solved":true}') });
    };
    face.services.pages = () => [
      { id: 'grid-state', title: 'Grid state', icon: 'M0 0', module: '/grid-state/page.js' },
    ];
    const viewer = { authorization: `Bearer ${await face.tokenWith(['VIEWER'])}`, cookie: 'enerchain_session=secret' };
    const answer = await face.app.inject({ url: '/api/v1/grid-state/result?at=now', headers: viewer });
    expect(answer.json()).toEqual({ solved: true });
    expect(answer.headers['set-cookie']).toBeUndefined();
    expect(answer.headers['content-security-policy']).toBeDefined();
    expect(asked).toMatchObject([
      { method: 'GET', path: '/grid-state/result?at=now', user: { rights: ['values.read'] } },
    ]);
    expect(JSON.stringify(asked)).not.toContain('secret');
    const write = await face.app.inject({
      method: 'POST',
      url: '/api/v1/grid-state/run',
      headers: viewer,
      payload: {},
    });
    expect(write.statusCode).toBe(403);
    expect((await face.app.inject({ url: '/api/v1/grid-state/result' })).statusCode).toBe(401);
    expect((await face.app.inject({ url: '/api/v1/other', headers: viewer })).json()).toMatchObject({ status: 404 });
    expect((await face.app.inject({ url: '/api/v1/pages', headers: viewer })).json()).toEqual({
      items: [
        {
          id: 'grid-state',
          title: 'Grid state',
          icon: 'M0 0',
          path: '#/page/grid-state',
          module: '/api/v1/grid-state/page.js',
        },
      ],
    });
    await face.close();
  });
});
