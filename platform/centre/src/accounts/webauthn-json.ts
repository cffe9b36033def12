/** Web Authentication as it travels in JSON (Level 3 § 5.1.8 … 5.1.10): octets in base64url. */
import Type from 'typebox';

const Octets = (maximum: number) => Type.String({ pattern: '^[A-Za-z0-9_-]+$', maxLength: maximum });

/** What the browser's `navigator.credentials.get` needs. */
export const RequestOptionsJson = Type.Object({
  challenge: Octets(64),
  rpId: Type.String(),
  allowCredentials: Type.Array(Type.Object({ type: Type.Literal('public-key'), id: Octets(1400) })),
  userVerification: Type.Literal('required'),
  timeout: Type.Integer({ description: 'milliseconds' }),
});
export type RequestOptionsJson = Type.Static<typeof RequestOptionsJson>;

/** What `navigator.credentials.create` needs. */
export const CreationOptionsJson = Type.Object({
  challenge: Octets(64),
  rp: Type.Object({ id: Type.String(), name: Type.String() }),
  user: Type.Object({ id: Octets(128), name: Type.String(), displayName: Type.String() }),
  pubKeyCredParams: Type.Array(Type.Object({ type: Type.Literal('public-key'), alg: Type.Integer() })),
  excludeCredentials: Type.Array(Type.Object({ type: Type.Literal('public-key'), id: Octets(1400) })),
  authenticatorSelection: Type.Object({ userVerification: Type.Literal('required') }),
  attestation: Type.Literal('none'),
  timeout: Type.Integer({ description: 'milliseconds' }),
});
export type CreationOptionsJson = Type.Static<typeof CreationOptionsJson>;

/** An assertion; browsers add members that say nothing here. */
export const AssertionJson = Type.Object({
  id: Octets(1400),
  response: Type.Object({
    clientDataJSON: Octets(4096),
    authenticatorData: Octets(8192),
    signature: Octets(200),
  }),
});
export type AssertionJson = Type.Static<typeof AssertionJson>;

export const RegistrationJson = Type.Object({
  id: Octets(1400),
  response: Type.Object({ clientDataJSON: Octets(4096), attestationObject: Octets(16_384) }),
});
export type RegistrationJson = Type.Static<typeof RegistrationJson>;

export const AuthenticatorJson = Type.Object({
  id: Type.String({ description: 'credential identifier, base64url' }),
  user: Type.String(),
  label: Type.String(),
  rpId: Type.String({ description: 'the host of the control room where it was registered' }),
  state: Type.Enum(['active', 'waiting'] as const, {
    description:
      'active: on the list that the gateways hold; waiting: an operator whose key is on it has to approve it',
  }),
  createdAt: Type.String({ format: 'date-time' }),
  usedAt: Type.Optional(Type.String({ format: 'date-time' })),
});
export type AuthenticatorJson = Type.Static<typeof AuthenticatorJson>;
