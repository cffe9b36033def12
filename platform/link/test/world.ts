/** What the tests of the link share: identities, a clock that stands still until told, a centre that keeps batches. */

import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, fromMillis, newMrid, type Observation, TIME_GOOD } from '@enerchain/model';
import type { GeneralName } from '@enerchain/pki';
import {
  DevelopmentCa,
  type Holder,
  type Identity,
  obtainIdentity,
  type Signer,
  serverTls,
  TLS_ONLY,
} from '@enerchain/trust';
import {
  type After,
  type Batch,
  BatchBuilder,
  batchToBytes,
  ChainVerifier,
  ChainWriter,
  type Connect,
  connectWebSocket,
  contentOf,
  decodeBatch,
  kidOf,
  LinkClient,
  type LinkClientOptions,
  type LinkEvent,
  type LinkPeer,
  type LinkPolicy,
  LinkServer,
  type LinkServerOptions,
  MemoryBatchStore,
  memoryPair,
  serveWebSocket,
  verifyBatch,
} from '../src/index.ts';

/** Set to move the wall clock of all worlds, in milliseconds. */
export const wallClock = { offset: 0 };

/** Time that passes only when told. */
export class ManualTime {
  #now = 0;
  #timers: { at: number; wait: number; action: () => void }[] = [];
  readonly clock: Clock = {
    now: () => fromMillis(Date.now() + this.#now + wallClock.offset),
    monotonic: () => this.#now,
  };
  readonly after: After = (milliseconds, action) => {
    const timer = { at: this.#now + milliseconds, wait: milliseconds, action };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((each) => each !== timer);
    };
  };

  /** Fires the timers that were set for exactly so long, without time passing. */
  async fire(milliseconds: number): Promise<void> {
    const due = this.#timers.filter(({ wait }) => wait === milliseconds);
    this.#timers = this.#timers.filter((timer) => !due.includes(timer));
    for (const { action } of due) action();
    await settle();
  }

  async pass(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds;
    for (;;) {
      const next = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#timers = this.#timers.filter((each) => each !== next);
      this.#now = Math.max(this.#now, next.at);
      next.action();
      await settle();
    }
    this.#now = end;
    await settle();
  }
}

/** Lets everything that is ready happen; no time passes. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** Waits for something that sockets bring about. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`never happened: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

export interface Pki {
  readonly ca: DevelopmentCa;
  readonly centre: Identity;
  /** @param signer holds the key of the identity; the connections get another one then */
  identity(holder: Holder, signer?: Signer): Promise<Identity>;
  remove(): Promise<void>;
}

export async function makePki(): Promise<Pki> {
  const dir = await mkdtemp(join(tmpdir(), 'enerchain-link-'));
  const ca = await DevelopmentCa.open(join(dir, 'ca'));
  const identity = (holder: Holder, signer?: Signer) => {
    const issue = (request: Uint8Array, ...more: GeneralName[]) =>
      ca.issue(request, { ...holder, hosts: [{ kind: 'ip', value: '127.0.0.1' }, ...more] });
    const apart = signer && { signer, tls: (request: Uint8Array) => issue(request, TLS_ONLY) };
    return obtainIdentity(
      join(dir, holder.name),
      holder,
      async (request) => ({ certificate: await issue(request), ca: ca.certificatePem }),
      apart ? { apart } : {},
    );
  };
  const centre = await identity({ name: 'centre', role: 'centre' });
  return { ca, centre, identity, remove: () => rm(dir, { recursive: true }) };
}

/** A signer with a key of its own that is nowhere else. */
export function newSigner(): Signer {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    algorithm: 'ES256',
    origin: 'file',
    publicKey,
    sign: (data) => sign('sha256', data, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
  };
}

export const observation = (fields: Partial<Observation> = {}): Observation => ({
  point: newMrid(),
  value: 1,
  quality: 0,
  sourceTime: 1_700_000_000_000_000_000n,
  timeQuality: TIME_GOOD,
  receiveTime: 1_700_000_000_100_000_000n,
  cause: 'spontaneous',
  repeat: false,
  ...fields,
});

/** A source: chain, store and link. */
export class TestSource {
  readonly store = new MemoryBatchStore();
  readonly writer: ChainWriter;
  readonly commands: Uint8Array[] = [];
  readonly states: string[] = [];
  readonly rejections: string[] = [];
  readonly point = newMrid();
  client: LinkClient;
  #value = 0;

  readonly identity: Identity;

  constructor(identity: Identity, options: Partial<LinkClientOptions> & Pick<LinkClientOptions, 'url'>) {
    this.identity = identity;
    this.writer = new ChainWriter({ source: identity.name, signer: identity.signer, kid: identity.kid });
    this.client = new LinkClient({
      identity,
      software: 'test 1',
      store: this.store,
      random: () => 0,
      onCommand: (bytes) => this.commands.push(bytes),
      onState: (state, reason) => this.states.push(reason ? `${state}: ${reason}` : state),
      onReject: ({ code }) => this.rejections.push(code),
      ...options,
    });
  }

