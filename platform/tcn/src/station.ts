/**
 * A node of the network as it runs on a machine: bundle of the centre on disk, verifiers, engine, TLS between neighbours, and
 * CoAP where it is asked for. Gateways and network nodes share it.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { type Attester, type NodeTrust, Verifier } from '@enerchain/attestation';
import { type Clock, systemClock } from '@enerchain/model';
import type { Identity } from '@enerchain/trust';
import { systemAfter } from './channel.ts';
import { CoapListener } from './coap/listener.ts';
import type { Quoter } from './coap/server.ts';
import { DecisionFile } from './decision-file.ts';
import { TcnNode } from './engine/node.ts';
import type { Heard, TcnEvent } from './engine/ports.ts';
import { CertificateDirectory } from './keys.ts';
import { appraiserOf, identityOf, reappraiserOf } from './platform.ts';
import { REPORT_LIMITS, type TcnReport } from './report.ts';
import { parseStatement } from './statement.ts';
import { type Address, TlsTransport } from './transport/tls-transport.ts';
import { TrustBase } from './trust-base.ts';

export interface TcnSettings {
  /** Where neighbours reach this node: one address of the station network. */
  readonly listen?: Address;
  /** Without an address it is they who dial. */
  readonly neighbours: readonly { readonly name: string; readonly address?: Address }[];
  /**
   * Neighbours through which the centre is reached, each of which a command passes. Absent: through one of those that pass on
   * what is not for themselves, whichever.
   */
  readonly way?: readonly string[];
  /** UDP, in the format of the public CHARRA attester; needs a TPM. */
  readonly coap?: Address;
}

export interface TcnStationOptions {
  readonly identity: Identity;
  readonly attester: Pick<Attester, 'evidence' | 'onChange'>;
  readonly settings: TcnSettings;
  /** Folder of this node alone. */
  readonly dataDir: string;
  readonly software: string;
  readonly clock?: Clock;
  /** Answers CoAP; absent: nobody does. */
  readonly quote?: Quoter;
  readonly onEvent?: (event: TcnEvent) => void;
  readonly onChange?: (changed: readonly NodeTrust[]) => void;
  /** Something an engineer should know. */
  readonly onNotice?: (text: string) => void;
}

/** In the data folder of a node: the public key (TPMT_PUBLIC) of its quotes over CoAP. */
export const COAP_KEY_FILE = 'coap-key.tpmt';
/** A connection on which nothing comes for so many milliseconds is closed. */
const IDLE = 120_000;

export class TcnStation {
  readonly node: TcnNode;
  readonly base: TrustBase;
  readonly keys: CertificateDirectory;
  /** A verifier that judges by the bundle that is held here, and signs with this node's identity. */
  readonly newVerifier: () => Verifier;
  readonly #options: TcnStationOptions;
  readonly #transport: TlsTransport;
  /** What is new since the last report, the newest of each kind. */
  readonly #news = new Map<string, Heard>();
  readonly #decisions: DecisionFile;
  #coap: CoapListener | undefined;
  #identity: Identity;

