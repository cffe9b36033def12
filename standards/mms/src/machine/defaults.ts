import { DEFAULT_PARAMETER_BLOCKS, SERVICE_BITS, type ServiceBit, servicesOf } from '../spec/initiate.ts';
import type { AssociationOptions } from './association.ts';

const selectors = (last: number) => ({
  transport: Uint8Array.of(0, last),
  session: Uint8Array.of(0, last),
  presentation: Uint8Array.of(0, 0, 0, last),
});

/** What most devices take: selectors 1, PDUs of 65 000 octets, ten calls at a time. */
export const DEFAULT_ASSOCIATION: AssociationOptions = {
  initiate: {
    localDetail: 65_000,
    outstandingCalling: 10,
    outstandingCalled: 10,
    nesting: 10,
    detail: {
      version: 1,
      parameters: DEFAULT_PARAMETER_BLOCKS,
      services: servicesOf(Object.keys(SERVICE_BITS) as ServiceBit[]),
    },
  },
  calling: selectors(1),
  called: selectors(1),
  tpduSize: 8192,
  associateTimeout: 10_000,
  idleTimeout: 0,
};
