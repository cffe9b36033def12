/**
 * What a log asks of its witness over the link: method `transparency.cosign`, parameters `{note, from, proof, key}`, answered
 * with `{kind: "cosigned", time, signature}`, `{kind: "from", size}` or `{kind: "refused", code, text}`.
 */
import { join } from 'node:path';
import { type Clock, describeError, EnerchainError } from '@enerchain/model';
import { certificateFromPem, thumbprint } from '@enerchain/pki';
import type { CborValue, Identity, Signer } from '@enerchain/trust';
import { HASH_BYTES } from '../tree/hash.ts';
import { Witness, type WitnessEvent, type WitnessRequest } from './witness.ts';
import { keepEvidence, witnessFile } from './witness-file.ts';

export const WITNESS_METHOD = 'transparency.cosign';
const MAX_PROOF = 128;
const MAX_TEXT = 32_768;

/** @throws EnerchainError `provenance.witness.request` (fault peer) */
export function readWitnessRequest(params: CborValue): WitnessRequest {
  const { note, from, proof, key } = (params ?? {}) as { readonly [name: string]: unknown };
  const isText = (value: unknown): value is string => typeof value === 'string' && value.length <= MAX_TEXT;
  const isProof = (value: unknown): value is Uint8Array[] =>
    Array.isArray(value) &&
    value.length <= MAX_PROOF &&
    value.every((each) => each instanceof Uint8Array && each.length === HASH_BYTES);
  if (!isText(note) || !isText(key) || !Number.isSafeInteger(from) || (from as number) < 0 || !isProof(proof)) {
    throw new EnerchainError('peer', 'provenance.witness.request', 'the request to cosign a checkpoint is malformed');
  }
  return { note, from: from as number, proof, key };
}

/** Answers a request of the log. @throws EnerchainError (fault peer) when it is malformed, (environment) when nothing can be kept */
export async function answerWitnessRequest(witness: Witness, params: CborValue): Promise<CborValue> {
  const answer = await witness.answer(readWitnessRequest(params));
  if (answer.kind !== 'cosigned') return { ...answer };
  const { time, signature } = answer.cosignature;
  return { kind: 'cosigned', time, signature };
}

/**
 * Makes a node a witness. What it remembers lies in `witness/memory.json` of its data folder; while that cannot be read,
 * nothing is cosigned. What speaks against the log lies beside it, and is told once.
 * @returns answers requests of the log
 */
export function witnessAnswers(options: {
  readonly dataDir: string;
  /** Asked for with each request: its key may have given way to another. */
  readonly identity: () => Identity;
  readonly clock: Clock;
  readonly onEvent: (event: WitnessEvent) => void;
}): (params: CborValue) => Promise<CborValue> {
  const { dataDir, clock } = options;
  const folder = join(dataDir, 'witness');
  const told = new Set<string>();
  const onEvent = (event: WitnessEvent) => {
    // The log comes again every few seconds with what it has.
    const news = event.notes.length > 0 ? keepEvidence(folder, event) : !told.has(event.code);
    told.add(event.code);
    if (news) options.onEvent(event);
  };
  let made: { readonly witness: Witness; readonly signer: Signer } | undefined;
  return async (params) => {
    try {
      const identity = options.identity();
      const { signer } = identity;
      if (made?.signer !== signer) made = undefined;
      made ??= {
        signer,
        witness: new Witness({
          name: identity.name,
          signer,
          authority: Buffer.from(thumbprint(certificateFromPem(identity.caPem))).toString('hex'),
          store: witnessFile(join(folder, 'memory.json')),
          clock,
          onEvent,
        }),
      };
    } catch (error) {
      onEvent({ code: 'provenance.witness.memory', text: describeError(error), notes: [] });
      throw error;
    }
    return answerWitnessRequest(made.witness, params);
  };
}
