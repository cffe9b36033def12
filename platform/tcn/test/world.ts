/** A network of nodes in virtual time, on memory transport, with real signatures. */
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import {
  type AttestationResult,
  type Attester,
  DEVELOPMENT_POLICY,
  type NodeRole,
  signResult,
  type TrustPolicy,
} from '@enerchain/attestation';
import type { UtcNanos } from '@enerchain/model';
import { type CborValue, decodeCbor, encodeCbor, type Signer } from '@enerchain/trust';
import {
  type Appraiser,
  type Channel,
  type Heard,
  type KeyDirectory,
  type KnownKey,
  memoryChannels,
  signRelease,
  type TcnEvent,
  TcnNode,
  type TcnOptions,
} from '../src/index.ts';
import { VirtualTime } from './virtual-time.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

/** Certificates without certification: bytes that say who holds which key. */
export class TestKeys implements KeyDirectory {
  static readonly issued = new Map<string, KnownKey>();
  readonly #known = new Set<string>();

  keyOf(kid: Uint8Array): KnownKey | undefined {
    return this.#known.has(hex(kid)) ? TestKeys.issued.get(hex(kid)) : undefined;
  }

  learn(der: Uint8Array): KnownKey {
    const kid = hex(sha256(der));
    const known = TestKeys.issued.get(kid);
    if (!known) throw new Error('not of our authority');
    this.#known.add(kid);
    return known;
  }
}

export interface TestIdentity {
  readonly name: string;
  readonly role: NodeRole;
  readonly kid: Uint8Array;
  readonly certificate: Uint8Array;
  readonly signer: Signer;
}

