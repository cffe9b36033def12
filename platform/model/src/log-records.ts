/**
 * What the centre puts into the log beside data, so that it has a place among it that nobody can move: results of
 * attestation, commands as they were sent, certificates. Octets stay octets, so that a signature in them can be checked.
 */
import Type from 'typebox';

/** A byte string of CBOR: `least` to `most` octets. */
const Octets = (least: number, most: number) =>
  Type.Refine(
    Type.Unsafe<Uint8Array>({}),
    (value) => value instanceof Uint8Array && value.length >= least && value.length <= most,
    () => `must be a byte string of ${least === most ? least : `${least} to ${most}`} octets`,
  );

const NodeName = Type.String({ minLength: 1, maxLength: 100, description: 'the name in the certificate of the node' });

/** One result of attestation (RFC 9334 § 8.4). */
export const AttestationRecord = Type.Object(
  {
    /** The node that was appraised. */
    node: NodeName,
    /** The node that appraised it, whose key signed `result`. */
    verifier: NodeName,
    /** COSE_Sign1 as the verifier made it. */
    result: Octets(1, 65_536),
    /** SHA-256 of the evidence. */
    evidence: Octets(32, 32),
  },
  { additionalProperties: false, $id: 'AttestationRecord' },
);
export type AttestationRecord = Readonly<Type.Static<typeof AttestationRecord>>;

/** A command as it went to its edge, and who approved it. */
export const CommandRecord = Type.Object(
  {
    /** COSE_Sign1, `typ` "enerchain-command", as sent. */
    command: Octets(1, 65_536),
    /** What each second person signed, as their authenticator gave it. */
    approvals: Type.Optional(Type.Array(Type.Record(Type.String({ maxLength: 64 }), Type.Unknown()), { maxItems: 8 })),
  },
  { additionalProperties: false, $id: 'CommandRecord' },
);
export type CommandRecord = Readonly<Type.Static<typeof CommandRecord>>;

export const CERTIFICATE_USES = ['identity', 'attestation', 'log', 'authority'] as const;

/** A certificate that was issued, was used for the first time, or was revoked. */
export const CertificateRecord = Type.Object(
  {
    name: NodeName,
    /** Role in the certificate: `edge`, `service`, `centre`, … */
    role: Type.String({ minLength: 1, maxLength: 40 }),
    use: Type.Optional(Type.Enum(CERTIFICATE_USES)),
    /** DER. */
    certificate: Octets(1, 16_384),
    /** Set when it is no longer to be trusted; the record says from when on. */
    revoked: Type.Optional(
      Type.Object(
        {
          at: Type.String({ pattern: '^\\d{1,19}$', description: 'nanoseconds since the Unix epoch, decimal' }),
          reason: Type.Optional(Type.String({ maxLength: 200 })),
        },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false, $id: 'CertificateRecord' },
);
export type CertificateRecord = Readonly<Type.Static<typeof CertificateRecord>>;
