/** The UDP socket below `CoapServer`; opened only when the site asks for it, on one address. */
import { createSocket, type Socket } from 'node:dgram';
import { isIP } from 'node:net';
import { type Clock, EnerchainError } from '@enerchain/model';
import { CoapServer, type Quoter } from './server.ts';

export const COAP_PORT = 5683;

export class CoapListener {
  readonly server: CoapServer;
  readonly #socket: Socket;

  private constructor(socket: Socket, quote: Quoter, clock: Clock) {
    this.#socket = socket;
    this.server = new CoapServer({
      quote,
      clock,
      send: (bytes, to) => {
        const [port, address] = to.split('|');
        socket.send(bytes, Number(port), address, () => undefined);
      },
    });
    socket.on('message', (bytes, { address, port }) => this.server.receive(bytes, address, `${port}|${address}`));
  }

  /** @throws EnerchainError `tcn.listen` */
  static async open(options: { host: string; port?: number; quote: Quoter; clock: Clock }): Promise<CoapListener> {
    const { host, port = COAP_PORT, quote, clock } = options;
    if (isIP(host) === 0 || host === '0.0.0.0' || /^[0:]+$/.test(host)) {
      throw new EnerchainError('caller', 'tcn.listen', `'${host}' is no single address to listen on for attestation`);
    }
    const socket = createSocket(isIP(host) === 6 ? 'udp6' : 'udp4');
    await new Promise<void>((resolve, reject) => {
      socket.once('error', (cause) =>
        reject(new EnerchainError('environment', 'tcn.listen', `cannot listen on UDP ${host}:${port}`, { cause })),
      );
      socket.bind(port, host, resolve);
    });
    socket.on('error', () => undefined);
    return new CoapListener(socket, quote, clock);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#socket.close(() => resolve()));
  }
}
