/**
 * The stream of this browser: the first tab holds a lock and the one connection, the others listen to it over a
 * broadcast channel. When the leading tab goes, the browser hands the lock to the next, which resumes at the last id it saw.
 */
import type { NodeTrustJson } from '../api/trust.ts';
import type {
  AlarmJson,
  CommandJson,
  EventJson,
  GapJson,
  Hello,
  LiveValueJson,
  SourceStatusJson,
} from '../api/types.ts';
import { keepConnected, type LinkState, SILENCE_MILLIS, Watchdog } from './connection.ts';
import { ResumeCursor } from './resume.ts';
import type { SseMessage } from './sse.ts';

export interface StreamHandlers {
  values(values: readonly LiveValueJson[]): void;
  event(event: EventJson): void;
  alarm(alarm: AlarmJson): void;
  command(command: CommandJson): void;
  source(status: SourceStatusJson): void;
  gap(gap: GapJson): void;
  grid(): void;
  /** Nodes whose trust has changed. */
  trust(nodes: readonly NodeTrustJson[]): void;
  /** What was shown may be incomplete: fetch everything anew. */
  refetch(): void;
  /** Another instance of the centre answers. */
  restarted(): void;
  serverTime(millis: number): void;
  state(state: LinkState, reason?: string): void;
  /** What a tab that joins is given. */
  snapshot(): LiveValueJson[];
}

type TabMessage =
  | { readonly kind: 'join' }
  | { readonly kind: 'message'; readonly message: SseMessage }
  | { readonly kind: 'state'; readonly state: LinkState; readonly reason?: string }
  | {
      readonly kind: 'snapshot';
      readonly values: LiveValueJson[];
      readonly lastEventId: string | undefined;
      readonly state: LinkState;
      readonly reason?: string;
    };

const NAME = 'enerchain-stream';

/** Reads messages in order into the handlers; knows nothing of tabs or sockets. */
export class StreamReader {
  readonly cursor = new ResumeCursor();
  #instance: string | undefined;
  readonly #handlers: StreamHandlers;

  constructor(handlers: StreamHandlers) {
    this.#handlers = handlers;
  }

  read(message: SseMessage): void {
    const handlers = this.#handlers;
    let data: unknown;
    try {
      data = JSON.parse(message.data);
    } catch {
      return; // not ours to repair; the next snapshot tells the truth
    }
    if (message.event === 'hello') this.#greet(data as Hello, message.id);
    else if (message.event === 'reset') {
      this.cursor.restart(message.id);
      handlers.refetch();
    } else if (this.cursor.accept(message.id)) this.#dispatch(message.event, data);
  }

  #dispatch(event: string, data: unknown): void {
    const handlers = this.#handlers;
    switch (event) {
      case 'values':
        handlers.values((data as { values: LiveValueJson[] }).values);
        break;
      case 'event':
        handlers.event(data as EventJson);
        break;
      case 'alarm':
        handlers.alarm(data as AlarmJson);
        break;
      case 'command':
        handlers.command(data as CommandJson);
        break;
      case 'source':
        handlers.source(data as SourceStatusJson);
        break;
      case 'gap':
        handlers.gap(data as GapJson);
        break;
      case 'grid':
        handlers.grid();
        break;
      case 'trust':
        handlers.trust(Array.isArray(data) ? data : (data as { nodes: NodeTrustJson[] }).nodes);
        break;
      case 'ping':
        handlers.serverTime(toMillis((data as { serverTime: number | string }).serverTime));
        break;
    }
  }

  #greet(hello: Hello, id: string | undefined): void {
    if (this.#instance !== undefined && this.#instance !== hello.instance) this.#handlers.restarted();
    this.#instance = hello.instance;
    this.#handlers.serverTime(toMillis(hello.serverTime));
    if (this.cursor.greet(hello, id) === 'refetch') this.#handlers.refetch();
  }

  /** Takes over where another tab stands. */
  join(lastEventId: string): void {
    this.#instance = lastEventId.slice(0, lastEventId.lastIndexOf(':'));
    this.cursor.restart(lastEventId);
  }
}

const toMillis = (time: number | string): number => (typeof time === 'number' ? time : Date.parse(time));

/** Opens this tab's share of the stream; returns what closes it. */
export function openStream(handlers: StreamHandlers): () => void {
  const closed = new AbortController();
  const reader = new StreamReader(handlers);
  let state: LinkState = 'connecting';
  let reason: string | undefined;
  const say = (next: LinkState, why?: string) => {
    state = next;
    reason = why;
    handlers.state(next, why);
  };
  const shared = typeof BroadcastChannel === 'function' && 'locks' in navigator;
  const lead = (tell: (message: TabMessage) => void) =>
    keepConnected({
      cursor: reader.cursor,
      signal: closed.signal,
      message: (message) => {
        reader.read(message);
        tell({ kind: 'message', message });
      },
      state: (next, why) => {
        say(next, why);
        tell({ kind: 'state', state: next, ...(why ? { reason: why } : {}) });
      },
    });

  if (!shared) {
    void lead(() => {});
    return () => closed.abort();
  }

  const channel = new BroadcastChannel(NAME);
  let leading = false;
  let joined = false;
  const tell = (message: TabMessage) => {
    if (!closed.signal.aborted) channel.postMessage(message);
  };
  // The leader hears the centre's pings itself; the others hear the leader, or notice that it has fallen silent.
  const silence = new Watchdog(SILENCE_MILLIS, () => {
    if (!leading) say('lost', 'The tab that holds the connection has fallen silent.');
  });
  channel.onmessage = ({ data }: MessageEvent<TabMessage>) => {
    if (leading) {
      if (data.kind === 'join')
        tell({
          kind: 'snapshot',
          values: handlers.snapshot(),
          lastEventId: reader.cursor.lastEventId,
          state,
          ...(reason ? { reason } : {}),
        });
      return;
    }
    silence.feed();
    if (data.kind === 'message') {
      if (state !== 'live') say('live');
      reader.read(data.message);
    } else if (data.kind === 'state') say(data.state, data.reason);
    else if (data.kind === 'snapshot' && !joined) {
      joined = true;
      if (data.lastEventId !== undefined) reader.join(data.lastEventId);
      handlers.values(data.values);
      handlers.refetch();
      say(data.state, data.reason);
    }
  };
  void navigator.locks
    .request(NAME, { signal: closed.signal }, async () => {
      leading = true;
      silence.stop();
      await lead(tell);
    })
    .catch(() => {}); // aborted while waiting for the lock: this tab closes
  tell({ kind: 'join' });
  return () => {
    closed.abort();
    silence.stop();
    channel.close();
  };
}
