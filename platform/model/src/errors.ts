/**
 * Who is at fault decides whom an engineer calls at three in the morning, so every error of the platform says it.
 *
 * - `peer`: bytes or behaviour that came from outside
 * - `caller`: wrong use of an API or a wrong configuration
 * - `local`: our own bug
 * - `unsupported`: legal, but not implemented here
 * - `environment`: disk, network, database, key store
 */
export type Fault = 'peer' | 'caller' | 'local' | 'unsupported' | 'environment';

/**
 * The one error class of the platform. `code` is stable and searchable (`edge.outbox.disk-full`); the message is a
 * sentence that says what happened, where, and what was done about it.
 */
export class EnerchainError extends Error {
  readonly fault: Fault;
  readonly code: string;

  constructor(fault: Fault, code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'EnerchainError';
    this.fault = fault;
    this.code = code;
  }
}

/** The message of anything that was thrown, followed by the messages of its causes. */
export function describeError(error: unknown): string {
  const parts: string[] = [];
  for (let at = error, depth = 0; at !== undefined && depth < 5; depth++) {
    const text = at instanceof Error ? at.message : String(at);
    // There are errors that name their cause themselves.
    if (!parts.at(-1)?.endsWith(text)) parts.push(text);
    at = at instanceof Error ? at.cause : undefined;
  }
  return parts.join(': ');
}
