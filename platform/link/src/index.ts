/**
 * The protocol between edge, services and centre: signed batches on a chain upwards, signed commands downwards, requests both
 * ways, over WebSocket (RFC 6455) and mutual TLS. Both ends, no policy. README.md states the bytes.
 *
 * A batch is a signed header over the Merkle root (RFC 9162 § 2.1) of its columns; its octets are hashed and passed on as they
 * came and never encoded again. Instants are nanoseconds, times of waiting are milliseconds, sizes are octets. What a peer sends
 * and must not is an `EnerchainError` with fault `peer` and a code `link.…`; what is refused is said in band.
 */

// The batch, its columns and their proofs; the chain that batches form.

export * from './batch.ts';
export * from './builder.ts';
export * from './chain.ts';
export * from './content.ts';
export * from './proof.ts';
export * from './site-columns.ts';

// The ends of a link, and what stands between: a source, the centre, a relay.

export * from './client.ts';
export * from './policy.ts';
export * from './relay.ts';
export * from './server.ts';
export * from './store.ts';

// What goes over it besides batches.

export * from './message.ts';
export * from './pieces.ts';
export type { RequestContext, RequestHandler, RequestOptions, RpcLimits, StreamOptions } from './rpc.ts';
export * from './service-api.ts';

// What carries it.

export type { Ending, LinkCounters, LivenessTimes } from './connection.ts';
export { type After, type LinkTransport, memoryPair, systemAfter, type TransportHandlers } from './transport.ts';
export { type Connect, connectWebSocket, serveWebSocket } from './websocket.ts';
