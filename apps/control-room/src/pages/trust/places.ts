/** Addresses of the trust page: `#/trust`, `#/trust/node/<name>`, `#/trust/certificates`. */
import { route } from '../../route.ts';

/** What quarantine and release need. */
export const TRUST_RIGHT = 'trust.write';

export const nodePath = (node: string): string => `trust/node/${encodeURIComponent(node)}`;

/** The node that the address names, while the trust page is shown. */
export const openNode = (): string | undefined => {
  const [place, kind, node] = route().path;
  return place === 'trust' && kind === 'node' ? node : undefined;
};
