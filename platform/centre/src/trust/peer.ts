import type { LinkPeer } from '@enerchain/link';

/** A source as it is asked for evidence: over its link, whose exporter binds the answer to this connection. */
export type AttestedPeer = Pick<LinkPeer, 'source' | 'holder' | 'exporter' | 'request'>;
