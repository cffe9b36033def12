/** What carries a protocol: octets over TCP, TLS or memory, and the time its time-outs go by. */
export * from './clock.ts';
export { TransportError } from './errors.ts';
export { memoryPair } from './memory.ts';
export { endpoint, socketTransport, tcpConnect } from './tcp.ts';
export { CIPHER_SUITES, type CipherSuite, type TlsVersion } from './tls/cipher-suites.ts';
export { type TlsConnectOptions, tlsConnect } from './tls/connect.ts';
export { type TlsListenerOptions, tlsListener } from './tls/listener.ts';
export { cipherString, clientOptions, serverOptions, type TlsProfile } from './tls/profile.ts';
export * from './tls/security-events.ts';
export * from './transport.ts';
