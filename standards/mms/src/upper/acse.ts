/** The association control service element (ISO/IEC 8650-1, X.227 § 9), with its authentication functional unit. */
import { anything, type BitString, bitString, bitsOf, graphicString, integer, octets, oid } from '../ber/primitive.ts';
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
} from '../ber/type.ts';
import { peerError } from '../errors.ts';

/** EXTERNAL (X.690 § 8.18). */
const external = sequence(
  'EXTERNAL',
  {
    direct: optional(oid),
    indirect: optional(integer(-0x8000, 0x7fff)),
    descriptor: optional(graphicString),
    encoding: choice('EXTERNAL', {
      single: explicit(0, anything),
      octets: context(1, octets),
      bits: context(2, bitString),
    }),
  },
  { tag: 0x28 },
);

const userInformation = optional(context(30, sequenceOf(external, 16)));

/** Application process titles: form 2 is an object identifier; form 1 (a name) stays as its octets. */
const title = choice('AP-title', { oid, name: anything });
const qualifier = choice('AE-qualifier', { integer: integer(-0x8000_0000, 0x7fff_ffff), name: anything });
const invocation = integer(-0x8000_0000, 0xffff_ffff);

const authentication = choice('Authentication-value', {
  charstring: context(0, graphicString),
  bitstring: context(1, bitString),
  external: context(2, external),
  other: context(3, sequence('other', { mechanism: oid, value: anything })),
});

const diagnostic = choice('Associate-source-diagnostic', {
  user: explicit(1, integer(0, 255)),
  provider: explicit(2, integer(0, 255)),
});

const aarq = application(
  0,
  sequence('AARQ', {
    protocolVersion: optional(context(0, bitString)),
    contextName: explicit(1, oid),
    calledTitle: optional(explicit(2, title)),
    calledQualifier: optional(explicit(3, qualifier)),
    calledApInvocation: optional(explicit(4, invocation)),
    calledAeInvocation: optional(explicit(5, invocation)),
    callingTitle: optional(explicit(6, title)),
    callingQualifier: optional(explicit(7, qualifier)),
    callingApInvocation: optional(explicit(8, invocation)),
    callingAeInvocation: optional(explicit(9, invocation)),
    requirements: optional(context(10, bitString)),
    mechanism: optional(context(11, oid)),
    authentication: optional(explicit(12, authentication)),
    implementation: optional(context(29, graphicString)),
    userInformation,
  }),
);

const aare = application(
  1,
  sequence('AARE', {
    protocolVersion: optional(context(0, bitString)),
    contextName: explicit(1, oid),
    /** 0 accepted, 1 rejected for good, 2 rejected for the moment. */
    result: explicit(2, integer(0, 2)),
    diagnostic: explicit(3, diagnostic),
    respondingTitle: optional(explicit(4, title)),
    respondingQualifier: optional(explicit(5, qualifier)),
    respondingApInvocation: optional(explicit(6, invocation)),
    respondingAeInvocation: optional(explicit(7, invocation)),
    requirements: optional(context(8, bitString)),
    mechanism: optional(context(9, oid)),
    authentication: optional(explicit(10, authentication)),
    implementation: optional(context(29, graphicString)),
    userInformation,
  }),
);

const release = { reason: optional(context(0, integer(0, 255))), userInformation };

const apdu = choice('ACSE-apdu', {
  AARQ: aarq,
  AARE: aare,
  RLRQ: application(2, sequence('RLRQ', release)),
  RLRE: application(3, sequence('RLRE', release)),
  ABRT: application(
    4,
    sequence('ABRT', {
      /** 0 the user of the service, 1 its provider. */
      source: context(0, integer(0, 1)),
      diagnostic: optional(context(1, integer(0, 255))),
      userInformation,
    }),
  ),
});

export type AcseApdu = Value<typeof apdu>;
export type Aarq = Value<typeof aarq>;
export type Aare = Value<typeof aare>;
export type ApTitle = Value<typeof title>;
export type AeQualifier = Value<typeof qualifier>;
export type AuthenticationValue = Value<typeof authentication>;
export type External = Value<typeof external>;

/** MmsError (peer). */
export const decodeAcse = (bytes: Uint8Array): AcseApdu => decodeWith(apdu, bytes);
export const encodeAcse = (value: AcseApdu): Uint8Array<ArrayBuffer> => encodeWith(apdu, value);

/** Requirements of the authentication functional unit (X.227 § 7.1): its one bit. */
export const AUTHENTICATION_UNIT: BitString = bitsOf(2, [0]);

/** Names that MMS uses. */
export const OID = {
  /** Abstract syntax of ACSE. */
  acse: '2.2.1.0.1',
  /** Abstract syntax of MMS version 1 (ISO 9506-2 § 19). */
  mms: '1.0.9506.2.1',
  /** Application context of MMS (ISO 9506-2 § 19). */
  mmsContext: '1.0.9506.2.3',
  /** Password mechanism (X.227 annex B). */
  password: '2.2.3.1',
} as const;

/** Diagnostics of the service user that a refusal gives (X.227 § 9.1.2.3). */
export const DIAGNOSTIC = {
  none: 0,
  noReason: 1,
  contextName: 2,
  mechanismNotRecognised: 11,
  mechanismRequired: 12,
  authenticationFailure: 13,
  authenticationRequired: 14,
} as const;

/** The MMS PDU as user information in a presentation context. */
export function asUserInformation(context: number, pdu: Uint8Array): External[] {
  return [{ indirect: context, encoding: { kind: 'single', value: pdu } }];
}

/** The first user information. MmsError (peer) when there is none or it is a bit string. */
export function userInformationOf(list: readonly External[] | undefined): Uint8Array {
  const encoding = list?.[0]?.encoding;
  if (!encoding || encoding.kind === 'bits') throw peerError('acse.userInformation', 'ACSE: no user information');
  return encoding.value;
}
