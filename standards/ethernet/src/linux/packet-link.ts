/** An interface of Linux as a link: AF_PACKET through the module in C. */
import { readdirSync } from 'node:fs';
import { constants } from 'node:os';
import { EthernetError } from '../errors.ts';
import type { Filter, LinkCounters, LinkLayer, Receive } from '../link-layer.ts';
import { Receivers } from '../receivers.ts';
import { filterProgram, type Membership, memberships } from './filter.ts';
import { loadNative, type PacketSocketModule } from './native.ts';

export interface PacketLinkOptions {
  /** Octets of the kernel's queue; beyond net.core.rmem_max only with CAP_NET_ADMIN. 16 MB: a tenth of a second at 100 000 small frames/s. */
  readonly receiveBuffer?: number;
  /** Network namespace of the interface: a name of `ip netns`, or a path. Needs CAP_SYS_ADMIN. */
  readonly namespace?: string;
  /** Frames to other stations too. Without it: to this one, and to the groups that are listened to. */
  readonly promiscuous?: boolean;
  /** A descriptor that a launcher has opened and bound to the interface: no rights are needed then. It is closed with the link. */
  readonly descriptor?: number;
}

/** A slot must hold a frame with its tags; cards that put several into one (GRO) are none for substations. */
const SLOT_MARGIN = 64;

/**
 * Opens an interface; needs CAP_NET_RAW. Nothing is received before somebody listens.
 * @throws EthernetError: `ethernet.native` when the module is not built, `ethernet.interface` when there is no such interface,
 *   `ethernet.rights`, `ethernet.linux-only`
 */
export function packetLink(interfaceName: string, options: PacketLinkOptions = {}): LinkLayer {
  return new PacketLink(loadNative(), interfaceName, options);
}

class PacketLink implements LinkLayer {
  readonly name: string;
  readonly address: Uint8Array;
  readonly #native: PacketSocketModule;
  readonly #fd: number;
  readonly #index: number;
  readonly #promiscuous: boolean;
  readonly #adopted: boolean;
  readonly #receivers = new Receivers(() => this.#wantedChanged());
  readonly #frames: Uint8Array;
  readonly #places: Int32Array;
  readonly #times: BigInt64Array;
  readonly #reception: object;
  #joined: ReadonlyMap<string, Membership> = new Map();

