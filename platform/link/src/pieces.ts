/**
 * Answers that are octets: in small pieces, as a stream under the credit of who asks, with bounds in size and time at both ends.
 * Whoever answers may let other things go first before each piece.
 */
import { EnerchainError } from '@enerchain/model';
import type { CborValue } from '@enerchain/trust';
import type { RequestContext, StreamOptions } from './rpc.ts';
import type { After } from './transport.ts';

/** Octets of a piece at most. */
export const PIECE_BYTES = 8 * 1024;
/** Pieces under way: what lies between the ends, and so in front of a batch on the wire, is eight times so much at most. */
export const PIECE_WINDOW = 8;

export interface SendOptions {
  /** Octets; an answer that has more ends with an error. */
  readonly limit: number;
  /** Resolves when so many octets may go. */
  readonly ready?: (bytes: number, signal: AbortSignal) => Promise<void>;
}

/**
 * Answers a request with octets.
 * @returns the end of the answer, which says how many there were
 * @throws EnerchainError `link.pieces.size` (unsupported) beyond the limit, `link.cancelled` (peer) when nobody waits any more
 */
export async function sendPieces(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  context: RequestContext,
  { limit, ready }: SendOptions,
): Promise<CborValue> {
  let size = 0;
  for await (const given of source) {
    size += given.length;
    if (size > limit) {
      throw new EnerchainError(
        'unsupported',
        'link.pieces.size',
        `the answer has more than ${limit} octets; it was cut`,
      );
    }
    for (let at = 0; at < given.length; at += PIECE_BYTES) {
      const piece = given.subarray(at, at + PIECE_BYTES);
      await context.write(piece, ready && (() => ready(piece.length, context.signal)));
    }
  }
  return { size };
}

/** Whoever can be asked: a client, or a peer of a server. */
export interface PieceAsker {
  stream(method: string, params: CborValue, options?: StreamOptions): AsyncGenerator<CborValue, CborValue>;
}

export interface ReceiveOptions {
  /** Octets. */
  readonly limit: number;
  /** Milliseconds for each piece, from when it is asked for. */
  readonly pieceWithin: number;
  /** Milliseconds for the whole, however slowly it is taken. */
  readonly within: number;
  readonly after: After;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Asks for octets. They come as fast as they are taken; leaving the loop cancels.
 * @param who for messages
 * @throws EnerchainError as the other side threw it; `link.timeout`, `link.pieces.size`, `link.pieces` (peer: cut short, or no
 *   octets); `link.cancelled` (caller)
 */
export async function* receivePieces(
  asker: PieceAsker,
  who: string,
  method: string,
  params: CborValue,
  { limit, pieceWithin, within, after, signal }: ReceiveOptions,
): AsyncGenerator<Uint8Array, void, void> {
  const stop = new AbortController();
  let failure: EnerchainError | undefined;
  const fail = (error: EnerchainError) => {
    failure ??= error;
    stop.abort();
  };
  const onAbort = () => fail(new EnerchainError('caller', 'link.cancelled', `the question to ${who} was given up`));
  const late = (milliseconds: number) => () =>
    fail(new EnerchainError('peer', 'link.timeout', `${who} did not answer within ${milliseconds / 1000} s`));
  signal?.addEventListener('abort', onAbort, { once: true });
  if (signal?.aborted) onAbort();
  const cancelWhole = after(within, late(within));
  let cancelPiece: () => void = () => undefined;
  let size = 0;
  try {
    if (failure) throw failure;
    const stream = asker.stream(method, params, { signal: stop.signal, window: PIECE_WINDOW });
    try {
      for (;;) {
        cancelPiece = after(pieceWithin, late(pieceWithin));
        const { value, done } = await stream.next();
        cancelPiece();
        if (failure) throw failure;
        if (done) {
          const told = (value as { size?: unknown } | null)?.size;
          if (told === size) return;
          throw new EnerchainError(
            'peer',
            'link.pieces',
            `the answer of ${who} has ${size} octets, not ${String(told)}`,
          );
        }
        if (!(value instanceof Uint8Array) || value.length > PIECE_BYTES) {
          throw new EnerchainError('peer', 'link.pieces', `a piece of the answer of ${who} is none`);
        }
        size += value.length;
        if (size > limit) {
          throw new EnerchainError('peer', 'link.pieces.size', `the answer of ${who} has more than ${limit} octets`);
        }
        yield value;
        if (failure) throw failure;
      }
    } finally {
      await stream.return(null);
    }
  } finally {
    cancelPiece();
    cancelWhole();
    signal?.removeEventListener('abort', onAbort);
  }
}

/** All of it in one. */
export async function gathered(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}
