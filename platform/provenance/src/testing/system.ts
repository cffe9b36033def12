/** A small system for tests of receipts: authority, gateway, service, centre, witnesses, and a log of their batches. */
import { hash } from 'node:crypto';
import { type AttestationResult, DEVELOPMENT_POLICY, signResult } from '@enerchain/attestation';
import {
  type Batch,
  BatchBuilder,
  batchToBytes,
  ChainWriter,
  type Content,
  decodeBatch,
  type LogRange,
} from '@enerchain/link';
import { QUALITY, type SiteDocument, TIME_GOOD, toIso } from '@enerchain/model';
import { certificateFromPem, type Signer, thumbprint } from '@enerchain/pki';
import { DevelopmentCa, type Role, requestFor } from '@enerchain/trust';
import {
  type AnchorFile,
  buildReceipt,
  type Cosignature,
  cosign,
  type LoggedBatch,
  leafHashOf,
  parseCheckpoint,
  type ReceiptParts,
  spkiPem,
} from '../index.ts';
import { LogWorld, NOW, newFolder, newSigner, ORIGIN } from './world.ts';

export const SECOND = 1_000_000_000n;

export interface Node {
  readonly name: string;
  readonly role: Role;
  readonly signer: Signer;
  readonly der: Uint8Array;
  readonly kid: Uint8Array;
  readonly chain: ChainWriter;
}

export const POINTS = Array.from(
  { length: 40 },
  (_, i) => `00000000-0000-4000-8000-0000000000${String(i).padStart(2, '0')}`,
);
export const POINT = POINTS[17]!;

export const site = (source: string, securityProfile?: 'tls' | 'none'): SiteDocument => ({
  source,
  site: { id: 's', name: 'S' },
  version: 1,
  endpoints: ['rtu-1', 'rtu-2', 'rtu-3'].map((id) => ({
    id,
    protocol: 'iec104',
    ...(securityProfile ? { securityProfile } : {}),
  })),
  points: POINTS.map((mRID, i) => ({ mRID, name: `P${i}`, kind: 'analog', unitSymbol: 'W', unitMultiplier: 'k' })),
  bindings: POINTS.map((point, i) => {
    return { point, endpoint: `rtu-${(i % 3) + 1}`, address: `ca=1 ioa=${i}`, access: 'read' };
  }),
});

export class System {
  readonly world: LogWorld;
  readonly records: Batch[] = [];
  readonly nodes = new Map<string, Node>();
  ca!: DevelopmentCa;
  readonly #sequence = new Map<string, number>();

  constructor(world = new LogWorld()) {
    this.world = world;
  }

  static async make(world = new LogWorld()): Promise<System> {
    const system = new System(world);
    system.ca = await DevelopmentCa.open(newFolder(), {
      clock: { now: () => NOW - 3600n * SECOND, monotonic: () => 0 },
    });
    await system.node('centre', 'centre');
    await system.node('edge-nord', 'edge');
    await system.node('edge-sued', 'edge');
    await system.node('grid-state', 'service');
    return system;
  }

  async node(name: string, role: Role, signer: Signer = newSigner()): Promise<Node> {
    const pem = await this.ca.issue(await requestFor({ name, role }, signer), { name, role });
    const { der } = certificateFromPem(pem);
    const kid = thumbprint(der);
    const node = { name, role, signer, der, kid, chain: new ChainWriter({ source: name, signer, kid }) };
    this.nodes.set(name, node);
    return node;
  }

  of(name: string): Node {
    return this.nodes.get(name)!;
  }

  /** Puts a batch on a node's chain and into the log. @returns its record */
  async log(
    name: string,
    content: Content,
    options: { defer?: boolean; reads?: LogRange[] } = {},
  ): Promise<LoggedBatch> {
    return this.take(await this.of(name).chain.next(content, options));
  }

  take(made: Batch): LoggedBatch {
    const batch = decodeBatch(batchToBytes(made));
    this.records.push(batch);
    const index = this.world.log.size;
    this.world.log.append([leafHashOf(batch.signed)]);
    return { index, batch };
  }

