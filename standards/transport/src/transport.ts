/** The port between a session and whatever carries its octets: TCP, TLS or memory. */
export interface Transport {
  /** Who is at the other end, for messages: `10.0.3.7:2404`. */
  readonly remote: string;
  /** Octets written that the other side has not taken yet. */
  readonly bufferedBytes: number;
  /** Sets the receiver; nothing is delivered before. Called once. */
  open(handler: TransportHandler): void;
  /** Takes over the buffer: it must not be changed afterwards. */
  write(bytes: Uint8Array): void;
  /** Stops and resumes reading (back-pressure to the peer). */
  pause(): void;
  resume(): void;
  /** Closes after everything written has gone out. */
  end(): void;
  /** Closes at once. */
  destroy(): void;
}

export interface TransportHandler {
  /** The chunk is not changed after the call. */
  onData(chunk: Uint8Array): void;
  /** Exactly once, also after `end` and `destroy`. */
  onClose(error?: Error): void;
}

/** Makes a connection; rejects with TransportError (environment, or peer for a refused TLS handshake). */
export type Connect = (signal: AbortSignal) => Promise<Transport>;