  constructor(native: PacketSocketModule, name: string, options: PacketLinkOptions) {
    const { receiveBuffer = 1 << 24, namespace = '', promiscuous = false, descriptor } = options;
    this.#native = native;
    this.name = name;
    this.#promiscuous = promiscuous;
    this.#adopted = descriptor !== undefined;
    this.#fd = opened(native, name, receiveBuffer, namespace, descriptor);
    try {
      const { index, mtu, address } = native.interfaceOf(this.#fd, name);
      this.#index = index;
      this.address = address;
      this.#setFilter([]);
      if (descriptor === undefined) native.bindSocket(this.#fd, index);
      const slot = Math.ceil((mtu + SLOT_MARGIN) / 64) * 64;
      this.#frames = new Uint8Array(native.batch * slot);
      this.#places = new Int32Array(2 * native.batch);
      this.#times = new BigInt64Array(native.batch);
      this.#reception = native.receive(this.#fd, this.#frames, this.#places, this.#times, this.#came);
    } catch (error) {
      native.closeSocket(this.#fd);
      throw explained(name, error);
    }
  }

  get counters(): LinkCounters {
    if (this.#receivers.open) this.#receivers.lost += this.#native.drops(this.#fd);
    return this.#receivers.counters;
  }

  get closed(): Promise<void> {
    return this.#receivers.closed;
  }

  listen(receive: Receive, filter?: Filter): () => void {
    return this.#receivers.add(receive, filter);
  }

  send(frame: Uint8Array): void {
    if (this.#receivers.open && this.#native.send(this.#fd, frame) === 0) this.#receivers.sent++;
    else this.#receivers.lost++;
  }

  close(): Promise<void> {
    this.#end();
    return this.closed.catch(() => {});
  }

  #end(error?: Error): void {
    if (!this.#receivers.open) return;
    this.#receivers.lost += this.#native.drops(this.#fd);
    this.#receivers.end(error);
    this.#native.stop(this.#reception);
    this.#native.closeSocket(this.#fd);
  }

  readonly #came = (count: number, lost: number, errno: number): void => {
    this.#receivers.lost += lost;
    try {
      for (let i = 0; i < count; i++) {
        const start = this.#places[2 * i]!;
        this.#receivers.deliver(this.#frames.subarray(start, start + this.#places[2 * i + 1]!), this.#times[i]!);
      }
    } catch (error) {
      this.#end(error as Error);
    }
    if (errno !== 0) this.#troubled(errno);
  };

  /** One that was taken down may come up again, and goes on then; one that is gone does not. */
  #troubled(errno: number): void {
    if (!this.#receivers.open) return;
    if (errno === constants.errno.ENETDOWN && this.#still()) return;
    const name = Object.entries(constants.errno).find(([, value]) => value === errno)?.[0] ?? `errno ${errno}`;
    const why = errno === constants.errno.ENETDOWN ? 'the interface is gone' : name;
    this.#end(new EthernetError('environment', 'ethernet.interface', `${this.name}: ${why}; the link has ended`));
  }

  #setFilter(filters: readonly Filter[]): void {
    try {
      this.#native.setFilter(this.#fd, filterProgram(filters));
    } catch (error) {
      // A launcher may have locked its own; what that lets through is filtered again in the process.
      if (!this.#adopted || (error as NodeJS.ErrnoException).code !== 'EPERM') throw error;
    }
  }

  #still(): boolean {
    try {
      return this.#native.interfaceOf(this.#fd, this.name).index === this.#index;
    } catch {
      return false;
    }
  }

  #wantedChanged(): void {
    const { filters } = this.#receivers;
    const wanted = memberships(filters, this.#promiscuous);
    try {
      for (const [key, { kind, address }] of wanted)
        if (!this.#joined.has(key)) this.#native.membership(this.#fd, this.#index, kind, address, true);
      this.#setFilter(filters);
      for (const [key, { kind, address }] of this.#joined)
        if (!wanted.has(key)) this.#native.membership(this.#fd, this.#index, kind, address, false);
    } catch (error) {
      this.#end(explained(this.name, error));
    }
    this.#joined = wanted;
  }
}

function opened(
  native: PacketSocketModule,
  name: string,
  receiveBuffer: number,
  namespace: string,
  descriptor: number | undefined,
): number {
  try {
    if (descriptor === undefined)
      return native.openSocket(
        receiveBuffer,
        namespace === '' || namespace.includes('/') ? namespace : `/run/netns/${namespace}`,
      );
    native.adoptSocket(descriptor, receiveBuffer);
    return descriptor;
  } catch (error) {
    throw explained(name, error);
  }
}

/** A refusal of the kernel as a sentence with what to do. */
function explained(name: string, cause: unknown): EthernetError {
  const { code, syscall, message } = cause as NodeJS.ErrnoException;
  if (code === 'EPERM' || code === 'EACCES')
    return new EthernetError(
      'environment',
      'ethernet.rights',
      `${name}: Ethernet frames need CAP_NET_RAW (a namespace CAP_SYS_ADMIN), which this process lacks (${syscall}); a launcher can hand over a descriptor`,
      { cause },
    );
  if (code === 'ENODEV') {
    const there = syscall === 'SIOCGIFINDEX' ? interfaces() : [];
    return new EthernetError(
      'environment',
      'ethernet.interface',
      `There is no interface ${name}${there.length > 0 ? `; there are ${there.join(', ')}` : ''}`,
      { cause },
    );
  }
  return new EthernetError('environment', 'ethernet.interface', `${name}: ${message}`, { cause });
}

function interfaces(): readonly string[] {
  try {
    return readdirSync('/sys/class/net').slice(0, 20);
  } catch {
    return [];
  }
}
