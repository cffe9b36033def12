/** Addresses of the trust page: `#/trust`, `#/trust/node/<name>`, `#/trust/certificates`. */
import { route } from '../../route.ts';

export const nodePath = (node: string): string => `trust/node/${encodeURIComponent(node)}`;

/** The node that the address names, while the trust page is shown. */
export const openNode = (): string | undefined => {
  const [place, kind, node] = route().path;
  return place === 'trust' && kind === 'node' ? node : undefined;
};
