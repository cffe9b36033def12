/**
 * The gateway as a node of the Trusted Core Network. It attests its neighbours and its centre and judges by itself; it tells
 * the centre what it sees, and acts on what is found where it stands: commands stop, values go on, and essential functions
 * stay in reach (`CommandGate` never asks for them).
 */
import { CHANGED_METHOD, hopRefusal, type NodeTrust, type ProcessAttester } from '@enerchain/attestation';
import type { RequestOptions } from '@enerchain/link';
import { type Clock, describeError, EnerchainError, type SourceEvent } from '@enerchain/model';
import {
  type Quoter,
  systemAfter,
  TCN_METHODS,
  type TcnEvent,
  type TcnReport,
  type TcnSettings,
  TcnStation,
  tcnReportValue,
} from '@enerchain/tcn';
import { type CborValue, type Identity, isName } from '@enerchain/trust';
import type { Logger } from 'pino';
import { CENTRE, CentreWatch, type SeenCentre } from '../trust/centre-watch.ts';
import { byOwnView, type MayCommand } from '../uplink/gate.ts';

export interface EdgeNetworkOptions {
  readonly identity: Identity;
  readonly attester: ProcessAttester;
  /** Absent: it has no neighbours, and attests its centre alone. */
  readonly settings: TcnSettings | undefined;
  readonly dataDir: string;
  readonly software: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Answers attestation over CoAP, where the site asks for it. */
  readonly quote?: Quoter;
  readonly writeSourceEvents: (events: readonly SourceEvent[]) => Promise<void>;
  /** Asks the centre; rejects while it is not connected. */
  readonly request: (method: string, params: CborValue, options?: RequestOptions) => Promise<CborValue>;
  /** Of the connection to the centre. @throws EnerchainError while there is none */
  readonly exporter: () => Uint8Array;
  readonly isConnected: () => boolean;
}

/** The centre is told this often, and soon after something has changed; milliseconds. */
const TELL = 5_000;
const SOON = 250;
/** Reactions at which no command goes through a node. */
const STOPS: ReadonlySet<string> = new Set(['restrict', 'quarantine']);
/** Milliseconds that the centre may take for its evidence. */
const ANSWER_WITHIN = 10_000;

/** Requests of the centre that `answer` answers. */
export const EDGE_NETWORK_METHODS = [
  TCN_METHODS.order,
  TCN_METHODS.evidence,
  TCN_METHODS.attest,
  CHANGED_METHOD,
] as const;

export class EdgeNetwork {
  readonly #options: EdgeNetworkOptions;
  readonly #station: TcnStation;
  readonly #centre: CentreWatch;
  readonly mayCommand: MayCommand;
  /** Its last result about the centre that was told. */
  #told: SeenCentre | undefined;
  readonly #reactions = new Map<string, string>();
  #timer: NodeJS.Timeout | undefined;
  #soon: NodeJS.Timeout | undefined;
  #telling = false;

