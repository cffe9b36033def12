/**
 * Decides when a device that its gateway cannot reach is an alarm, and writes that into the log (`device.lost`), so that
 * the alarm follows from the log like all others. The delay (ISA-18.2 on-delay) is counted here, on the monotonic clock:
 * restarts of devices, and an ordinary stop of the whole station, are no news to anybody.
 */
import type { LogWriter, Sources } from '../ports.ts';
import { deviceKey, type UnreachableDevice } from './derivation.ts';

export interface DeviceWatchOptions {
  /** The devices that cannot be reached and of which the alarm does not know. */
  readonly unreachable: () => Iterable<UnreachableDevice>;
  /** Calls the listener after what is unreachable may have changed. Returns unsubscribe. */
  readonly onChange: (listener: () => void) => () => void;
  readonly sources: Pick<Sources, 'status'>;
  readonly audit: LogWriter;
  /** Milliseconds that a device may be away. */
  readonly grace?: number;
  readonly onError?: (error: unknown) => void;
}

const GRACE_MILLIS = 10_000;

export class DeviceWatch {
  readonly #options: DeviceWatchOptions;
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #unsubscribe: () => void;

  constructor(options: DeviceWatchOptions) {
    this.#options = options;
    this.#unsubscribe = options.onChange(() => this.#look());
    this.#look();
  }

  close(): void {
    this.#unsubscribe();
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  #look(): void {
    const away = new Map<string, UnreachableDevice>();
    for (const device of this.#options.unreachable()) away.set(deviceKey(device.source, device.endpoint), device);
    for (const [key, timer] of this.#timers) {
      if (away.has(key)) continue;
      clearTimeout(timer);
      this.#timers.delete(key);
    }
    for (const [key, device] of away) if (!this.#timers.has(key)) this.#wait(key, device);
  }

  #wait(key: string, device: UnreachableDevice): void {
    const { grace = GRACE_MILLIS, sources, audit, onError } = this.#options;
    const due = () => {
      // While the gateway itself is away its own alarm speaks, and nobody knows how its devices are.
      if (!sources.status().some(({ source, connected }) => source === device.source && connected))
        return this.#wait(key, device);
      audit
        .append({
          action: 'device.lost',
          actor: 'centre',
          outcome: 'ok',
          subject: key,
          detail: { source: device.source, endpoint: device.endpoint },
        })
        .catch((error: unknown) => {
          onError?.(error);
          // Said again as long as it is so and could not be written.
          this.#timers.delete(key);
        });
    };
    this.#timers.set(key, setTimeout(due, grace).unref());
  }
}
