/**
 * What carries a protocol: octets with back-pressure over TCP, TLS or memory, behind one port (`Transport`), and the time its
 * time-outs go by (`Clock`: monotonic milliseconds). A protocol written on it runs over each of them, in tests without a socket.
 *
 *   const transport = await tcpConnect('10.0.3.7', 102)(AbortSignal.timeout(5000));
 *   transport.open({ onData: (chunk) => …, onClose: (error) => … });
 *
 * A connection that cannot be had is a `TransportError`: fault `environment` for the network, `peer` for what a handshake refused.
 * TLS is that of IEC 62351-3: mutual authentication, and a named event for every outcome.
 */

// The port, and what is behind it.

export * from './clock.ts';
export { TransportError } from './errors.ts';
export { memoryPair } from './memory.ts';
export { endpoint, socketTransport, tcpConnect } from './tcp.ts';
export * from './transport.ts';

// TLS with settings of a single connection.

export { type TlsConnectOptions, tlsConnect } from './tls/connect.ts';
export { type TlsListenerOptions, tlsListener } from './tls/listener.ts';
export { clientOptions, serverOptions, type TlsSettings } from './tls/settings.ts';

// IEC 62351-3 as data and rules, of which profiles are made elsewhere as well.

export { CIPHER_SUITES, type CipherSuite, type TlsVersion } from './tls/cipher-suites.ts';
export { libraryRefusal, type PeerRefusal } from './tls/peer-check.ts';
export { contextOptions, sessionOptions, TLS_RULES, type TlsRules } from './tls/rules.ts';
export * from './tls/security-events.ts';
