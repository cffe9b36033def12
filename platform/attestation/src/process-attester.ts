/**
 * The attester of this process: measures what it has loaded, and proves it with what the machine has. What a gateway, a
 * service and the centre share.
 */

import { join } from 'node:path';
import { type Clock, EnerchainError, systemClock, toMillis } from '@enerchain/model';
import type { Certificate } from '@enerchain/pki';
import { openAttestationKey, openEndorsementKey, type TpmKey } from '@enerchain/tpm2';
import {
  attestationIn,
  type CborValue,
  enrolTpm,
  type Identity,
  type NodeTpm,
  type TpmParty,
  tpmParty,
} from '@enerchain/trust';
import { type Attester, bindingOf, type EvidenceCursor } from './attester.ts';
import type { MeasurementList } from './measure/list.ts';
import { Measurer } from './measure/measurer.ts';
import { openSoftwareAttester } from './software-attester.ts';
import { LINUX_LOGS, TpmAttester, TpmList } from './tpm-attester.ts';

/** Below the data folder of the node. */
const FOLDER = 'attestation';

/**
 * Asked of an attester by a verifier: `{nonce: bstr, since?: {list, records, events?, ima?}}` → `{evidence, origin?}`. Whoever
 * answers makes the binding itself, from its own end of the connection: a question that is passed on by somebody in the
 * middle gets an answer that fits nowhere else.
 */
export const EVIDENCE_METHOD = 'attestation.evidence';
/** Told by an attester: something that was measured has changed, look now. `{}` → null. */
export const CHANGED_METHOD = 'attestation.changed';

export interface ProcessAttesterOptions {
  /** Folder of the installation, see `installationRoot`. */
  readonly root: string;
  /** Folder of this node alone; what the attester keeps lies in `attestation` below it. */
  readonly dataDir: string;
  readonly identity: () => Identity;
  /** Measured beside what is loaded: path by name of the component (`config:…`, `device:…`). */
  readonly files?: ReadonlyMap<string, string>;
  /** Absent: software attests. */
  readonly tpm?: TpmSettings;
  readonly clock?: Clock;
  readonly onTrouble: (error: unknown) => void;
}

/** The TPM of the node, and where its attestation key is certified. */
export type TpmSettings = OwnTpm & ({ readonly url: string } | { readonly certify: CertifyHere });

/** Has the attestation key of this very machine certified, where the authority is in this process. */
export type CertifyHere = (party: TpmParty) => Promise<Certificate>;

interface OwnTpm {
  /** Stays open when the attester is closed. */
  readonly tpm: NodeTpm;
  /** Event log of the boot, where it is not where Linux shows it. */
  readonly eventLog?: string;
  /** Folder of the identity; the certificate of the attestation key lies there as well. */
  readonly identityDir: string;
}

/** A certificate of an attestation key is renewed when less than this share of its life is left. */
const AK_DUE = 1 / 3;
/** Milliseconds between attempts to get one. */
const AK_RETRY = 30_000;

