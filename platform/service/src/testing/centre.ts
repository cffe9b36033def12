/**
 * For tests of services: a centre as small as can be, in memory. Real identities, real links, real chains; a log that is an
 * array, and the methods that a service may call.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  BatchBuilder,
  batchToBytes,
  ChainVerifier,
  ChainWriter,
  type Connect,
  type Content,
  contentOf,
  decodeBatch,
  type HttpRequest,
  type HttpResponse,
  kidOf,
  type LinkPeer,
  LinkServer,
  type LogItem,
  memoryPair,
  type RequestContext,
  verifyBatch,
} from '@enerchain/link';
import { EnerchainError, type Mrid, type SiteDocument, systemClock, TIME_GOOD } from '@enerchain/model';
import { type CborValue, DevelopmentCa, type Holder, type Identity, obtainIdentity } from '@enerchain/trust';

export class ServiceCentre {
  readonly log: LogItem[] = [];
  readonly contents: { readonly source: string; readonly content: Content }[] = [];
  readonly verdicts: string[] = [];
  readonly prefixes: string[] = [];
  readonly reads: unknown[] = [];
  readonly pages: unknown[] = [];
  /** What else is answered, by method. */
  readonly answers = new Map<string, (params: CborValue) => CborValue>();
  sites: SiteDocument[] = [];
  /** The next batch is rejected. */
  refuseNext = false;
  readonly connect: Connect;
  readonly #folder: string;
  readonly #ca: DevelopmentCa;
  readonly #edge: ChainWriter;
  readonly #server: LinkServer;
  readonly #verifiers = new Map<string, ChainVerifier>();
  readonly #waiting = new Set<() => void>();
  readonly #watching: { readonly when: () => boolean; readonly done: () => void }[] = [];
  #pair: { abort(): void } | undefined;

  private constructor(folder: string, ca: DevelopmentCa, centre: Identity, edge: Identity) {
    this.#folder = folder;
    this.#ca = ca;
    this.#edge = new ChainWriter({ source: edge.name, signer: edge.signer, kid: edge.kid });
    this.#server = new LinkServer({
      identity: centre,
      policy: {
        admit: ({ source }) => {
          const verifier = this.#verifier(source);
          return { completed: verifier.completed, cursors: verifier.cursors() };
        },
        onBatch: async (peer, bytes) => this.#onBatch(peer, bytes),
        onRequest: (peer, method, params, context) => this.#onRequest(peer, method, params, context),
      },
    });
    this.connect = async (_url, identity) => {
      const pair = memoryPair({ client: identity.tls.certificate.der, server: centre.tls.certificate.der });
      this.#pair = pair.client;
      this.#server.accept(pair.server);
      return pair.client;
    };
  }

  static async open(): Promise<ServiceCentre> {
    const folder = await mkdtemp(join(tmpdir(), 'service-'));
    const ca = await DevelopmentCa.open(join(folder, 'ca'));
    const centre = await identityOf(folder, ca, { name: 'centre', role: 'centre' });
    const edge = await identityOf(folder, ca, { name: 'edge-a', role: 'edge' });
    return new ServiceCentre(folder, ca, centre, edge);
  }

  identity(holder: Holder): Promise<Identity> {
    return identityOf(this.#folder, this.#ca, holder);
  }

  dataDir(): string {
    return join(this.#folder, 'data');
  }

  cut(): void {
    this.#pair?.abort();
  }

  /** Throws the log away, as somebody does who restores a backup. */
  forgetLog(): void {
    this.log.length = 0;
  }

  async close(): Promise<void> {
    await this.#server.close();
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** Values from the field, on the edge's chain. */
  async field(values: readonly (readonly [Mrid, number])[], quality = 0): Promise<void> {
    const builder = new BatchBuilder();
    const at = systemClock.now();
    for (const [point, value] of values) {
      builder.add({
        point,
        value,
        quality,
        sourceTime: at,
        timeQuality: TIME_GOOD,
        receiveTime: at,
        cause: 'spontaneous',
        repeat: false,
      });
    }
    this.#append('edge-a', batchToBytes(await this.#edge.next({ kind: 'observations', batch: builder.build() })));
  }

  async audit(action: string): Promise<void> {
    const record = { action, actor: 'somebody', outcome: 'ok' as const };
    this.#append('centre', batchToBytes(await this.#edge.next({ kind: 'audit', record })));
  }

  /** @param service the one that answers */
  http(service: string, request: Partial<HttpRequest>): Promise<HttpResponse> {
    const whole = { method: 'GET', path: '/', headers: {}, user: { name: 'x', rights: [] }, ...request };
    return this.#server
      .peer(service)!
      .request('http', whole as unknown as CborValue) as unknown as Promise<HttpResponse>;
  }

  /** Resolves when something has come that fits; looked at with every batch and request. */
  until(when: () => boolean): Promise<void> {
    return when() ? Promise.resolve() : new Promise((done) => this.#watching.push({ when, done }));
  }

  /** The last value published for a point. */
  value(point: Mrid): { readonly value: unknown; readonly quality: number } | undefined {
    for (const { content } of [...this.contents].reverse()) {
      if (content.kind !== 'observations') continue;
      const column = content.batch.columns.find((each) => each.point === point);
      if (column) return { value: column.value.at(-1), quality: column.quality.at(-1)! };
    }
    return undefined;
  }

  #look(): void {
    for (const each of [...this.#watching]) {
      if (!each.when()) continue;
      this.#watching.splice(this.#watching.indexOf(each), 1);
      each.done();
    }
  }

  #verifier(source: string): ChainVerifier {
    const verifier = this.#verifiers.get(source) ?? new ChainVerifier();
    this.#verifiers.set(source, verifier);
    return verifier;
  }

  #append(source: string, batch: Uint8Array): void {
    this.log.push({ offset: this.log.length, at: systemClock.now(), source, batch, rejected: [] });
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  async #onBatch(peer: LinkPeer, bytes: Uint8Array): Promise<{ epoch: number; sequence: number }> {
    const batch = decodeBatch(bytes);
    verifyBatch(batch, peer.keyOf(kidOf(batch))!);
    if (this.refuseNext) {
      this.refuseNext = false;
      throw new EnerchainError('peer', 'test.refused', 'refused once');
    }
    const verifier = this.#verifier(peer.source);
    const verdict = verifier.check(batch);
    this.verdicts.push(verdict.kind === 'next' && (verdict.missing || verdict.unjoined) ? 'missing' : verdict.kind);
    if (verdict.kind === 'broken') throw new EnerchainError('peer', 'link.chain', verdict.text);
    verifier.accept(batch);
    const content = contentOf(batch);
    if (content.kind === 'gap') verifier.acceptGap(content.gap);
    this.contents.push({ source: peer.source, content });
    this.#append(peer.source, bytes);
    this.#look();
    return { epoch: batch.header.epoch, sequence: batch.header.sequence };
  }

  async #onRequest(_: LinkPeer, method: string, params: CborValue, context: RequestContext): Promise<CborValue> {
    try {
      switch (method) {
        case 'routes.register':
          this.prefixes.push((params as { prefix: string }).prefix);
          return null;
        case 'page.register':
          this.pages.push(params);
          return null;
        case 'points.get':
          for (const site of this.sites) await context.write(site as unknown as CborValue);
          return { revision: 1 };
        case 'log.read': {
          const { from } = params as { from: number };
          this.reads.push(from);
          this.#look();
          for (let at = from; !context.signal.aborted; ) {
            const item = this.log[at];
            if (!item) {
              await new Promise<void>((wake) => {
                this.#waiting.add(wake);
                context.signal.addEventListener('abort', () => wake(), { once: true });
              });
              continue;
            }
            await context.write(item as unknown as CborValue);
            at += 1;
          }
          return null;
        }
        default: {
          const answer = this.answers.get(method);
          if (answer) return answer(params);
          throw new EnerchainError('unsupported', 'link.method', method);
        }
      }
    } finally {
      this.#look();
    }
  }
}

async function identityOf(folder: string, ca: DevelopmentCa, holder: Holder): Promise<Identity> {
  return obtainIdentity(join(folder, holder.name), holder, async (request) => ({
    certificate: await ca.issue(request, { ...holder, hosts: [{ kind: 'ip', value: '127.0.0.1' }] }),
    ca: ca.certificatePem,
  }));
}
