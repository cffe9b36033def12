/** Where the browser is: `#/points?q=T2`. A hash needs nothing from the server and survives a reload. */
import { createSignal } from 'solid-js';

export interface Route {
  /** Path segments, decoded. */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
}

export function parseHash(hash: string): Route {
  const [path = '', search = ''] = hash.replace(/^#\/?/, '').split('?');
  const decode = (part: string) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  };
  return { path: path.split('/').filter(Boolean).map(decode), query: new URLSearchParams(search) };
}

const [route, setRoute] = createSignal(parseHash(globalThis.location?.hash ?? ''));
globalThis.addEventListener?.('hashchange', () => setRoute(parseHash(location.hash)));

export { route };

export function href(path: string, query: Record<string, string> = {}): string {
  const search = new URLSearchParams(query).toString();
  return `#/${path}${search ? `?${search}` : ''}`;
}
export function go(path: string, query: Record<string, string> = {}): void {
  location.hash = href(path, query);
}
