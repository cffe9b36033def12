/** A SoftHSM of its own for a test file: a folder with a configuration and fresh tokens; or the reason why there is none. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const LIBRARIES = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/local/lib/softhsm/libsofthsm2.so',
  '/opt/homebrew/lib/softhsm/libsofthsm2.so',
];

/** Folders in which Debian and others put OpenSSL's engines. */
const ENGINES = ['/usr/lib/x86_64-linux-gnu/engines-3', '/usr/lib/aarch64-linux-gnu/engines-3'];

export interface SoftHsm {
  readonly library: string;
  readonly folder: string;
  readonly pin: string;
  /** Makes an empty token. */
  addToken(label: string): void;
  remove(): void;
}

/** @returns what to say when the tests are skipped */
export function whyNoSoftHsm(): string | undefined {
  if (spawnSync('softhsm2-util', ['--version']).status !== 0) return 'softhsm2-util is not installed';
  if (!LIBRARIES.some((path) => existsSync(path))) return 'libsofthsm2 is not installed';
  const build = spawnSync(process.execPath, [join(import.meta.dirname, '..', '..', 'tools', 'build-pkcs11.mjs')], {
    encoding: 'utf8',
  });
  return build.status === 0 ? undefined : build.stderr.trim();
}

/** @returns the folder, or what to say when the tests are skipped */
export function pkcs11Engine(): { readonly folder: string } | { readonly missing: string } {
  const folder = ENGINES.find((each) => existsSync(join(each, 'pkcs11.so')));
  return folder ? { folder } : { missing: 'the OpenSSL engine pkcs11 (libengine-pkcs11-openssl) is not installed' };
}

/** Sets SOFTHSM2_CONF of this process, before the library is loaded. */
export function startSoftHsm(): SoftHsm {
  const folder = mkdtempSync(join(tmpdir(), 'enerchain-hsm-'));
  const tokens = join(folder, 'tokens');
  mkdirSync(tokens);
  const configuration = join(folder, 'softhsm2.conf');
  writeFileSync(configuration, `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\n`);
  process.env.SOFTHSM2_CONF = configuration;
  const pin = '24680';
  return {
    library: LIBRARIES.find((path) => existsSync(path))!,
    folder,
    pin,
    addToken: (label) => {
      const args = ['--init-token', '--free', '--label', label, '--so-pin', '13579', '--pin', pin];
      execFileSync('softhsm2-util', args, { stdio: 'pipe' });
    },
    remove: () => rmSync(folder, { recursive: true }),
  };
}

/** As much of pkcs11js as is used here. */
interface Pkcs11Js {
  readonly PKCS11: new () => {
    load(library: string): void;
    C_GetSlotList(withToken: boolean): Buffer[];
    C_GetTokenInfo(slot: Buffer): { readonly label: string };
    C_CloseAllSessions(slot: Buffer): void;
  };
}

/** pkcs11js from where the build script puts it, to go past the signer. */
function pkcs11js(): Pkcs11Js {
  const built = join(import.meta.dirname, '..', '..', 'standards', 'pki', 'dist', 'pkcs11js', 'index.js');
  return createRequire(import.meta.url)(built);
}

/** Ends every session of this process with a token, as a restart of the HSM would. The library must be in use. */
export function closeAllSessions(library: string, label: string): void {
  const module = new (pkcs11js().PKCS11)();
  // Loading it again gives the same library with the same state.
  module.load(library);
  const slot = module.C_GetSlotList(true).find((each) => module.C_GetTokenInfo(each).label.trimEnd() === label);
  module.C_CloseAllSessions(slot!);
}
