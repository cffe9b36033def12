/** What a gateway trusts, for tests: a centre that attests itself, a neighbour, and a bundle that vouches for all of them. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Attester,
  bindingOf,
  CHANGED_METHOD,
  type Component,
  decodeEvidence,
  decodeRecord,
  EVIDENCE_METHOD,
  evidenceQuestion,
  MeasurementList,
  openSoftwareAttester,
  readEvidenceAnswer,
  readEvidenceQuestion,
  sha256,
  signManifest,
  type TrustPolicy,
  watchLoading,
} from '@enerchain/attestation';
import { decodeTcnReport, signBundle, TCN_METHODS, type TcnReport, TcnStation } from '@enerchain/tcn';
import { encodeCbor, type Identity, obtainIdentity } from '@enerchain/trust';
import { type TestCentre, until } from './centre.ts';

// The gateway runs in the process of the test: what is loaded from here on is what it measures.
watchLoading();

export const component = (name: string, content = name): Component => ({
  name,
  digest: Uint8Array.from(sha256(Buffer.from(content))),
});
export const SOFTWARE = ['runtime:node', 'config:process', 'main.ts'].map((name) => component(name));

/** What a node of these tests runs, and how it proves it. */
export class Software {
  readonly list = new MeasurementList(randomBytes(16).toString('hex'));
  readonly #listeners = new Set<() => void>();

  constructor() {
    this.list.append({ kind: 'start', at: now(), components: SOFTWARE });
  }

  attester(identity: Identity): Promise<Attester> {
    const measurements = {
      list: this.list,
      rescan: async () => undefined,
      onChange: (listener: () => void) => {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
      },
    };
    const secretFile = join(mkdtempSync(join(tmpdir(), 'enerchain-uds-')), 'uds');
    return openSoftwareAttester({ identity: () => identity, secretFile, measurements });
  }

  /** The process is started anew. */
  restart(): void {
    this.list.append({ kind: 'start', at: now(), components: SOFTWARE });
  }

  change(name: string, content: string): void {
    this.list.append({ kind: 'more', at: now(), components: [component(name, content)] });
    for (const each of this.#listeners) each();
  }
}

const now = () => BigInt(Date.now()) * 1_000_000n;

export class Trusted {
  readonly centre: TestCentre;
  readonly software = new Software();
  /** Reports of the gateway. */
  readonly reports: TcnReport[] = [];
  /** The centre does not answer any more. */
  silent = false;
  core: { readonly station: TcnStation; readonly software: Software } | undefined;
  #bundle: Uint8Array | undefined;

  constructor(centre: TestCentre) {
    this.centre = centre;
  }

  /** The centre answers what gateways ask of it. */
  async open(): Promise<void> {
    const { centre, software } = this;
    const attester = await software.attester(centre.identity);
    centre.requests.set(EVIDENCE_METHOD, async (params, peer) => {
      if (this.silent) throw new Error('nothing to say');
      const { nonce, since } = readEvidenceQuestion(params);
      const binding = bindingOf({ nonce, exporter: peer.exporter(), verifier: peer.source, node: 'centre' });
      return { evidence: await attester.evidence([binding], since) };
    });
    centre.requests.set(TCN_METHODS.gossip, (params) => {
      this.reports.push(decodeTcnReport(encodeCbor(params)));
      return this.#bundle ? createHash('sha256').update(this.#bundle).digest() : null;
    });
    centre.requests.set(TCN_METHODS.bundle, () =>
      this.#bundle ? [this.#bundle, centre.identity.certificate.der] : null,
    );
  }

  /** A node of the network whose only neighbour is the gateway. */
  async startCore(name = 'core-1'): Promise<number> {
    const { ca } = this.centre;
    const dataDir = mkdtempSync(join(tmpdir(), 'enerchain-core-'));
    const holder = { name, role: 'network' } as const;
    const identity = await obtainIdentity(join(dataDir, 'identity'), holder, async (request) => ({
      certificate: await ca.issue(request, holder),
      ca: ca.certificatePem,
    }));
    const software = new Software();
    const station = new TcnStation({
      identity,
      attester: await software.attester(identity),
      settings: { listen: { host: '127.0.0.1', port: 0 }, neighbours: [{ name: 'edge-test' }] },
      dataDir,
      software: 'test',
    });
    await station.start();
    this.core = { station, software };
    return station.address!.port;
  }

  /** Vouches for what the centre, the core, and the gateway that is connected run at this moment. */
  async vouch(policy: TrustPolicy): Promise<void> {
    const { signer, kid, certificate } = this.centre.identity;
    await until(() => this.centre.online, 'the gateway is connected');
    const answer = await this.centre.ask(EVIDENCE_METHOD, evidenceQuestion(randomBytes(32), undefined));
    const { claims } = decodeEvidence(readEvidenceAnswer(answer).evidence);
    const ofEdge = claims.records.flatMap((each) => decodeRecord(each).components);
    const manifest = { version: 1, signer: 'test', notBefore: 0n, notAfter: now() * 2n, registers: [] };
    const manifests = [
      { ...manifest, id: 'software', components: SOFTWARE },
      { ...manifest, id: 'edge', components: ofEdge, node: 'edge-test' },
    ];
    const spki = signer.publicKey.export({ type: 'spki', format: 'der' });
    this.#bundle = await signBundle(signer, kid, {
      sequence: Date.now(),
      policy,
      authorities: [{ kid, spki }],
      manifests: await Promise.all(
        manifests.map(async (each) => ({ bytes: (await signManifest(each, signer, kid)).bytes, until: undefined })),
      ),
      revoked: [],
    });
    this.core?.station.takeBundle(this.#bundle, certificate.der);
  }

  /** The centre hands none out any more. */
  noBundle(): void {
    this.#bundle = undefined;
  }

  /** The centre has changed, and says so. */
  async changeCentre(name: string, content: string): Promise<void> {
    this.software.change(name, content);
    await this.centre.ask(CHANGED_METHOD, {});
  }

  async close(): Promise<void> {
    await this.core?.station.close();
  }
}
