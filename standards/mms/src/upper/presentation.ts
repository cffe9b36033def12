/** The presentation protocol (ISO/IEC 8823-1, X.226 § 8) in normal mode. */
import { anything, bitString, integer, integer16, octets, oid } from '../ber/primitive.ts';
import {
  application,
  choice,
  context,
  decodeWith,
  encodeWith,
  explicit,
  optional,
  sequence,
  sequenceOf,
  type Value,
  withWriter,
} from '../ber/type.ts';
import type { BerWriter } from '../ber/writer.ts';
import { peerError } from '../errors.ts';

/** Contexts are odd numbers that the initiator gives out (§ 8.2.1); any small number is read. */
const contextId = integer(-0x8000, 0x7fff);

const pdv = sequence('PDV-list', {
  transferSyntax: optional(oid),
  context: contextId,
  values: choice('presentation-data-values', {
    single: explicit(0, anything),
    octets: context(1, octets),
    bits: context(2, bitString),
  }),
});

/** [APPLICATION 1]: fully encoded data, a few PDVs at most. */
const fullyEncoded = application(1, sequenceOf(pdv, 16));

const definition = sequence('context definition', {
  context: contextId,
  abstractSyntax: oid,
  transferSyntaxes: sequenceOf(oid, 16),
});

const result = sequence('context result', {
  /** 0 acceptance, 1 user rejection, 2 provider rejection. */
  result: context(0, integer(0, 2)),
  transferSyntax: optional(context(1, oid)),
  reason: optional(context(2, integer16)),
});

const identifiers = sequenceOf(sequence('context identifier', { context: contextId, transferSyntax: oid }), 16);

const modeSelector = context(
  0,
  sequence('mode-selector', { mode: context(0, integer(0, 1)) }, { tag: 0x31, unordered: true }),
);

const connectParameters = sequence('CP-type', {
  version: optional(context(0, bitString)),
  calling: optional(context(1, octets)),
  called: optional(context(2, octets)),
  contexts: context(4, sequenceOf(definition, 16)),
  defaultContext: optional(
    context(6, sequence('default context', { abstractSyntax: context(0, oid), transferSyntax: context(1, oid) })),
  ),
  requirements: optional(context(8, bitString)),
  sessionRequirements: optional(context(9, bitString)),
  data: optional(fullyEncoded),
});

const acceptParameters = sequence('CPA-PPDU', {
  version: optional(context(0, bitString)),
  responding: optional(context(3, octets)),
  results: context(5, sequenceOf(result, 16)),
  requirements: optional(context(8, bitString)),
  sessionRequirements: optional(context(9, bitString)),
  data: optional(fullyEncoded),
});

const connect = sequence(
  'CP-type',
  { mode: modeSelector, parameters: context(2, connectParameters) },
  { tag: 0x31, unordered: true },
);

const accept = sequence(
  'CPA-PPDU',
  { mode: modeSelector, parameters: context(2, acceptParameters) },
  { tag: 0x31, unordered: true },
);

const reject = sequence('CPR-PPDU', {
  version: optional(context(0, bitString)),
  responding: optional(context(3, octets)),
  results: optional(context(5, sequenceOf(result, 16))),
  defaultResult: optional(context(7, integer16)),
  reason: optional(context(10, integer16)),
  data: optional(fullyEncoded),
});

const userAbort = context(
  0,
  sequence('ARU-PPDU', { contexts: optional(context(0, identifiers)), data: optional(fullyEncoded) }),
);

const providerAbort = sequence('ARP-PPDU', {
  reason: optional(context(0, integer16)),
  event: optional(context(1, integer16)),
});

const abort = choice('Abort-PPDU', { user: userAbort, provider: providerAbort });

export type ConnectPpdu = Value<typeof connectParameters>;
export type AcceptPpdu = Value<typeof acceptParameters>;
export type RejectPpdu = Value<typeof reject>;
export type AbortPpdu = Value<typeof abort>;
export type PdvList = Value<typeof pdv>;

/** Transfer syntax of everything here (X.690: Basic Encoding Rules). */
export const BASIC_ENCODING = '2.1.1';

const NORMAL_MODE = { mode: 1 };

export function encodeConnectPpdu(parameters: ConnectPpdu): Uint8Array<ArrayBuffer> {
  return encodeWith(connect, { mode: NORMAL_MODE, parameters });
}

export function encodeAcceptPpdu(parameters: AcceptPpdu): Uint8Array<ArrayBuffer> {
  return encodeWith(accept, { mode: NORMAL_MODE, parameters });
}

/** MmsError (peer), also for the mode of X.410. */
export function decodeConnectPpdu(bytes: Uint8Array): ConnectPpdu {
  return normal(decodeWith(connect, bytes));
}

/** MmsError (peer), also for the mode of X.410. */
export function decodeAcceptPpdu(bytes: Uint8Array): AcceptPpdu {
  return normal(decodeWith(accept, bytes));
}

function normal<T>(ppdu: { readonly mode: { readonly mode: number }; readonly parameters: T }): T {
  if (ppdu.mode.mode !== 1) throw peerError('presentation.mode', 'presentation: mode of X.410 (1984)');
  return ppdu.parameters;
}

export const encodeRejectPpdu = (ppdu: RejectPpdu): Uint8Array<ArrayBuffer> => encodeWith(reject, ppdu);
export const decodeRejectPpdu = (bytes: Uint8Array): RejectPpdu => decodeWith(reject, bytes);
export const encodeAbortPpdu = (ppdu: AbortPpdu): Uint8Array<ArrayBuffer> => encodeWith(abort, ppdu);
export const decodeAbortPpdu = (bytes: Uint8Array): AbortPpdu => decodeWith(abort, bytes);

/** One value of a presentation context: an element in Basic Encoding Rules. */
export interface Pdv {
  readonly context: number;
  readonly data: Uint8Array;
}

/** As the user data of another PPDU. */
export function pdvList({ context, data }: Pdv): PdvList[] {
  return [{ context, values: { kind: 'single', value: data } }];
}

/** The values in user data. MmsError (peer) for values that are not whole elements: nobody encodes MMS as bit strings. */
export function pdvs(list: readonly PdvList[] | undefined): Pdv[] {
  return (list ?? []).map(({ context, values }) => {
    if (values.kind === 'bits') throw peerError('presentation.values', 'presentation: values as a bit string');
    return { context, data: values.value };
  });
}

/** User data of the data phase (§ 8.5: the TD-PPDU is nothing else). */
export function encodeUserData({ context, data }: Pdv): Uint8Array<ArrayBuffer> {
  return withWriter((writer) => {
    writer.octets(data);
    writeUserData(writer, context);
    return writer.copy();
  });
}

/** Makes what is written, a value of the context, the user data of the data phase. */
export function writeUserData(writer: BerWriter, context: number): void {
  writer.header(0xa0, 0);
  contextId.write(writer, context);
  writer.header(0x30, 0);
  writer.header(0x61, 0);
}

/** MmsError (peer). The data are views. */
export function decodeUserData(bytes: Uint8Array): Pdv[] {
  return pdvs(decodeWith(fullyEncoded, bytes));
}
