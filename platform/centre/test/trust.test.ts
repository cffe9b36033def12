/** The trust keeper in virtual time, with attesters of its own making. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  bindingOf,
  DEVELOPMENT_POLICY,
  EVIDENCE_METHOD,
  PRODUCTION_POLICY,
  ReferenceValues,
  readEvidenceQuestion,
  signManifest,
  signResult,
  type TrustPolicy,
  trustPolicy,
  Verifier,
} from '@enerchain/attestation';
import { EnerchainError, type Mrid, type RaisedAlarm } from '@enerchain/model';
import { certificateFromPem, FileKeySigner, thumbprint } from '@enerchain/pki';
import type { Verdict } from '@enerchain/provenance';
import { decodeRelease, RELEASE_TYPE, tcnReportValue } from '@enerchain/tcn';
import {
  type CborValue,
  coseVerify1,
  DevelopmentCa,
  type Identity,
  obtainIdentity,
  requestFor,
  TLS_ONLY,
} from '@enerchain/trust';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Findings } from '../src/ingest/findings.ts';
import { nodeFiles } from '../src/log/files.ts';
import type { LogContent } from '../src/ports.ts';
import { provenanceJson } from '../src/transparency/steps.ts';
import { TrustKeeper, type TrustKeeperOptions } from '../src/trust/keeper.ts';
import { readTrust, writeTrust } from '../src/trust/snapshot.ts';
import { component, SECOND, SOFTWARE, Source, settle, T0, Time } from './trust-world.ts';

let dir: string;
let ca: DevelopmentCa;
let centre: Identity;
let time: Time;
let references: ReferenceValues;
let content: LogContent[];
let keeper: TrustKeeper;

const identityOf = (name: string, role: 'edge' | 'centre') =>
  obtainIdentity(join(dir, name), { name, role }, async (request) => ({
    certificate: await ca.issue(request, { name, role }),
    ca: ca.certificatePem,
  }));
const alarms = (): RaisedAlarm[] => content.flatMap((each) => (each.kind === 'alarmRaised' ? [each.alarm] : []));
const audits = () => content.flatMap((each) => (each.kind === 'audit' ? [each.record] : []));
const results = () => content.flatMap((each) => (each.kind === 'attestation' ? [each.record] : []));

function newKeeper(options: Partial<TrustKeeperOptions> & { policy?: TrustPolicy } = {}): TrustKeeper {
  const log = {
    append: async (record: never) => content.push({ kind: 'audit', record }),
    publish: async (each: LogContent) => content.push(each),
  };
  return new TrustKeeper({
    policy: { ...DEVELOPMENT_POLICY, appraisal: {} },
    identity: centre,
    references,
    log,
    findings: new Findings(log, pino({ level: 'silent' }), time.clock),
    clock: time.clock,
    after: time.after,
    logger: pino({ level: 'silent' }),
    caPem: ca.certificatePem,
    isRevoked: () => false,
    certificateOf: (kid) => ca.certificateOf(kid),
    ...options,
  });
}

const NO_VALUE = {
  point: '00000000-0000-4000-8000-000000000001' as Mrid,
  source: 'grid-state',
  value: 1,
  quality: 0,
  sourceTime: T0,
  receiveTime: T0,
  record: 1,
};
const NO_VERDICT: Verdict = { ok: true, trust: 'attested', tier: 'software', value: NO_VALUE, findings: [] };

const manifest = {
  id: 'test',
  version: 1,
  signer: 'test',
  notBefore: T0 - 3600n * SECOND,
  notAfter: T0 + 86_400n * SECOND,
  registers: [],
};

async function vouch(components = SOFTWARE, node?: string): Promise<void> {
  references.add(await signManifest({ ...manifest, components, ...(node ? { node } : {}) }, centre.signer, centre.kid));
}

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'enerchain-trust-'));
  time = new Time();
  content = [];
  references = new ReferenceValues();
  ca = await DevelopmentCa.open(join(dir, 'ca'), { clock: time.clock });
  centre = await identityOf('centre', 'centre');
  await vouch();
  await vouch([component('config:site', 'edge-nord')], 'edge-nord');
  keeper = newKeeper();
});
afterEach(() => {
  keeper.close();
  rmSync(dir, { recursive: true, force: true });
});

/** A gateway that is connected and has been appraised once. */
async function gateway(name = 'edge-nord'): Promise<Source> {
  const source = await Source.open(await identityOf(name, 'edge'), dir, time.clock);
  keeper.start();
  keeper.connected(source);
  await time.pass(200);
  return source;
}

