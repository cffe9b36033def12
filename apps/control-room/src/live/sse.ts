/** Server-sent events from a byte stream (WHATWG HTML § 9.2.6), so that status and headers stay ours to read. */

export interface SseMessage {
  readonly event: string;
  readonly data: string;
  /** Set when this message carried an `id:` field. */
  readonly id?: string;
}

/** A message larger than this is no message; the reader gives up rather than grow without bound. */
const MAX_BUFFER = 64 * 1024 * 1024;

/** Feeds on text in pieces of any size and hands out whole messages. */
export class SseParser {
  #rest = '';
  #event = '';
  #data: string[] = [];
  #id: string | undefined;

  /** @throws RangeError when a single line grows past the bound */
  push(chunk: string): SseMessage[] {
    const messages: SseMessage[] = [];
    let text = this.#rest + chunk;
    // A carriage return at the end may be half of a CRLF: keep it until the next piece tells.
    const held = text.endsWith('\r') ? '\r' : '';
    if (held) text = text.slice(0, -1);
    const lines = text.split(/\r\n|\n|\r/);
    this.#rest = (lines.pop() ?? '') + held;
    if (this.#rest.length > MAX_BUFFER) throw new RangeError('a line of the event stream is larger than 64 MiB');
    for (const line of lines) {
      if (line === '') {
        const message = this.#dispatch();
        if (message) messages.push(message);
      } else this.#field(line);
    }
    return messages;
  }

  #field(line: string): void {
    const colon = line.indexOf(':');
    if (colon === 0) return; // a comment
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (name === 'event') this.#event = value;
    else if (name === 'data') this.#data.push(value);
    else if (name === 'id' && !value.includes('\0')) this.#id = value;
  }

  #dispatch(): SseMessage | undefined {
    const [event, data, id] = [this.#event || 'message', this.#data, this.#id];
    this.#event = '';
    this.#data = [];
    this.#id = undefined;
    if (data.length === 0) return undefined;
    return { event, data: data.join('\n'), ...(id === undefined ? {} : { id }) };
  }
}
