/** The port between what speaks on Ethernet and whatever carries its frames: AF_PACKET, a capture, memory. */

/** A broadcast domain as one station sees it: frames from the destination address on, without FCS; a VLAN tag is in its place. */
export interface LinkLayer {
  /** For messages: `eth1`, `capture.pcap`, … */
  readonly name: string;
  /** The station's own address, six octets, where the link has one: the source of what it sends. */
  readonly address?: Uint8Array;
  /**
   * Frames that come from now on. `frame` is only valid during the call and not to be changed; `at` is when it came, ns since the
   * Unix epoch. What `receive` throws ends the link: a receiver has to take whatever a network may bring.
   * @returns stops listening
   */
  listen(receive: Receive, filter?: Filter): () => void;
  /**
   * Never blocks; what could not be sent is counted. The frame may be used again after the call.
   * @throws EthernetError (unsupported, `ethernet.receive-only`) on a link that only listens
   */
  send(frame: Uint8Array): void;
  readonly counters: LinkCounters;
  /** End of a file, of a pipe, or `close`; rejects with EthernetError when the link failed. */
  readonly closed: Promise<void>;
  close(): Promise<void>;
}

export type Receive = (frame: Uint8Array, at: bigint) => void;

/** Frames that have one of the EtherTypes (behind all tags) and go to one of the destinations; left out or empty = any. */
export interface Filter {
  readonly etherTypes?: readonly number[];
  /** Six octets each. */
  readonly destinations?: readonly Uint8Array[];
}

export interface LinkCounters {
  /** Frames that came, whether a filter wanted them or not. */
  readonly received: number;
  readonly sent: number;
  /** Frames that the link knows to have lost, in either direction: a full queue, a driver that was outrun. */
  readonly lost: number;
}
