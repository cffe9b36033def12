/**
 * Whether the source could be trusted when it made the value: bracketed by good results of one verifier, from the last
 * before the value was received to the first that came into the log behind it, all of one boot. Results of a verifier about
 * a node are numbered. A verifier that logs only what has changed, and one now and then, leaves numbers out, and whoever makes
 * receipts could leave out a bad one as well. So each result says since when all of them have been good, and names the one
 * before it by its digest: between two results that follow each other, or of which the later one has been good from the
 * earlier one on, there was nothing bad, unless the verifier has signed both. Where neither is so, the receipt says that.
 */
import { createHash } from 'node:crypto';
import {
  type AttestationResult,
  decodeResult,
  isGood,
  RESULT_TYP,
  type Tier,
  type ValueTrust,
} from '@enerchain/attestation';
import { describeError, toIso, type UtcNanos } from '@enerchain/model';
import { coseCheck1, coseParse1, decodeCbor, type Holder } from '@enerchain/trust';
import { same } from '../tree/hash.ts';
import type { CheckedEntry } from './entries.ts';
import { BrokenLink, type ChainLink, type Finding } from './finding.ts';
import type { SignerCertificate, Signers } from './signers.ts';

/** A result whose signature holds, and its place in the log. */
export interface LoggedResult {
  readonly index: number;
  readonly result: AttestationResult;
  /** SHA-256 of the signed result. */
  readonly digest: Uint8Array;
  readonly verifier: SignerCertificate;
  readonly loggedBy: SignerCertificate;
}

/** Reads a record of kind `attestation`. @throws BrokenLink when it is none, or not signed by its verifier */
export function readLogged(entry: CheckedEntry, signers: Signers, link: ChainLink): LoggedResult {
  const broken = (text: string) => new BrokenLink(link, 'receipt.attestation', text);
  const { header, column, index, signer } = entry;
  try {
    if (header.kind !== 'attestation') throw new Error(`record ${index} is of kind ${header.kind}`);
    const record = decodeCbor(column) as { node?: unknown; verifier?: unknown; result?: unknown; evidence?: unknown };
    if (!(record?.result instanceof Uint8Array)) throw new Error('there is no result in it');
    const message = coseParse1(record.result);
    const verifier = signers.byKid(message.kid, link, 'a result of attestation');
    coseCheck1(message, verifier.certificate.publicKey, RESULT_TYP);
    const result = decodeResult(message.payload);
    if (verifier.holder.name !== result.verifier) throw new Error(`it is signed by ${verifier.holder.name}`);
    if (record.node !== result.node || record.verifier !== result.verifier) throw new Error('it names other nodes');
    const evidence = record.evidence;
    if (!(evidence instanceof Uint8Array) || Buffer.compare(evidence, result.evidence) !== 0) {
      throw new Error('it names other evidence');
    }
    if (signer.holder.role !== 'centre' && signer.holder.name !== result.verifier) {
      throw new Error(`it stands on the chain of ${signer.holder.name}`);
    }
    const digest = createHash('sha256').update(record.result).digest();
    return { index, result, digest, verifier, loggedBy: signer };
  } catch (error) {
    if (error instanceof BrokenLink) throw error;
    throw broken(`a result of attestation in the receipt does not hold: ${describeError(error)}`);
  }
}

export interface Bracket {
  readonly trust: ValueTrust;
  readonly tier: Tier | undefined;
  readonly finding: Finding;
}

/** What is judged. */
interface Judged {
  readonly source: string;
  readonly role: string;
  readonly receiveTime: UtcNanos;
  /** Record of the log that holds the value. */
  readonly index: number;
}

