/**
 * One event stream to the centre, kept open: reads, watches for silence, reconnects with back-off, resumes.
 * Knows the transport only; what the messages mean is `live/stream.ts`.
 */
import { API } from '../api/client.ts';
import type { ResumeCursor } from './resume.ts';
import { type SseMessage, SseParser } from './sse.ts';

/** The centre sends a ping every 5 s; after this many milliseconds without an octet the connection is called lost. */
export const SILENCE_MILLIS = 7_500;
const FIRST_RETRY_MILLIS = 500;
const LAST_RETRY_MILLIS = 8_000;

export type LinkState = 'connecting' | 'live' | 'lost' | 'unauthorised';

export interface ConnectionHandlers {
  message(message: SseMessage): void;
  /** `reason` is a sentence, present when the state is `lost`. */
  state(state: LinkState, reason?: string): void;
}

export interface ConnectionOptions extends ConnectionHandlers {
  readonly cursor: ResumeCursor;
  readonly signal: AbortSignal;
  readonly fetch?: typeof fetch;
  /** Resolves after so many milliseconds, or when the signal aborts. */
  readonly wait?: (millis: number, signal: AbortSignal) => Promise<void>;
  readonly random?: () => number;
}

/** Runs until the signal aborts or the session has ended. */
export async function keepConnected(options: ConnectionOptions): Promise<void> {
  const { signal, wait = waitMillis, random = Math.random } = options;
  let failures = 0;
  while (!signal.aborted) {
    let reason = 'The centre ended the stream.';
    try {
      const heard = await readOnce(options);
      if (heard === 'unauthorised') return options.state('unauthorised');
      if (heard) failures = 0;
    } catch (error) {
      reason = error instanceof StreamError ? error.message : 'The centre cannot be reached.';
    }
    if (signal.aborted) return;
    options.state('lost', reason);
    const delay = Math.min(LAST_RETRY_MILLIS, FIRST_RETRY_MILLIS * 2 ** failures++);
    await wait(delay * (0.5 + random() / 2), signal);
  }
}

class StreamError extends Error {}

/** @returns whether anything was read before the stream ended */
async function readOnce(options: ConnectionOptions): Promise<boolean | 'unauthorised'> {
  const attempt = new AbortController();
  const abort = () => attempt.abort();
  options.signal.addEventListener('abort', abort, { once: true });
  const silence = new Watchdog(SILENCE_MILLIS, abort);
  try {
    const lastEventId = options.cursor.lastEventId;
    const response = await (options.fetch ?? fetch)(`${API}/stream?points=all`, {
      credentials: 'same-origin',
      cache: 'no-store',
      headers: { accept: 'text/event-stream', ...(lastEventId ? { 'last-event-id': lastEventId } : {}) },
      signal: attempt.signal,
    });
    if (response.status === 401) return 'unauthorised';
    if (!response.ok || !response.body) throw new StreamError(`The centre answered ${response.status}.`);
    const parser = new SseParser();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let heard = false;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return heard;
      silence.feed();
      if (!heard) options.state('live');
      heard = true;
      for (const message of parser.push(value)) options.message(message);
    }
  } catch (error) {
    if (silence.barked) throw new StreamError(`Nothing was heard from the centre for ${SILENCE_MILLIS / 1000} s.`);
    throw error;
  } finally {
    silence.stop();
    attempt.abort();
    options.signal.removeEventListener('abort', abort);
  }
}

/** Barks once when it was not fed for so long. */
export class Watchdog {
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #millis: number;
  readonly #bark: () => void;
  barked = false;

  constructor(millis: number, bark: () => void) {
    this.#millis = millis;
    this.#bark = bark;
    this.feed();
  }

  feed(): void {
    clearTimeout(this.#timer);
    this.barked = false;
    this.#timer = setTimeout(() => {
      this.barked = true;
      this.#bark();
    }, this.#millis);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

const waitMillis = (millis: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, millis);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
