/**
 * Part of the nodes of `benchmarks/tcn.ts`, in a thread of its own. Nodes of the same thread talk in memory; those of two threads
 * through a port between the threads.
 */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { join } from 'node:path';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import {
  type Component,
  DEVELOPMENT_POLICY,
  MeasurementList,
  openSoftwareAttester,
  ReferenceValues,
  sha256,
  signManifest,
  Verifier,
} from '@enerchain/attestation';
import { systemClock } from '@enerchain/model';
import { buildCertificate, nameOf, type Signer, toPem } from '@enerchain/pki';
import {
  type After,
  appraiserOf,
  CertificateDirectory,
  type Channel,
  type ChannelHandlers,
  identityOf,
  memoryChannels,
  reappraiserOf,
  TcnNode,
} from '@enerchain/tcn';
import { holderUri, type Identity, makeIdentity } from '@enerchain/trust';
import { AUTHORITY, CHORD_OF, type Command, neighboursOf, type Setup, threadOf } from './layout.ts';

const setup = workerData as Setup & { readonly port: MessagePort };
const { nodes: NODES, components: COMPONENTS, thread, threads, period } = setup;
const POLICY = { ...DEVELOPMENT_POLICY, name: 'benchmark', period, validFor: 15 * period };
const HOUR = 3_600_000;
const clock = systemClock;
/** The same in all threads, milliseconds. */
const wall = () => performance.timeOrigin + performance.now();
const nameAt = (i: number) => `node-${(i + NODES) % NODES}`;

const after: After = (milliseconds, action) => {
  if (milliseconds > 0) {
    const timer = setTimeout(action, milliseconds);
    return () => clearTimeout(timer);
  }
  const immediate = setImmediate(action);
  return () => clearImmediate(immediate);
};

function signerOf(keyPem: string): Signer {
  const key = createPrivateKey(keyPem);
  return {
    algorithm: 'ES256',
    origin: 'file',
    publicKey: createPublicKey(key),
    sign: (data) => sign('sha256', data, { key, dsaEncoding: 'ieee-p1363' }),
  };
}

const authority = signerOf(setup.caKeyPem);

async function newIdentity(name: string): Promise<Identity> {
  const keyPem = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
    type: 'pkcs8',
    format: 'pem',
  }) as string;
  const signer = signerOf(keyPem);
  const der = await buildCertificate(
    {
      notBefore: new Date(Date.now() - HOUR),
      notAfter: new Date(Date.now() + 24 * HOUR),
      issuer: nameOf({ commonName: AUTHORITY }),
      subject: nameOf({ commonName: name }),
      publicKey: signer.publicKey,
      extensions: {
        basicConstraints: { ca: false },
        keyUsage: ['digitalSignature'],
        subjectAltName: [holderUri({ name, role: 'network' })],
      },
    },
    authority,
  );
  return makeIdentity({ certificatePem: toPem('CERTIFICATE', der), caPem: setup.caPem, signer, keyPem });
}

const component = (name: string, content = name): Component => ({
  name,
  digest: Uint8Array.from(sha256(Buffer.from(content))),
});
const SOFTWARE = [
  component('runtime:node'),
  component('config:process'),
  ...Array.from({ length: COMPONENTS - 2 }, (_, i) => component(`platform/part-${i}.ts`)),
];

class Measurements {
  readonly list = new MeasurementList(randomBytes(16).toString('hex'));
  readonly #listeners = new Set<() => void>();
  constructor() {
    this.list.append({ kind: 'start', at: clock.now(), components: SOFTWARE });
  }
  async rescan(): Promise<void> {}
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
  change(told: boolean): void {
    this.list.append({
      kind: 'more',
      at: clock.now(),
      components: [component('platform/part-1.ts', 'something else')],
    });
    if (told) for (const each of this.#listeners) each();
  }
}

/** A connection to a node of another thread. */
class PortChannel implements Channel {
  readonly peer: Channel['peer'];
  readonly exporter: Uint8Array;
  readonly remote = 'another thread';
  readonly buffered = 0;
  readonly dialled: boolean;
  readonly #key: string;
  #handlers: ChannelHandlers | undefined;
  #early: Uint8Array[] = [];

  /** @param key `<from>><to>`: how the other thread names its end */
  constructor(peer: string, link: string, key: string, dialled: boolean) {
    this.peer = { name: peer, role: 'network' };
    this.exporter = createHash('sha256').update(`${setup.secret} ${link}`).digest();
    this.#key = key;
    this.dialled = dialled;
  }

