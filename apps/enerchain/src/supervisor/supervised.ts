/** The child's side: says when it is ready, and ends when it is told to or when its parent is gone. */

export interface ChildMessage {
  readonly type: 'ready';
  readonly info: Record<string, unknown>;
}

export const supervised = process.env.ENERCHAIN_SUPERVISED === '1' && process.send !== undefined;

/** How long a clean stop may take before the process ends anyway, ms. */
const STOP_WITHIN = 9_000;

/** A terminal sends Ctrl-C to a whole group, and launchers forward it too: signals this close together, ms, are one. */
const SAME_SIGNAL = 1_000;

/**
 * Aborts on SIGINT, SIGTERM and, in a supervised process, when the parent's channel closes (a parent that was killed
 * cannot send a signal). A second signal, or a stop that takes too long, ends the process at once.
 */
export function stopSignal(): AbortSignal {
  const controller = new AbortController();
  let stoppedAt = 0;
  const stop = (): void => {
    if (controller.signal.aborted) {
      if (performance.now() - stoppedAt > SAME_SIGNAL) process.exit(1);
      return;
    }
    stoppedAt = performance.now();
    controller.abort();
    setTimeout(() => process.exit(1), STOP_WITHIN).unref();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  process.on('SIGHUP', stop);
  if (supervised) {
    process.once('disconnect', () => (controller.signal.aborted ? undefined : stop()));
    // A parent that was killed while this process was starting has closed the channel before anybody listened.
    if (!process.connected) setImmediate(stop);
  }
  return controller.signal;
}

/** Tells the supervisor, if there is one, that the process does its work now. */
export function reportReady(info: Record<string, unknown>): void {
  if (supervised) process.send?.({ type: 'ready', info } satisfies ChildMessage);
}