  constructor(options: EdgeNetworkOptions) {
    this.#options = options;
    const { attester, identity, settings, dataDir, software, clock, logger } = options;
    this.#station = new TcnStation({
      identity,
      attester: {
        evidence: async (bindings, since) => (await attester.attester).evidence(bindings, since),
        onChange: (listener) => attester.onChange(listener),
      },
      settings: settings ?? { neighbours: [] },
      dataDir,
      software,
      clock,
      ...(options.quote ? { quote: options.quote } : {}),
      onEvent: (event) => this.#happened(event),
      onChange: (changed) => this.#changed(changed),
      onNotice: (text) => logger.warn({ network: true }, text),
    });
    const { base } = this.#station;
    this.#centre = new CentreWatch({
      self: identity.name,
      verifier: this.#station.newVerifier(),
      policy: () => base.policy,
      ask: (method, params) => options.request(method, params, { timeout: ANSWER_WITHIN }),
      exporter: options.exporter,
      clock,
      after: systemAfter,
      onChange: (trust) => {
        const { node, status, reaction, reason } = trust;
        logger[reaction === 'restrict' ? 'warn' : 'info']({ node, status, reaction }, reason);
        this.#changed([trust]);
      },
    });
    base.onChange(() => this.#centre.soon());
    this.mayCommand = byOwnView(
      {
        get policy() {
          return base.policy;
        },
        path: () => this.#path(),
      },
      clock,
    );
  }

  /** Never rejects: a network that cannot run is a matter of its own, and the gateway goes on. */
  async start(): Promise<void> {
    try {
      await this.#station.start();
      const { address, node } = this.#station;
      const { settings, logger } = this.#options;
      if (settings) logger.info({ address, neighbours: node.neighbours }, 'node of the Trusted Core Network');
    } catch (error) {
      const detail = `the Trusted Core Network does not run here: ${describeError(error)}`;
      this.#options.logger.error(detail);
      this.#security('tcn.failed', detail);
    }
    this.#timer = setInterval(() => void this.#tell(), TELL);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    clearTimeout(this.#soon);
    this.#centre.close();
    await this.#station.close();
  }

  renewed(identity: Identity): void {
    this.#station.renewed(identity);
  }

  /** The link to the centre stands: it is looked at, hears at once, and may have a newer bundle. Or it stands no more. */
  connected(is: boolean): void {
    if (!is) {
      this.#centre.left();
      return;
    }
    this.#centre.connected();
    void this.#tell();
  }

  /** Answers a request of the centre. @throws EnerchainError (fault peer) */
  answer(method: string, params: CborValue): CborValue {
    const { node } = this.#station;
    switch (method) {
      case TCN_METHODS.order:
        return node.order(bytesOf(params));
      case TCN_METHODS.evidence:
        return this.#evidence(bytesOf(params)) ?? null;
      case CHANGED_METHOD:
        this.#centre.soon();
        return null;
      default:
        if (params !== null && (typeof params !== 'string' || !isName(params))) throw refused('names no neighbour');
        node.attestNow(params ?? undefined);
        return null;
    }
  }

  #evidence(digest: Uint8Array): Uint8Array | undefined {
    return this.#centre.evidence(digest) ?? this.#station.node.evidence(digest);
  }

  /**
   * The hops of a command that can be judged here: the centre, the neighbours on the way, and this gateway as its neighbours
   * see it. Before the first bundle a gateway without neighbours judges nobody: the centre's check of the path stands alone.
   */
  #path(): readonly NodeTrust[] {
    const { node, base } = this.#station;
    const { settings } = this.#options;
    if (!settings && !base.policy) return [];
    // What others have proven of the centre counts as well as what it has shown here.
    const told = node.get(CENTRE);
    const centre = told && STOPS.has(told.reaction) ? told : this.#centre.trust;
    const self = node.asSeen() ?? node.get(node.name);
    const judged = self && (node.neighbours.length > 0 || STOPS.has(self.reaction));
    return [centre, ...this.#between(), ...(judged ? [{ ...self, node: 'this gateway' }] : [])];
  }

  /** Neighbours that a command comes by: those that the site names, or one that is good; all of them when none is. */
  #between(): readonly NodeTrust[] {
    const { node, base } = this.#station;
    const way = this.#options.settings?.way;
    const known = (names: readonly string[]) => names.flatMap((name) => node.get(name) ?? []);
    if (way) return known(way);
    const passing = known(node.neighbours).filter(({ role }) => role === 'network');
    const at = this.#options.clock.now();
    const good = passing.find((hop) => hopRefusal(hop, base.policy, at) === undefined);
    return good ? [good] : passing;
  }

  /** For the report to the centre. */
  get counters(): Record<string, number> {
    const { node } = this.#station;
    const all = node.all();
    return {
      'tcn.neighbours': node.neighbours.length,
      'tcn.connected': node.connected.length,
      'tcn.good': all.filter(({ trustedUntil }) => trustedUntil !== undefined).length,
      'tcn.vouched': node.asSeen()?.trustedUntil === undefined ? 0 : 1,
      'tcn.centre': this.#centre.trust.trustedUntil === undefined ? 0 : 1,
      'tcn.quarantined': all.filter(({ reaction }) => reaction === 'quarantine').length,
      ...Object.fromEntries(Object.entries(node.counters).map(([name, value]) => [`tcn.${name}`, value])),
    };
  }

  #happened({ kind, code, node, text }: TcnEvent): void {
    const { logger } = this.#options;
    if (kind === 'security') {
      logger.warn({ code, node }, text);
      if (code !== 'tcn.notice' && code !== 'tcn.unsound') this.#security(code, `${node}: ${text}`);
    } else logger.info({ code, node }, text);
  }

  /** Steps on the ladder go onto the chain; what is only a pause in answering does not. */
  #changed(changed: readonly NodeTrust[]): void {
    for (const { node, reaction, status, reason } of changed) {
      const before = this.#reactions.get(node) ?? 'none';
      this.#reactions.set(node, reaction);
      const weight = (step: string) => (STOPS.has(step) ? 2 : step === 'alarm' ? 1 : 0);
      if (weight(before) === weight(reaction)) continue;
      const code = weight(reaction) === 0 ? 'tcn.readmitted' : `tcn.${reaction}`;
      this.#security(code, `${node}: ${reaction}, ${status}: ${reason}`);
    }
    this.#tellSoon();
  }

  #security(code: string, detail: string): void {
    const at = String(this.#options.clock.now());
    void this.#options.writeSourceEvents([
      { kind: 'security', at, code: code.slice(0, 100), detail: detail.slice(0, 1000) },
    ]);
  }

  #tellSoon(): void {
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined;
      void this.#tell();
    }, SOON);
  }

  /** What the station tells, and what is found here of the centre itself: it hears that too, and so do those who look at it. */
  #report(): TcnReport {
    const { seen, trust } = this.#centre;
    const news = seen && seen !== this.#told ? [seen.bytes] : [];
    this.#told = seen;
    return this.#station.report({ nodes: [trust], statements: news });
  }

  async #tell(): Promise<void> {
    const { request, isConnected, logger } = this.#options;
    if (this.#telling || !isConnected()) return;
    this.#telling = true;
    try {
      const bundle = await request(TCN_METHODS.gossip, tcnReportValue(this.#report()));
      const { held } = this.#station.base;
      if (bundle instanceof Uint8Array && !(held && Buffer.compare(held.hash, bundle) === 0)) {
        const answer = await request(TCN_METHODS.bundle, null);
        const [bytes, signer] = Array.isArray(answer) ? (answer as CborValue[]) : [];
        if (bytes instanceof Uint8Array && signer instanceof Uint8Array) this.#station.takeBundle(bytes, signer);
      }
    } catch (error) {
      logger.debug({ error: describeError(error) }, 'the centre was not told of the network');
    } finally {
      this.#telling = false;
    }
  }
}

const refused = (what: string) => new EnerchainError('peer', 'edge.tcn.request', `a request about the network ${what}`);

function bytesOf(params: CborValue): Uint8Array {
  if (params instanceof Uint8Array) return params;
  throw refused('has no octets');
}