describe('the trust keeper', () => {
  it('attests a source as soon as it connects, and then each period', async () => {
    const source = await gateway();
    expect(keeper.get('edge-nord')).toMatchObject({
      tier: 'software',
      status: 'warning',
      reaction: 'none',
      role: 'edge',
    });
    expect(keeper.get('edge-nord')?.trustedUntil).toBe(T0 + 100n * 1_000_000n + 30n * SECOND);
    expect(keeper.state('edge-nord')?.keyOrigin).toBe('file');
    expect(keeper.pathTo('edge-nord').map(({ node }) => node)).toEqual(['edge-nord']);
    await time.pass(30_000);
    expect(source.asked).toBe(4);
    expect(keeper.links()).toEqual([{ a: 'centre', b: 'edge-nord', state: 'attested', at: expect.any(BigInt) }]);
  });

  it('logs a result when the state changes, and at least once per validity', async () => {
    const source = await gateway();
    expect(results()).toHaveLength(1);
    await time.pass(59_000);
    expect(results()).toHaveLength(3);
    source.change('edge.ts', 'with a back door');
    keeper.changed(source);
    await settle();
    expect(results()).toHaveLength(4);
    expect(results().at(-1)).toMatchObject({ node: 'edge-nord', verifier: 'centre' });
  });

  it('puts a gateway whose software changed into quarantine at once, with an alarm, and marks its values', async () => {
    const source = await gateway();
    await time.pass(10_000);
    const marked: unknown[] = [];
    keeper.onValueTrust((name, from) => marked.push([name, from]));
    const at = (seconds: number) => keeper.trustOf('edge-nord', T0 + BigInt(Math.round(seconds * 1000)) * 1_000_000n);
    expect([at(0), at(5), at(10.1), at(12)]).toEqual(['unknown', 'attested', 'attested', 'provisional']);
    source.change('edge.ts', 'with a back door');
    keeper.changed(source);
    await settle();
    expect(keeper.get('edge-nord')).toMatchObject({
      status: 'contraindicated',
      reaction: 'quarantine',
      trustedUntil: undefined,
    });
    expect(keeper.get('edge-nord')?.reason).toMatch(/^edge\.ts is .{12} instead of .{12}$/);
    expect([at(5), at(10.1), at(12), at(100)]).toEqual(['attested', 'attested', 'distrusted', 'distrusted']);
    expect(marked).toEqual([['edge-nord', T0 + 10_100n * 1_000_000n]]);
    expect(alarms().at(-1)).toMatchObject({
      key: 'trust.node.edge-nord',
      priority: 1,
      active: true,
      source: 'edge-nord',
    });
    expect(audits().at(-1)).toMatchObject({ action: 'trust.quarantine', actor: 'policy', subject: 'edge-nord' });
    expect(keeper.links()[0]?.state).toBe('failing');
  });

  it('lets it in again only with fresh good evidence and two persons', async () => {
    const first = await gateway();
    first.change('edge.ts', 'with a back door');
    keeper.changed(first);
    await settle();
    const refused = (act: () => unknown, code: string) => expect(act).toThrow(expect.objectContaining({ code }));
    refused(() => keeper.requestRelease('edge-nord', 'looked at it', 'anna'), 'trust.release.evidence');
    // It is repaired and started anew.
    keeper.left(first);
    const again = await Source.open(await identityOf('edge-nord', 'edge'), dir, time.clock);
    keeper.connected(again);
    await time.pass(200);
    expect(keeper.get('edge-nord')).toMatchObject({
      status: 'warning',
      reaction: 'quarantine',
      trustedUntil: undefined,
    });
    expect(keeper.get('edge-nord')?.reason).toContain('two persons can release it');
    const { id } = keeper.requestRelease('edge-nord', 'installed anew', 'anna');
    refused(() => keeper.approveRelease(id, 'anna'), 'trust.release.same-person');
    refused(() => keeper.approveRelease('another', 'berta'), 'trust.release.unknown');
    // The evidence runs out before the second person comes.
    again.answer = () => Promise.reject(new EnerchainError('peer', 'link.timeout', 'no answer'));
    await time.pass(40_000);
    refused(() => keeper.approveRelease(id, 'berta'), 'trust.release.evidence');
    again.answer = undefined;
    await time.pass(10_000);
    expect(keeper.approveRelease(id, 'berta')).toMatchObject({ reaction: 'none', status: 'warning' });
    expect(keeper.get('edge-nord')?.trustedUntil).toBeDefined();
    expect(audits().at(-1)).toMatchObject({
      action: 'trust.release',
      actor: 'berta',
      detail: { requestedBy: 'anna', reason: 'installed anew' },
    });
    expect(alarms().at(-1)).toMatchObject({ key: 'trust.node.edge-nord', active: false });
    refused(() => keeper.requestRelease('edge-nord', 'again', 'anna'), 'trust.release.needless');
    refused(() => keeper.requestRelease('edge-fremd', 'who', 'anna'), 'trust.node.unknown');
  });

  it('takes a person’s word for a quarantine, and asks two for the release', async () => {
    await gateway();
    keeper.quarantine('edge-nord', 'seen a stranger at the cabinet', 'anna');
    expect(keeper.get('edge-nord')).toMatchObject({ reaction: 'quarantine', status: 'warning' });
    await time.pass(15_000);
    expect(keeper.get('edge-nord')?.reaction).toBe('quarantine');
    const { id } = keeper.requestRelease('edge-nord', 'it was the electrician', 'anna');
    expect(keeper.approveRelease(id, 'berta').reaction).toBe('none');
    // What came in meanwhile stays marked.
    expect(keeper.trustOf('edge-nord', T0 + 5n * SECOND)).toBe('distrusted');
  });

  it('restricts for another configuration, and lifts that with good evidence', async () => {
    const source = await gateway();
    source.change('config:site', 'another');
    keeper.changed(source);
    await settle();
    expect(keeper.get('edge-nord')).toMatchObject({ reaction: 'restrict', status: 'warning', trustedUntil: undefined });
    expect(alarms().at(-1)?.priority).toBe(2);
    await vouch([component('config:site', 'another')], 'edge-nord');
    await time.pass(10_000);
    expect(keeper.get('edge-nord')).toMatchObject({ reaction: 'none', status: 'warning' });
  });

  it('goes no further than the policy allows', async () => {
    keeper = newKeeper({ policy: { ...DEVELOPMENT_POLICY, appraisal: {}, reaction: 'alarm' } });
    const source = await gateway();
    source.change('edge.ts', 'bad');
    keeper.changed(source);
    await settle();
    expect(keeper.get('edge-nord')).toMatchObject({
      reaction: 'alarm',
      status: 'contraindicated',
      trustedUntil: undefined,
    });
    expect(alarms().at(-1)?.priority).toBe(3);
  });

  it('does not take silence for good: the result runs out, an alarm, and a restriction when it lasts', async () => {
    const source = await gateway();
    source.answer = () => Promise.reject(new EnerchainError('peer', 'link.timeout', 'no answer within 10000 ms'));
    await time.pass(29_000);
    expect(keeper.get('edge-nord')?.reaction).toBe('none');
    await time.pass(3_000);
    expect(keeper.get('edge-nord')).toMatchObject({ status: 'none', reaction: 'alarm', trustedUntil: undefined });
    expect(keeper.get('edge-nord')?.reason).toBe('it gives no evidence: no answer within 10000 ms');
    expect(keeper.links()[0]?.state).toBe('silent');
    await time.pass(60_000);
    expect(keeper.get('edge-nord')?.reaction).toBe('restrict');
    source.answer = undefined;
    await time.pass(10_000);
    expect(keeper.get('edge-nord')).toMatchObject({ status: 'warning', reaction: 'none' });
  });

  it('says that a source has left, without an alarm of its own', async () => {
    const source = await gateway();
    keeper.left(source);
    await time.pass(40_000);
    expect(keeper.get('edge-nord')).toMatchObject({ status: 'none', reaction: 'none' });
    expect(keeper.get('edge-nord')?.reason).toContain('not connected');
    expect(alarms()).toEqual([]);
    const asked = source.asked;
    await time.pass(60_000);
    expect(source.asked).toBe(asked);
  });

  it('does not believe evidence that was relayed from another connection', async () => {
    const honest = await gateway();
    const thief = new Source(await identityOf('edge-nord', 'edge'));
    keeper.left(honest);
    keeper.connected(thief);
    // The thief has the key of nothing; it passes the question on to the honest gateway, on another channel.
    thief.answer = async (params) => {
      return honest.request(EVIDENCE_METHOD, params);
    };
    await time.pass(200);
    expect(keeper.get('edge-nord')).toMatchObject({ status: 'contraindicated', reaction: 'quarantine' });
    expect(keeper.get('edge-nord')?.reason).toContain('does not answer this challenge on this channel');
  });

  it('asks for the whole list when it does not know its beginning', async () => {
    const source = await gateway();
    source.change('main.ts', 'main.ts');
    const other = newKeeper();
    keeper.close();
    keeper = other;
    keeper.start();
    keeper.connected(source);
    source.answer = async (params) => {
      const { nonce } = readEvidenceQuestion(params);
      const since = source.asked < 6 ? { list: source.list.id, records: 1 } : undefined;
      return { evidence: await source.attester.evidence([source.bindingFor(nonce)], since), origin: 'file' };
    };
    source.asked = 4;
    await time.pass(200);
    expect(source.asked).toBe(6);
    expect(keeper.get('edge-nord')?.trustedUntil).toBeDefined();
  });

  it('does not attest over a relay, and says so', async () => {
    const source = await Source.open(await identityOf('edge-nord', 'edge'), dir, time.clock);
    keeper.start();
    keeper.connected({
      ...source,
      exporter: () => source.exporter(),
      holder: { name: 'relay-1', role: 'relay' },
      request: (method, params) => source.request(method, params as CborValue),
    });
    await time.pass(1_000);
    expect(source.asked).toBe(0);
    expect(keeper.get('edge-nord')).toMatchObject({ status: 'none', reaction: 'alarm' });
    expect(keeper.get('edge-nord')?.reason).toContain('through the relay relay-1');
  });

  it('asks nobody any more when a relay takes the place of a source, and notices when that leaves', async () => {
    const source = await gateway();
    const { asked } = source;
    const relayed = {
      source: 'edge-nord',
      holder: { name: 'relay-1', role: 'relay' as const },
      exporter: () => source.exporter(),
      request: () => Promise.reject(new Error('nobody is asked over a relay')),
    };
    keeper.connected(relayed);
    await time.pass(40_000);
    expect(source.asked).toBe(asked);
    expect(keeper.get('edge-nord')?.trustedUntil).toBeUndefined();
    expect(keeper.get('edge-nord')?.reason).toContain('through the relay relay-1');
    keeper.left(source);
    expect(keeper.state('edge-nord')?.connected).toBe(true);
    keeper.left(relayed);
    expect(keeper.state('edge-nord')?.connected).toBe(false);
    // The source itself comes back.
    keeper.connected(source);
    await time.pass(200);
    expect(source.asked).toBe(asked + 1);
    expect(keeper.get('edge-nord')?.trustedUntil).toBeDefined();
  });

  it('is not good without reference values, and under production not with software for commands', async () => {
    references = new ReferenceValues();
    keeper = newKeeper({ policy: PRODUCTION_POLICY });
    await gateway();
    expect(keeper.policy?.commandTier).toBe('tpm');
    expect(keeper.get('edge-nord')).toMatchObject({ status: 'none', trustedUntil: undefined });
  });

  it('takes what is particular to a node as right when it is first seen, where the policy is for development', async () => {
    const accepted: string[] = [];
    keeper = newKeeper({
      policy: DEVELOPMENT_POLICY,
      acceptFirst: async (node, measurements) => {
        const fresh = measurements.filter(({ ok, expected }) => !ok && expected?.length === 0);
        accepted.push(...fresh.map(({ name }) => name));
        await vouch(
          fresh.map(({ name, digest }) => ({ name, digest: Buffer.from(digest, 'hex') })),
          node,
        );
        return fresh.length > 0;
      },
    });
    const source = await gateway('edge-sued');
    expect(accepted).toEqual(['config:site']);
    expect(keeper.get('edge-sued')?.trustedUntil).toBeDefined();
    source.change('config:site', 'another');
    keeper.changed(source);
    await settle();
    expect(accepted).toEqual(['config:site']);
    expect(keeper.get('edge-sued')?.reaction).toBe('restrict');
  });

  it('judges evidence that comes with a request for a certificate', async () => {
    const source = await gateway();
    const ask = async (binding: Uint8Array, shown = binding) =>
      keeper.renewals.gate!({
        holder: { name: 'edge-nord', role: 'edge' },
        request: new Uint8Array(0),
        evidence: await source.attester.evidence([shown]),
        binding,
      });
    expect(await ask(randomBytes(32))).toMatchObject({ ok: true });
    expect(await ask(randomBytes(32), randomBytes(32))).toMatchObject({
      ok: false,
      text: expect.stringContaining('does not answer this challenge'),
    });
    source.change('edge.ts', 'with a back door');
    expect(await ask(randomBytes(32))).toMatchObject({ ok: false, text: expect.stringContaining('edge.ts is') });
    // It is a look of its own, and no round of the keeper.
    expect(keeper.get('edge-nord')?.reaction).toBe('none');
  });

  it('trusts what is calculated no more than what it is calculated from, and tells when that changes', async () => {
    const inputs = new Map([
      ['grid-state', ['edge-nord', 'edge-sued']],
      ['forecast', ['grid-state']],
    ]);
    keeper.close();
    keeper = newKeeper({ inputsOf: (source) => inputs.get(source) ?? [] });
    await vouch([component('config:site', 'edge-sued')], 'edge-sued');
    await vouch([component('config:site', 'grid-state')], 'grid-state');
    await vouch([component('config:site', 'forecast')], 'forecast');
    const source = await gateway();
    await gateway('edge-sued');
    const at = () => keeper.trustOf('grid-state', T0 + 5n * SECOND);
    expect(at()).toBe('unknown');
    await gateway('grid-state');
    await gateway('forecast');
    await time.pass(10_000);
    expect([at(), keeper.trustOf('forecast', T0 + 5n * SECOND)]).toEqual(['attested', 'attested']);
    const told: string[] = [];
    keeper.onValueTrust((name) => told.push(name));
    source.change('edge.ts', 'with a back door');
    keeper.changed(source);
    await settle();
    expect(told).toEqual(['edge-nord', 'grid-state', 'forecast']);
    // What the service itself runs is as it should be; its values from now on are not worth more than the gateway's.
    expect(keeper.get('grid-state')?.status).toBe('warning');
    const now = T0 + 60n * SECOND;
    expect(['edge-nord', 'grid-state', 'forecast'].map((name) => keeper.trustOf(name, now))).toEqual([
      'distrusted',
      'distrusted',
      'distrusted',
    ]);
    expect(keeper.trustOf('edge-sued', now)).not.toBe('distrusted');
    expect(at()).toBe('attested');
    const provenance = provenanceJson({ ...NO_VERDICT, value: { ...NO_VALUE, receiveTime: now } }, keeper);
    expect(provenance).toMatchObject({ trust: 'distrusted' });
    expect(provenance?.steps[0]).toMatchObject({
      code: 'inputs.trust',
      state: 'bad',
      details: { 'edge-nord': 'distrusted', 'edge-sued': keeper.trustOf('edge-sued', now) },
    });
  });

  it('asks for evidence at a renewal, of whoever has attested before, or of all as the policy says', async () => {
    const asked = (name: string, occasion: 'enrol' | 'renew') =>
      keeper.renewals.requires({ name, role: 'edge' }, occasion);
    expect(asked('edge-nord', 'renew')).toBe('nothing');
    await gateway();
    expect([asked('edge-nord', 'renew'), asked('edge-nord', 'enrol'), asked('edge-sued', 'renew')]).toEqual([
      'shown',
      'nothing',
      'nothing',
    ]);
    keeper.close();
    // A policy that says nothing of it is none for development.
    const { renewal: _unsaid, ...policy } = DEVELOPMENT_POLICY;
    keeper = newKeeper({ policy: { ...policy, appraisal: {} } });
    expect([asked('edge-sued', 'renew'), asked('edge-sued', 'enrol')]).toEqual(['good', 'nothing']);
    keeper.close();
    keeper = newKeeper({ policy: PRODUCTION_POLICY });
    expect(asked('edge-sued', 'renew')).toBe('good');
  });

  it('tells people when a node gets no other certificate, and when it gets one again', async () => {
    keeper.close();
    keeper = newKeeper({ policy: { ...DEVELOPMENT_POLICY, appraisal: {}, renewal: 'good' } });
    const source = await gateway();
    const ask = async () => {
      const binding = randomBytes(32);
      const evidence = await source.attester.evidence([binding]);
      return keeper.renewals.gate!({
        holder: { name: 'edge-nord', role: 'edge' },
        request: new Uint8Array(0),
        evidence,
        binding,
      });
    };
    const told = () =>
      alarms()
        .filter(({ key }) => key === 'trust.renewal.edge-nord')
        .map(({ active }) => active);
    expect(await ask()).toMatchObject({ ok: true });
    expect(told()).toEqual([]);
    source.change('edge.ts', 'with a back door');
    expect([await ask(), await ask()]).toMatchObject([{ ok: false }, { ok: false }]);
    expect(told()).toEqual([true]);
    source.change('edge.ts', 'edge.ts');
    await vouch([component('edge.ts', 'with a back door'), component('edge.ts', 'edge.ts')]);
    expect(await ask()).toMatchObject({ ok: true });
    expect(told()).toEqual([true, false]);
  });

  it('watches itself: a verifier that stalls is an alarm, and nothing stays good', async () => {
    let stalled = false;
    const signer = {
      ...centre.signer,
      publicKey: centre.signer.publicKey,
      sign: (data: Uint8Array) => (stalled ? new Promise<Uint8Array>(() => undefined) : centre.signer.sign(data)),
    };
    keeper = newKeeper({ identity: { ...centre, signer } });
    await gateway();
    stalled = true;
    await time.pass(60_000);
    expect(keeper.get('edge-nord')).toMatchObject({ status: 'none', trustedUntil: undefined });
    expect(keeper.trouble()).toMatch(/^nobody is appraised: the verifier has made no result for \d+ s$/);
    expect(alarms().find(({ key }) => key === 'trust.verifier')).toMatchObject({ priority: 1, active: true });
  });

  it('watches itself: a verifier that cannot sign is an alarm, too', async () => {
    let away = false;
    const signer = {
      ...centre.signer,
      publicKey: centre.signer.publicKey,
      sign: (data: Uint8Array) => (away ? Promise.reject(new Error('the HSM is away')) : centre.signer.sign(data)),
    };
    keeper = newKeeper({ identity: { ...centre, signer } });
    await gateway();
    away = true;
    await time.pass(45_000);
    expect(keeper.get('edge-nord')?.trustedUntil).toBeUndefined();
    expect(keeper.trouble()).toContain('the HSM is away');
    away = false;
    await time.pass(12_000);
    expect(keeper.trouble()).toBeUndefined();
    expect(
      alarms()
        .filter(({ key }) => key === 'trust.verifier')
        .map(({ active }) => active),
    ).toEqual([true, false]);
    expect(keeper.get('edge-nord')?.trustedUntil).toBeDefined();
  });

  it('remembers over a restart: quarantine, release asked for, history, and the trust of old values', async () => {
    const source = await gateway();
    await time.pass(10_000);
    source.change('edge.ts', 'bad');
    keeper.changed(source);
    await settle();
    const file = join(dir, 'trust.json');
    await writeTrust(nodeFiles, file, 'log-1', { next: 7, nodes: keeper.kept });
    expect(await readTrust(nodeFiles, file, 'log-2')).toBeUndefined();
    const kept = await readTrust(nodeFiles, file, 'log-1');
    expect(kept?.next).toBe(7);
    const before = keeper;
    keeper = newKeeper({ kept: kept!.nodes });
    expect(keeper.get('edge-nord')).toMatchObject({ reaction: 'quarantine' });
    expect(keeper.state('edge-nord')?.history).toEqual(before.state('edge-nord')?.history);
    for (const seconds of [5n, 12n, 100n]) {
      expect(keeper.trustOf('edge-nord', T0 + seconds * SECOND)).toBe(
        before.trustOf('edge-nord', T0 + seconds * SECOND),
      );
    }
    expect(keeper.trustOf('edge-nord', T0 + 5n * SECOND)).toBe('attested');
    // Without the file, the log says the same of the results.
    const fromLog = newKeeper();
    for (const record of results()) fromLog.restore(record, 'edge');
    expect(fromLog.get('edge-nord')).toBeDefined();
    expect(fromLog.trustOf('edge-nord', T0 + 12n * SECOND)).toBe('distrusted');
    before.close();
  });
});

