/**
 * Where the embedded server keeps its cluster and as whom it runs. PostgreSQL refuses to run as root, and the user it
 * runs as instead cannot enter a data folder that belongs to root alone; then the cluster lies in a folder of its own
 * and a pointer file in the data folder remembers where.
 */
import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EnerchainError } from '@enerchain/model';
import { type Binaries, type RunAs, usableBinaries } from './binaries.ts';

export interface Placement {
  /** Folder of the cluster's own: `data/` in it is what initdb makes. */
  readonly home: string;
  readonly binaries: Binaries;
  /** Set when this process is root. */
  readonly user?: RunAs;
  /** Folder of the Unix socket, short enough for sun_path (104 octets on macOS, 108 on Linux). */
  readonly socketFolder: string;
  /** Password of the database user; kept in the data folder, 0600. */
  readonly password: string;
}

/** What the pointer file holds. */
interface Pointer {
  readonly home: string;
  readonly socketFolder?: string;
}

const LONGEST_SOCKET_FOLDER = 80;
const OWNER_FILE = 'belongs-to';

export interface PlacementOptions {
  /** Folders tried in this order when the data folder cannot be used; for root only. */
  readonly outside?: readonly string[];
  /** Injected by tests. */
  readonly isRoot?: boolean;
}

/**
 * @param dataDir the centre's data folder; `database/` in it is used or points to where the cluster lies
 * @throws EnerchainError `environment` when no folder can be used
 */
export function place(dataDir: string, options: PlacementOptions = {}): Placement {
  const folder = join(dataDir, 'database');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const isRoot = options.isRoot ?? process.getuid?.() === 0;
  const user = isRoot ? unprivilegedUser() : undefined;
  const outside = options.outside ?? ['/var/lib/enerchain', join(tmpdir(), 'enerchain')];

  const pointerFile = join(folder, 'location.json');
  const known: Pointer | undefined = existsSync(pointerFile)
    ? JSON.parse(readFileSync(pointerFile, 'utf8'))
    : undefined;
  const home = known && existsSync(known.home) ? known.home : newHome(dataDir, folder, user, outside);
  const binaries = usableBinaries(user, isRoot ? outside : [folder]);
  const socketFolder = socketFolderFor(home, user, known?.socketFolder);
  writeAtomically(pointerFile, JSON.stringify({ home, socketFolder } satisfies Pointer));
  return { home, binaries, socketFolder, password: passwordIn(folder), ...(user && { user }) };
}

function newHome(dataDir: string, folder: string, user: RunAs | undefined, outside: readonly string[]): string {
  const inside = join(folder, 'cluster');
  if (prepare(inside, user)) return inside;

  const real = realpathSync(dataDir);
  const hash = createHash('sha256').update(real).digest('hex').slice(0, 16);
  for (const parent of outside) {
    try {
      mkdirSync(parent, { recursive: true, mode: 0o755 });
      removeForgotten(parent, hash, real);
      // The random part tells this cluster from one whose data folder was deleted and made anew.
      const home = join(parent, `${hash}-${randomBytes(4).toString('hex')}`);
      if (!prepare(home, user)) continue;
      writeFileSync(join(home, OWNER_FILE), real);
      return home;
    } catch {
      // Not writable: the next one.
    }
  }
  throw new EnerchainError(
    'environment',
    'centre.database.no-folder',
    `no folder for the embedded PostgreSQL: user ${user?.name} can use neither ${inside} nor one in ` +
      `${outside.join(' or ')}; start as an ordinary user, choose another --data, or set DATABASE_URL`,
  );
}

/** Clusters of a data folder at the same path that no longer exists belong to nobody. */
function removeForgotten(parent: string, hash: string, dataDir: string): void {
  for (const name of readdirSync(parent)) {
    const owner = join(parent, name, OWNER_FILE);
    if (!name.startsWith(`${hash}-`) || !existsSync(owner)) continue;
    if (readFileSync(owner, 'utf8') === dataDir && !existsSync(join(parent, name, 'data', 'postmaster.pid'))) {
      rmSync(join(parent, name), { recursive: true, force: true });
    }
  }
}

/** Makes `folder` a private folder of `user`. @returns whether that user can really use it */
function prepare(folder: string, user: RunAs | undefined): boolean {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (!user) return true;
  chownSync(folder, user.uid, user.gid);
  chmodSync(folder, 0o700);
  const check = spawnSync('/bin/sh', ['-c', 'test -w "$1" && test -x "$1" && cd "$1"', 'sh', folder], {
    uid: user.uid,
    gid: user.gid,
    stdio: 'ignore',
    cwd: '/',
  });
  if (check.status === 0) return true;
  rmSync(folder, { recursive: true, force: true });
  return false;
}

function socketFolderFor(home: string, user: RunAs | undefined, before: string | undefined): string {
  const beside = join(home, 'run');
  if (beside.length <= LONGEST_SOCKET_FOLDER) {
    mkdirSync(beside, { recursive: true, mode: 0o700 });
    if (user) chownSync(beside, user.uid, user.gid);
    return beside;
  }
  // A folder in a shared temporary directory must be ours from birth: mkdtemp, 0700, new name each time.
  if (before && !before.startsWith(home)) rmSync(before, { recursive: true, force: true });
  const short = mkdtempSync(join(tmpdir().length < 40 ? tmpdir() : '/tmp', 'enerchain-'));
  if (user) chownSync(short, user.uid, user.gid);
  return short;
}

function passwordIn(folder: string): string {
  const file = join(folder, 'password');
  if (!existsSync(file)) writeAtomically(file, randomBytes(24).toString('base64url'));
  return readFileSync(file, 'utf8').trim();
}

/** The user for a server that may not be root: `nobody`, which every Unix has. */
export function unprivilegedUser(): RunAs {
  const ask = (flag: string) => Number(spawnSync('id', [flag, 'nobody'], { encoding: 'utf8' }).stdout) | 0;
  const [uid, gid] = [ask('-u'), ask('-g')];
  if (uid === 0) {
    throw new EnerchainError(
      'environment',
      'centre.database.no-user',
      'PostgreSQL does not run as root and this machine has no user `nobody`; start as an ordinary user or set DATABASE_URL',
    );
  }
  return { name: 'nobody', uid, gid };
}

function writeAtomically(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
