/** A small real centre for the tests of the edge: enrolment, link, signatures and chains checked, nothing else. */
import { mkdtempSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import {
  ChainVerifier,
  type Content,
  contentOf,
  decodeBatch,
  kidOf,
  type LinkPeer,
  LinkServer,
  observationsOf,
  serveWebSocket,
  verifyBatch,
} from '@enerchain/link';
import {
  type CommandEvent,
  type CommandOrder,
  EnerchainError,
  type GapRecord,
  type ListApproval,
  newMrid,
  type Observation,
  type SiteDocument,
  type SourceEvent,
  type SourceReport,
  systemClock,
} from '@enerchain/model';
import {
  type CborValue,
  CommandSession,
  DevelopmentCa,
  enrolmentHandler,
  type Identity,
  OPERATORS_METHOD,
  obtainIdentity,
  SESSION_METHOD,
  serverTls,
  signCommand,
  signOperatorList,
} from '@enerchain/trust';

export class TestCentre {
  readonly ca: DevelopmentCa;
  readonly identity: Identity;
  readonly contents: { source: string; epoch: number; sequence: number; content: Content }[] = [];
  readonly problems: string[] = [];
  /** Key identifiers of the batches taken, hex. */
  readonly kids: string[] = [];
  verifier = new ChainVerifier();
  report: SourceReport | undefined;
  /** Thrown for the next batch, once. */
  refuseNext: Error | undefined;
  /** Batches that are never taken. */
  refuses: ((content: Content) => boolean) | undefined;
  port = 0;
  /** What commands answer. */
  readonly session = new CommandSession(systemClock);
  /** What further requests of the edge are answered with, by method. */
  readonly requests = new Map<string, (params: CborValue, peer: LinkPeer) => CborValue | Promise<CborValue>>();
  /** How many challenges have come. */
  challenges = 0;
  #server: Server | undefined;
  #link: LinkServer | undefined;
  readonly #observations: Observation[] = [];
  readonly #blocked = new WeakMap<LinkPeer, Set<number>>();
  readonly #sockets = new Set<Duplex>();

  private constructor(ca: DevelopmentCa, identity: Identity) {
    this.ca = ca;
    this.identity = identity;
  }

  static async open(): Promise<TestCentre> {
    const folder = mkdtempSync(join(tmpdir(), 'enerchain-centre-'));
    const ca = await DevelopmentCa.open(join(folder, 'ca'));
    const hosts = [{ kind: 'ip', value: '127.0.0.1' }] as const;
    const holder = { name: 'centre', role: 'centre' } as const;
    const identity = await obtainIdentity(
      join(folder, 'identity'),
      holder,
      async (request) => ({ certificate: await ca.issue(request, { ...holder, hosts }), ca: ca.certificatePem }),
      { hosts },
    );
    const centre = new TestCentre(ca, identity);
    await centre.listen();
    return centre;
  }

  get url(): string {
    return `wss://127.0.0.1:${this.port}`;
  }

  token(name: string): Promise<string> {
    return this.ca.createToken({ name, role: 'edge', address: `https://127.0.0.1:${this.port}`, validFor: 60_000 });
  }

  async listen(): Promise<void> {
    const enrolment = enrolmentHandler({ authority: this.ca });
    const server = createServer(serverTls(this.identity), (request, response) => {
      if (!enrolment(request, response)) response.writeHead(404).end();
    });
    server.on('connection', (socket: Duplex) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    this.#link = new LinkServer({
      identity: this.identity,
      window: 512 * 1024,
      policy: {
        admit: () => ({ completed: this.verifier.completed, cursors: this.verifier.cursors() }),
        onBatch: async (peer, bytes) => this.#take(peer, bytes),
        onRequest: (peer, method, params) => {
          const answer = this.requests.get(method);
          if (answer) return answer(params, peer);
          if (method !== SESSION_METHOD) throw new EnerchainError('unsupported', 'link.method', method);
          this.challenges++;
          this.session.challenged(params);
          return null;
        },
        onStatus: (_peer, report) => {
          this.report = report;
        },
        onEvent: ({ code, text }) => {
          if (code !== 'link.identity.duplicate') this.problems.push(`${code}: ${text}`);
        },
      },
    });
    serveWebSocket(server, (transport) => this.#link!.accept(transport));
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
    this.port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** What comes behind a refused batch in its epoch is not taken either, also when it is on its way already. */
  #take(peer: LinkPeer, bytes: Uint8Array): { epoch: number; sequence: number } {
    const blocked = this.#blocked.get(peer) ?? new Set();
    this.#blocked.set(peer, blocked);
    const { epoch } = decodeBatch(bytes).header;
    if (blocked.has(epoch)) throw new EnerchainError('peer', 'test.blocked', 'its epoch is blocked');
    try {
      return this.#check(peer, bytes);
    } catch (error) {
      blocked.add(epoch);
      throw error;
    }
  }

  #check(peer: LinkPeer, bytes: Uint8Array): { epoch: number; sequence: number } {
    if (this.refuseNext) {
      const error = this.refuseNext;
      this.refuseNext = undefined;
      throw error;
    }
    const batch = decodeBatch(bytes);
    const key = peer.keyOf(kidOf(batch)) ?? this.ca.certificateOf(kidOf(batch))?.publicKey;
    if (!key) throw new EnerchainError('peer', 'test.key', 'unknown key');
    verifyBatch(batch, key);
    this.kids.push(Buffer.from(kidOf(batch)).toString('hex'));
    const { source, epoch, sequence } = batch.header;
    if (this.refuses?.(contentOf(batch))) throw new EnerchainError('peer', 'test.poison', 'this batch is never taken');
    const verdict = this.verifier.check(batch);
    if (verdict.kind === 'broken') throw new EnerchainError('peer', 'test.broken', verdict.text);
    if (verdict.kind === 'next') {
      if (verdict.missing) this.problems.push(`missing ${JSON.stringify(verdict.missing)}`);
      this.verifier.accept(batch);
      const content = contentOf(batch);
      if (content.kind === 'gap') this.verifier.acceptGap(content.gap);
      this.contents.push({ source, epoch, sequence, content });
      if (content.kind === 'observations') this.#observations.push(...observationsOf(content.batch));
    }
    return { epoch, sequence };
  }

  /** Cuts every connection, as a broken line does. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.cut();
    await this.#link?.close();
    await new Promise((resolve) => this.#server?.close(resolve));
  }

  get online(): boolean {
    return (this.#link?.peers().length ?? 0) > 0;
  }

  async send(order: CommandOrder, sign = this.identity.signer): Promise<Uint8Array> {
    await until(() => this.session.challenge !== undefined, 'the edge names a challenge');
    const bytes = await signCommand(sign, this.identity.kid, this.session.answer(order));
    this.#link!.peer('edge-test')!.command(bytes);
    return bytes;
  }

  peer(source: string): LinkPeer | undefined {
    return this.#link?.peer(source);
  }

  /** Asks the edge. */
  ask(method: string, params: CborValue): Promise<CborValue> {
    return this.#link!.peer('edge-test')!.request(method, params);
  }

  sendBytes(bytes: Uint8Array): void {
    this.#link!.peer('edge-test')!.command(bytes);
  }

  /** Gives the edge lists of operators, signed by this centre. @returns the code of the refusal, or the version it holds */
  async giveOperators(...lists: { payload: Uint8Array; approval?: ListApproval }[]): Promise<unknown> {
    const { signer, kid } = this.identity;
    const documents = await Promise.all(
      lists.map(({ payload, approval }) => signOperatorList(signer, kid, payload, approval)),
    );
    return this.#link!.peer('edge-test')!
      .request(OPERATORS_METHOD, { documents })
      .then((answer) => (answer as { version: number }).version)
      .catch((error: EnerchainError) => error.code);
  }

  #all<T>(pick: (content: Content) => readonly T[]): T[] {
    return this.contents.flatMap(({ content }) => pick(content));
  }

  observations(): readonly Observation[] {
    return this.#observations;
  }

  gaps(): GapRecord[] {
    return this.#all((content) => (content.kind === 'gap' ? [content.gap] : []));
  }

  commandEvents(): CommandEvent[] {
    return this.#all((content) => (content.kind === 'commandEvents' ? content.events : []));
  }

  sourceEvents(): SourceEvent[] {
    return this.#all((content) => (content.kind === 'sourceEvents' ? content.events : []));
  }

  sites(): SiteDocument[] {
    return this.#all((content) => (content.kind === 'site' ? [content.document] : []));
  }
}

export const commandFor = (point: string, over: Partial<CommandOrder> = {}): CommandOrder => ({
  id: newMrid(),
  point,
  action: 'operate',
  value: 1,
  validFor: 60_000,
  issuedAt: String(BigInt(Date.now()) * 1_000_000n),
  origin: { orCat: 'remoteControl', orIdent: 'test' },
  target: 'edge-test',
  ...over,
});

export async function until(condition: () => boolean, what: string, milliseconds = 60_000): Promise<void> {
  const deadline = performance.now() + milliseconds;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`never happened: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
