import type { Asdu } from '../codec/asdu.ts';
import { COT } from '../spec/causes.ts';
import { typeSpec } from '../spec/types.ts';
import type { RefusalKind } from './handlers.ts';

/** Causes of transmission for refusals (IEC 60870-5-101, 7.2.3). */
const REFUSAL_CAUSES: Readonly<Record<Exclude<RefusalKind, 'negative'>, number>> = {
  'unknown type': COT.unknownType,
  'unknown cause': COT.unknownCause,
  'unknown common address': COT.unknownCommonAddress,
  'unknown object address': COT.unknownObjectAddress,
};

/** The mirror of a request: same type, objects, originator and test bit, another cause (IEC 60870-5-101, 7.2.3). */
export function mirror(request: Asdu, cause: number, negative: boolean, commonAddress = request.commonAddress): Asdu {
  return { ...request, cause, negative, commonAddress };
}

/** The confirmation a request calls for: deactivations have their own cause, everything else is an activation. */
export function confirmationCause(request: Asdu): number {
  return request.cause === COT.deactivation ? COT.deactivationConfirmation : COT.activationConfirmation;
}

export function confirm(request: Asdu, negative = false, commonAddress = request.commonAddress): Asdu {
  return mirror(request, confirmationCause(request), negative, commonAddress);
}

/** The refusal of a request. A read has no confirmation, so its plain 'negative' is an unknown object address. */
export function refuse(request: Asdu, kind: RefusalKind, commonAddress = request.commonAddress): Asdu {
  if (kind !== 'negative') {
    // A type in monitor direction may have come as a sequence that may not be sent as one.
    const sendable = !request.sequence || request.opaque !== undefined || typeSpec(request.typeId)?.sequence === true;
    const body = sendable ? request : { ...request, sequence: false, objects: request.objects.slice(0, 1) };
    return mirror(body, REFUSAL_CAUSES[kind], true, commonAddress);
  }
  if (request.cause === COT.request) return mirror(request, COT.unknownObjectAddress, true, commonAddress);
  return confirm(request, true, commonAddress);
}

/** Common address that means every station (IEC 60870-5-101, 7.2.4), and the types that may carry it. */
export const BROADCAST_TYPES: ReadonlySet<number> = new Set([100, 101, 103, 105]);

/**
 * What is wrong with a request before any application is asked, in the order the standard's causes have: type, cause, common
 * address. Undefined: nothing.
 */
export function objection(
  request: Asdu,
  known: {
    readonly commonAddress: (address: number) => boolean;
    readonly broadcast: number;
    readonly type: (typeId: number) => boolean;
  },
): Exclude<RefusalKind, 'negative'> | undefined {
  const spec = typeSpec(request.typeId);
  if (spec === undefined || spec.controlCauses.length === 0 || !known.type(request.typeId)) return 'unknown type';
  if (!spec.controlCauses.includes(request.cause)) return 'unknown cause';
  if (request.commonAddress === known.broadcast) {
    return BROADCAST_TYPES.has(request.typeId) ? undefined : 'unknown common address';
  }
  return known.commonAddress(request.commonAddress) ? undefined : 'unknown common address';
}