  constructor(options: TcnStationOptions) {
    this.#options = options;
    const { identity, attester, settings, dataDir, clock = systemClock, onNotice = () => undefined } = options;
    this.#identity = identity;
    const newest = () => this.#identity;
    let held: TrustBase | undefined;
    this.keys = new CertificateDirectory({
      caPem: () => newest().caPem,
      clock,
      // While the bundle of the last run is read, none is in force.
      isRevoked: (kid) => held?.isRevoked(Buffer.from(kid).toString('hex')) ?? false,
    });
    this.base = new TrustBase({ keys: this.keys, file: join(dataDir, 'tcn', 'bundle'), onTrouble: onNotice });
    const { base } = this;
    held = base;
    this.newVerifier = () =>
      new Verifier({
        name: identity.name,
        get signer() {
          return newest().signer;
        },
        kid: () => newest().kid,
        clock,
        policy: () => base.policy,
        get references() {
          return base.references;
        },
        get caPem() {
          return newest().caPem;
        },
        isRevoked: (fingerprint) => base.isRevoked(fingerprint),
      });
    this.#decisions = new DecisionFile(join(dataDir, 'tcn', 'decisions.json'), onNotice);
    this.node = new TcnNode({
      identity: {
        ...identityOf(identity),
        get kid() {
          return newest().kid;
        },
        get signer() {
          return newest().signer;
        },
      },
      attester,
      appraiser: appraiserOf(this.newVerifier()),
      reappraiser: reappraiserOf(this.newVerifier()),
      keys: this.keys,
      base,
      decisions: this.#decisions,
      policy: () => base.policy,
      neighbours: settings.neighbours.map(({ name }) => name),
      software: options.software,
      clock,
      after: systemAfter,
      random: Math.random,
      randomBytes,
      onStatement: (heard) => this.#heard(heard),
      ...(options.onChange ? { onChange: options.onChange } : {}),
      ...(options.onEvent ? { onEvent: options.onEvent } : {}),
    });
    this.#transport = new TlsTransport({
      identity,
      listen: settings.listen,
      neighbours: settings.neighbours.flatMap(({ name, address }) => (address ? [{ name, address }] : [])),
      attach: (channel) => this.node.attach(channel),
      isConnected: (name) => this.node.connected.includes(name),
      clock,
      after: systemAfter,
      random: Math.random,
      idle: IDLE,
      isRevoked: (kid) => base.isRevoked(Buffer.from(kid).toString('hex')),
      onNotice,
      onSecurity: ({ name, text }, neighbour) =>
        options.onEvent?.({ kind: 'security', code: `tls.${name}`, node: neighbour ?? 'somebody', text }),
    });
    base.onChange(() => this.#transport.revoked());
  }

  /** @throws EnerchainError `tcn.listen` when an address cannot be used */
  async start(): Promise<void> {
    const { settings, quote, clock = systemClock, onNotice } = this.#options;
    await this.#transport.start();
    this.node.start();
    if (!settings.coap) return;
    if (quote) {
      this.#coap = await CoapListener.open({ ...settings.coap, quote, clock });
      onNotice?.(`attestation over CoAP on UDP ${settings.coap.host}:${this.#coap.port}, for anybody who asks`);
    } else onNotice?.('attestation over CoAP needs a TPM, and there is none; nobody answers there');
  }

  /** Where neighbours reach it. */
  get address(): Address | undefined {
    return this.#transport.address;
  }

  /** UDP port on which attestation over CoAP is answered; undefined when it is not. */
  get coapPort(): number | undefined {
    return this.#coap?.port;
  }

  renewed(identity: Identity): void {
    this.#identity = identity;
    this.keys.learn(identity.certificate.der);
    this.#transport.renewed(identity);
  }

  /** Takes a bundle from the centre. @param signer DER of the centre's certificate */
  takeBundle(bytes: Uint8Array, signer: Uint8Array): boolean {
    this.keys.learn(signer);
    return this.base.take(bytes);
  }

  /**
   * For the centre; a statement is told once, its successor again.
   * @param more what is known from elsewhere than the network
   */
  report(more: Partial<Pick<TcnReport, 'nodes' | 'statements'>> = {}): TcnReport {
    const { node } = this;
    const { nodes = [], statements = [] } = more;
    const connected = new Set(node.connected);
    const heard = [...this.#news.values()].slice(0, REPORT_LIMITS.statements - statements.length);
    for (const each of heard) this.#news.delete(newsKey(each));
    const certificates = new Map<string, Uint8Array>();
    for (const { bytes } of heard) {
      const kid = parseStatement(bytes).kid;
      const der = this.keys.keyOf(kid)?.der;
      if (der && certificates.size < REPORT_LIMITS.certificates)
        certificates.set(Buffer.from(kid).toString('hex'), der);
    }
    return {
      node: node.name,
      neighbours: node.neighbours.map((name) => ({ name, connected: connected.has(name) })),
      nodes: [...nodes, ...node.all()].slice(0, REPORT_LIMITS.nodes),
      statements: [...statements, ...heard.map(({ bytes }) => bytes)],
      certificates: [...certificates.values()],
    };
  }

  #heard(heard: Heard): void {
    const key = newsKey(heard);
    this.#news.delete(key);
    this.#news.set(key, heard);
    if (this.#news.size > 4 * REPORT_LIMITS.statements) this.#news.delete(this.#news.keys().next().value as string);
  }

  async close(): Promise<void> {
    this.node.close();
    await this.#coap?.close();
    await this.#transport.close();
    await this.base.kept;
    await this.#decisions.kept();
  }
}

const newsKey = ({ kind, issuer, node }: Heard): string => `${kind}/${issuer}/${node}`;
