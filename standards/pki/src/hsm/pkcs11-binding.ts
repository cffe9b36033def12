/**
 * The way to a PKCS#11 library: pkcs11js, loaded when the first token is opened and not before, since it is optional and its
 * native part has to be built (`node tools/build-pkcs11.mjs`). One library is initialised once, however many tokens use it.
 */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type Pkcs11 from 'pkcs11js';
import { PkiError } from '../error.ts';

export type Binding = typeof Pkcs11;
export type Module = Pkcs11.PKCS11;
export type Handle = Pkcs11.Handle;

/** Where the build script puts what it built, and what an installation with install scripts has. */
const PLACES = [fileURLToPath(new URL('../../dist/pkcs11js/index.js', import.meta.url)), 'pkcs11js'];

/** @throws PkiError `pki.hsm.binding` (fault environment) */
export function loadBinding(places: readonly string[] = PLACES): Binding {
  const require = createRequire(import.meta.url);
  let cause: unknown;
  for (const place of places) {
    try {
      return require(place) as Binding;
    } catch (error) {
      cause = error;
    }
  }
  const what = 'pkcs11js cannot be loaded: it is optional, and built with `node tools/build-pkcs11.mjs`';
  throw new PkiError('environment', 'pki.hsm.binding', what, { cause });
}

const modules = new Map<string, { readonly module: Module; users: number }>();

/** Opens a library, or the one that is open. @throws PkiError `pki.hsm.module` (fault environment) */
export function openModule(binding: Binding, library: string): Module {
  const open = modules.get(library);
  if (open) {
    open.users++;
    return open.module;
  }
  const module = new binding.PKCS11();
  try {
    module.load(library);
  } catch (cause) {
    throw new PkiError('environment', 'pki.hsm.module', `the PKCS#11 library ${library} cannot be loaded`, { cause });
  }
  try {
    module.C_Initialize({ flags: binding.CKF_OS_LOCKING_OK });
  } catch (cause) {
    // Somebody else in this process uses it too.
    if (codeOf(cause) !== CKR.CRYPTOKI_ALREADY_INITIALIZED) {
      module.close();
      const what = `the PKCS#11 library ${library} cannot be initialised (${nameOfError(cause)})`;
      throw new PkiError('environment', 'pki.hsm.module', what, { cause });
    }
  }
  modules.set(library, { module, users: 1 });
  return module;
}

/** Gives a library back; the last one to do so ends it. */
export function closeModule(library: string): void {
  const open = modules.get(library);
  if (!open || --open.users > 0) return;
  modules.delete(library);
  try {
    open.module.C_Finalize();
  } catch {
    // It is gone already; that is what was wanted.
  }
  open.module.close();
}

/** Return values that are told apart here (PKCS#11 v2.40 § 5.1). */
export const CKR = {
  DEVICE_ERROR: 0x30,
  DEVICE_REMOVED: 0x32,
  KEY_HANDLE_INVALID: 0x60,
  OBJECT_HANDLE_INVALID: 0x82,
  PIN_INCORRECT: 0xa0,
  PIN_INVALID: 0xa1,
  PIN_LEN_RANGE: 0xa2,
  PIN_EXPIRED: 0xa3,
  PIN_LOCKED: 0xa4,
  SESSION_CLOSED: 0xb0,
  SESSION_HANDLE_INVALID: 0xb3,
  TOKEN_NOT_PRESENT: 0xe0,
  USER_ALREADY_LOGGED_IN: 0x100,
  USER_NOT_LOGGED_IN: 0x101,
  USER_PIN_NOT_INITIALIZED: 0x102,
  CRYPTOKI_ALREADY_INITIALIZED: 0x191,
} as const;

export const codeOf = (error: unknown): number | undefined => {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'number' ? code : undefined;
};

/** Such as `CKR_PIN_INCORRECT`; a library's own words are not passed on, who knows what they hold. */
export const nameOfError = (error: unknown): string =>
  /CKR_[A-Z0-9_]+/.exec(error instanceof Error ? error.message : '')?.[0] ?? 'no PKCS#11 error';
