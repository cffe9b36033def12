import { randomBytes } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  bindingOf,
  DEVELOPMENT_POLICY,
  decodeEvidence,
  decodeResult,
  EVIDENCE_METHOD,
  evidenceQuestion,
  readEvidenceAnswer,
  type TrustPolicy,
} from '@enerchain/attestation';
import type { CommandOrder } from '@enerchain/model';
import { parseStatement, signRelease, TCN_METHODS } from '@enerchain/tcn';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type EdgeHandle, runEdge } from '../src/edge.ts';
import { loadSite } from '../src/site/load-site.ts';
import { commandFor, TestCentre, until } from './centre.ts';
import { silent } from './helpers.ts';
import { TestStation } from './station.ts';
import { Trusted } from './trusted.ts';

const POLICY: TrustPolicy = {
  ...DEVELOPMENT_POLICY,
  name: 'test',
  period: 0.5,
  validFor: 30,
  essential: ['essential*'],
  appraisal: {},
};
let centre: TestCentre;
let station: TestStation;
let trusted: Trusted;
let edge: EdgeHandle | undefined;
let orders = 0;

beforeEach(async () => {
  centre = await TestCentre.open();
  trusted = new Trusted(centre);
  await trusted.open();
  station = new TestStation();
  station.policy = "{ forbidCommands: ['forbidden*'], breakGlass: true }";
  await station.open();
});

afterEach(async () => {
  await edge?.close();
  edge = undefined;
  await trusted.close();
  await station.close();
  await centre.close();
});

const counter = (name: string) => edge!.report().counters[name];

/** Starts the gateway. @param trust of its site file; absent: it has one neighbour that answers, and one that does not */
async function start({
  trust,
  way = '',
  policy = POLICY,
}: {
  trust?: string;
  way?: string;
  policy?: TrustPolicy;
} = {}): Promise<void> {
  const port = trust === undefined ? await trusted.startCore() : 0;
  const neighbours = `trust: { neighbours: [{ name: core-1, address: '127.0.0.1:${port}' }, { name: core-2 }]${way} }`;
  const siteFile = station.write('      - { name: essential switch, ioa: 12, type: C_SC_NA_1 }\n', trust ?? neighbours);
  const installation = mkdtempSync(join(tmpdir(), 'enerchain-installation-'));
  writeFileSync(join(installation, 'package-lock.json'), '{}');
  edge = await runEdge({
    siteFile,
    dataDir: join(station.folder, 'data'),
    installation,
    centre: { url: centre.url, token: await centre.token('edge-test') },
    logger: silent,
  });
  await trusted.vouch(policy);
  await until(() => centre.sourceEvents().some(({ kind }) => kind === 'interrogationComplete'), 'the station is heard');
  await until(() => counter('tcn.centre') === 1, 'the centre is good');
  if (trust === undefined) await until(() => counter('tcn.vouched') === 1, 'the neighbour vouches for the gateway');
}

async function order(action: 'quarantine' | 'release', node = 'edge-test', identity = centre.identity) {
  const release = {
    node,
    action,
    sequence: ++orders,
    at: BigInt(Date.now()) * 1_000_000n,
    reason: 'an inspection',
    persons: ['anna', 'ben'],
  };
  return centre.ask(TCN_METHODS.order, await signRelease(identity.signer, identity.kid, release));
}

const steps = (id: string) =>
  centre
    .commandEvents()
    .filter(({ command }) => command === id)
    .map(({ step, reason }) => ({ step, reason }));

async function operate(
  address: string,
  more: Partial<CommandOrder> = {},
): Promise<{ step: string; reason: string | undefined }[]> {
  const command = commandFor(station.mrid(address), more);
  await centre.send(command);
  const done = ['refusedByEdge', 'selected', 'accepted', 'executed', 'terminated', 'operated', 'confirmed'];
  await until(() => steps(command.id).some(({ step }) => step !== 'received' || done.includes(step)), 'an outcome');
  return steps(command.id) as { step: string; reason: string | undefined }[];
}

