import { connect as connectSocket, type Socket } from 'node:net';
import { unreachable } from './errors.ts';
import type { Connect, Transport, TransportHandler } from './transport.ts';

/** `host:port`, with brackets around an IPv6 address. */
export function endpoint(host: string | undefined, port: number | undefined): string {
  const address = host?.startsWith('::ffff:') ? host.slice(7) : (host ?? 'unknown');
  return address.includes(':') ? `[${address}]:${port ?? 0}` : `${address}:${port ?? 0}`;
}

/** A connected socket (TCP or TLS) as a transport. */
export function socketTransport(socket: Socket): Transport {
  const remote = endpoint(socket.remoteAddress, socket.remotePort);
  let failure: Error | undefined;
  let handler: TransportHandler | undefined;
  let closed = false;
  // An acknowledgement or a request must not wait for Nagle's algorithm: the peer's window waits for it.
  socket.setNoDelay(true);
  socket.pause();
  // A plain Uint8Array, so that what is decoded is the same over every transport.
  socket.on('data', (chunk: Uint8Array) =>
    handler?.onData(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length)),
  );
  socket.on('error', (error) => {
    failure = error;
  });
  socket.on('close', () => {
    closed = true;
    handler?.onClose(failure);
  });
  return {
    remote,
    get bufferedBytes() {
      return socket.writableLength;
    },
    open(receiver) {
      handler = receiver;
      if (closed) queueMicrotask(() => receiver.onClose(failure));
      else socket.resume();
    },
    write(bytes) {
      if (socket.writable) socket.write(bytes);
    },
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    end() {
      socket.end();
      // Reads on so that the peer's end is seen; a peer that never ends does not keep the socket.
      socket.resume();
      setTimeout(() => socket.destroy(), 2000).unref();
    },
    destroy: () => void socket.destroy(),
  };
}

/** Connects over TCP. Time-outs are the caller's, through the signal. */
export function tcpConnect(host: string, port: number): Connect {
  return (signal) =>
    new Promise((resolve, reject) => {
      if (signal.aborted) return reject(unreachable(endpoint(host, port), signal.reason));
      const socket = connectSocket({ host, port, noDelay: true });
      const abort = () => {
        socket.destroy();
        reject(unreachable(endpoint(host, port), signal.reason));
      };
      const fail = (error: Error) => {
        signal.removeEventListener('abort', abort);
        reject(unreachable(endpoint(host, port), error));
      };
      signal.addEventListener('abort', abort, { once: true });
      socket.once('error', fail);
      socket.once('connect', () => {
        signal.removeEventListener('abort', abort);
        socket.removeListener('error', fail);
        resolve(socketTransport(socket));
      });
    });
}
