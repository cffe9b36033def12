/** Attestation against swtpm: what the unit tests show with a TPM of their own, shown with one that others have written. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  bindingOf,
  decodeEvidence,
  isGood,
  type Manifest,
  PRODUCTION_POLICY,
  ReferenceValues,
  sha256,
  signManifest,
  TpmAttester,
  TpmList,
  type TpmProof,
  Verifier,
} from '@enerchain/attestation';
import { findSwtpm, TpmFleet } from '@enerchain/lab';
import { systemClock } from '@enerchain/model';
import { type Certificate, fromPem, parseCertificate } from '@enerchain/pki';
import { openAttestationKey, openEndorsementKey, TpmClient, type TpmKey } from '@enerchain/tpm2';
import {
  DevelopmentCa,
  enrolmentHandler,
  enrolTpm,
  type Identity,
  obtainIdentity,
  serverTls,
  tpmParty,
} from '@enerchain/trust';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const tools = await findSwtpm();
const component = (name: string, content = name) => ({ name, digest: sha256(Buffer.from(content)) });
const SOFTWARE = ['runtime:node', 'config:process', 'main.ts'].map((name) => component(name));
const BOOT = [0, 1, 2, 3, 4, 5, 6, 7];

describe.skipIf(!tools.installed)('attestation with swtpm', () => {
  let dir: string;
  let fleet: TpmFleet;
  let ca: DevelopmentCa;
  let identity: Identity;
  let centre: Identity;
  let tpm: TpmClient;
  const references = new ReferenceValues();

  const makers = (): Certificate[] =>
    fromPem('CERTIFICATE', readFileSync(fleet.get('edge-nord')!.ekAuthority, 'utf8')).map(parseCertificate);
  /** Over HTTPS, as a gateway has it done. */
  const certified = async (ak: TpmKey, known = makers()): Promise<Certificate> => {
    const own = (each: Certificate) => Buffer.compare(each.issuerDer, each.subjectDer) === 0;
    const endorsement = { anchors: known.filter(own), intermediates: known.filter((each) => !own(each)) };
    const answer = enrolmentHandler({ authority: ca, endorsement });
    const server = createServer(serverTls(centre), (request, response) => answer(request, response));
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    try {
      const { port } = server.address() as AddressInfo;
      const party = tpmParty(tpm, await openEndorsementKey(tpm), ak);
      const options = { dir: join(dir, 'edge-nord'), identity, url: `https://127.0.0.1:${port}`, tpm: party };
      return (await enrolTpm(options)).attestation;
    } finally {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    }
  };
  const newVerifier = () =>
    new Verifier({
      name: 'centre',
      signer: centre.signer,
      kid: () => centre.kid,
      clock: systemClock,
      policy: () => PRODUCTION_POLICY,
      references,
      caPem: ca.certificatePem,
    });
  const vouch = async (more: Partial<Manifest>) => {
    const now = systemClock.now();
    const manifest = {
      ...{ id: 'lab', version: 1, signer: 'lab', components: SOFTWARE, registers: [] },
      ...{ notBefore: now - 3_600_000_000_000n, notAfter: now + 3_600_000_000_000n },
      ...more,
    };
    references.add(await signManifest(manifest, centre.signer, centre.kid));
  };

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'att-swtpm-'));
    fleet = await TpmFleet.start({ folder: join(dir, 'fleet'), nodes: ['edge-nord'] });
    ca = await DevelopmentCa.open(join(dir, 'ca'));
    const obtain = (name: string, role: 'edge' | 'centre') =>
      obtainIdentity(join(dir, name), { name, role }, async (request) => ({
        certificate: await ca.issue(request, { name, role, hosts: [{ kind: 'ip', value: '127.0.0.1' }] }),
        ca: ca.certificatePem,
      }));
    identity = await obtain('edge-nord', 'edge');
    centre = await obtain('centre', 'centre');
    tpm = new TpmClient({ path: fleet.get('edge-nord')!.socket }, { alone: false });
    const [bank] = await tpm.pcrRead([{ hash: 'sha256', pcrs: BOOT }]);
    const registers = BOOT.map((pcr) => ({ pcr, digest: bank!.values.get(pcr) as Uint8Array }));
    await vouch({ registers });
  });
  afterAll(async () => {
    await tpm?.close();
    await fleet?.close();
    rmSync(dir, { recursive: true, force: true });
  });

  it('is affirmed with its event log, shows a change at once, and firmware that changed after the next boot', async () => {
    const ak = await openAttestationKey(tpm);
    await expect(certified(ak, [])).rejects.toThrow('the endorsement key is not that of a TPM known here');
    const certificate = await certified(ak);
    const troubles: unknown[] = [];
    const start = async () => {
      const list = await TpmList.open({ tpm, dir: join(dir, 'attester'), onTrouble: (error) => troubles.push(error) });
      list.list.append({ kind: 'start', at: systemClock.now(), components: SOFTWARE });
      const attester = new TpmAttester({
        identity: () => identity,
        tpm,
        ak,
        list,
        measurements: { list: list.list, rescan: async () => undefined, onChange: () => () => undefined },
        akCertificate: () => certificate.der,
        logs: { events: fleet.get('edge-nord')!.eventLog },
      });
      return { list, attester };
    };
    const verifier = newVerifier();
    const attest = async (attester: TpmAttester, by = verifier) => {
      const binding = bindingOf({
        nonce: randomBytes(32),
        exporter: randomBytes(32),
        verifier: 'centre',
        node: 'edge-nord',
      });
      const evidence = await attester.evidence([binding], by.cursor('edge-nord'));
      return (await by.appraise(evidence, { node: 'edge-nord', binding })).result;
    };
    const first = await start();
    const good = await attest(first.attester);
    expect(good.reasons).toEqual([]);
    expect(good).toMatchObject({ status: 'affirming', tier: 'tpm', vector: { hardware: 2, executables: 2 } });
    const proof = decodeEvidence(await first.attester.evidence([randomBytes(32)])).proof as TpmProof;
    expect(proof.events?.bytes.length).toBeGreaterThan(100);
    // The process is started anew and goes on with the register.
    const second = await start();
    expect(isGood(await attest(second.attester))).toBe(true);
    second.list.list.append({ kind: 'more', at: systemClock.now(), components: [component('main.ts', 'changed')] });
    const changed = await attest(second.attester);
    expect(changed).toMatchObject({ status: 'contraindicated', vector: { executables: 96 } });
    expect(isGood(await attest(second.attester, newVerifier()))).toBe(false);

    await fleet.changeFirmware('edge-nord');
    const third = await start();
    const booted = await attest(third.attester);
    expect(booted).toMatchObject({ status: 'contraindicated', vector: { executables: 96 } });
    expect(booted.reasons[0]).toMatch(/^PCR 0 is .{12} instead of .{12}$/);
    expect(troubles).toEqual([]);
  });
});
