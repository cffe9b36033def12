/** The transparency log of a centre put together: keeper, witnesses, certificates, receipts, anchor. */
import { join } from 'node:path';
import type { TrustPolicy } from '@enerchain/attestation';
import type { LinkPeer } from '@enerchain/link';
import { type Clock, describeError } from '@enerchain/model';
import { type Certificate, type Signer, thumbprint } from '@enerchain/pki';
import { type AnchorFile, spkiPem } from '@enerchain/provenance';
import { type CertificateEvent, type DevelopmentCa, maySign } from '@enerchain/trust';
import type { Logger } from 'pino';
import type { CentreIdentity } from '../identity.ts';
import type { Findings } from '../ingest/findings.ts';
import type { IngestLog } from '../log/log.ts';
import type { Historian, LiveState, LogPublisher, PointDirectory, Sources } from '../ports.ts';
import type { RevocationList } from '../sources/revocation.ts';
import { CertificateLog } from './certificate-log.ts';
import { TransparencyKeeper } from './keeper.ts';
import { ReceiptDesk } from './receipts.ts';
import { WitnessRounds } from './witnesses.ts';

export interface TransparencyOptions {
  readonly dataDir: string;
  readonly log: IngestLog;
  readonly own: LogPublisher;
  readonly findings: Findings;
  readonly points: PointDirectory;
  readonly live: LiveState;
  readonly historian: Pick<Historian, 'lastBefore'>;
  readonly sources: Pick<Sources, 'status'>;
  readonly ca: DevelopmentCa;
  readonly identity: CentreIdentity;
  /** Holds the key of the log when that lies in an HSM or TPM. */
  readonly logSigner?: Signer | undefined;
  readonly revocations: Pick<RevocationList, 'all'>;
  readonly policy: () => TrustPolicy;
  /** Connected sources; empty before the link listens. */
  readonly peers: () => readonly LinkPeer[];
  readonly clock: Clock;
  readonly logger: Logger;
}

const ANCHOR_MILLIS = 5_000;
const LOOK_MILLIS = 2_000;

export class Transparency {
  readonly keeper: TransparencyKeeper;
  readonly rounds: WitnessRounds;
  readonly receipts: ReceiptDesk;
  readonly #options: TransparencyOptions;
  readonly #certificates: CertificateLog;
  #anchor: { readonly at: number; readonly file: AnchorFile } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;

  private constructor(options: TransparencyOptions, keeper: TransparencyKeeper, certificates: CertificateLog) {
    const { peers, clock, findings, logger, ca, log, points, live, historian, policy } = options;
    this.#options = options;
    this.#certificates = certificates;
    this.keeper = keeper;
    this.rounds = new WitnessRounds({
      keeper,
      peers,
      keyOf: (name) => this.#newest(name)?.publicKey,
      quorum: () => policy().witnesses,
      clock,
      findings,
      onError: (error) => logger.debug({ err: error }, describeError(error)),
    });
    this.receipts = new ReceiptDesk({
      keeper,
      rounds: this.rounds,
      log,
      points,
      live,
      historian,
      clock,
      certificateOf: (kid) => ca.certificateOf(kid)?.der,
      certificateOfSource: (name) => this.#newest(name)?.der,
      anchor: () => this.anchor(),
    });
  }

  /** Opens `transparency` in the data folder; `start` begins. @throws EnerchainError `environment` when it cannot be used */
  static async open(options: TransparencyOptions): Promise<Transparency> {
    const { log, findings, clock, logger, ca, own, revocations, logSigner } = options;
    const folder = join(options.dataDir, 'transparency');
    const keeper = await TransparencyKeeper.open({ folder, log, findings, clock, logger, signer: logSigner });
    const certificates = await CertificateLog.open({
      folder,
      files: log.files,
      own,
      revocations,
      certificatesOf: (name) => ca.validCertificatesOf(name),
      certificateOf: (kid) => ca.certificateOf(kid),
    });
    return new Transparency(options, keeper, certificates);
  }

  start(): void {
    this.keeper.start();
    this.rounds.start();
    this.#timer = setInterval(() => void this.look(), LOOK_MILLIS);
    this.#timer.unref();
    void this.look();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
    await this.rounds.close();
    await this.keeper.close();
  }

  /** What a verifier of receipts has to believe; up to a few seconds old. */
  anchor(): AnchorFile {
    const now = this.#options.clock.monotonic();
    if (!this.#anchor || now - this.#anchor.at >= ANCHOR_MILLIS) this.#anchor = { at: now, file: this.#makeAnchor() };
    return this.#anchor.file;
  }

  get counters(): Readonly<Record<string, number>> {
    const { log } = this.keeper;
    return {
      ...this.rounds.counters,
      size: log.size,
      checkpoint: log.checkpoint?.size ?? 0,
      trouble: log.trouble ? 1 : 0,
    };
  }

  #makeAnchor(): AnchorFile {
    const { ca, sources, policy, revocations } = this.#options;
    const { log } = this.keeper;
    const inForce = policy();
    const witnesses = sources.status().flatMap(({ source }) => {
      const certificate = this.#newest(source);
      return certificate ? [{ name: source, key: spkiPem(certificate.publicKey) }] : [];
    });
    return {
      format: 'enerchain-anchor/1',
      origin: log.origin,
      logKey: spkiPem(log.signer.publicKey),
      authorities: [ca.archivePem],
      witnesses: witnesses.slice(0, 256),
      quorum: inForce.witnesses,
      policy: inForce,
      revoked: revocations.all().map(({ fingerprint, at }) => ({ fingerprint, at })),
    };
  }

  /** The certificate of a name that was issued last, of those whose keys sign. */
  #newest(name: string): Certificate | undefined {
    const certificates = [...this.#options.ca.validCertificatesOf(name).values()];
    return certificates.filter(maySign).sort((a, b) => b.notBefore.getTime() - a.notBefore.getTime())[0];
  }

  /** Gives a certificate its place before it is handed out. @throws what the log throws when it cannot be written */
  record({ certificate, use }: CertificateEvent): Promise<void> {
    return this.#certificates.note(certificate, Buffer.from(thumbprint(certificate)).toString('hex'), use);
  }

  /** Gives certificates that were met or revoked since their place in the log. */
  look(): Promise<void> {
    const { ca, identity, peers, logger } = this.#options;
    this.#looking ??= (async () => {
      await this.#certificates.note(ca.certificate, ca.fingerprint, 'authority');
      const own = Buffer.from(identity.current.kid).toString('hex');
      await this.#certificates.note(identity.current.certificate, own, 'identity');
      await this.#certificates.look(peers());
    })()
      .catch((error) => logger.error({ err: error }, `certificates could not be logged: ${describeError(error)}`))
      .finally(() => {
        this.#looking = undefined;
      });
    return this.#looking;
  }
}
