/**
 * The attester of this process: measures what it has loaded, and proves it with what the machine has. What a gateway, a
 * service and the centre share.
 */
import { join } from 'node:path';
import { type Clock, describeError, EnerchainError, systemClock } from '@enerchain/model';
import type { CborValue, Identity } from '@enerchain/trust';
import type { Attester, EvidenceCursor } from './attester.ts';
import { Measurer } from './measure/measurer.ts';
import { openSoftwareAttester } from './software-attester.ts';

/** Asked of an attester by a verifier: `{bindings: [bstr], since?: {list, records, events?, ima?}}` → `{evidence, origin}`. */
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
  readonly clock?: Clock;
  readonly onTrouble: (error: unknown) => void;
}

/** Opens in the background; until then, and when it fails, whoever asks for evidence waits, or hears why there is none. */
export class ProcessAttester {
  readonly #opened: Promise<Attester>;
  readonly #measurer: Measurer;
  readonly #identity: () => Identity;
  readonly #listeners = new Set<() => void>();
  readonly #asked = Promise.withResolvers<void>();

  constructor(options: ProcessAttesterOptions) {
    const { root, dataDir, identity, files, onTrouble, clock = systemClock } = options;
    this.#identity = identity;
    this.#measurer = new Measurer({ root, clock, onTrouble, ...(files ? { files } : {}) });
    this.#measurer.onChange(() => {
      for (const listener of this.#listeners) listener();
    });
    this.#opened = this.#measurer.start().then(() =>
      openSoftwareAttester({
        identity,
        secretFile: join(dataDir, 'attestation', 'uds'),
        measurements: this.#measurer,
        clock,
      }),
    );
    this.#opened.catch(onTrouble);
  }

  /** @throws EnerchainError when the machine cannot attest */
  get attester(): Promise<Attester> {
    return this.#opened;
  }

  /** Something that was measured has changed. @returns unsubscribe */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Answers `EVIDENCE_METHOD`. @throws EnerchainError `attestation.request` (fault peer), or what the attester throws */
  async answer(params: CborValue): Promise<CborValue> {
    const { bindings, since } = readEvidenceRequest(params);
    const attester = await this.#opened;
    const evidence = await attester.evidence(bindings, since);
    this.#asked.resolve();
    return { evidence, origin: this.#identity().signer.origin };
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
    this.#asked.resolve();
    this.#measurer.close();
  }
}

export interface EvidenceRequest {
  readonly bindings: readonly Uint8Array[];
  readonly since: EvidenceCursor | undefined;
}

/** As it goes over the link. */
export function evidenceRequest(bindings: readonly Uint8Array[], since: EvidenceCursor | undefined): CborValue {
  return { bindings, ...(since ? { since: { ...since } } : {}) };
}

/** @throws EnerchainError `attestation.request` (fault peer) */
export function readEvidenceRequest(params: CborValue): EvidenceRequest {
  const refuse = (what: string) => new EnerchainError('peer', 'attestation.request', `a request for evidence ${what}`);
  const { bindings, since } = (params ?? {}) as { bindings?: unknown; since?: unknown };
  if (!Array.isArray(bindings) || !bindings.every((each) => each instanceof Uint8Array))
    throw refuse('has no bindings');
  if (since === undefined) return { bindings, since: undefined };
  const { list, records, events, ima } = (since ?? {}) as Record<string, unknown>;
  const count = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
  if (typeof list !== 'string' || !count(records)) throw refuse('does not say what is known already');
  const more = { ...(count(events) ? { events } : {}), ...(count(ima) ? { ima } : {}) };
  return { bindings, since: { list, records, ...more } };
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

export const whyNone = (error: unknown): string => `it cannot attest: ${describeError(error)}`;
