import { createHash } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DEVELOPMENT_POLICY, type TrustPolicy } from '@enerchain/attestation';
import { decodeTcnReport, signBundle, signRelease, TCN_METHODS, type TcnReport } from '@enerchain/tcn';
import { encodeCbor } from '@enerchain/trust';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type EdgeHandle, runEdge } from '../src/edge.ts';
import { loadSite } from '../src/site/load-site.ts';
import { commandFor, TestCentre, until } from './centre.ts';
import { silent } from './helpers.ts';
import { TestStation } from './station.ts';

const POLICY: TrustPolicy = { ...DEVELOPMENT_POLICY, name: 'test', period: 1, validFor: 3, essential: ['essential*'] };
let centre: TestCentre;
let station: TestStation;
let edge: EdgeHandle | undefined;
let siteFile: string;
let orders = 0;
const reports: TcnReport[] = [];

beforeEach(async () => {
  centre = await TestCentre.open();
  station = new TestStation();
  await station.open();
  siteFile = station.write(
    '      - { name: essential switch, ioa: 12, type: C_SC_NA_1 }\n',
    'trust: { neighbours: [{ name: core-1 }, { name: core-2 }] }',
  );
  reports.length = 0;
});

afterEach(async () => {
  await edge?.close();
  edge = undefined;
  await station.close();
  await centre.close();
});

/** Starts the gateway as a node of a network whose centre hands out a bundle. */
async function start(): Promise<void> {
  const { signer, kid, certificate } = centre.identity;
  const bundle = await signBundle(signer, kid, {
    sequence: Date.now(),
    policy: POLICY,
    authorities: [],
    manifests: [],
    revoked: [],
  });
  centre.requests.set(TCN_METHODS.gossip, (params) => {
    reports.push(decodeTcnReport(encodeCbor(params)));
    return createHash('sha256').update(bundle).digest();
  });
  let given = 0;
  centre.requests.set(TCN_METHODS.bundle, () => {
    given++;
    return [bundle, certificate.der];
  });
  const installation = mkdtempSync(join(tmpdir(), 'enerchain-installation-'));
  writeFileSync(join(installation, 'package-lock.json'), '{}');
  edge = await runEdge({
    siteFile,
    dataDir: join(station.folder, 'data'),
    installation,
    centre: { url: centre.url, token: await centre.token('edge-test') },
    logger: silent,
  });
  await until(() => given === 1, 'the edge fetches the bundle');
  await until(() => centre.sourceEvents().some(({ kind }) => kind === 'interrogationComplete'), 'the station is heard');
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

async function operate(address: string): Promise<{ step: string; reason: string | undefined }[]> {
  const command = commandFor(station.mrid(address));
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
    await until(
      () => reports.some(({ nodes }) => nodes.some(({ reason }) => reason === 'not attested yet')),
      'a report',
    );
    expect(reports.at(-1)).toMatchObject({
      node: 'edge-test',
      neighbours: [
        { name: 'core-1', connected: false },
        { name: 'core-2', connected: false },
      ],
    });
    await centre.close();
    // Nobody answers: its own silence about them is found without the centre.
    await until(() => edge!.report().counters['tcn.missed'] !== undefined, 'counters');
    await edge!.close();
    edge = undefined;
    await centre.listen();
    centre.requests.delete(TCN_METHODS.bundle);
    centre.requests.set(TCN_METHODS.gossip, (params) => {
      reports.push(decodeTcnReport(encodeCbor(params)));
      return null;
    });
    reports.length = 0;
    edge = await runEdge({
      siteFile,
      dataDir: join(station.folder, 'data'),
      installation: mkdtempSync(join(tmpdir(), 'enerchain-installation-')),
      centre: { url: centre.url },
      logger: silent,
    });
    await until(() => reports.length > 0, 'a report');
    for (const { reason, reaction } of reports.at(-1)!.nodes) {
      expect(reason).not.toBe('there is no policy');
      expect(reaction).toBe('observe');
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
    ["{ neighbours: [{ name: a, address: 'nowhere' }] }", /./],
  ])('%s is refused', (trust, message) => {
    expect(findings(trust).join()).toMatch(message);
  });
});