describe('the network of neighbours', () => {
  /** What a neighbour has seen of a node, as it reports it. */
  async function wordOf(neighbour: Identity, of: Source, referencesOf: ReferenceValues = references) {
    const binding = bindingOf({
      nonce: randomBytes(32),
      exporter: randomBytes(32),
      verifier: neighbour.name,
      node: of.source,
    });
    const verifier = new Verifier({
      name: neighbour.name,
      signer: neighbour.signer,
      kid: () => neighbour.kid,
      clock: time.clock,
      policy: () => DEVELOPMENT_POLICY,
      references: referencesOf,
      caPem: ca.certificatePem,
    });
    const evidence = await of.attester.evidence([binding]);
    return { evidence, ...(await verifier.appraise(evidence, { node: of.source, binding })) };
  }
  const report = (node: string, statements: readonly Uint8Array[], by: Identity, neighbours: string[] = []) =>
    tcnReportValue({
      node,
      neighbours: neighbours.map((name) => ({ name, connected: true })),
      nodes: [],
      statements,
      certificates: [by.certificate.der],
    });

  it('makes the centre appraise what a neighbour was shown, and believes nothing else', async () => {
    const nord = await gateway();
    const identity = await identityOf('edge-nord', 'edge');
    const node = await Source.open(await identityOf('switch-1', 'edge'), dir, time.clock);
    await vouch([component('config:site', 'switch-1')], 'switch-1');
    const word = await wordOf(identity, node);
    nord.others.set('tcn.evidence', (digest) => {
      expect(Buffer.compare(digest as Uint8Array, word.result.evidence)).toBe(0);
      return word.evidence;
    });
    await keeper.gossip(nord, report('edge-nord', [word.bytes], identity, ['switch-1', 'centre']));
    await settle();
    expect(keeper.get('switch-1')).toMatchObject({ role: 'network', status: 'warning', reaction: 'none' });
    expect(keeper.get('switch-1')?.trustedUntil).toBe(word.result.validUntil);
    expect(keeper.networkCounters).toMatchObject({
      reports: 1,
      statements: 1,
      reappraised: 1,
      refused: 0,
      disagreed: 0,
    });
    // A lying neighbour: it says good, and the evidence says otherwise.
    await time.pass(20_000);
    node.change('edge.ts', 'with a back door');
    const blind = new ReferenceValues();
    const lenient = [...SOFTWARE, component('edge.ts', 'with a back door'), component('config:site', 'switch-1')];
    blind.add(await signManifest({ ...manifest, components: lenient }, centre.signer, centre.kid));
    const lie = await wordOf(identity, node, blind);
    expect(lie.result.reasons).toEqual([]);
    nord.others.set('tcn.evidence', () => lie.evidence);
    await keeper.gossip(nord, report('edge-nord', [lie.bytes], identity));
    await settle();
    expect(keeper.get('switch-1')).toMatchObject({ status: 'contraindicated', reaction: 'quarantine' });
    expect(keeper.networkCounters.disagreed).toBe(1);
  });

  it('trusts nobody longer because a neighbour dates its word ahead', async () => {
    const nord = await gateway();
    const identity = await identityOf('edge-nord', 'edge');
    const node = await Source.open(await identityOf('switch-1', 'edge'), dir, time.clock);
    await vouch([component('config:site', 'switch-1')], 'switch-1');
    const word = await wordOf(identity, node);
    const { issuedAt, validUntil } = word.result;
    const dated = async (by: bigint, sequence: number) =>
      (
        await signResult(
          { ...word.result, issuedAt: issuedAt + by, validUntil: validUntil + by, sequence },
          identity.signer,
          identity.kid,
        )
      ).bytes;
    nord.others.set('tcn.evidence', () => word.evidence);
    const year = 365n * 86_400n * SECOND;
    await keeper.gossip(nord, report('edge-nord', [await dated(year, word.result.sequence)], identity));
    await settle();
    expect(keeper.get('switch-1')?.trustedUntil).toBeUndefined();
    expect(audits().find(({ action }) => action === 'trust.stale-evidence')).toMatchObject({
      actor: 'edge-nord',
      outcome: 'refused',
      subject: 'switch-1',
    });
    // By as little as clocks may be apart.
    await keeper.gossip(nord, report('edge-nord', [await dated(59n * SECOND, word.result.sequence + 1)], identity));
    await settle();
    expect(keeper.get('switch-1')?.trustedUntil).toBe(validUntil);
  });

  it('does not let old evidence pass for fresh, and names who shows it', async () => {
    const nord = await gateway();
    const identity = await identityOf('edge-nord', 'edge');
    const node = await Source.open(await identityOf('switch-1', 'edge'), dir, time.clock);
    await vouch([component('config:site', 'switch-1')], 'switch-1');
    const first = await wordOf(identity, node);
    const show = async (by: Identity, { bytes }: { bytes: Uint8Array }, evidence: Uint8Array) => {
      nord.others.set('tcn.evidence', () => evidence);
      await keeper.gossip(nord, report('edge-nord', [bytes], by));
      await settle();
    };
    const again = (by: Identity, { result }: typeof first, sequence: number) => {
      const issuedAt = time.clock.now();
      const validUntil = issuedAt + 30n * SECOND;
      return signResult({ ...result, verifier: by.name, issuedAt, validUntil, sequence }, by.signer, by.kid);
    };
    await show(identity, first, first.evidence);
    const { trustedUntil } = keeper.get('switch-1')!;
    expect(trustedUntil).toBe(first.result.validUntil);
    // One quote has answered two neighbours: that is nobody's lie, and adds no time.
    await time.pass(16_000);
    const sued = await identityOf('edge-sued', 'edge');
    await show(sued, await again(sued, first, 1), first.evidence);
    expect([keeper.get('switch-1')?.trustedUntil, keeper.networkCounters.stale]).toEqual([trustedUntil, 0]);
    // The same neighbour shows it once more, as if it had asked again.
    await show(identity, await again(identity, first, first.result.sequence + 1), first.evidence);
    expect([keeper.get('switch-1')?.trustedUntil, keeper.networkCounters.stale]).toEqual([trustedUntil, 1]);
    // Evidence of a time when all was well, kept for when it is not.
    const kept = await wordOf(identity, node);
    await time.pass(120_000);
    await show(identity, await again(identity, kept, kept.result.sequence + 1), kept.evidence);
    expect(keeper.get('switch-1')?.trustedUntil).toBeUndefined();
    expect(keeper.networkCounters.stale).toBe(2);
    const alarm = () => alarms().filter(({ key }) => key === 'trust.stale.edge-nord');
    expect(alarm()).toMatchObject([{ active: true, source: 'edge-nord', priority: 2 }]);
    expect(alarm()[0]?.message).toBe(
      'edge-nord passes old evidence of switch-1 off as fresh: it was shown by it before.',
    );
    // Fresh evidence counts as before; the alarm goes when nothing more of the kind has come.
    const fresh = await wordOf(identity, node);
    await show(identity, fresh, fresh.evidence);
    expect(keeper.get('switch-1')?.trustedUntil).toBe(fresh.result.validUntil);
    await time.pass(605_000);
    expect(alarm().at(-1)?.active).toBe(false);
  });

  it('believes no word under the key of the connections of a neighbour', async () => {
    const nord = await gateway();
    const node = await Source.open(await identityOf('switch-1', 'edge'), dir, time.clock);
    const own = await identityOf('edge-nord', 'edge');
    const holder = { name: 'edge-nord', role: 'edge' } as const;
    const signer = await FileKeySigner.create(join(dir, 'connections.pem'));
    const pem = await ca.issue(await requestFor(holder, signer), { ...holder, hosts: [TLS_ONLY] });
    const certificate = certificateFromPem(pem);
    const stolen = { ...own, signer, certificate, kid: thumbprint(certificate) };
    const word = await wordOf(stolen, node);
    await keeper.gossip(nord, report('edge-nord', [word.bytes], stolen));
    await settle();
    expect(keeper.networkCounters).toMatchObject({ statements: 1, refused: 1 });
  });

  it('asks again with the next word when the evidence behind one is not to be had', async () => {
    const nord = await gateway();
    const identity = await identityOf('edge-nord', 'edge');
    const node = await Source.open(await identityOf('switch-1', 'edge'), dir, time.clock);
    await vouch([component('config:site', 'switch-1')], 'switch-1');
    // A neighbour keeps only evidence that is whole.
    nord.others.set('tcn.evidence', () => null);
    await keeper.gossip(nord, report('edge-nord', [(await wordOf(identity, node)).bytes], identity));
    await settle();
    expect(keeper.get('switch-1')?.status ?? 'none').toBe('none');
    await time.pass(1_000);
    const word = await wordOf(identity, node);
    nord.others.set('tcn.evidence', () => word.evidence);
    await keeper.gossip(nord, report('edge-nord', [word.bytes], identity));
    await settle();
    expect(keeper.get('switch-1')?.status).toBe('warning');
  });

  it('looks at once at a node that a neighbour has found bad, when the evidence says so, too', async () => {
    const nord = await gateway();
    const identity = await identityOf('edge-nord', 'edge');
    const sued = await Source.open(await identityOf('edge-sued', 'edge'), dir, time.clock);
    await vouch([component('config:site', 'edge-sued')], 'edge-sued');
    keeper.connected(sued);
    await time.pass(200);
    expect(keeper.get('edge-sued')?.trustedUntil).toBeDefined();
    const asked = sued.asked;
    // A slander: the neighbour finds it bad by reference values of its own.
    const slander = await wordOf(identity, sued, new ReferenceValues());
    nord.others.set('tcn.evidence', () => slander.evidence);
    await keeper.gossip(nord, report('edge-nord', [slander.bytes], identity));
    await settle();
    expect(sued.asked).toBe(asked);
    expect(keeper.get('edge-sued')?.trustedUntil).toBeDefined();
    expect(keeper.get('edge-sued')?.neighbours).toEqual([
      expect.objectContaining({ node: 'edge-nord', status: 'none' }),
    ]);
    // The truth.
    await time.pass(10);
    sued.change('edge.ts', 'with a back door');
    const truth = await wordOf(identity, sued);
    nord.others.set('tcn.evidence', () => truth.evidence);
    await keeper.gossip(nord, report('edge-nord', [truth.bytes], identity));
    await settle();
    expect(sued.asked).toBe(asked + 1);
    expect(keeper.get('edge-sued')).toMatchObject({ status: 'contraindicated', reaction: 'quarantine' });
  });

  it('takes no statement that nobody of this system has signed, and no report in another one’s name', async () => {
    const nord = await gateway();
    const identity = await identityOf('edge-nord', 'edge');
    const node = await Source.open(await identityOf('switch-1', 'edge'), dir, time.clock);
    const word = await wordOf(identity, node);
    await expect(keeper.gossip(nord, report('edge-sued', [word.bytes], identity))).rejects.toMatchObject({
      code: 'tcn.report',
    });
    const stranger = await identityOf('edge-sued', 'edge');
    keeper = newKeeper({ certificateOf: () => undefined });
    await keeper.gossip(nord, report('edge-nord', [word.bytes, randomBytes(40)], stranger));
    await settle();
    expect(keeper.networkCounters).toMatchObject({ statements: 2, refused: 2 });
    expect(keeper.get('switch-1')).toBeUndefined();
  });

  it('is told what persons have decided', async () => {
    const nord = await gateway();
    const identity = await identityOf('edge-nord', 'edge');
    const orders: ReturnType<typeof decodeRelease>[] = [];
    nord.others.set('tcn.order', (bytes) => {
      orders.push(decodeRelease(coseVerify1(bytes as Uint8Array, RELEASE_TYPE, () => centre.signer.publicKey).payload));
      return true;
    });
    await keeper.gossip(nord, report('edge-nord', [], identity));
    keeper.quarantine('edge-nord', 'seen a stranger', 'anna');
    const { id } = keeper.requestRelease('edge-nord', 'it was nobody', 'anna');
    keeper.approveRelease(id, 'berta');
    await settle();
    expect(orders).toMatchObject([
      { node: 'edge-nord', action: 'quarantine', persons: ['anna'] },
      { node: 'edge-nord', action: 'release', persons: ['anna', 'berta'] },
    ]);
    expect(orders[1]!.sequence).toBeGreaterThan(orders[0]!.sequence);
    // Who was away hears of it with its first report; the same connection is not told twice.
    const sued = await gateway('edge-sued');
    const late: string[] = [];
    sued.others.set('tcn.order', (bytes) => {
      const { payload } = coseVerify1(bytes as Uint8Array, RELEASE_TYPE, () => centre.signer.publicKey);
      late.push(decodeRelease(payload).action);
      return true;
    });
    const own = await identityOf('edge-sued', 'edge');
    for (let i = 0; i < 3; i++) await keeper.gossip(sued, report('edge-sued', [], own));
    await settle();
    expect(late).toEqual(['release']);
  });
});

describe('the policy', () => {
  it('is one of two, or a file that is checked', () => {
    expect(trustPolicy('development')).toBe(DEVELOPMENT_POLICY);
    expect(trustPolicy('production').commandTier).toBe('tpm');
    const file = join(dir, 'policy.json');
    writeFileSync(file, JSON.stringify({ ...PRODUCTION_POLICY, name: 'ours-3', period: 2 }));
    expect(trustPolicy(file)).toMatchObject({ name: 'ours-3', period: 2 });
    writeFileSync(file, JSON.stringify({ ...PRODUCTION_POLICY, commandTier: 'paper' }));
    expect(() => trustPolicy(file)).toThrow('is not valid');
    expect(() => trustPolicy(join(dir, 'none.json'))).toThrow(expect.objectContaining({ code: 'attestation.policy' }));
  });
});
