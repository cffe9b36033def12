/**
 * The link port of the centre: HTTPS with enrolment for those who have no certificate yet, and the link for those who
 * have one. Whom it lets in and what becomes of a batch is decided here; how the link works is not.
 */
import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { CHANGED_METHOD, EVIDENCE_METHOD } from '@enerchain/attestation';
import { type LinkPeer, LinkServer, type LinkTransport, serveWebSocket } from '@enerchain/link';
import { type Clock, EnerchainError, toIso } from '@enerchain/model';
import { TCN_METHODS } from '@enerchain/tcn';
import {
  type CborValue,
  CrlPublisher,
  crlHandler,
  type DevelopmentCa,
  type EndorsementPolicy,
  enrolmentHandler,
  handshakeEvent,
  holderOf,
  type Identity,
  maySign,
  refusalEvent,
  SESSION_METHOD,
  serverTls,
  type TlsSecurityEvent,
} from '@enerchain/trust';
import type { Logger } from 'pino';
import type { CentreIdentity } from '../identity.ts';
import type { Findings } from '../ingest/findings.ts';
import { type KeyEras, supersededFrom } from '../ingest/key-eras.ts';
import type { SourceChain } from '../ingest/source-chain.ts';
import type { SourceRole } from '../ports.ts';
import type { ServiceSessions } from '../services/sessions.ts';
import type { BundleSigner } from '../trust/bundle.ts';
import type { TrustKeeper } from '../trust/keeper.ts';
import type { OwnEvidence } from '../trust/own-evidence.ts';
import type { OperatorLists } from './operators.ts';
import type { SourceRegistry, SourceSession } from './registry.ts';
import type { RevocationList } from './revocation.ts';

export interface SourceLinkOptions {
  readonly host: string;
  readonly port: number;
  readonly identity: CentreIdentity;
  readonly ca: DevelopmentCa;
  readonly registry: SourceRegistry;
  readonly revocations: RevocationList;
  readonly services: ServiceSessions;
  readonly operators: OperatorLists;
  readonly findings: Findings;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Whoever asks sources for evidence; absent: nobody. */
  readonly trust?: Pick<TrustKeeper, 'connected' | 'left' | 'changed' | 'gossip' | 'renewals'> | undefined;
  /** What the nodes of the network judge by. */
  readonly bundle?: Pick<BundleSigner, 'hash' | 'answer'> | undefined;
  /** What gateways are answered that attest the centre; absent: nothing. */
  readonly evidence?: Pick<OwnEvidence, 'answer' | 'onChange'> | undefined;
  /** For which sources each relay may stand in; nobody else does. */
  readonly relays?: ReadonlyMap<string, ReadonlySet<string>> | undefined;
  /** Whose TPMs are enrolled; absent: none. */
  readonly endorsement: EndorsementPolicy | undefined;
  /** The chain of a source, made when it is new. */
  chainOf(source: string): SourceChain;
}

/**
 * Connections that may take the place of one that stands, within the time below; one more, and they are two gateways.
 * Each that was sent away waits up to half a minute before it comes again, so the time must hold several turns.
 */
const REPLACEMENTS = 3;
const REPLACEMENT_WINDOW = 300_000;

export class SourceLink {
  readonly #options: SourceLinkOptions;
  readonly #server: LinkServer;
  readonly #https: Server;
  /** Of the authority; also served on the port of the API. */
  readonly lists: CrlPublisher;
  readonly #sessions = new Map<LinkPeer, SourceSession>();
  /** Open connections by the address of the peer, with the fingerprints of the certificates that it has shown. */
  readonly #transports = new Map<string, { readonly fingerprints: string[]; readonly transport: LinkTransport }>();
  readonly #replacements = new Map<string, { since: number; count: number }>();
  #stopServing: () => void = () => {};
  #unwatch: () => void = () => {};

