/**
 * Writes into the log when a source is lost and when it is back, so that the alarm about it follows from the log like
 * all others. A short absence is no loss.
 */
import type { LogWriter, SourceStatus, Sources } from '../ports.ts';

export interface SourceWatchOptions {
  readonly sources: Sources;
  readonly audit: LogWriter;
  /** Sources that are lost by the log. */
  readonly lost: Iterable<string>;
  /** Milliseconds that a source may be away; and may take to come back after the centre has started. */
  readonly grace?: number;
  readonly graceAtStart?: number;
  readonly onError?: (error: unknown) => void;
}

const GRACE_MILLIS = 10_000;
/** After a power cut gateways start beside the centre, and some are slower. */
const GRACE_AT_START_MILLIS = 60_000;

export class SourceWatch {
  readonly #options: SourceWatchOptions;
  readonly #lost: Set<string>;
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #unsubscribe: () => void;

  constructor(options: SourceWatchOptions) {
    this.#options = options;
    this.#lost = new Set(options.lost);
    this.#unsubscribe = options.sources.onChange((status) => this.#onStatus(status));
    const { grace, graceAtStart = grace ?? GRACE_AT_START_MILLIS } = options;
    for (const status of options.sources.status()) this.#onStatus(status, graceAtStart);
  }

  close(): void {
    this.#unsubscribe();
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  #onStatus({ source, connected, role }: SourceStatus, grace = this.#options.grace ?? GRACE_MILLIS): void {
    const timer = this.#timers.get(source);
    if (connected) {
      clearTimeout(timer);
      this.#timers.delete(source);
      if (this.#lost.delete(source)) this.#append('source.back', source, role);
    } else if (!timer && !this.#lost.has(source)) {
      const due = () => {
        this.#timers.delete(source);
        this.#lost.add(source);
        this.#append('source.lost', source, role);
      };
      this.#timers.set(source, setTimeout(due, grace).unref());
    }
  }

  #append(action: string, source: string, role: string): void {
    const { audit, onError } = this.#options;
    audit
      .append({ action, actor: 'centre', outcome: 'ok', subject: source, detail: { role } })
      .catch((error: unknown) => onError?.(error));
  }
}
