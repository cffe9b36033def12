/** Devices that do what no station may, on a plain socket: what they send is written here octet by octet. */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

const STARTDT_CON = Buffer.from('68040b000000', 'hex');

/** An I frame with M_SP_NA_1 of IOA 2, station 1. */
export const frame = (sent: number, received = 0): Buffer => {
  const octets = Buffer.from('680e0000000001010300010002000001', 'hex');
  octets.writeUInt16LE((sent & 0x7fff) << 1, 2);
  octets.writeUInt16LE((received & 0x7fff) << 1, 4);
  return octets;
};

export class HostileStation {
  /** Connections taken so far. */
  attempts = 0;
  /** Octets that the other side took from us. */
  taken = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  /** @param behave what it does once it has been asked to start; before that it behaves well */
  constructor(behave: (socket: Socket) => void) {
    this.#server = createServer((socket) => {
      this.attempts++;
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        this.taken += socket.bytesWritten;
        this.#sockets.delete(socket);
      });
      socket.once('data', () => {
        socket.write(STARTDT_CON);
        behave(socket);
      });
    });
  }

  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  get open(): readonly Socket[] {
    return [...this.#sockets];
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}
