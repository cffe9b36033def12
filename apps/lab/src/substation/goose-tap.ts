/**
 * What is on the station bus, for whoever is not on it: a capture (pcap) over TCP, as a probe at a mirror port of the
 * switch would send it. A gateway in another process hears the IEDs by it without a network interface and without rights.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { captureHeader, captureRecord, ETHERTYPE, type LinkLayer } from '@enerchain/ethernet';
import type { Logger } from 'pino';

/** Octets that may wait for a listener; one that lets more come together is left. */
const MOST_WAITING = 1 << 20;
const MOST_LISTENERS = 16;

export class GooseTap {
  readonly #link: LinkLayer;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #stop: () => void;

  private constructor(link: LinkLayer, server: Server, logger: Logger) {
    this.#link = link;
    this.#server = server;
    server.on('connection', (socket) => {
      if (this.#sockets.size >= MOST_LISTENERS) {
        socket.destroy();
        return;
      }
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', (error) => logger.info({ reason: error.message }, 'a listener at the station bus has gone'));
      // Nothing is to be said to a tap.
      socket.resume();
      socket.write(captureHeader());
    });
    this.#stop = link.listen(
      (frame, at) => {
        if (this.#sockets.size === 0) return;
        const record = captureRecord(frame, at);
        for (const socket of this.#sockets) {
          if (socket.writableLength > MOST_WAITING) {
            logger.warn('a listener at the station bus does not read, and is left');
            socket.destroy();
          } else socket.write(record);
        }
      },
      { etherTypes: [ETHERTYPE.goose] },
    );
  }

  /** @param link a station of the bus; it is closed with the tap */
  static async open(
    link: LinkLayer,
    at: { readonly host: string; readonly port: number },
    logger: Logger,
  ): Promise<GooseTap> {
    const server = createServer({ noDelay: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(at.port, at.host, resolve);
    });
    return new GooseTap(link, server, logger);
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address ? address.port : 0;
  }

  async close(): Promise<void> {
    this.#stop();
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((done) => this.#server.close(() => done()));
    await this.#link.close();
  }
}
