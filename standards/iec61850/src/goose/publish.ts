/** Publishing on a link: frames and timers around the pure publisher. */
import { ETHERTYPE, encodeFrame, type LinkLayer, type VlanTag } from '@enerchain/ethernet';
import { type Data, type UtcTime, utcTimeFromMillis } from '@enerchain/mms';
import type { Clock } from '@enerchain/transport';
import { Iec61850Error } from '../error.ts';
import { sameData } from '../mapping/basic-types.ts';
import { initialValue, type PublishedMember, withPart } from '../multicast/members.ts';
import type { GooseControl } from './controls.ts';
import { type GoosePublication, GoosePublisher } from './publisher.ts';

/** A publication with the place it goes to. */
export interface AddressedGoose extends GoosePublication {
  /** Six octets. */
  readonly destination: Uint8Array;
  /** No tag when it is left out. */
  readonly vlan?: VlanTag;
  /** For `update` by reference. */
  readonly members?: readonly PublishedMember[];
}

export interface PublishGooseOptions {
  /** MAC address of this station, six octets; `localAddress` makes one. */
  readonly source: Uint8Array;
  /** First values; as the types have them when they are left out. */
  readonly values?: readonly Data[];
  /** TimeQuality of `t` (8-1 § 8.1.3.7): clock not synchronised, 10 good bits of the fraction when left out. */
  readonly timeQuality?: number;
}

export interface GoosePublishing {
  readonly publisher: GoosePublisher;
  /** New values: sent at once. @param t of the change; now when left out @throws Iec61850Error `goose.publication` (caller) */
  change(values: readonly Data[], t?: UtcTime): void;
  /**
   * New values of a data object, named as for `Iec61850Server.update`; those that are no members are passed over.
   * @returns whether anything has changed, and was sent @throws Iec61850Error `goose.value` (caller) for one of another type
   */
  update(object: string, values: Readonly<Record<string, Data>>, t?: UtcTime): boolean;
  /** From the next message on. */
  setSimulation(on: boolean): void;
  stop(): void;
}

const NOT_SYNCHRONISED = 0x20 | 10;

/** What an SCL file says of a control block, to be published. @throws Iec61850Error `goose.control` (caller) when it is not complete */
export function publicationOf(control: GooseControl): AddressedGoose {
  const { address, members, gocbRef, minTime, maxTime } = control;
  if (!address || !members) {
    const missing = address ? 'data set that can be resolved' : 'multicast address';
    throw new Iec61850Error('caller', 'goose.control', `GOOSE ${gocbRef} has no ${missing} in its SCL file`);
  }
  return {
    appId: address.appId,
    gocbRef,
    datSet: control.datSet,
    goId: control.goId,
    confRev: control.confRev,
    ...(minTime === undefined ? {} : { minTime }),
    ...(maxTime === undefined ? {} : { maxTime }),
    fixedLength: control.fixedLength,
    types: members.map(({ type }) => type),
    destination: address.destination,
    vlan: address.vlan,
    members,
  };
}

/** A locally administered MAC address (IEEE 802, clause 8.4) that is the same for the same name. */
export function localAddress(name: string): Uint8Array {
  let high = 0x811c9dc5;
  let low = 0x1000193;
  for (let i = 0; i < name.length; i++) {
    high = Math.imul(high ^ name.charCodeAt(i), 0x01000193);
    low = Math.imul(low + high, 0x85ebca6b);
  }
  return Uint8Array.of(0x02, low >>> 24, high >>> 24, high >>> 16, high >>> 8, high);
}

/** Starts publishing, until it is stopped or the link ends; the first message goes out at once. @param publication from `publicationOf`, or put together by hand */
export function publishGoose(
  link: LinkLayer,
  clock: Clock,
  publication: AddressedGoose,
  { source, values, timeQuality = NOT_SYNCHRONISED }: PublishGooseOptions,
): GoosePublishing {
  const { destination, vlan, members = [] } = publication;
  const publisher = new GoosePublisher(publication, values ?? (publication.types ?? []).map(initialValue));
  const now = (): UtcTime => utcTimeFromMillis(clock.now(), timeQuality);
  let cancel: (() => void) | undefined;
  const send = (payload: Uint8Array | undefined): void => {
    if (!payload) return;
    link.send(
      encodeFrame({
        destination,
        source,
        etherType: ETHERTYPE.goose,
        payload,
        ...(vlan === undefined ? {} : { vlan }),
      }),
    );
    cancel?.();
    arm();
  };
  const arm = (): void => {
    cancel = clock.schedule(publisher.due - clock.monotonic(), () => {
      cancel = undefined;
      const payload = publisher.repeat(clock.monotonic());
      // Timers of Node.js fire up to two milliseconds early: it is waited for the rest, or nothing would be sent ever again.
      if (payload) send(payload);
      else arm();
    });
  };
  const stop = (): void => {
    publisher.stop();
    cancel?.();
    cancel = undefined;
  };
  void link.closed.then(stop, stop);
  send(publisher.start(now(), clock.monotonic()));
  const change = (next: readonly Data[], t: UtcTime = now()): void =>
    send(publisher.change(next, t, clock.monotonic()));
  return {
    publisher,
    change,
    update(object, named, t) {
      const next = [...publisher.values];
      let changed = false;
      for (const [name, data] of Object.entries(named)) {
        const reference = `${object}.${name}`;
        members.forEach((member, index) => {
          const below = namesBelow(member.reference, reference);
          if (!below) return;
          const before = next[index]!;
          const value = withPart(before, member.type, below, data);
          if (!value) {
            if (below.length > 0) return; // not under the constraint of this member
            throw new Iec61850Error('caller', 'goose.value', `${reference} takes ${before.kind}, not ${data.kind}`);
          }
          if (sameData(value, before)) return;
          next[index] = value;
          changed = true;
        });
      }
      if (changed) change(next, t);
      return changed;
    },
    setSimulation(on) {
      publisher.simulation = on;
    },
    stop,
  };
}

/** The names from a member down to a reference; undefined when it lies elsewhere. */
function namesBelow(member: string, reference: string): readonly string[] | undefined {
  if (reference === member) return [];
  return reference.startsWith(`${member}.`) ? reference.slice(member.length + 1).split('.') : undefined;
}