/** Opens in the background; until then, and when it fails, whoever asks for evidence waits, or hears why there is none. */
export class ProcessAttester {
  readonly #opened: Promise<Attester>;
  readonly #options: ProcessAttesterOptions;
  readonly #listeners = new Set<() => void>();
  readonly #asked = Promise.withResolvers<void>();
  #measurer: Measurer | undefined;
  #ak: TpmKey | undefined;
  #akCertificate: Certificate | undefined;
  #certifying: Promise<void> | undefined;
  #nextCertifying = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(options: ProcessAttesterOptions) {
    this.#options = options;
    this.#opened = options.tpm ? this.#openTpm(options.tpm) : this.#openSoftware();
    this.#opened.catch(options.onTrouble);
  }

  async #measure(list?: MeasurementList): Promise<Measurer> {
    const { root, files, onTrouble, clock = systemClock } = this.#options;
    const measurer = new Measurer({ root, clock, onTrouble, ...(files ? { files } : {}), ...(list ? { list } : {}) });
    this.#measurer = measurer;
    measurer.onChange(() => {
      for (const listener of this.#listeners) listener();
    });
    await measurer.start();
    if (this.#closed) measurer.close();
    return measurer;
  }

  async #openSoftware(): Promise<Attester> {
    const { identity, dataDir, clock = systemClock } = this.#options;
    const measurements = await this.#measure();
    return openSoftwareAttester({ identity, secretFile: join(dataDir, FOLDER, 'uds'), measurements, clock });
  }

  async #openTpm(settings: TpmSettings): Promise<Attester> {
    const { tpm, eventLog, identityDir } = settings;
    const { client } = tpm;
    const { identity, dataDir, onTrouble, clock = systemClock } = this.#options;
    const list = await TpmList.open({ tpm: client, dir: join(dataDir, FOLDER), onTrouble });
    const ak = await openAttestationKey(client);
    this.#ak = ak;
    const kept = await attestationIn(identityDir);
    if (kept?.publicKey.equals(ak.publicKey)) this.#akCertificate = kept;
    const measurements = await this.#measure(list.list);
    const attester = new TpmAttester({
      identity,
      tpm: client,
      ak,
      list,
      measurements,
      akCertificate: () => this.#akCertificate?.der,
      logs: { ...LINUX_LOGS, ...(eventLog ? { events: eventLog } : {}) },
      clock,
    });
    return {
      node: attester.node,
      tier: attester.tier,
      onChange: (listener) => attester.onChange(listener),
      evidence: async (bindings, since) => {
        // Somebody asks: a good moment to have the attestation key certified.
        this.#certifying ??= this.#certify(settings).finally(() => {
          this.#certifying = undefined;
        });
        await this.#certifying;
        return attester.evidence(bindings, since);
      },
    };
  }

  /** Gets a certificate for the attestation key of the TPM when there is none, or it ends soon. */
  async #certify(settings: TpmSettings): Promise<void> {
    const { identity, onTrouble, clock = systemClock } = this.#options;
    const ak = this.#ak;
    if (!ak || clock.monotonic() < this.#nextCertifying) return;
    const kept = this.#akCertificate;
    if (kept) {
      const life = kept.notAfter.getTime() - kept.notBefore.getTime();
      if (kept.notAfter.getTime() - toMillis(clock.now()) > life * AK_DUE) return;
    }
    this.#nextCertifying = clock.monotonic() + AK_RETRY;
    try {
      const { identityDir: dir, tpm } = settings;
      const party = tpmParty(tpm.client, await openEndorsementKey(tpm.client), ak, tpm.identity);
      // The certificate of the identity that comes along is taken at the next renewal.
      this.#akCertificate =
        'certify' in settings
          ? await settings.certify(party)
          : (await enrolTpm({ dir, identity: identity(), url: settings.url, tpm: party })).attestation;
      this.#nextCertifying = Number.NEGATIVE_INFINITY;
    } catch (error) {
      onTrouble(error);
    }
  }

  /** @throws EnerchainError when the machine cannot attest */
  get attester(): Promise<Attester> {
    return this.#opened;
  }

  /** Whole evidence for one binding, to go along with a request; undefined when this machine cannot attest. */
  async proof(binding: Uint8Array): Promise<Uint8Array | undefined> {
    try {
      return await (await this.#opened).evidence([binding]);
    } catch (error) {
      this.#options.onTrouble(error);
      return undefined;
    }
  }

  /** Something that was measured has changed. @returns unsubscribe */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Answers `EVIDENCE_METHOD`.
   * @param channel the connection on which the question came, and who asks there
   * @throws EnerchainError `attestation.request` (fault peer), or what the channel or the attester throws
   */
  async answer(params: CborValue, channel: { readonly verifier: string; exporter(): Uint8Array }): Promise<CborValue> {
    const { nonce, since } = readEvidenceQuestion(params);
    const attester = await this.#opened;
    const { verifier } = channel;
    const binding = bindingOf({ nonce, exporter: channel.exporter(), verifier, node: this.#options.identity().name });
    const evidence = await attester.evidence([binding], since);
    this.#asked.resolve();
    return { evidence, origin: this.#options.identity().signer.origin };
  }

  /** Resolves when evidence was given for the first time, or after so many milliseconds. */
  async asked(milliseconds: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, milliseconds);
    });
    await Promise.race([this.#asked.promise, late]);
    clearTimeout(timer);
  }

  close(): void {
    this.#closed = true;
    this.#asked.resolve();
    this.#measurer?.close();
  }
}

function cursorIn(since: unknown, refuse: (what: string) => EnerchainError): EvidenceCursor | undefined {
  if (since === undefined) return undefined;
  const { list, records, events, ima } = (since ?? {}) as Record<string, unknown>;
  const count = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
  if (typeof list !== 'string' || !count(records)) throw refuse('does not say what is known already');
  const more = { ...(count(events) ? { events } : {}), ...(count(ima) ? { ima } : {}) };
  return { list, records, ...more };
}

/** Octets of a nonce. */
const NONCE = { least: 16, most: 64 } as const;

/** As it goes over the link. @param nonce fresh, 16 … 64 octets */
export function evidenceQuestion(nonce: Uint8Array, since: EvidenceCursor | undefined): CborValue {
  return { nonce, ...(since ? { since: { ...since } } : {}) };
}

/** @throws EnerchainError `attestation.request` (fault peer) */
export function readEvidenceQuestion(params: CborValue): {
  readonly nonce: Uint8Array;
  readonly since: EvidenceCursor | undefined;
} {
  const refuse = (what: string) => new EnerchainError('peer', 'attestation.request', `a question for evidence ${what}`);
  const { nonce, since } = (params ?? {}) as { nonce?: unknown; since?: unknown };
  if (!(nonce instanceof Uint8Array) || nonce.length < NONCE.least || nonce.length > NONCE.most) {
    throw refuse(`has no nonce of ${NONCE.least} to ${NONCE.most} octets`);
  }
  return { nonce, since: cursorIn(since, refuse) };
}

/** Reads the answer to `EVIDENCE_METHOD`. @throws EnerchainError `attestation.answer` (fault peer) */
export function readEvidenceAnswer(answer: CborValue): {
  evidence: Uint8Array;
  origin: 'file' | 'hsm' | 'tpm' | undefined;
} {
  const { evidence, origin } = (answer ?? {}) as { evidence?: unknown; origin?: unknown };
  if (!(evidence instanceof Uint8Array)) {
    throw new EnerchainError('peer', 'attestation.answer', 'the answer to a request for evidence holds none');
  }
  const known = origin === 'file' || origin === 'hsm' || origin === 'tpm' ? origin : undefined;
  return { evidence, origin: known };
}
