/** Where the key of a node lies: in a file of its folder, in its TPM, or in an HSM. Opened once, for all that signs there. */
import { readFile, stat } from 'node:fs/promises';
import { EnerchainError } from '@enerchain/model';
import { Pkcs11Token, PkiError, type Signer } from '@enerchain/pki';
import { openIdentityKey, TpmClient, type TpmKey, TpmSigner } from '@enerchain/tpm2';

/** The key of the identity, as a site file names its place. */
export type KeyPlace =
  | { readonly place: 'file' }
  | { readonly place: 'tpm' }
  | {
      readonly place: 'hsm';
      /** PKCS#11 library of the maker. */
      readonly library: string;
      /** Label of the token, and of the key in it; the key is made when it is not there. */
      readonly token: string;
      readonly label: string;
      /** File (0600) with the PIN. */
      readonly pinFile: string;
    };

export interface NodeKeys {
  /** Undefined: the key lies in the folder of the identity. */
  readonly signer: Signer | undefined;
  readonly tpm: NodeTpm | undefined;
  close(): Promise<void>;
}

/** The TPM of a node; one client for all that uses it, since a socket takes one at a time. */
export interface NodeTpm {
  readonly client: TpmClient;
  /** The identity's key, where that lies in it. */
  readonly identity: TpmKey | undefined;
}

/** A TPM that signs more often than this is no limit, signatures per second. */
const FAST = 200;
const TRIES = 3;

/**
 * @param options.tpm `/dev/tpmrm0`, `<host>:<port>`, or the path of a Unix socket
 * @throws EnerchainError `trust.key.tpm` (caller) when the key is to lie in a TPM and none is named, `trust.key.pin` (caller);
 *   Tpm2Error or PkiError when TPM or HSM cannot be used
 */
export async function openNodeKeys(options: { readonly tpm?: string; readonly key: KeyPlace }): Promise<NodeKeys> {
  const { tpm, key } = options;
  if (key.place === 'tpm' && tpm === undefined) {
    throw new EnerchainError('caller', 'trust.key.tpm', 'the key is to lie in a TPM, but none is named');
  }
  const client = tpm === undefined ? undefined : new TpmClient(tpmAddress(tpm));
  let token: Pkcs11Token | undefined;
  const close = async () => {
    token?.close();
    await client?.close();
  };
  try {
    if (key.place === 'hsm') {
      const { library, token: label, pinFile } = key;
      token = await Pkcs11Token.open({ library, token: label, pin: () => pinIn(pinFile) });
      const signer = await signerIn(token, key.label);
      return { signer, tpm: client && { client, identity: undefined }, close };
    }
    if (key.place === 'file' || !client)
      return { signer: undefined, tpm: client && { client, identity: undefined }, close };
    const identity = await openIdentityKey(client);
    return { signer: await timed(client, identity), tpm: { client, identity }, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The key with this label; made when it is not there. */
async function signerIn(token: Pkcs11Token, label: string): Promise<Signer> {
  try {
    return await token.generateSigner(label);
  } catch (error) {
    if (!(error instanceof PkiError) || error.code !== 'pki.hsm.key.exists') throw error;
    return token.findSigner(label);
  }
}

/** Tries how fast it signs: a chip takes 100 to 300 ms, and whoever makes batches must know. */
async function timed(client: TpmClient, key: TpmKey): Promise<TpmSigner> {
  const signer = new TpmSigner(client, key);
  const from = performance.now();
  for (let i = 0; i < TRIES; i++) await signer.sign(Uint8Array.of(i));
  const rate = (TRIES * 1000) / (performance.now() - from);
  return rate < FAST ? new TpmSigner(client, key, rate) : signer;
}

async function pinIn(file: string): Promise<string> {
  try {
    const { mode } = await stat(file);
    if (mode & 0o077) {
      throw new EnerchainError(
        'caller',
        'trust.key.pin',
        `${file} holds a PIN and can be read by others; make it 0600`,
      );
    }
    return (await readFile(file, 'utf8')).trim();
  } catch (cause) {
    if (cause instanceof EnerchainError) throw cause;
    throw new EnerchainError('caller', 'trust.key.pin', `the PIN of the HSM cannot be read from ${file}`, { cause });
  }
}

function tpmAddress(text: string): ConstructorParameters<typeof TpmClient>[0] {
  if (text.startsWith('/dev/')) return { device: text };
  const match = /^([^/:]+):(\d{1,5})$/.exec(text);
  return match ? { host: match[1] as string, port: Number(match[2]) } : { path: text };
}