  async write(count = 1): Promise<Batch[]> {
    const batches: Batch[] = [];
    for (let i = 0; i < count; i++) {
      const builder = new BatchBuilder();
      builder.add(observation({ point: this.point, value: ++this.#value }));
      const batch = await this.writer.next({ kind: 'observations', batch: builder.build() });
      const bytes = batchToBytes(batch);
      const { epoch, sequence } = batch.header;
      this.store.append({ epoch, sequence }, bytes);
      this.client.send({ epoch, sequence, bytes });
      batches.push(batch);
    }
    return batches;
  }
}

/** A centre that checks and keeps what comes. */
export class TestCentre implements LinkPolicy {
  readonly verifiers = new Map<string, ChainVerifier>();
  readonly values = new Map<string, number[]>();
  readonly order: string[] = [];
  readonly events: LinkEvent[] = [];
  readonly connects: LinkPeer[] = [];
  readonly endings: string[] = [];
  readonly reports: unknown[] = [];
  readonly server: LinkServer;
  /** Set to hold acknowledgements back. */
  gate: Promise<void> | undefined;
  onRequest?: NonNullable<LinkPolicy['onRequest']>;
  onDuplicate?: NonNullable<LinkPolicy['onDuplicate']>;
  mayRelay?: NonNullable<LinkPolicy['mayRelay']>;

  constructor(identity: Identity, options: Partial<LinkServerOptions> = {}) {
    this.server = new LinkServer({ identity, policy: this, ...options });
  }

  verifier(source: string): ChainVerifier {
    let verifier = this.verifiers.get(source);
    if (!verifier) {
      verifier = new ChainVerifier();
      this.verifiers.set(source, verifier);
    }
    return verifier;
  }

  admit({ source }: { source: string }) {
    const verifier = this.verifier(source);
    return { completed: verifier.completed, cursors: verifier.cursors() };
  }

  async onBatch(peer: LinkPeer, bytes: Uint8Array) {
    const batch = decodeBatch(bytes);
    const key = peer.keyOf(kidOf(batch));
    if (!key) throw new Error('no key');
    verifyBatch(batch, key);
    const verifier = this.verifier(peer.source);
    const verdict = verifier.check(batch);
    if (verdict.kind === 'broken') {
      const { EnerchainError } = await import('@enerchain/model');
      throw new EnerchainError('peer', `link.chain.${verdict.reason}`, verdict.text);
    }
    const { epoch, sequence } = batch.header;
    if (verdict.kind === 'next') {
      verifier.accept(batch);
      this.order.push(`${epoch}/${sequence}`);
      const content = contentOf(batch);
      if (content.kind === 'observations') {
        const values = this.values.get(peer.source) ?? [];
        this.values.set(peer.source, values);
        for (const column of content.batch.columns) values.push(...(column.value as Float64Array));
      }
    }
    await this.gate;
    return { epoch, sequence };
  }

  onConnect(peer: LinkPeer) {
    this.connects.push(peer);
  }
  onDisconnect(peer: LinkPeer, ending: { code: string }) {
    this.endings.push(`${peer.source} ${ending.code}`);
  }
  onEvent(event: LinkEvent) {
    this.events.push(event);
  }
  onStatus(_peer: LinkPeer, report: unknown) {
    this.reports.push(report);
  }
}

/** A way from sources to a server: memory or mTLS on loopback. */
export interface Wire {
  readonly name: string;
  readonly url: string;
  readonly connect: Connect;
  /** Cuts all connections. */
  cut(): void;
  /** Refuses new ones while false. */
  up: boolean;
  close(): Promise<void>;
}

export function memoryWire(server: LinkServer, centre: Identity): Wire {
  let open: (() => void)[] = [];
  const wire: Wire = {
    name: 'memory',
    url: 'wss://centre',
    up: true,
    connect: async (_url, identity) => {
      if (!wire.up) throw new Error('the wire is down');
      const pair = memoryPair({ client: identity.tls.certificate.der, server: centre.tls.certificate.der });
      open.push(() => pair.client.abort());
      server.accept(pair.server);
      return pair.client;
    },
    cut: () => {
      for (const abort of open) abort();
      open = [];
    },
    close: async () => server.close(),
  };
  return wire;
}

export async function tlsWire(server: LinkServer, centre: Identity): Promise<Wire> {
  const https: Server = createServer(serverTls(centre));
  const stop = serveWebSocket(https, (transport) => server.accept(transport));
  await new Promise<void>((resolve) => https.listen(0, '127.0.0.1', resolve));
  const sockets = new Set<{ destroy(): void }>();
  https.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const wire: Wire = {
    name: 'mTLS',
    url: `wss://127.0.0.1:${(https.address() as AddressInfo).port}/link`,
    up: true,
    connect: async (...args) => {
      if (!wire.up) throw new Error('the wire is down');
      return connectWebSocket(...args);
    },
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
    close: async () => {
      stop();
      await server.close();
      https.closeAllConnections();
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => https.close(resolve));
    },
  };
  return wire;
}
