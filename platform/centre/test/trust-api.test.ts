/** Trust over the API: who may see it, put a node into quarantine, and let it in again. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DEVELOPMENT_POLICY, ReferenceValues, signManifest } from '@enerchain/attestation';
import { DevelopmentCa, obtainIdentity } from '@enerchain/trust';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Findings } from '../src/ingest/findings.ts';
import type { LogContent } from '../src/ports.ts';
import { TrustKeeper } from '../src/trust/keeper.ts';
import { mRID, siteOf } from './doubles.ts';
import { type Face, newFace, PASSWORD } from './face.ts';
import { component, SECOND, SOFTWARE, Source, T0, Time } from './trust-world.ts';

const point = { mRID: mRID(1), name: 'P', kind: 'analog' as const };
const NODE = '/trust/nodes/edge-nord';

let dir: string;
let time: Time;
let source: Source;
let keeper: TrustKeeper;
let face: Face;
let content: LogContent[];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'enerchain-trust-api-'));
  time = new Time();
  content = [];
  const ca = await DevelopmentCa.open(join(dir, 'ca'), { clock: time.clock });
  const identityOf = (name: string, role: 'edge' | 'centre') =>
    obtainIdentity(join(dir, name), { name, role }, async (request) => ({
      certificate: await ca.issue(request, { name, role }),
      ca: ca.certificatePem,
    }));
  const identity = await identityOf('centre', 'centre');
  const references = new ReferenceValues();
  for (const [node, components] of [
    [undefined, SOFTWARE],
    ['edge-nord', [component('config:site', 'edge-nord')]],
  ] as const) {
    const manifest = {
      id: node ?? 'test',
      version: 1,
      signer: 'test',
      notBefore: T0 - 3600n * SECOND,
      notAfter: T0 + 86_400n * SECOND,
      registers: [],
      components,
      ...(node ? { node } : {}),
    };
    references.add(await signManifest(manifest, identity.signer, identity.kid));
  }
  const log = {
    append: async (record: never) => content.push({ kind: 'audit', record }),
    publish: async (each: LogContent) => content.push(each),
  };
  const logger = pino({ level: 'silent' });
  keeper = new TrustKeeper({
    policy: { ...DEVELOPMENT_POLICY, appraisal: {} },
    identity,
    references,
    log,
    findings: new Findings(log, logger, time.clock),
    clock: time.clock,
    after: time.after,
    logger,
    caPem: ca.certificatePem,
    isRevoked: () => false,
    certificateOf: (kid) => ca.certificateOf(kid),
  });
  source = await Source.open(await identityOf('edge-nord', 'edge'), dir);
  keeper.start();
  keeper.connected(source);
  await time.pass(200);
  face = await newFace({ trust: keeper });
  face.announce(siteOf('edge-nord', [point]));
  await face.accounts.createUser(face.principal, 'berta', PASSWORD, ['OPERATOR']);
  await face.accounts.createUser(face.principal, 'vera', PASSWORD, ['VIEWER']);
});
afterEach(async () => {
  await face.close();
  keeper.close();
  rmSync(dir, { recursive: true, force: true });
});

type As = { readonly user: string } | { readonly token: string } | undefined;

async function ask(as: As, method: 'GET' | 'POST', path: string, payload?: object) {
  const cookies: Record<string, string> = {};
  const headers: Record<string, string> = { host: 'localhost:8080', 'x-enerchain-request': '1' };
  if (as && 'user' in as) {
    cookies.enerchain_session = (await face.accounts.login(as.user, PASSWORD, '127.0.0.1')).secret;
  } else if (as) headers.authorization = `Bearer ${as.token}`;
  const url = `/api/v1${path}`;
  const answer = await face.app.inject({ method, url, headers, cookies, ...(payload ? { payload } : {}) });
  return { status: answer.statusCode, body: answer.json() };
}
const anna = { user: 'anna' };
const berta = { user: 'berta' };
const refusal = ({ status, body }: { status: number; body: { code: string } }) => [status, body.code];
const quarantined = () => ask(anna, 'POST', `${NODE}/quarantine`, { reason: 'found open' });

describe('trust over the API', () => {
  it('is seen by who may see values, and by nobody who is not logged in', async () => {
    expect((await ask(undefined, 'GET', '/trust')).status).toBe(401);
    const { status, body } = await ask({ user: 'vera' }, 'GET', '/trust');
    expect(status).toBe(200);
    expect(body.policy).toMatchObject({ name: 'development-1', commandTier: 'software' });
    expect(
      body.nodes.map(({ node, tier, status, keyOrigin }: Record<string, string>) => [node, tier, status, keyOrigin]),
    ).toEqual([['edge-nord', 'software', 'warning', 'file']]);
    const { body: detail } = await ask({ user: 'vera' }, 'GET', NODE);
    expect(detail).toMatchObject({ node: 'edge-nord', role: 'edge', reaction: 'none' });
    expect(refusal(await ask(anna, 'GET', '/trust/nodes/edge-fremd'))).toEqual([404, 'trust.node.unknown']);
  });

  it('puts a node into quarantine for a reason, and tells it of its values', async () => {
    expect((await ask({ user: 'vera' }, 'POST', `${NODE}/quarantine`, { reason: 'why not' })).status).toBe(403);
    expect((await ask(anna, 'POST', `${NODE}/quarantine`, { reason: '' })).status).toBe(400);
    await time.pass(1_000);
    const received = time.clock.now();
    face.live.set({
      point: point.mRID,
      value: 1,
      quality: 0,
      sourceTime: received,
      timeQuality: 31,
      receiveTime: received,
      cause: 3,
      source: 'edge-nord',
      offset: 1,
    });
    const shown = async () => (await ask(anna, 'GET', '/values')).body.values[0].trust;
    expect(await shown()).toBe('provisional');
    expect(await quarantined()).toMatchObject({ status: 200, body: { reaction: 'quarantine' } });
    expect(await shown()).toBe('distrusted');
    expect(keeper.get('edge-nord')?.reason).toContain('anna put it into quarantine: found open');
  });

  it('lets it in again when two persons want it, and a token is none', async () => {
    const again = { reason: 'shut again' };
    expect(refusal(await ask(anna, 'POST', `${NODE}/release`, again))).toEqual([409, 'trust.release.needless']);
    await quarantined();
    // Anna could make as many tokens as she likes, and approve with one what she has asked for with another.
    const token = { token: face.admin };
    expect(refusal(await ask(token, 'POST', `${NODE}/release`, again))).toEqual([403, 'trust.release.person']);
    const { status, body } = await ask(anna, 'POST', `${NODE}/release`, again);
    expect(status).toBe(202);
    const approve = `/trust/releases/${body.id}/approve`;
    expect(refusal(await ask(token, 'POST', approve))).toEqual([403, 'trust.release.person']);
    expect(refusal(await ask(anna, 'POST', approve))).toEqual([403, 'trust.release.same-person']);
    expect((await ask({ user: 'vera' }, 'POST', approve)).status).toBe(403);
    expect(refusal(await ask(berta, 'POST', '/trust/releases/other/approve'))).toEqual([404, 'trust.release.unknown']);
    expect(await ask(berta, 'POST', approve)).toMatchObject({ status: 200, body: { reaction: 'none' } });
    expect(refusal(await ask(berta, 'POST', approve))).toEqual([404, 'trust.release.unknown']);
  });

  it('lets nothing in whose evidence is bad', async () => {
    source.change('edge.ts', 'changed');
    keeper.changed(source);
    await time.pass(500);
    expect(keeper.get('edge-nord')).toMatchObject({ reaction: 'quarantine', status: 'contraindicated' });
    expect(refusal(await ask(anna, 'POST', `${NODE}/release`, { reason: 'please' }))).toEqual([
      409,
      'trust.release.evidence',
    ]);
  });
});
