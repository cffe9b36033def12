/** The part in C (`native/packet-socket.c`): loaded when somebody opens such a link, and not before. */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { EthernetError } from '../errors.ts';

/** What the module offers; descriptors are numbers. All throw an Error with `code` and `syscall` when the kernel refuses. */
export interface PacketSocketModule {
  /** Frames per call-back, and slots of the buffer. */
  readonly batch: number;
  openSocket(receiveBuffer: number, namespace: string): number;
  adoptSocket(fd: number, receiveBuffer: number): void;
  interfaceOf(fd: number, name: string): { readonly index: number; readonly mtu: number; readonly address: Uint8Array };
  bindSocket(fd: number, index: number): void;
  /** A program of `struct sock_filter`, in the order of octets of this machine. */
  setFilter(fd: number, program: Uint8Array): void;
  membership(fd: number, index: number, kind: number, address: Uint8Array, join: boolean): void;
  /** @returns 0, or the errno for which it was not sent */
  send(fd: number, frame: Uint8Array): number;
  /** Frames that the kernel had no room for since the last call. */
  drops(fd: number): number;
  closeSocket(fd: number): void;
  receive(
    fd: number,
    frames: Uint8Array,
    places: Int32Array,
    times: BigInt64Array,
    callback: (count: number, lost: number, errno: number) => void,
  ): object;
  stop(reception: object): void;
}

/** Where `build.ts` puts it. */
export const MODULE_PATH = fileURLToPath(
  new URL(`../../native/packet-socket-linux-${process.arch}.node`, import.meta.url),
);
const BUILD = fileURLToPath(new URL('./build.ts', import.meta.url));

/** @throws EthernetError when there is no AF_PACKET here */
export function onlyOnLinux(what: string): void {
  if (process.platform === 'linux') return;
  throw new EthernetError(
    'unsupported',
    'ethernet.linux-only',
    `${what}: AF_PACKET exists on Linux only, this is ${process.platform}; a capture program's pipe works here`,
  );
}

/**
 * @param path for tests
 * @throws EthernetError (`ethernet.linux-only`; environment, `ethernet.native` when it is not built or does not load)
 */
export function loadNative(path = MODULE_PATH): PacketSocketModule {
  onlyOnLinux('packet socket');
  try {
    return createRequire(import.meta.url)(path) as PacketSocketModule;
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND';
    const why = missing ? 'is not built' : `does not load (${(cause as Error).message})`;
    throw new EthernetError(
      'environment',
      'ethernet.native',
      `The module for packet sockets ${why}: 'node ${BUILD}' builds it (a C compiler is all it needs). Without it: a descriptor from a launcher, or the pipe of tcpdump`,
      { cause },
    );
  }
}
