/**
 * What is said about a node and travels: COSE_Sign1 by who says it, told apart by `typ`.
 *
 * - `enerchain-result`: an attestation result of `@enerchain/attestation`
 * - `enerchain-tcn-silence`: a neighbour does not answer, or answers again
 * - `enerchain-tcn-release`: the centre quarantines a node or lets it back in, on behalf of persons
 */
import { EnerchainError, type UtcNanos } from '@enerchain/model';
import { CborReader, type CoseSign1, coseParse1, coseSign1, encodeCbor, isName, type Signer } from '@enerchain/trust';
import { MAX_STATEMENT } from './message.ts';

export const SILENCE_TYPE = 'enerchain-tcn-silence';
export const RELEASE_TYPE = 'enerchain-tcn-release';

/** One neighbour says that another one does not answer; a quorum of them isolates it. */
export interface Silence {
  readonly verifier: string;
  readonly node: string;
  /** Grows with every statement of this verifier about this node, over restarts too: milliseconds of its wall clock at least. */
  readonly sequence: number;
  /** False: it answers again. */
  readonly silent: boolean;
  /** By the verifier's clock. */
  readonly at: UtcNanos;
}

/** An order of the operator; only the centre's key counts. */
export interface Release {
  readonly node: string;
  readonly action: 'release' | 'quarantine';
  /** Grows with every order about this node. */
  readonly sequence: number;
  /** By the centre's clock. Evidence from before it no longer counts against a released node. */
  readonly at: UtcNanos;
  readonly reason: string;
  /** Accounts of the persons: who asked, and who agreed. */
  readonly persons: readonly string[];
}

const MAX_PERSONS = 8;
const ACTIONS = ['release', 'quarantine'] as const;
const refuse = (text: string) => new EnerchainError('peer', 'tcn.statement', text);

export const signSilence = (signer: Signer, kid: Uint8Array, silence: Silence): Promise<Uint8Array> =>
  coseSign1(
    signer,
    kid,
    SILENCE_TYPE,
    encodeCbor([silence.verifier, silence.node, silence.sequence, silence.silent, silence.at]),
  );

/** @param signer of the centre */
export const signRelease = (signer: Signer, kid: Uint8Array, release: Release): Promise<Uint8Array> => {
  if (release.persons.length > MAX_PERSONS) {
    throw new EnerchainError('caller', 'tcn.statement', `${release.persons.length} persons, at most ${MAX_PERSONS}`);
  }
  const { node, action, sequence, at, reason, persons } = release;
  const payload = encodeCbor([node, ACTIONS.indexOf(action), sequence, at, reason.slice(0, 500), persons]);
  return coseSign1(signer, kid, RELEASE_TYPE, payload);
};

/** @throws EnerchainError `tcn.statement` or `cbor.malformed` */
export function decodeSilence(payload: Uint8Array): Silence {
  const reader = new CborReader(payload);
  reader.array('silence', 5);
  const verifier = readName(reader, 'verifier');
  const node = readName(reader, 'node');
  const sequence = reader.uint('sequence');
  const silent = reader.value();
  if (typeof silent !== 'boolean') throw refuse('a silence that is neither true nor false');
  const at = reader.int64('time');
  reader.end();
  return { verifier, node, sequence, silent, at };
}

/** @throws EnerchainError `tcn.statement` or `cbor.malformed` */
export function decodeRelease(payload: Uint8Array): Release {
  const reader = new CborReader(payload);
  reader.array('release', 6);
  const node = readName(reader, 'node');
  const action = ACTIONS[reader.uint('action', ACTIONS.length - 1)]!;
  const sequence = reader.uint('sequence');
  const at = reader.int64('time');
  const reason = reader.text('reason', 2000);
  const count = reader.array('persons');
  if (count > MAX_PERSONS) throw refuse(`${count} persons, at most ${MAX_PERSONS} are read`);
  const persons = Array.from({ length: count }, () => reader.text('person', 200));
  reader.end();
  return { node, action, sequence, at, reason, persons };
}

function readName(reader: CborReader, what: string): string {
  const name = reader.text(what, 64);
  if (!isName(name)) throw refuse(`the ${what} of a statement has no name`);
  return name;
}

/** @throws EnerchainError when the bytes are no signed message */
export function parseStatement(bytes: Uint8Array): CoseSign1 {
  if (bytes.length > MAX_STATEMENT) throw refuse(`a statement has ${bytes.length} octets, too many`);
  return coseParse1(bytes);
}
