/** The list of the operators' authenticators as it is signed and as edges hold it. */
import Type from 'typebox';
import { CommandApproval } from './command.ts';

const MAX_KEYS = 500;

export const OperatorKey = Type.Object(
  {
    /** Credential identifier, base64url. */
    credentialId: Type.String({ pattern: '^[A-Za-z0-9_-]+$', maxLength: 1400 }),
    /** SubjectPublicKeyInfo (DER), base64url: P-256 or Ed25519. */
    publicKey: Type.String({ pattern: '^[A-Za-z0-9_-]+$', maxLength: 400 }),
    /** Whose it is; two keys of one name are one person. */
    name: Type.String({ minLength: 1, maxLength: 64 }),
    /** Domain of the control room where it was registered. */
    rpId: Type.String({ minLength: 1, maxLength: 253 }),
  },
  { additionalProperties: false },
);
export type OperatorKey = Readonly<Type.Static<typeof OperatorKey>>;

export const OperatorKeyList = Type.Object(
  { version: Type.Integer({ minimum: 1 }), keys: Type.Array(OperatorKey, { maxItems: MAX_KEYS }) },
  { additionalProperties: false, $id: 'OperatorKeyList' },
);
export type OperatorKeyList = Readonly<Type.Static<typeof OperatorKeyList>>;

/** The assertion of a key on the list before, over the new one; `session` of a command's approval has no place here. */
export const ListApproval = Type.Omit(CommandApproval, ['session'], { additionalProperties: false });
export type ListApproval = Readonly<Type.Static<typeof ListApproval>>;