  private constructor(options: SourceLinkOptions) {
    this.#options = options;
    const { identity, ca, clock } = options;
    const enrol = enrolmentHandler({
      authority: ca,
      clock,
      ...(options.endorsement && { endorsement: options.endorsement }),
      ...(options.trust?.renewals.gate && { evidenceGate: options.trust.renewals.gate }),
      requiresEvidence: (holder, occasion) => options.trust?.renewals.requires(holder, occasion) ?? 'nothing',
      isRevoked: (kid) => options.revocations.has(Buffer.from(kid).toString('hex')),
      onBadEvidence: ({ name }, why) =>
        options.findings.tell({ action: 'source.evidence', actor: name, outcome: 'refused', detail: { detail: why } }),
      onEvent: ({ action, outcome, from, detail }) =>
        options.findings.tell({
          action: `source.${action}`,
          actor: from,
          outcome,
          ...(detail && { detail: { detail } }),
        }),
    });
    this.lists = new CrlPublisher(
      {
        issuers: () => ca.issuers(),
        nextNumber: () => ca.nextCrlNumber(),
        revoked: () =>
          options.revocations.all().flatMap(({ fingerprint, at }) => {
            const certificate = ca.certificateOf(Buffer.from(fingerprint, 'hex'));
            return certificate ? [{ certificate, at: new Date(at) }] : [];
          }),
      },
      clock,
    );
    const lists = crlHandler(this.lists, (error) =>
      options.logger.error({ err: error }, 'a revocation list could not be made'),
    );
    this.#https = createServer(serverTls(identity.current), (request, response) => {
      if (enrol(request, response) || lists(request, response)) return;
      response.writeHead(404, { 'content-type': 'text/plain' }).end('This port serves enrolment and the link.\n');
    });
    this.#https.headersTimeout = 10_000;
    this.#https.requestTimeout = 20_000;
    this.#https.on('tlsClientError', (error, { remoteAddress }) => {
      const remote = remoteAddress ?? 'unknown';
      this.#tlsEvent(handshakeEvent(error, { clock, role: 'server', remote }), remote);
    });
    this.#server = new LinkServer({
      get identity() {
        return identity.current;
      },
      clock,
      policy: {
        admit: (hello) => {
          const { durable } = options.chainOf(hello.source);
          return { completed: durable.completed, cursors: durable.cursors() };
        },
        mayRelay: (relay, source) => options.relays?.get(relay)?.has(source) ?? false,
        onDuplicate: (existing, remote) => this.#onDuplicate(existing, remote),
        onBatch: (peer, bytes) => this.#onBatch(peer, bytes),
        onRequest: (peer, method, params, context) => {
          if (method === CHANGED_METHOD) {
            options.trust?.changed(peer);
            return null;
          }
          if (method === EVIDENCE_METHOD && options.evidence) return options.evidence.answer(peer, params);
          if (method === TCN_METHODS.gossip && options.trust) return this.#gossip(options.trust, peer, params);
          if (method === TCN_METHODS.bundle && options.bundle) return options.bundle.answer();
          if (method !== SESSION_METHOD) return options.services.handle(peer, method, params, context);
          const session = this.#sessions.get(peer);
          if (session && options.registry.challenged(peer.source, session, params)) {
            options.operators.heard(peer.source, session, params);
          }
          return null;
        },
        onRenewed: (peer, { kid }) => this.#onRenewed(peer, Buffer.from(kid).toString('hex')),
        onStatus: (peer, report) => options.registry.reported(peer.source, report),
        onConnect: (peer) => this.#onConnect(peer),
        onDisconnect: (peer, { code, text }) => this.#onDisconnect(peer, code, text),
        onEvent: ({ code, source, remote, text }) =>
          options.findings.tell({
            action: code,
            actor: source ?? remote,
            outcome: 'refused',
            detail: { remote, text },
          }),
      },
    });
  }

  /** A named event of TLS (IEC 62351-3) into the audit log. */
  #tlsEvent({ name, text, code, certificate }: TlsSecurityEvent, remote: string): void {
    this.#options.findings.tell({
      action: `tls.${name}`,
      actor: remote,
      outcome: 'refused',
      detail: { detail: text, ...(code ? { code } : {}), ...certificate },
    });
  }

  /** Takes a report, and says which bundle is in force. */
  async #gossip(trust: Pick<TrustKeeper, 'gossip'>, peer: LinkPeer, params: CborValue): Promise<CborValue> {
    await trust.gossip(peer, params);
    return (await this.#options.bundle?.hash()) ?? null;
  }

  /** Something that the centre measures has changed: its gateways may look at once. They look each period anyway. */
  #changed(): void {
    for (const peer of this.#server.peers()) {
      if (roleOf(peer) === 'edge') peer.request(CHANGED_METHOD, {}).catch(() => undefined);
    }
  }

  /** The centre has another certificate for its key: new connections meet it, those that stand hear of it and go on. */
  /** Makes another key for the centre; sources come again to hear of it. */
  rotateOwnKey(): Promise<Identity> {
    return this.#options.identity.rotateKey();
  }

  #ownRenewed(identity: Identity): void {
    this.#https.setSecureContext(serverTls(identity));
    this.#server.renewed();
  }

  /** @throws EnerchainError `centre.link.listen` (environment) when the address is taken or not ours */
  static async listen(options: SourceLinkOptions): Promise<SourceLink> {
    const link = new SourceLink(options);
    options.identity.onRenewed((renewed) => link.#ownRenewed(renewed));
    const { host, port } = options;
    await new Promise<void>((resolve, reject) => {
      link.#https.once('error', (cause) => {
        const text = `the link cannot listen on ${host}:${port}; choose another address or stop what uses it`;
        reject(new EnerchainError('environment', 'centre.link.listen', text, { cause }));
      });
      link.#https.listen(port, host, resolve);
    });
    link.#unwatch = options.evidence?.onChange(() => link.#changed()) ?? link.#unwatch;
    link.#stopServing = serveWebSocket(link.#https, (transport) => link.#accept(transport), {
      onRefused: (refusal, socket) => {
        const { clock } = options;
        const remote = socket.remoteAddress ?? 'unknown';
        link.#tlsEvent(refusalEvent(refusal, { clock, role: 'server', socket }), remote);
      },
    });
    return link;
  }

  get address(): { readonly host: string; readonly port: number } {
    const { address, port } = this.#https.address() as AddressInfo;
    return { host: address, port };
  }

  get counters(): LinkServer['counters'] {
    return this.#server.counters;
  }

  /** The connected source of that name. */
  peer(source: string): LinkPeer | undefined {
    return this.#server.peer(source);
  }

  peers(): LinkPeer[] {
    return this.#server.peers();
  }

  /** Certificates of a source that have not ended, by fingerprint, and whether they are still accepted. */
  certificates(name: string): { fingerprint: string; notBefore: Date; notAfter: Date; revoked: boolean }[] {
    const { ca, revocations } = this.#options;
    return [...ca.validCertificatesOf(name)]
      .filter(([, certificate]) => holderOf(certificate).role !== 'centre')
      .map(([fingerprint, { notBefore, notAfter }]) => {
        return { fingerprint, notBefore, notAfter, revoked: revocations.has(fingerprint) };
      });
  }

  /**
   * Ends what runs with certificates of a source and lets them in no more.
   * @param fingerprint of one of them; absent: all, since a certificate is renewed for the same key
   * @returns the fingerprints that were revoked
   * @throws EnerchainError `centre.certificate.unknown` when there is nothing to revoke
   */
  async revoke(
    name: string,
    { fingerprint, reason }: { readonly fingerprint?: string; readonly reason: string },
  ): Promise<string[]> {
    const { revocations, clock, ca } = this.#options;
    const valid = this.certificates(name).filter((each) => !each.revoked);
    if (!valid.some((each) => fingerprint === undefined || each.fingerprint === fingerprint)) {
      const what = fingerprint === undefined ? 'no certificate' : `no certificate ${fingerprint}`;
      throw new EnerchainError(
        'caller',
        'centre.certificate.unknown',
        `${name} has ${what} that is valid; nothing was revoked`,
      );
    }
    // Those that have ended go too, or what is signed with the key from now on could name one of them.
    const fingerprints = [...ca.certificatesOf(name).keys()].filter(
      (each) => !revocations.has(each) && (fingerprint === undefined || each === fingerprint),
    );
    const at = toIso(clock.now());
    const durable = revocations.add(fingerprints.map((each) => ({ fingerprint: each, name, reason, at })));
    this.lists.changed();
    for (const { transport, fingerprints: shown } of this.#transports.values()) {
      if (shown.some((each) => fingerprints.includes(each))) transport.abort();
    }
    await durable;
    return fingerprints;
  }

  async close(): Promise<void> {
    this.#unwatch();
    this.#stopServing();
    await this.#server.close();
    await new Promise<void>((resolve) => {
      this.#https.close(() => resolve());
      this.#https.closeAllConnections();
    });
  }

  #accept(transport: LinkTransport): void {
    const fingerprint = createHash('sha256').update(transport.peerCertificate).digest('hex');
    const { revocations, findings } = this.#options;
    if (revocations.has(fingerprint)) {
      findings.tell({
        action: 'source.revoked-certificate',
        actor: transport.remote,
        outcome: 'refused',
        detail: { fingerprint },
      });
      transport.abort();
      return;
    }
    this.#transports.set(transport.remote, { fingerprints: [fingerprint], transport });
    this.#server.accept(transport);
    // Whoever never gets as far as a session is forgotten with the sessions that end.
    if (this.#transports.size > 4_000) this.#forgetTransports();
  }

  #onRenewed(peer: LinkPeer, fingerprint: string): void {
    const { revocations, findings } = this.#options;
    if (revocations.has(fingerprint)) {
      throw new EnerchainError('peer', 'link.certificate', `the certificate ${fingerprint} was revoked`);
    }
    this.#transports.get(peer.remote)?.fingerprints.push(fingerprint);
    findings.tell({ action: 'source.renewed', actor: peer.source, outcome: 'ok', detail: { fingerprint } });
  }

  #forgetTransports(): void {
    const alive = new Set(this.#server.peers().map(({ remote }) => remote));
    for (const remote of this.#transports.keys()) if (!alive.has(remote)) this.#transports.delete(remote);
  }

  /** The newer connection wins, as after a lost one; a source that keeps coming twice is two. */
  #onDuplicate(existing: LinkPeer, remote: string): 'replace' | 'refuse' {
    const { clock, findings } = this.#options;
    const { source } = existing;
    const now = clock.monotonic();
    const before = this.#replacements.get(source);
    const entry = before && now - before.since < REPLACEMENT_WINDOW ? before : { since: now, count: 0 };
    entry.count++;
    this.#replacements.set(source, entry);
    if (entry.count <= REPLACEMENTS) return 'replace';
    // As long as the second one keeps coming, it is refused.
    entry.since = now;
    findings.tell({
      action: 'source.duplicate-identity',
      actor: source,
      outcome: 'refused',
      detail: { connected: existing.remote, refused: remote },
    });
    findings.raise({
      key: `source.duplicate.${source}`,
      priority: 1,
      source,
      message: `Two gateways use the identity ${source}: one from ${existing.remote}, another from ${remote}. The one that is connected stays, the other is refused.`,
      consequence:
        'Only the values of one of the two are taken; if a key was copied, somebody else can speak in its name.',
      action:
        'Find the second one. Revoke the certificate and enrol the right gateway anew if the key may have been copied.',
    });
    return 'refuse';
  }

  async #onBatch(peer: LinkPeer, bytes: Uint8Array): Promise<{ epoch: number; sequence: number }> {
    const chain = this.#options.chainOf(peer.source);
    const taken = await chain.take(bytes, {
      role: roleOf(peer),
      keyOf: (kid, at) => this.#keyOf(peer, kid, at, chain.keys),
    });
    if (taken.kind === 'reject') throw new EnerchainError('peer', taken.code, taken.text);
    return taken;
  }

  /**
   * Keys of the connection and of the hello, and those of certificates issued to this source before, each as far in the chain
   * as no newer one has signed.
   */
  #keyOf(peer: LinkPeer, kid: Uint8Array, at: { readonly epoch: number; readonly sequence: number }, keys: KeyEras) {
    const { revocations, ca } = this.#options;
    if (revocations.has(Buffer.from(kid).toString('hex'))) return undefined;
    const newer = supersededFrom(kid, at, keys.all(), ca);
    if (newer) {
      const text = `batch ${at.epoch}/${at.sequence} of ${peer.source} is signed with a key that gave way to a newer one at ${newer.epoch}/${newer.sequence}`;
      throw new EnerchainError('peer', 'ingest.superseded-key', text);
    }
    const known = peer.keyOf(kid);
    if (known) return known;
    const issued = ca.certificateOf(kid);
    return issued && maySign(issued) && holderOf(issued).name === peer.source ? issued.publicKey : undefined;
  }

  #onConnect(peer: LinkPeer): void {
    const { registry, findings } = this.#options;
    const session: SourceSession = {
      from: peer.remote,
      command: (bytes) => peer.command(bytes),
      request: (method, params) => peer.request(method, params),
      close: (reason) => peer.close('link.closed', reason),
    };
    this.#sessions.set(peer, session);
    registry.connected(peer.source, roleOf(peer), session);
    this.#options.trust?.connected(peer);
    findings.tell({
      action: 'source.connected',
      actor: peer.source,
      outcome: 'ok',
      detail: { from: peer.remote, software: peer.software, through: peer.holder.name },
    });
  }

  #onDisconnect(peer: LinkPeer, code: string, text: string): void {
    const { registry, services, operators, findings } = this.#options;
    const session = this.#sessions.get(peer);
    this.#sessions.delete(peer);
    this.#transports.delete(peer.remote);
    services.left(peer);
    this.#options.trust?.left(peer);
    if (session) {
      registry.left(peer.source, session);
      operators.left(peer.source, session);
    }
    findings.tell({ action: 'source.disconnected', actor: peer.source, outcome: 'ok', detail: { code, text } });
  }
}

const roleOf = ({ holder }: LinkPeer): SourceRole => (holder.role === 'service' ? 'service' : 'edge');
