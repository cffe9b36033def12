/** Refuses a runtime that a peer could end with a certificate; asked once, processes that are started from here inherit the answer. */
import { requireSafeRuntime } from '@enerchain/pki';

const ANSWER = 'ENERCHAIN_RUNTIME_CHECKED';

/** @throws PkiError `pki.runtime` (fault environment) */
export async function checkRuntimeOnce(): Promise<void> {
  if (process.env[ANSWER] === process.execPath) return;
  await requireSafeRuntime();
  process.env[ANSWER] = process.execPath;
}