  /** Values of all points, one a second from `at` on, three of each. */
  observations(at = NOW, points: readonly string[] = POINTS): Content {
    const builder = new BatchBuilder();
    points.forEach((point, i) => {
      for (let k = 0; k < 3; k++) {
        builder.add({
          point,
          value: i + k / 4,
          quality: QUALITY.good,
          sourceTime: at + BigInt(k) * SECOND,
          timeQuality: TIME_GOOD,
          receiveTime: at + BigInt(k) * SECOND + 5_000_000n,
          cause: 'spontaneous',
          repeat: false,
        });
      }
    });
    return { kind: 'observations', batch: builder.build() };
  }

  /** Logs a result of attestation. @param by the verifier; its own record when it is not the centre's */
  async attest(node: string, at: bigint, change: Partial<AttestationResult> = {}, by = 'centre'): Promise<LoggedBatch> {
    const sequence = (this.#sequence.get(`${by} ${node}`) ?? 0) + 1;
    this.#sequence.set(`${by} ${node}`, sequence);
    const verifier = this.of(by);
    const evidence = hash('sha256', `evidence ${node} ${at}`, 'buffer');
    const { bytes } = await signResult(
      {
        node,
        verifier: by,
        tier: 'software',
        status: 'warning',
        vector: { instanceIdentity: 2, executables: 2, hardware: 32 },
        reasons: [],
        binding: Buffer.alloc(32, 7),
        evidence,
        policy: DEVELOPMENT_POLICY.name,
        issuedAt: at,
        validUntil: at + 30n * SECOND,
        sequence,
        boot: 'boot-1',
        ...change,
      },
      verifier.signer,
      verifier.kid,
    );
    return this.log('centre', { kind: 'attestation', record: { node, verifier: by, result: bytes, evidence } });
  }

  /** Signs a checkpoint over everything, cosigned by these. */
  async checkpoint(
    witnesses: readonly string[] = ['edge-nord', 'edge-sued'],
    at = NOW + 60n * SECOND,
  ): Promise<string> {
    const note = await this.world.log.makeCheckpoint();
    const signed = parseCheckpoint(note!);
    const cosignatures: Cosignature[] = [];
    for (const name of witnesses) cosignatures.push(await cosign(this.of(name).signer, name, signed, at));
    return this.world.log.takeCosignatures(note!, cosignatures, (name) => this.of(name).signer.publicKey);
  }

  receipt(parts: Pick<ReceiptParts, 'value' | 'note'> & Partial<ReceiptParts>): Uint8Array {
    const full = {
      point: POINT,
      observation: 1,
      sourceTime: NOW + SECOND,
      site: undefined,
      attestation: [],
      neighbours: [],
      ...parts,
    };
    return buildReceipt(full, {
      inclusion: (index, size) => this.world.log.inclusion(index, size),
      certificateOf: (kid) => [...this.nodes.values()].find((node) => Buffer.compare(node.kid, kid) === 0)?.der,
      certificateOfWitness: (name) => this.nodes.get(name)?.der,
    });
  }

  anchor(change: Partial<AnchorFile> = {}): AnchorFile {
    return {
      format: 'enerchain-anchor/1',
      origin: ORIGIN,
      logKey: spkiPem(this.world.signer.publicKey),
      authorities: [this.ca.certificatePem],
      witnesses: ['edge-nord', 'edge-sued'].map((name) => ({ name, key: spkiPem(this.of(name).signer.publicKey) })),
      quorum: 1,
      policy: DEVELOPMENT_POLICY,
      revoked: [],
      ...change,
    };
  }

  revoked(name: string, at: bigint): AnchorFile['revoked'] {
    return [{ fingerprint: Buffer.from(this.of(name).kid).toString('hex'), at: toIso(at) }];
  }

  /** A value as it comes in everyday life: announced, attested before and after, seen by witnesses. */
  async everyday(securityProfile?: 'tls' | 'none') {
    const announced = await this.log('edge-nord', { kind: 'site', document: site('edge-nord', securityProfile) });
    const before = await this.attest('edge-nord', NOW - 5n * SECOND);
    const value = await this.log('edge-nord', this.observations());
    const after = await this.attest('edge-nord', NOW + 5n * SECOND);
    const neighbour = await this.attest('edge-nord', NOW + 4n * SECOND, {}, 'edge-sued');
    const note = await this.checkpoint();
    const parts = { value, site: announced, attestation: [before, after], neighbours: [neighbour], note };
    return { ...parts, parts, receipt: this.receipt(parts) };
  }
}

export * from './world.ts';