/** @param results in the order of the receipt. @throws BrokenLink when they are no bracket of this value */
export function judge(results: readonly LoggedResult[], value: Judged, signers: Signers): Bracket {
  const { source, role, receiveTime, index } = value;
  const link = 'software' as const;
  const broken = (text: string) => new BrokenLink(link, 'receipt.bracket', text);
  const [before, ...rest] = results;
  if (!before) {
    const text = `No result of attestation in the receipt says what ${source} was running.`;
    // Services are attested where somebody does it; a gateway always.
    const state = role === 'service' ? 'weak' : 'missing';
    return { trust: 'unknown', tier: undefined, finding: { link, state, code: 'software.unknown', text } };
  }
  for (const { result, verifier, loggedBy } of results) {
    if (result.node !== source) throw broken(`a result is about ${result.node}, not about ${source}`);
    // A gateway, or one that is in league with it, could vouch for itself; what others say of it are neighbours' words.
    if (verifier.holder.role !== 'centre' || loggedBy.holder.role !== 'centre') {
      throw broken(`a result is one of ${verifier.holder.role} ${verifier.holder.name}, not of the centre`);
    }
    signers.validAt(verifier, result.issuedAt, link, 'a result of attestation');
    signers.validAt(loggedBy, result.issuedAt, link, 'a record with a result of attestation');
  }
  if (before.result.issuedAt > receiveTime || before.index > index) {
    throw broken('the first result is not older than the value');
  }
  let last = before;
  let complete = true;
  for (const next of rest) {
    const { result } = next;
    if (result.verifier !== last.result.verifier) throw broken('the results are of different verifiers');
    if (result.sequence <= last.result.sequence || next.index <= last.index)
      throw broken('the results are not in order');
    complete = nothingBetween(last, next, broken) && complete;
    last = next;
  }
  const tier: Tier = results.some(({ result }) => result.tier === 'software') ? 'software' : 'tpm';
  const by = `${before.result.verifier} (${before.result.policy})`;
  const since = toIso(before.result.issuedAt);
  const found = (trust: ValueTrust, state: Finding['state'], code: string, text: string): Bracket => {
    const { verifier, policy } = before.result;
    const details = { tier, verifier, policy, results: results.length, complete };
    return { trust, tier, finding: { link, state, code, text, at: before.result.issuedAt, details } };
  };
  // A result of `none` (no policy, a verifier that failed) says nothing, for or against.
  const telling = results.filter(({ result }) => isGood(result) || result.status !== 'none');
  const bad = telling.find(({ result }) => !isGood(result));
  if (bad) {
    const { status, reasons, issuedAt } = bad.result;
    const why = reasons.length > 0 ? reasons.slice(0, 3).join('; ') : `the result is '${status}'`;
    return found(
      'distrusted',
      'bad',
      'software.distrusted',
      `${by} found ${source} not trustworthy at ${toIso(issuedAt)}: ${why}.`,
    );
  }
  if (telling[0] !== before) {
    const text = `${by} could not judge ${source} at ${since}: nothing says what it was running before the value.`;
    return found('unknown', 'missing', 'software.unknown', text);
  }
  const after = telling.at(-1)!;
  if (after === before || after.index < index || after.result.issuedAt < receiveTime) {
    if (before.result.validUntil < receiveTime) {
      const text = `The last result about ${source} before the value held until ${toIso(before.result.validUntil)}, and there is none behind it.`;
      return found('unknown', 'missing', 'software.unknown', text);
    }
    const text = `${by} found ${source} in order at ${since}, before the value; there is no result behind it yet. The value is provisional: take the receipt again a little later.`;
    return found('provisional', 'missing', 'software.provisional', text);
  }
  if (results.some(({ result }) => result.boot !== before.result.boot)) {
    const text = `${source} started anew between ${since} and ${toIso(after.result.issuedAt)}: what it ran when it made the value is not known.`;
    return found('unknown', 'missing', 'software.restarted', text);
  }
  const between = complete
    ? ', and never otherwise between: it says so under its signature.'
    : '. Its results between these are not in the receipt, and it does not say what they were.';
  const span = `${by} found ${source} in order at ${since} and again at ${toIso(after.result.issuedAt)}, without a restart between${between}`;
  if (tier === 'tpm') return found('attested', 'ok', 'software.attested', `${span} The evidence hangs on its TPM.`);
  const text = `${span} The evidence comes from software alone (no TPM): it shows changed files, not a machine that lies about all of them.`;
  return found('attested', 'weak', 'software.attested', text);
}

/**
 * Whether two results of one verifier about one node leave no room for a bad one between them.
 * @throws BrokenLink when the later one says so against the earlier one
 */
function nothingBetween(earlier: LoggedResult, later: LoggedResult, broken: (text: string) => BrokenLink): boolean {
  const { result } = later;
  const { goodSince, previous } = result;
  const from = goodSince !== undefined && goodSince.sequence <= earlier.result.sequence;
  if (from && !isGood(earlier.result)) {
    throw broken(
      `${result.verifier} says that ${result.node} has been good since before it found something against it`,
    );
  }
  if (result.sequence === earlier.result.sequence + 1) {
    if (!previous || same(previous, earlier.digest)) return true;
    throw broken(`two results of ${result.verifier} have the number ${earlier.result.sequence}`);
  }
  return from || (previous !== undefined && same(previous, earlier.digest));
}

/** Roles of those who attest their neighbours. */
const NEIGHBOURS: ReadonlySet<string> = new Set(['edge', 'network', 'centre']);

/** Whether somebody can vouch for a source as its neighbour: nobody does so for itself. */
export const isNeighbour = ({ name, role }: Holder, source: string): boolean => name !== source && NEIGHBOURS.has(role);

/** What neighbours say of the source, near the value. */
export function neighbourFinding(results: readonly LoggedResult[], source: string, signers: Signers): Finding {
  const link = 'neighbours' as const;
  if (results.length === 0) {
    return {
      link,
      state: 'weak',
      code: 'neighbours.none',
      text: `No neighbour's result about ${source} is part of the receipt.`,
    };
  }
  const broken = (text: string) => new BrokenLink(link, 'receipt.neighbours', text);
  for (const { result, verifier, loggedBy } of results) {
    if (result.node !== source) throw broken(`a neighbour's result is about ${result.node}, not about ${source}`);
    if (!isNeighbour(verifier.holder, source)) {
      throw broken(`${verifier.holder.role} ${verifier.holder.name} is no neighbour of ${source}`);
    }
    signers.validAt(verifier, result.issuedAt, link, 'a result of a neighbour');
    signers.validAt(loggedBy, result.issuedAt, link, 'a record with a result of a neighbour');
  }
  const details = { neighbours: results.map(({ result }) => result.verifier).join(', ') };
  const said = ({ result }: LoggedResult) => `${result.verifier} at ${toIso(result.issuedAt)}`;
  const against = results.filter(({ result }) => !isGood(result));
  if (against.length > 0) {
    const why = against[0]!.result.reasons.slice(0, 2).join('; ');
    const text = `Neighbours found ${source} not in order: ${against.map(said).join(', ')}${why ? ` (${why})` : ''}.`;
    return { link, state: 'bad', code: 'neighbours.against', text, details };
  }
  const text = `Neighbours that appraised ${source} themselves found it in order: ${results.map(said).join(', ')}.`;
  return { link, state: 'ok', code: 'neighbours.ok', text, details };
}