describe('a gateway in a network', () => {
  test('in quarantine no command passes, but values go on and essential functions stay in reach; a release ends it', async () => {
    await start();
    const first = await operate('ca=1 ioa=10 control');
    expect(first.filter(({ step }) => step === 'refusedByEdge')).toEqual([]);
    expect(await order('quarantine')).toBe(true);
    expect(await operate('ca=1 ioa=10 control')).toMatchObject([
      { step: 'refusedByEdge', reason: expect.stringMatching(/this gateway is in quarantine: an inspection/) },
    ]);
    // Local control and what comes from the field are not touched.
    expect((await operate('ca=1 ioa=12 control')).map(({ step }) => step)).not.toContain('refusedByEdge');
    const before = centre.observations().length;
    station.produce(50);
    await until(() => centre.observations().length >= before + 50, 'values of a gateway in quarantine');
    const told = () => centre.sourceEvents().filter(({ code }) => code?.startsWith('tcn.'));
    await until(() => told().some(({ code }) => code === 'tcn.quarantine'), 'the quarantine stands on the chain');
    expect(await order('release')).toBe(true);
    expect((await operate('ca=1 ioa=10 control')).map(({ step }) => step)).not.toContain('refusedByEdge');
    expect(centre.problems).toEqual([]);
  });

  test('an order of somebody who is no centre is none, and an old one is no news', async () => {
    await start();
    const { ca } = centre;
    expect(await order('quarantine')).toBe(true);
    orders -= 1;
    expect(await order('release')).toBe(false);
    expect(ca.fingerprint).toHaveLength(64);
    await expect(centre.ask(TCN_METHODS.order, new Uint8Array([1, 2, 3]))).rejects.toMatchObject({ fault: 'peer' });
    await expect(centre.ask(TCN_METHODS.order, 'no octets')).rejects.toMatchObject({ code: 'edge.tcn.request' });
  });

  test('goes on judging while the centre is away, and by the same bundle after a restart without it', async () => {
    await start();
    const { reports } = trusted;
    const nodes = () => reports.flatMap((each) => each.nodes);
    await until(() => nodes().some(({ reason }) => reason === 'not attested yet'), 'a report');
    await until(() => reports.at(-1)?.neighbours[0]?.connected === true, 'the neighbour is connected');
    expect(reports.at(-1)).toMatchObject({
      node: 'edge-test',
      neighbours: [
        { name: 'core-1', connected: true },
        { name: 'core-2', connected: false },
      ],
    });
    await centre.close();
    // Nobody answers: its own silence about them is found without the centre.
    await until(() => edge!.report().counters['tcn.missed'] !== undefined, 'counters');
    await edge!.close();
    edge = undefined;
    await trusted.core!.station.close();
    await centre.listen();
    trusted.silent = true;
    trusted.noBundle();
    reports.length = 0;
    edge = await runEdge({
      siteFile: join(station.folder, 'site.yaml'),
      dataDir: join(station.folder, 'data'),
      installation: mkdtempSync(join(tmpdir(), 'enerchain-installation-')),
      centre: { url: centre.url },
      logger: silent,
    });
    await until(() => reports.length > 0, 'a report');
    for (const { node, reason, reaction } of reports.at(-1)!.nodes) {
      expect(reason).not.toBe('there is no policy');
      if (node !== 'centre') expect(reaction).toBe('observe');
    }
    // Nobody has been found good since the start, so nothing is commanded but what is essential.
    expect(await operate('ca=1 ioa=10 control')).toMatchObject([{ step: 'refusedByEdge', reason: /^centre is not / }]);
    expect((await operate('ca=1 ioa=12 control')).map(({ step }) => step)).not.toContain('refusedByEdge');
  });

  test('is in quarantine still after a restart, and takes no release that was given before', async () => {
    await start();
    expect(await order('quarantine')).toBe(true);
    const release = { node: 'edge-test', action: 'release' as const, at: BigInt(Date.now()) * 1_000_000n };
    const { signer, kid } = centre.identity;
    const persons = ['anna', 'ben'];
    const old = await signRelease(signer, kid, { ...release, sequence: ++orders, reason: 'an inspection', persons });
    expect(await centre.ask(TCN_METHODS.order, old)).toBe(true);
    expect(await order('quarantine')).toBe(true);
    await edge!.close();
    edge = await runEdge({
      siteFile: join(station.folder, 'site.yaml'),
      dataDir: join(station.folder, 'data'),
      installation: mkdtempSync(join(tmpdir(), 'enerchain-installation-')),
      centre: { url: centre.url },
      logger: silent,
    });
    await until(() => counter('tcn.centre') === 1, 'the centre is good again');
    expect(await centre.ask(TCN_METHODS.order, old)).toBe(false);
    const [refused] = await operate('ca=1 ioa=10 control');
    expect(refused?.reason).toMatch(/this gateway is in quarantine: an inspection/);
  });

  test('notices a centre whose software has changed: its state, a security event, and no command but what is essential', async () => {
    await start();
    expect((await operate('ca=1 ioa=10 control')).map(({ step }) => step)).not.toContain('refusedByEdge');
    await trusted.changeCentre('main.ts', 'with a back door');
    await until(() => counter('tcn.centre') === 0, 'the change is seen');
    expect(await operate('ca=1 ioa=10 control')).toMatchObject([
      {
        step: 'refusedByEdge',
        reason: /^centre is restricted to the monitoring direction: main\.ts is .{12} instead of .{12}\.$/,
      },
    ]);
    const told = () => centre.sourceEvents().filter(({ code }) => code === 'tcn.restrict');
    // Its neighbour, which had no bundle yet when it started, may be among what is told.
    const ofCentre = /^centre: restrict, contraindicated: main\.ts is /;
    await until(() => told().some(({ detail }) => ofCentre.test(detail ?? '')), 'a security event on its chain');
    // The signed result goes to the centre too, with its evidence for who wants to look.
    const results = () => {
      const statements = trusted.reports.flatMap((each) => each.statements);
      return statements
        .map((bytes) => decodeResult(parseStatement(bytes).payload))
        .filter(({ node }) => node === 'centre');
    };
    await until(() => results().some(({ status }) => status === 'contraindicated'), 'the result is told');
    const bad = results().findLast(({ status }) => status === 'contraindicated')!;
    expect(await centre.ask(TCN_METHODS.evidence, bad.evidence)).toBeInstanceOf(Uint8Array);
    // What comes from the field goes on, what is essential stays in reach, and glass can be broken.
    const before = centre.observations().length;
    station.produce(50);
    await until(() => centre.observations().length >= before + 50, 'values of a gateway of that centre');
    expect((await operate('ca=1 ioa=12 control')).map(({ step }) => step)).not.toContain('refusedByEdge');
    const breakGlass = { reason: 'the busbar burns, and nobody else is here' };
    expect((await operate('ca=1 ioa=10 control', { breakGlass })).map(({ step }) => step)).not.toContain(
      'refusedByEdge',
    );
    // A release signed by the centre is its own word for itself.
    await order('release', 'centre');
    expect(await operate('ca=1 ioa=10 control')).toMatchObject([{ step: 'refusedByEdge' }]);
    expect(centre.problems).toEqual([]);
  });

  test('binds its evidence to its own end of the link, whatever the centre asks for', async () => {
    await start({ trust: '' });
    const nonce = randomBytes(32);
    const answer = await centre.ask(EVIDENCE_METHOD, evidenceQuestion(nonce, undefined));
    const { bindings } = decodeEvidence(readEvidenceAnswer(answer).evidence).claims;
    const exporter = centre.peer('edge-test')!.exporter();
    const own = bindingOf({ nonce, exporter, verifier: 'centre', node: 'edge-test' });
    expect(bindings.map((each) => Buffer.from(each))).toEqual([Buffer.from(own)]);
    // A binding of somebody else’s choice could stand for a channel on which another device answers.
    await expect(centre.ask(EVIDENCE_METHOD, { bindings: [randomBytes(32)] })).rejects.toMatchObject({ fault: 'peer' });
  });

  test('trusts a centre that gives no evidence only until the last result runs out', async () => {
    await start({ trust: '', policy: { ...POLICY, validFor: 3 } });
    trusted.silent = true;
    await until(() => counter('tcn.centre') === 0, 'the last result runs out');
    expect(await operate('ca=1 ioa=10 control')).toMatchObject([
      { step: 'refusedByEdge', reason: /^centre .*it gives no evidence: / },
    ]);
    trusted.silent = false;
    await until(() => counter('tcn.centre') === 1, 'the centre is good again');
    expect((await operate('ca=1 ioa=10 control')).map(({ step }) => step)).not.toContain('refusedByEdge');
  });

  test('takes no commands when none of its neighbours vouches for it, or the one on the way is not good', async () => {
    await start();
    trusted.core!.software.change('main.ts', 'with a back door');
    await until(() => counter('tcn.quarantined') === 1, 'the neighbour is found bad');
    const [refused] = await operate('ca=1 ioa=10 control');
    expect(refused).toMatchObject({ step: 'refusedByEdge' });
    expect(refused?.reason).toMatch(/core-1 is in quarantine: main\.ts is .* core-2 is not attested: /);
    expect(refused?.reason).toContain(
      'this gateway is not attested: of its neighbours (core-1, core-2) none that is good itself has found it good lately.',
    );
  });

  test('takes commands by the way that its site file names, and by no other', async () => {
    await start({ way: ', way: [core-2]' });
    await until(() => counter('tcn.good') === 1, 'the other neighbour is good');
    const [refused] = await operate('ca=1 ioa=10 control');
    expect(refused).toMatchObject({ step: 'refusedByEdge', reason: 'core-2 is not attested: not attested yet.' });
  });

  test('takes no commands from software where the policy asks for a TPM, and says so of each hop', async () => {
    await start({ policy: { ...POLICY, commandTier: 'tpm' } });
    const [refused] = await operate('ca=1 ioa=10 control');
    for (const hop of ['centre', 'core-1', 'this gateway']) {
      expect(refused?.reason).toContain(`${hop} is attested by software only; the policy test asks for a TPM`);
    }
  });
});

