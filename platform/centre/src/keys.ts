/** Where the keys of a centre lie: of its identity, of its log, of its authority. Files of the data folder unless said otherwise. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { EnerchainError, validator } from '@enerchain/model';
import type { TpmClient } from '@enerchain/tpm2';
import { KeyLine, type KeyPlace, type KeyStore, KeyStores, type Signer } from '@enerchain/trust';
import Type, { type Static } from 'typebox';

export interface CentreKeyPlaces {
  /** `/dev/tpmrm0`, `<host>:<port>`, or the path of a Unix socket. */
  readonly tpm?: string | undefined;
  /** Signs commands, audit records and results; connections have another key beside it unless this one is in a file. */
  readonly identity: KeyPlace;
  /** Signs checkpoints. A log has one key for all its life. */
  readonly log: KeyPlace;
  /** Root and issuing keys. */
  readonly authority: KeyPlace;
}

export interface CentreKeys {
  /** The present one, and the one that follows; undefined: in the folder of the identity. */
  readonly identity: KeyLine | undefined;
  /** Undefined: in the folder of the log. */
  readonly log: Signer | undefined;
  /** Undefined: in the folder of the authority. */
  readonly authority: KeyStore | undefined;
  /** The one that is named, whatever lies in it; the centre attests itself by it. */
  readonly tpm: TpmClient | undefined;
  close(): Promise<void>;
}

/** Labels of the keys in a TPM, and by default in an HSM. */
const CENTRE_KEY_LABELS = { identity: 'centre', log: 'centre-log', authority: 'centre-authority' } as const;

const Hsm = Type.Object(
  {
    library: Type.String({ minLength: 1, maxLength: 300, description: 'PKCS#11 library of the HSM' }),
    token: Type.String({ minLength: 1, maxLength: 32 }),
    label: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
    pinFile: Type.String({ minLength: 1, maxLength: 300, description: 'file (0600) with the PIN' }),
  },
  { additionalProperties: false },
);
const Place = Type.Union([Type.Enum(['file', 'tpm'] as const), Hsm]);
const Places = validator(
  Type.Object(
    {
      tpm: Type.Optional(Type.String({ minLength: 1, maxLength: 200, description: 'device or socket of a TPM 2.0' })),
      identity: Type.Optional(Place),
      log: Type.Optional(Place),
      authority: Type.Optional(Place),
    },
    { additionalProperties: false },
  ),
);

/**
 * Reads the places out of what a file says.
 * @param what the file, for the message
 * @throws EnerchainError (caller)
 */
export function readKeyPlaces(content: unknown, what: string): CentreKeyPlaces {
  const { tpm, ...given } = Places.parse(content, what);
  const placeOf = (use: keyof typeof CENTRE_KEY_LABELS, place: Static<typeof Place> = 'file'): KeyPlace =>
    typeof place === 'string' ? { place } : { ...place, place: 'hsm', label: place.label ?? CENTRE_KEY_LABELS[use] };
  return {
    tpm,
    identity: placeOf('identity', given.identity),
    log: placeOf('log', given.log),
    authority: placeOf('authority', given.authority),
  };
}

/**
 * @throws EnerchainError `centre.keys.log` (caller) when the log was begun with a key in a file and is to have another,
 *   `trust.key.tpm`, `trust.key.pin` (caller); Tpm2Error or PkiError when TPM or HSM cannot be used
 */
export async function openCentreKeys(places: CentreKeyPlaces, dataDir: string): Promise<CentreKeys> {
  const folder = join(dataDir, 'transparency');
  if (places.log.place !== 'file' && existsSync(join(folder, 'log.key'))) {
    const text = `the log in ${folder} was begun with the key in log.key, and a log keeps its key: leave it there, or move the folder away, which begins a new log that witnesses must be told to accept`;
    throw new EnerchainError('caller', 'centre.keys.log', text);
  }
  const stores = new KeyStores(places.tpm);
  const open = (use: keyof typeof CENTRE_KEY_LABELS) =>
    places[use].place === 'file'
      ? Promise.resolve(undefined)
      : stores.open(places[use], { folder: dataDir, label: CENTRE_KEY_LABELS[use] });
  try {
    const [identity, log, authority] = [await open('identity'), await open('log'), await open('authority')];
    return {
      identity: identity && (await KeyLine.open(identity, join(dataDir, 'identity'))),
      log: await log?.make(''),
      authority,
      tpm: stores.tpm,
      close: () => stores.close(),
    };
  } catch (error) {
    await stores.close();
    throw error;
  }
}
