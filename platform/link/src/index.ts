/** The protocol between edge, services and centre. README.md states the bytes. */
export * from './batch.ts';
export * from './builder.ts';
export * from './chain.ts';
export * from './client.ts';
export type { Ending, LinkCounters, LivenessTimes } from './connection.ts';
export * from './content.ts';
export * from './message.ts';
export * from './pieces.ts';
export * from './policy.ts';
export * from './proof.ts';
export * from './relay.ts';
export type { RequestContext, RequestHandler, RequestOptions, RpcLimits, StreamOptions } from './rpc.ts';
export * from './server.ts';
export * from './service-api.ts';
export * from './site-columns.ts';
export * from './store.ts';
export { type After, type LinkTransport, memoryPair, systemAfter, type TransportHandlers } from './transport.ts';
export { type Connect, connectWebSocket, serveWebSocket } from './websocket.ts';
