/** What the tests share: a CA, nodes with identities, a clock that stands until told, reference values, a verifier. */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '@enerchain/model';
import { DevelopmentCa, type Holder, type Identity, obtainIdentity, type Signer } from '@enerchain/trust';
import {
  type AttestationResult,
  type Attester,
  bindingOf,
  type Component,
  DEVELOPMENT_POLICY,
  type Manifest,
  MeasurementList,
  type Measurements,
  openSoftwareAttester,
  ReferenceValues,
  sha256,
  signManifest,
  type TrustPolicy,
  Verifier,
  type VerifierOptions,
} from '../src/index.ts';

export const START = 1_790_000_000_000_000_000n;
export const SECOND = 1_000_000_000n;

export class ManualClock implements Clock {
  at = START;
  now(): bigint {
    return this.at;
  }
  monotonic(): number {
    return Number((this.at - START) / 1_000_000n);
  }
  pass(seconds: number): void {
    this.at += BigInt(Math.round(seconds * 1e9));
  }
}

export const digest = (text: string): Uint8Array => Uint8Array.from(sha256(Buffer.from(text)));
export const component = (name: string, content = name): Component => ({ name, digest: digest(content) });

/** What every node of these tests runs. */
export const SOFTWARE: readonly Component[] = [
  component('runtime:node'),
  component('config:process'),
  component('apps/enerchain/src/main.ts'),
  component('platform/edge/src/edge.ts'),
];
export const SITE = component('config:site', 'site of edge-nord');

/** Measurements that change when told. */
export class FakeMeasurements implements Measurements {
  readonly list = new MeasurementList(randomBytes(16).toString('hex'));
  readonly #listeners = new Set<() => void>();
  constructor(components: readonly Component[]) {
    this.list.append({ kind: 'start', at: START, components });
  }
  async rescan(): Promise<void> {}
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
  add(...components: Component[]): void {
    this.list.append({ kind: 'more', at: START, components });
    for (const listener of this.#listeners) listener();
  }
}

export function newSigner(): Signer {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    algorithm: 'ES256',
    origin: 'file',
    publicKey,
    sign: (data) => sign('sha256', data, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
  };
}

export const kidOf = (signer: Signer): Uint8Array => sha256(signer.publicKey.export({ type: 'spki', format: 'der' }));

export const manifestOf = (components: readonly Component[], more: Partial<Manifest> = {}): Manifest => ({
  id: 'enerchain-test',
  version: 1,
  signer: 'test authority',
  notBefore: START - 3600n * SECOND,
  notAfter: START + 365n * 86_400n * SECOND,
  components,
  registers: [],
  ...more,
});

export class World {
  readonly dir = mkdtempSync(join(tmpdir(), 'enerchain-attestation-'));
  readonly clock = new ManualClock();
  readonly authority = newSigner();
  readonly references = new ReferenceValues();
  readonly revoked = new Set<string>();
  policy: TrustPolicy | undefined = DEVELOPMENT_POLICY;
  ca!: DevelopmentCa;
  centre!: Identity;

  static async open(): Promise<World> {
    const world = new World();
    world.ca = await DevelopmentCa.open(join(world.dir, 'ca'), { clock: world.clock });
    world.centre = await world.identity({ name: 'centre', role: 'centre' });
    return world;
  }

  close(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }

  identity(holder: Holder, ca = this.ca): Promise<Identity> {
    return obtainIdentity(
      join(this.dir, `${holder.role}-${holder.name}-${ca.fingerprint.slice(0, 8)}`),
      holder,
      async (request) => ({
        certificate: await ca.issue(request, holder),
        ca: ca.certificatePem,
      }),
    );
  }

  async vouch(components: readonly Component[], more: Partial<Manifest> = {}): Promise<string> {
    const signed = await signManifest(manifestOf(components, more), this.authority, kidOf(this.authority));
    this.references.add(signed);
    return signed.digest;
  }

  verifier(options: Partial<VerifierOptions> = {}): Verifier {
    return new Verifier({
      name: 'centre',
      signer: this.centre.signer,
      kid: () => this.centre.kid,
      clock: this.clock,
      policy: () => this.policy,
      references: this.references,
      caPem: this.ca.certificatePem,
      isRevoked: (fingerprint) => this.revoked.has(fingerprint),
      ...options,
    });
  }

  async softwareNode(
    name: string,
    components: readonly Component[] = [...SOFTWARE, SITE],
    identity?: Identity,
  ): Promise<{ attester: Attester; measurements: FakeMeasurements; identity: Identity }> {
    const own = identity ?? (await this.identity({ name, role: 'edge' }));
    const measurements = new FakeMeasurements(components);
    const attester = await openSoftwareAttester({
      identity: () => own,
      secretFile: join(this.dir, `${name}.uds`),
      measurements,
      clock: this.clock,
    });
    return { attester, measurements, identity: own };
  }
}

/** A binding as the verifier makes it: fresh, for a channel of its own. */
export function challenge(node: string, exporter: Uint8Array = randomBytes(32), verifier = 'centre'): Uint8Array {
  return bindingOf({ nonce: randomBytes(32), exporter, verifier, node });
}

/** Asks and appraises as the centre does each period. */
export async function attest(
  verifier: Verifier,
  attester: Pick<Attester, 'node' | 'evidence'>,
  node = attester.node,
): Promise<AttestationResult> {
  const binding = challenge(node);
  const evidence = await attester.evidence([binding], verifier.cursor(node));
  return (await verifier.appraise(evidence, { node, binding })).result;
}
