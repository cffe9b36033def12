/** Entries of a receipt: the column is in the batch, the batch is signed, its header is in the log. */
import { BATCH_TYPE, type BatchHeader, decodeHeader, headerOf, isColumnOf } from '@enerchain/link';
import { describeError } from '@enerchain/model';
import { coseCheck1, coseParse1 } from '@enerchain/trust';
import type { TreeHead } from '../log/checkpoint.ts';
import { leafHashOf, same, sha256 } from '../tree/hash.ts';
import { rootFromInclusion } from '../tree/proof.ts';
import { BrokenLink, type ChainLink } from './finding.ts';
import { decodeEntry, type Entry } from './format.ts';
import { keyOf, type Memo } from './memo.ts';
import type { SignerCertificate, Signers } from './signers.ts';

/** What was shown of a batch, whatever its columns are. */
interface Head {
  readonly header: BatchHeader;
  /** Batches behind it until the one whose signature covers it; 0 when it has its own. */
  readonly deferred: number;
  readonly kid: Uint8Array;
  /** The signature by `kid` was checked; remembered with it, since a key identifier names one certificate only. */
  verified: boolean;
}

/** An entry that holds. */
export interface CheckedEntry extends Omit<Head, 'verified'> {
  readonly index: number;
  readonly column: Uint8Array;
  readonly signed: Uint8Array;
  readonly signer: SignerCertificate;
}

export interface EntryContext {
  readonly signers: Signers;
  readonly tree: TreeHead;
  readonly heads: Memo<Head>;
}

/** @throws BrokenLink for the first of its links that does not hold */
export function checkEntry(bytes: Uint8Array, what: string, context: EntryContext): CheckedEntry {
  const { tree, heads, signers } = context;
  let entry: Entry;
  try {
    entry = decodeEntry(bytes);
  } catch (error) {
    throw new BrokenLink(
      'receipt',
      'receipt.malformed',
      `the part with ${what} cannot be read: ${describeError(error)}`,
    );
  }
  const { index, path, proof, covering } = entry;
  const key = `${tree.size} ${index} ${path.length} ${covering.length} ${keyOf(tree.root, proof.signed, ...path, ...covering)}`;
  const head = heads.get(key, () => checkHead(entry, what, context));
  // Whose certificate it is, is asked for each receipt: what is remembered may come from another one.
  const signer = signers.byKid(head.kid, 'signature', what);
  if (!head.verified) checkSignature(covering.at(-1) ?? proof.signed, head, signer, what);
  head.verified = true;
  const { header } = head;
  const { name, role } = signer.holder;
  if (name !== header.source || (role !== 'edge' && role !== 'service' && role !== 'centre')) {
    const text = `${what} says it is of ${header.source}, and is signed by ${role} ${name}`;
    throw new BrokenLink('signature', 'receipt.signature.name', text);
  }
  if (!isColumnOf(header, proof)) {
    const text = `${what} is not part of the batch ${header.epoch}/${header.sequence} that ${header.source} signed`;
    throw new BrokenLink('signature', 'receipt.column', text);
  }
  return { ...head, index, column: proof.column, signed: proof.signed, signer };
}

/** Place in the log, and the chain of headers up to the signed one. */
function checkHead({ index, path, proof, covering }: Entry, what: string, { tree }: EntryContext): Head {
  const broken = (link: ChainLink, code: string, text: string) => new BrokenLink(link, code, text);
  const root = rootFromInclusion(leafHashOf(proof.signed), index, tree.size, path);
  if (!root || !same(root, tree.root)) {
    throw broken('log', 'receipt.log', `${what} is not record ${index} of the log that the checkpoint describes`);
  }
  try {
    const { headerBytes, deferred } = headerOf(proof.signed);
    const header = decodeHeader(headerBytes);
    const last = covering.at(-1);
    if (deferred !== (last !== undefined)) {
      throw new Error(deferred ? 'nothing in the receipt signs it' : 'it is signed, and further headers follow');
    }
    let before = { header, bytes: headerBytes };
    covering.forEach((signed, i) => {
      const next = headerOf(signed);
      const { source, epoch, sequence, previous } = decodeHeader(next.headerBytes);
      const follows = sequence === before.header.sequence + 1 && same(previous, sha256(before.bytes));
      if (source !== header.source || epoch !== header.epoch || !follows) {
        throw new Error(`header ${i + 1} behind it is not the next of its chain`);
      }
      if (next.deferred !== i < covering.length - 1) throw new Error(`header ${i + 1} behind it is out of place`);
      before = { header: decodeHeader(next.headerBytes), bytes: next.headerBytes };
    });
    return { header, deferred: covering.length, kid: coseParse1(last ?? proof.signed).kid, verified: false };
  } catch (error) {
    throw broken('signature', 'receipt.header', `the header of ${what} does not hold: ${describeError(error)}`);
  }
}

function checkSignature(signed: Uint8Array, { header }: Head, { certificate }: SignerCertificate, what: string): void {
  try {
    coseCheck1(coseParse1(signed), certificate.publicKey, BATCH_TYPE);
  } catch (error) {
    const text = `${what}: batch ${header.epoch}/${header.sequence} is not signed by ${header.source}: ${describeError(error)}`;
    throw new BrokenLink('signature', 'receipt.signature', text);
  }
}
