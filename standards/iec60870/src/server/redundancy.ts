/**
 * How connections share events (IEC 60870-5-104, clause 10):
 * - 'single-group': one queue, one started connection at a time;
 * - 'groups': one queue for each named group, the group found by the peer's address;
 * - 'per-connection': each connection is a group of its own with a queue that lives as long as it.
 */
export type RedundancyMode = 'single-group' | 'groups' | 'per-connection';

export interface RedundancyGroupOptions {
  readonly name: string;
  /** Peer addresses that belong to the group. Without it the group takes every address that no other group names. */
  readonly allow?: readonly string[];
}

/** A group, its queue, and the one connection of it that is started. */
export class RedundancyGroup<C, Q> {
  readonly name: string;
  readonly queue: Q;
  #started: C | undefined;

  constructor(name: string, queue: Q) {
    this.name = name;
    this.queue = queue;
  }

  /** The connection that carries user data. */
  get started(): C | undefined {
    return this.#started;
  }

  /** STARTDT on `connection`; returns the connection that has to stop for it, if any. */
  start(connection: C): C | undefined {
    const previous = this.#started;
    this.#started = connection;
    return previous === connection ? undefined : previous;
  }

  /** STOPDT, or the end of a connection; true when it was the started one. */
  stop(connection: C): boolean {
    if (this.#started !== connection) return false;
    this.#started = undefined;
    return true;
  }
}

/** IPv4 addresses seen on a dual-stack socket arrive as `::ffff:10.0.0.1`. */
export function plainAddress(address: string): string {
  return address.toLowerCase().startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}

/** The groups of a server. Pure bookkeeping: the address of a peer gives its group, or none. */
export class RedundancyGroups<C, Q> {
  readonly #mode: RedundancyMode;
  readonly #queueFor: (group: string) => Q;
  readonly #groups = new Map<string, RedundancyGroup<C, Q>>();
  readonly #byAddress = new Map<string, RedundancyGroup<C, Q>>();
  #fallback: RedundancyGroup<C, Q> | undefined;
  #number = 0;

  constructor(mode: RedundancyMode, groups: readonly RedundancyGroupOptions[], queueFor: (group: string) => Q) {
    this.#mode = mode;
    this.#queueFor = queueFor;
    if (mode === 'single-group') {
      this.#fallback = this.#add('default');
    } else if (mode === 'groups') {
      if (groups.length === 0) throw new RangeError("Redundancy mode 'groups' without a group: name at least one");
      for (const { name, allow } of groups) {
        if (this.#groups.has(name)) throw new RangeError(`Redundancy group ${name} is named twice`);
        const group = this.#add(name);
        if (allow === undefined) {
          if (this.#fallback)
            throw new RangeError(`Redundancy group ${name}: another group already takes every address`);
          this.#fallback = group;
        }
        for (const address of allow ?? []) this.#byAddress.set(plainAddress(address), group);
      }
    }
  }

  #add(name: string): RedundancyGroup<C, Q> {
    const group = new RedundancyGroup<C, Q>(name, this.#queueFor(name));
    this.#groups.set(name, group);
    return group;
  }

  /** Every group there is at this moment. */
  all(): IterableIterator<RedundancyGroup<C, Q>> {
    return this.#groups.values();
  }

  get(name: string): RedundancyGroup<C, Q> | undefined {
    return this.#groups.get(name);
  }

  /** The group for a new connection; undefined when no group allows this address, and the connection has to be refused. */
  groupFor(address: string): RedundancyGroup<C, Q> | undefined {
    if (this.#mode === 'per-connection') return this.#add(`connection-${++this.#number}`);
    return this.#byAddress.get(plainAddress(address)) ?? this.#fallback;
  }

  /** The end of a connection; true when it was the started one of its group. A group of its own goes with it. */
  leave(connection: C, group: RedundancyGroup<C, Q>): boolean {
    if (this.#mode === 'per-connection') this.#groups.delete(group.name);
    return group.stop(connection);
  }
}
