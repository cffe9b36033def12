/** A network with real identities, the software attester and the verifier of the platform; in memory or over TLS. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Attester,
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
} from '@enerchain/attestation';
import { type Clock, systemClock } from '@enerchain/model';
import { DevelopmentCa, type Identity, obtainIdentity, type Role } from '@enerchain/trust';
import {
  type After,
  appraiserOf,
  CertificateDirectory,
  identityOf,
  memoryChannels,
  reappraiserOf,
  signRelease,
  systemAfter,
  type TcnEvent,
  TcnNode,
  TlsTransport,
} from '../src/index.ts';
import { VirtualTime } from './virtual-time.ts';

export const component = (name: string, content = name): Component => ({
  name,
  digest: Uint8Array.from(sha256(Buffer.from(content))),
});

export const SOFTWARE: readonly Component[] = [
  component('runtime:node'),
  component('config:process'),
  component('apps/enerchain/src/main.ts'),
  component('platform/edge/src/edge.ts'),
];

/** Measurements that change when told. */
export class TestMeasurements implements Measurements {
  list = new MeasurementList(randomBytes(16).toString('hex'));
  readonly #listeners = new Set<() => void>();
  readonly #clock: Clock;

  constructor(clock: Clock, components: readonly Component[] = SOFTWARE) {
    this.#clock = clock;
    this.list.append({ kind: 'start', at: clock.now(), components });
  }

