/** From the octets of a source to a batch that is its own: decoded, of this source, signed by a key that was in force. */
import type { KeyObject } from 'node:crypto';
import { type Batch, type Content, contentOf, decodeBatch, kidOf, verifyBatch, verifyColumns } from '@enerchain/link';
import { describeError, EnerchainError } from '@enerchain/model';
import type { SourceRole } from '../ports.ts';

/** Who a batch came from. */
export interface Sender {
  readonly role: SourceRole;
  /**
   * Public key of the source, by the SHA-256 of its certificate; nothing when it is unknown, another's or revoked.
   * @param at where the batch stands in the chain
   * @throws EnerchainError (fault peer) when the key was not in force there
   */
  keyOf(kid: Uint8Array, at: { readonly epoch: number; readonly sequence: number }): KeyObject | undefined;
}

export type Opened =
  | { readonly batch: Batch; readonly content: Content }
  /** `batch` is set when so much could be read. */
  | { readonly refused: { readonly code: string; readonly text: string }; readonly batch: Batch | undefined };

/**
 * Never throws, and is synchronous, so that batches keep their order.
 * @param source whose link it came over
 * @param covered its signature is that of a batch behind it, and was checked
 */
export function openBatch(source: string, bytes: Uint8Array, sender: Sender, covered: boolean): Opened {
  let batch: Batch | undefined;
  try {
    batch = decodeBatch(bytes);
    if (batch.header.source !== source) {
      const text = `${source} sent a batch in the name of ${batch.header.source}`;
      throw new EnerchainError('peer', 'ingest.foreign-source', text);
    }
    if (batch.deferred) {
      if (!covered) verifyColumns(batch);
    } else {
      verifyBatch(batch, keyOf(batch, sender));
    }
    return { batch, content: contentOf(batch) };
  } catch (error) {
    const code = error instanceof EnerchainError ? error.code : 'ingest.malformed';
    return { refused: { code, text: `${describeError(error)}; the batch was not taken` }, batch };
  }
}

function keyOf(batch: Batch, sender: Sender): KeyObject {
  const kid = kidOf(batch);
  const key = sender.keyOf(kid, batch.header);
  if (key) return key;
  const name = Buffer.from(kid).toString('hex').slice(0, 16);
  const text = `a batch of ${batch.header.source} names the unknown key ${name}…`;
  throw new EnerchainError('peer', 'ingest.unknown-key', text);
}