  open(handlers: ChannelHandlers): void {
    this.#handlers = handlers;
    for (const bytes of this.#early.splice(0)) handlers.message(bytes);
  }

  send(bytes: Uint8Array): void {
    setup.port.postMessage([this.#key, bytes]);
  }

  receive(bytes: Uint8Array): void {
    if (this.#handlers) this.#handlers.message(bytes);
    else this.#early.push(bytes);
  }

  close(): void {}
}

const references = new ReferenceValues();
references.add(
  await signManifest(
    {
      id: 'benchmark',
      version: 1,
      signer: 'benchmark',
      notBefore: clock.now() - BigInt(HOUR) * 1_000_000n,
      notAfter: clock.now() + 24n * BigInt(HOUR) * 1_000_000n,
      components: SOFTWARE,
      registers: [],
    },
    authority,
    sha256(authority.publicKey.export({ type: 'spki', format: 'der' })),
  ),
);
const keys = new CertificateDirectory({ caPem: setup.caPem });
const mine = new Map<number, { readonly node: TcnNode; readonly measurements: Measurements }>();
const remote = new Map<string, PortChannel>();

for (let i = 0; i < NODES; i++) {
  if (threadOf(i, NODES, threads) !== thread) continue;
  const identity = await newIdentity(nameAt(i));
  const measurements = new Measurements();
  const attester = await openSoftwareAttester({
    identity: () => identity,
    secretFile: join(setup.folder, identity.name),
    measurements,
  });
  const verifier = () =>
    new Verifier({
      name: identity.name,
      signer: identity.signer,
      kid: () => identity.kid,
      clock,
      policy: () => POLICY,
      references,
      caPem: setup.caPem,
    });
  const node = new TcnNode({
    identity: identityOf(identity),
    attester,
    appraiser: appraiserOf(verifier()),
    reappraiser: reappraiserOf(verifier()),
    keys,
    neighbours: neighboursOf(i, NODES).map(nameAt),
    policy: () => POLICY,
    software: 'benchmark',
    clock,
    after,
    random: Math.random,
    randomBytes,
    // Not all at once: a network that has just been switched on is another matter.
    timing: { first: 10 * period * 1000, timeout: 10_000 },
    onChange: (changed) => {
      for (const { node: about, reaction } of changed) {
        if (reaction === 'quarantine') parentPort!.postMessage({ quarantined: about, at: identity.name, time: wall() });
      }
    },
  });
  mine.set(i, { node, measurements });
}

setup.port.on('message', ([key, bytes]: [string, Uint8Array]) => remote.get(key)?.receive(bytes));

parentPort!.on('message', (command: Command) => {
  switch (command.kind) {
    case 'start':
      for (const { node } of mine.values()) node.start();
      for (let i = 0; i < NODES; i++) for (const step of [1, CHORD_OF(NODES)]) connect(i, (i + step) % NODES);
      return;
    case 'change': {
      const changed = mine.get(command.node);
      if (!changed) return;
      parentPort!.postMessage({ changed: nameAt(command.node), time: wall() });
      changed.measurements.change(command.told);
      return;
    }
    case 'count': {
      const all = [...mine.values()].map(({ node }) => node);
      const sum = (pick: (node: TcnNode) => number) => all.reduce((total, node) => total + pick(node), 0);
      parentPort!.postMessage({
        count: command.id,
        good: sum((node) => node.all().filter(({ trustedUntil }) => trustedUntil !== undefined).length),
        bytes: sum((node) => node.traffic().sentBytes),
        challenges: sum((node) => node.traffic().challenges),
        missed: sum((node) => node.traffic().missed),
      });
    }
  }
});
parentPort!.postMessage({ ready: thread });

function connect(a: number, b: number): void {
  const [first, second] = [mine.get(a), mine.get(b)];
  const link = `${a}>${b}`;
  if (first && second) {
    const peer = (i: number) => ({ name: nameAt(i), role: 'network' as const });
    const [dialler, listener] = memoryChannels({ dialler: peer(a), listener: peer(b), after, latency: () => 0 });
    first.node.attach(dialler);
    second.node.attach(listener);
  } else if (first || second) {
    // What the other end receives under, and what comes to us.
    const [out, incoming] = first ? [`${link} b`, `${link} a`] : [`${link} a`, `${link} b`];
    const channel = new PortChannel(nameAt(first ? b : a), link, out, first !== undefined);
    remote.set(incoming, channel);
    (first ?? second)!.node.attach(channel);
  }
}