describe('the site file', () => {
  const findings = (trust: string) =>
    loadSite(station.write('', `trust: ${trust}`)).findings.map(({ message }) => message);

  test('names listener and neighbours', () => {
    const file = station.write(
      '',
      "trust: { listen: '127.0.0.1:4740', neighbours: [{ name: core-1, address: '[::1]:4741' }, { name: core-2 }] }",
    );
    expect(loadSite(file).site?.network).toEqual({
      listen: { host: '127.0.0.1', port: 4740 },
      neighbours: [{ name: 'core-1', address: { host: '::1', port: 4741 } }, { name: 'core-2' }],
    });
    expect(loadSite(station.write()).site?.network).toBeUndefined();
  });

  test.each([
    ["{ listen: '0.0.0.0:4740' }", /no single address/],
    ["{ listen: '[::]:4740' }", /no single address/],
    ["{ listen: 'station:4740' }", /no single address/],
    ["{ coap: '0.0.0.0:5683' }", /no single address/],
    ["{ listen: '127.0.0.1:70000' }", /no port/],
    ['{ neighbours: [{ name: a }, { name: a }] }', /stands twice/],
    ['{ neighbours: [{ name: edge-test }] }', /this gateway itself/],
    ['{ neighbours: [{ name: a }], way: [b] }', /'b' is no neighbour/],
    ["{ neighbours: [{ name: a, address: 'nowhere' }] }", /./],
  ])('%s is refused', (trust, message) => {
    expect(findings(trust).join()).toMatch(message);
  });
});