export function testIdentity(name: string, role: NodeRole): TestIdentity {
  const { privateKey: key, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const certificate = encodeCbor([name, role, publicKey.export({ type: 'spki', format: 'der' })]);
  const kid = sha256(certificate);
  TestKeys.issued.set(hex(kid), { name, role, key: publicKey, der: certificate });
  const signer: Signer = {
    algorithm: 'ES256',
    origin: 'file',
    publicKey,
    sign: (data) => sign('sha256', data, { key, dsaEncoding: 'ieee-p1363' }),
  };
  return { name, role, kid, certificate, signer };
}

/** What runs on a node, as its attester tells it: `[node, software, boot, time, bindings]`, signed in the form of a MAC. */
export class Device implements Attester {
  readonly node: string;
  readonly tier = 'software';
  software = 'as delivered';
  boot = 'boot-1';
  /** Shown instead of what is fresh. */
  replay: Uint8Array | undefined;
  stopped = false;
  /** By how much its clock is wrong, ns. */
  clockOff = 0n;
  quotes = 0;
  readonly #time: VirtualTime;
  readonly #listeners = new Set<() => void>();

  constructor(node: string, time: VirtualTime) {
    this.node = node;
    this.#time = time;
  }

  /** @param told whether the measurer notices it */
  change(software: string, told = true): void {
    this.software = software;
    if (told) for (const each of this.#listeners) each();
  }

  evidence(bindings: readonly Uint8Array[]): Promise<Uint8Array> {
    if (this.stopped) return new Promise(() => undefined);
    this.quotes++;
    if (this.replay) return Promise.resolve(this.replay);
    const body = encodeCbor([this.node, this.software, this.boot, this.#time.clock.now() + this.clockOff, bindings]);
    return Promise.resolve(encodeCbor([body, mac(this.node, body)]));
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

const mac = (node: string, body: Uint8Array) => sha256(Buffer.concat([Buffer.from(`key of ${node}`), body]));

/** Appraises what `Device` tells. */
export class TestVerifier implements Appraiser {
  /** Called before each appraisal: may throw or never resolve. */
  before: () => Promise<void> = () => Promise.resolve();
  readonly #identity: TestIdentity;
  readonly #time: VirtualTime;
  readonly #policy: TrustPolicy;
  #sequence = 0;

  constructor(identity: TestIdentity, time: VirtualTime, policy: TrustPolicy) {
    this.#identity = identity;
    this.#time = time;
    this.#policy = policy;
  }

  timeOf(evidence: Uint8Array): UtcNanos | undefined {
    return read(evidence)?.at;
  }

  async appraise(evidence: Uint8Array, { node, binding }: { node: string; binding: Uint8Array }) {
    await this.before();
    const shown = read(evidence);
    const authentic = shown?.node === node && Buffer.compare(mac(node, shown.body), shown.mac) === 0;
    const bound = authentic && shown.bindings.some((each) => Buffer.compare(each, binding) === 0);
    const good = shown?.software === 'as delivered' || shown?.software === 'as updated';
    const reasons = !authentic
      ? ['the evidence is not signed by its node']
      : !bound
        ? ['the evidence does not answer this challenge']
        : good
          ? []
          : [`runs ${shown.software}`];
    const issuedAt = this.#time.clock.now();
    const result: AttestationResult = {
      node,
      verifier: this.#identity.name,
      tier: 'software',
      status: reasons.length > 0 ? 'contraindicated' : 'warning',
      vector: { instanceIdentity: bound ? 2 : 99, ...(bound ? { executables: good ? 33 : 96 } : {}) },
      reasons,
      binding,
      evidence: sha256(evidence),
      policy: this.#policy.name,
      issuedAt,
      validUntil: issuedAt + BigInt(this.#policy.validFor * 1e9),
      sequence: ++this.#sequence,
      boot: shown?.boot ?? '',
    };
    return signResult(result, this.#identity.signer, this.#identity.kid);
  }
}

function read(evidence: Uint8Array) {
  try {
    const [body, tag] = decodeCbor(evidence) as [Uint8Array, Uint8Array];
    const [node, , boot, at, bindings] = decodeCbor(body) as [string, string, string, number | bigint, Uint8Array[]];
    const software = (decodeCbor(body) as CborValue[])[1] as string;
    return { body, mac: tag, node, software, boot, at: BigInt(at), bindings };
  } catch {
    return undefined;
  }
}

/** Numbers that look random and are the same each time (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export const TEST_POLICY: TrustPolicy = {
  ...DEVELOPMENT_POLICY,
  name: 'test-1',
  period: 2,
  validFor: 6,
  silenceQuorum: 2,
  isolateAfter: 10,
};

export interface Member {
  readonly identity: TestIdentity;
  readonly device: Device;
  readonly verifier: TestVerifier;
  readonly node: TcnNode;
  readonly events: TcnEvent[];
  readonly heard: Heard[];
}

export class World {
  readonly time = new VirtualTime();
  readonly members = new Map<string, Member>();
  readonly centre = testIdentity('centre', 'centre');
  readonly #links = new Map<string, Channel>();
  readonly #random: () => number;
  readonly #keys = new Map<string, TestKeys>();
  #orders = 0;

  constructor(seed = 1) {
    this.#random = seeded(seed);
  }

  add(name: string, neighbours: readonly string[], options: Partial<TcnOptions> & { role?: NodeRole } = {}): Member {
    const { role = 'network', ...rest } = options;
    const identity = testIdentity(name, role);
    const policy = options.policy ? options.policy() : TEST_POLICY;
    const device = new Device(name, this.time);
    const verifier = new TestVerifier(identity, this.time, policy ?? TEST_POLICY);
    const keys = new TestKeys();
    keys.learn(this.centre.certificate);
    this.#keys.set(name, keys);
    const events: TcnEvent[] = [];
    const heard: Heard[] = [];
    const node = new TcnNode({
      identity,
      attester: device,
      appraiser: verifier,
      reappraiser: verifier,
      keys,
      neighbours,
      policy: () => policy,
      software: 'test',
      clock: this.time.clock,
      after: this.time.after,
      random: this.#random,
      randomBytes: (count) => Uint8Array.from({ length: count }, () => Math.floor(this.#random() * 256)),
      onEvent: (event) => events.push(event),
      onStatement: (each) => heard.push(each),
      ...rest,
    });
    const member = { identity, device, verifier, node, events, heard };
    this.members.set(name, member);
    return member;
  }

  get(name: string): Member {
    return this.members.get(name)!;
  }

  /** Starts all and connects all neighbours. */
  start(): void {
    for (const { node } of this.members.values()) node.start();
    for (const [a, b] of this.edges()) this.connect(a, b);
  }

  edges(): [string, string][] {
    const pairs: [string, string][] = [];
    for (const [name, { node }] of this.members) {
      for (const other of node.neighbours) if (name < other && this.members.has(other)) pairs.push([name, other]);
    }
    return pairs;
  }

  connect(a: string, b: string): void {
    const peer = (name: string) => ({ name, role: this.get(name).identity.role });
    const [dialler, listener] = memoryChannels({ dialler: peer(a), listener: peer(b), after: this.time.after });
    this.#links.set([a, b].sort().join('|'), dialler);
    this.get(a).node.attach(dialler);
    this.get(b).node.attach(listener);
  }

  cut(a: string, b: string): void {
    const key = [a, b].sort().join('|');
    this.#links.get(key)?.close('cut');
    this.#links.delete(key);
  }

  /** The order of the operator, given to one node. */
  async order(action: 'release' | 'quarantine', node: string, to: string, signer = this.centre): Promise<boolean> {
    const order = {
      node,
      action,
      sequence: ++this.#orders,
      at: this.time.clock.now(),
      reason: 'repaired',
      persons: ['anna', 'ben'],
    };
    return this.get(to).node.order(await signRelease(signer.signer, signer.kid, order));
  }

  reaction(of: string, at: string): string | undefined {
    return this.get(at).node.get(of)?.reaction;
  }

  status(of: string, at: string): string | undefined {
    return this.get(at).node.get(of)?.status;
  }

  good(of: string, at: string): boolean {
    return this.get(at).node.get(of)?.trustedUntil !== undefined;
  }

  close(): void {
    for (const { node } of this.members.values()) node.close();
  }
}

/** A ring of nodes in which everybody also knows the next but one. */
export function ringOf(names: readonly string[], seed = 1): World {
  const world = new World(seed);
  const at = (i: number) => names[(i + names.length) % names.length]!;
  names.forEach((name, i) => {
    world.add(
      name,
      [...new Set([at(i - 2), at(i - 1), at(i + 1), at(i + 2)])].filter((other) => other !== name),
    );
  });
  return world;
}
