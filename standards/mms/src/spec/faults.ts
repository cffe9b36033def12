/** What an MMS peer says when something does not work: ServiceError, DataAccessError, RejectPDU (ISO 9506-2 § 7.4, 14.4). */
import { integer, unsigned32, visibleString } from '../ber/primitive.ts';
import { choice, context, optional, plain, sequence, type Type, type Value } from '../ber/type.ts';

/** Error classes with their codes, in the order of their numbers (§ 7.4.2); `-` is a number that is reserved. */
export const SERVICE_ERRORS = {
  'vmd-state':
    'other vmd-state-conflict vmd-operational-problem domain-transfer-problem state-machine-id-invalid'.split(' '),
  'application-reference':
    'other application-unreachable connection-lost application-reference-invalid context-unsupported'.split(' '),
  definition:
    'other object-undefined invalid-address type-unsupported type-inconsistent object-exists object-attribute-inconsistent'.split(
      ' ',
    ),
  resource:
    'other memory-unavailable processor-resource-unavailable mass-storage-unavailable capability-unavailable capability-unknown'.split(
      ' ',
    ),
  service:
    'other primitives-out-of-sequence object-state-conflict - continuation-invalid object-constraint-conflict'.split(
      ' ',
    ),
  'service-preempt': 'other timeout deadlock cancel'.split(' '),
  'time-resolution': 'other unsupportable-time-resolution'.split(' '),
  access: 'other object-access-unsupported object-non-existent object-access-denied object-invalidated'.split(' '),
  initiate:
    'other - - max-services-outstanding-calling-insufficient max-services-outstanding-called-insufficient service-CBB-insufficient parameter-CBB-insufficient nesting-level-insufficient'.split(
      ' ',
    ),
  conclude: 'other further-communication-required'.split(' '),
  cancel: 'other invoke-id-unknown cancel-not-possible'.split(' '),
  file: 'other filename-ambiguous file-busy filename-syntax-error content-type-invalid position-invalid file-access-denied file-non-existent duplicate-filename insufficient-space-in-filestore'.split(
    ' ',
  ),
  others: ['other'],
} as const satisfies Record<string, readonly string[]>;

export type ErrorClass = keyof typeof SERVICE_ERRORS;

const errorCode = integer(-0x8000_0000, 0x7fff_ffff);
const errorClasses = Object.keys(SERVICE_ERRORS) as ErrorClass[];

const errorClass: Type<{ readonly kind: ErrorClass; readonly value: number }> = choice(
  'errorClass',
  Object.fromEntries(errorClasses.map((name, number) => [name, context(number, errorCode)])) as Record<
    ErrorClass,
    Type<number>
  >,
);

/** Content of a constructed element, kept as it is. */
const content = plain<Uint8Array>(
  0x30,
  (reader) => reader.content(),
  (writer, value) => writer.octets(value),
);

const serviceErrorFields = {
  error: context(0, errorClass),
  additionalCode: optional(context(1, errorCode)),
  description: optional(context(2, visibleString)),
  specific: optional(context(3, content)),
};
export const serviceError = sequence('ServiceError', serviceErrorFields);
export type ServiceError = Value<typeof serviceError>;

/** By class and name of the code, e.g. `serviceErrorOf('access', 'object-non-existent')`. */
export function serviceErrorOf<C extends ErrorClass>(name: C, code: string): ServiceError {
  const value = (SERVICE_ERRORS[name] as readonly string[]).indexOf(code);
  return { error: { kind: name, value: value < 0 ? 0 : value } };
}

/** `access: object-non-existent`. */
export function serviceErrorText({ error, description }: ServiceError): string {
  const code = (SERVICE_ERRORS[error.kind] as readonly string[])[error.value] ?? String(error.value);
  return `${error.kind}: ${code}${description ? ` (${description})` : ''}`;
}

/** Why a variable could not be read or written, in the order of the numbers (§ 14.4.3). */
export const DATA_ACCESS_ERRORS = [
  'object-invalidated',
  'hardware-fault',
  'temporarily-unavailable',
  'object-access-denied',
  'object-undefined',
  'invalid-address',
  'type-unsupported',
  'type-inconsistent',
  'object-attribute-inconsistent',
  'object-access-unsupported',
  'object-non-existent',
  'object-value-invalid',
] as const;
export type DataAccessErrorName = (typeof DATA_ACCESS_ERRORS)[number];

/** A number; one that has no name is read all the same. */
export const dataAccessError: Type<number> = integer(-0x8000_0000, 0x7fff_ffff);

export function dataAccessErrorText(code: number): string {
  return DATA_ACCESS_ERRORS[code] ?? `data access error ${code}`;
}

const reason = integer(-128, 127);

/** What a RejectPDU is about, with its codes in the order of their numbers (§ 7.4.3). */
export const rejectReason = choice('rejectReason', {
  confirmedRequest: context(1, reason),
  confirmedResponse: context(2, reason),
  confirmedError: context(3, reason),
  unconfirmed: context(4, reason),
  pdu: context(5, reason),
  cancelRequest: context(6, reason),
  cancelResponse: context(7, reason),
  cancelError: context(8, reason),
  concludeRequest: context(9, reason),
  concludeResponse: context(10, reason),
  concludeError: context(11, reason),
});

/** Codes that this package gives. */
export const REJECT = {
  unrecognizedService: 1,
  unrecognizedModifier: 2,
  invalidInvokeId: 3,
  invalidArgument: 4,
  tooManyOutstanding: 6,
  unknownPduType: 0,
  invalidPdu: 1,
} as const;

export const rejectPdu = sequence('RejectPDU', {
  invokeId: optional(context(0, unsigned32)),
  reason: rejectReason,
});
export type RejectPdu = Value<typeof rejectPdu>;
