/** Password hashes with scrypt (RFC 7914); the parameters stand in the hash, so that they can grow with the machines. */
import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';
import { EnerchainError } from '@enerchain/model';

export interface ScryptCost {
  /** CPU and memory cost, a power of two; memory is 128 · N · r octets. */
  readonly N: number;
  readonly r: number;
  readonly p: number;
}

/** 32 MiB and about 80 ms on a small server. */
export const DEFAULT_COST: ScryptCost = { N: 2 ** 15, r: 8, p: 1 };
/** A stored hash with more than this is refused, so that a row in a database cannot eat the memory. */
const MAX_MEMORY = 256 * 2 ** 20;
const KEY_LENGTH = 32;

/** NIST SP 800-63B: length counts, composition rules do not. */
export const PASSWORD_RULES = { minimum: 10, maximum: 256 } as const;

/** @returns `scrypt$N$r$p$salt$key`, base64url */
export async function hashPassword(password: string, cost: ScryptCost = DEFAULT_COST): Promise<string> {
  const salt = randomBytes(16);
  const key = await derive(password, salt, cost);
  return ['scrypt', cost.N, cost.r, cost.p, salt.toString('base64url'), key.toString('base64url')].join('$');
}

/** Takes as long for a wrong password as for a right one. A hash that cannot be read matches nothing. */
export async function verifyPassword(password: string, stored: string): Promise<boolean> {
  const [scheme, N, r, p, salt, key] = stored.split('$');
  if (scheme !== 'scrypt' || !salt || !key) return false;
  const cost = { N: Number(N), r: Number(r), p: Number(p) };
  if (!(128 * cost.N * cost.r <= MAX_MEMORY)) return false;
  const expected = Buffer.from(key, 'base64url');
  const actual = await derive(password, Buffer.from(salt, 'base64url'), cost);
  return expected.length === actual.length && timingSafeEqual(expected, actual);
}

/** @throws EnerchainError (caller) with the rule that is broken */
export function checkPasswordRules(user: string, password: string): void {
  const { minimum, maximum } = PASSWORD_RULES;
  if (password.length < minimum || password.length > maximum)
    throw new EnerchainError(
      'caller',
      'accounts.password-rules',
      `A password has between ${minimum} and ${maximum} characters; this one has ${password.length}.`,
    );
  if (password.toLowerCase().includes(user.toLowerCase()))
    throw new EnerchainError('caller', 'accounts.password-rules', 'A password must not contain the user name.');
}

function derive(password: string, salt: Buffer, cost: ScryptCost): Promise<Buffer> {
  const options: ScryptOptions = { ...cost, maxmem: 128 * cost.N * cost.r * 2 };
  return new Promise((resolve, reject) =>
    scrypt(password.normalize('NFC'), salt, KEY_LENGTH, options, (error, key) =>
      error ? reject(error) : resolve(key),
    ),
  );
}