  async rescan(): Promise<void> {}

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** @param told whether the measurer notices it by itself */
  add(component: Component, told = true): void {
    this.list.append({ kind: 'more', at: this.#clock.now(), components: [component] });
    if (told) for (const listener of this.#listeners) listener();
  }

  /** The process is started anew. */
  restart(components: readonly Component[] = SOFTWARE): void {
    this.list.append({ kind: 'start', at: this.#clock.now(), components });
    for (const listener of this.#listeners) listener();
  }
}

export interface RealNode {
  readonly identity: Identity;
  readonly measurements: TestMeasurements;
  readonly attester: Attester;
  readonly node: TcnNode;
  readonly transport: TlsTransport | undefined;
  readonly events: TcnEvent[];
  /** Names of the events of TLS. */
  readonly security: string[];
}

export const REAL_POLICY: TrustPolicy = {
  ...DEVELOPMENT_POLICY,
  name: 'test-2',
  period: 0.4,
  validFor: 5,
  silenceQuorum: 2,
  isolateAfter: 0.4,
};

export class RealNetwork {
  readonly kind: 'memory' | 'tls';
  readonly time = new VirtualTime();
  readonly clock: Clock;
  readonly after: After;
  readonly dir = mkdtempSync(join(tmpdir(), 'enerchain-tcn-'));
  readonly nodes = new Map<string, RealNode>();
  ca!: DevelopmentCa;
  centre!: Identity;
  readonly references = new ReferenceValues();
  #orders = 0;

  private constructor(kind: 'memory' | 'tls') {
    this.kind = kind;
    this.clock = kind === 'memory' ? this.time.clock : systemClock;
    this.after = kind === 'memory' ? this.time.after : systemAfter;
  }

  static async open(kind: 'memory' | 'tls'): Promise<RealNetwork> {
    const network = new RealNetwork(kind);
    network.ca = await DevelopmentCa.open(join(network.dir, 'ca'), { clock: network.clock });
    network.centre = await network.identity('centre', 'centre');
    const now = network.clock.now();
    const manifest: Manifest = {
      id: 'enerchain-test',
      version: 1,
      signer: 'test authority',
      notBefore: now - 3_600_000_000_000n,
      notAfter: now + 86_400_000_000_000n,
      components: SOFTWARE,
      registers: [],
    };
    network.references.add(await signManifest(manifest, network.centre.signer, network.centre.kid));
    return network;
  }

  identity(name: string, role: Role): Promise<Identity> {
    return obtainIdentity(join(this.dir, name), { name, role }, async (request) => ({
      certificate: await this.ca.issue(request, { name, role }),
      ca: this.ca.certificatePem,
    }));
  }

  /** Makes nodes that are all neighbours of each other, starts and connects them. */
  async mesh(names: readonly string[]): Promise<void> {
    for (const name of names) await this.#add(name, names);
    for (const { node } of this.nodes.values()) node.start();
    if (this.kind === 'tls') return;
    for (const [i, a] of names.entries()) for (const b of names.slice(i + 1)) this.connect(a, b);
  }

  async #add(name: string, neighbours: readonly string[]): Promise<void> {
    const identity = await this.identity(name, 'network');
    const measurements = new TestMeasurements(this.clock);
    const attester = await openSoftwareAttester({
      identity: () => identity,
      secretFile: join(this.dir, `${name}.uds`),
      measurements,
      clock: this.clock,
    });
    const verifier = () =>
      new Verifier({
        name,
        signer: identity.signer,
        kid: () => identity.kid,
        clock: this.clock,
        policy: () => REAL_POLICY,
        references: this.references,
        caPem: this.ca.certificatePem,
      });
    const keys = new CertificateDirectory({ caPem: this.ca.certificatePem, clock: this.clock });
    keys.learn(this.centre.certificate.der);
    const events: TcnEvent[] = [];
    const node = new TcnNode({
      identity: identityOf(identity),
      attester,
      appraiser: appraiserOf(verifier()),
      reappraiser: reappraiserOf(verifier()),
      keys,
      neighbours,
      policy: () => REAL_POLICY,
      software: 'test',
      clock: this.clock,
      after: this.after,
      random: Math.random,
      randomBytes,
      onEvent: (event) => events.push(event),
    });
    const security: string[] = [];
    let transport: TlsTransport | undefined;
    if (this.kind === 'tls') {
      transport = new TlsTransport({
        identity,
        listen: { host: '127.0.0.1', port: 0 },
        // Each one dials those that were there before it.
        neighbours: [...this.nodes].map(([other, { transport: theirs }]) => ({
          name: other,
          address: theirs!.address!,
        })),
        attach: (channel) => node.attach(channel),
        isConnected: (other) => node.connected.includes(other),
        clock: this.clock,
        after: this.after,
        random: Math.random,
        idle: 10_000,
        onSecurity: (event) => security.push(event.name),
      });
      await transport.start();
    }
    this.nodes.set(name, { identity, measurements, attester, node, transport, events, security });
  }

  connect(a: string, b: string): void {
    const peer = (name: string) => ({ name, role: 'network' as const });
    const [dialler, listener] = memoryChannels({ dialler: peer(a), listener: peer(b), after: this.after });
    this.get(a).node.attach(dialler);
    this.get(b).node.attach(listener);
  }

  get(name: string): RealNode {
    return this.nodes.get(name)!;
  }

  reaction(of: string, at: string): string | undefined {
    return this.get(at).node.get(of)?.reaction;
  }

  good(of: string, at: string): boolean {
    return this.get(at).node.get(of)?.trustedUntil !== undefined;
  }

  /** Waits; in memory, virtual time passes. The bound only bails out. */
  async until(what: () => boolean): Promise<void> {
    if (this.kind === 'memory') {
      await this.time.until(what, 60_000);
      return;
    }
    const deadline = performance.now() + 60_000;
    while (!what()) {
      if (performance.now() > deadline) throw new Error(`not within a minute: ${what.toString()}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async release(node: string, to: string): Promise<boolean> {
    const release = {
      node,
      action: 'release' as const,
      sequence: ++this.#orders,
      at: this.clock.now(),
      reason: 'repaired',
      persons: ['anna', 'ben'],
    };
    return this.get(to).node.order(await signRelease(this.centre.signer, this.centre.kid, release));
  }

  async close(): Promise<void> {
    for (const { node } of this.nodes.values()) node.close();
    for (const { transport } of this.nodes.values()) await transport?.close();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
