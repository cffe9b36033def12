/** What carries a protocol: octets over TCP, TLS or memory, and the time its time-outs go by. */
export * from './clock.ts';
export { TransportError } from './errors.ts';
export { memoryPair } from './memory.ts';
export { endpoint, socketTransport, tcpConnect } from './tcp.ts';
export { CIPHER_SUITES, type CipherSuite, type TlsVersion } from './tls/cipher-suites.ts';
export { type TlsConnectOptions, tlsConnect } from './tls/connect.ts';
export { type TlsListenerOptions, tlsListener } from './tls/listener.ts';
export { libraryRefusal, type PeerRefusal } from './tls/peer-check.ts';
export { contextOptions, sessionOptions, TLS_RULES, type TlsRules } from './tls/rules.ts';
export * from './tls/security-events.ts';
export { clientOptions, serverOptions, type TlsSettings } from './tls/settings.ts';
export * from './transport.ts';
