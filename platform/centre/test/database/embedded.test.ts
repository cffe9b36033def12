import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, lstatSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canRun, findPackage, usableBinaries } from '../../src/database/binaries.ts';
import { openDatabase } from '../../src/database/database.ts';
import { EmbeddedPostgres } from '../../src/database/embedded.ts';
import { unprivilegedUser } from '../../src/database/placement.ts';
import { until } from '../until.ts';

const logger = pino({ level: 'silent' });
const module = new URL('../../src/database/embedded.ts', import.meta.url).href;

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return !/\) Z /.test(existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, 'utf8') : '');
  } catch {
    return false;
  }
};

/** Starts a server in a process of its own that prints the server's pid and then waits to be killed. */
const startInChild = (dataDir: string, user?: { uid: number; gid: number }) => {
  const script = `import { EmbeddedPostgres } from ${JSON.stringify(module)};
    import { pino } from 'pino';
    const server = await EmbeddedPostgres.start({ dataDir: ${JSON.stringify(dataDir)}, logger: pino({ level: 'silent' }) });
    console.log(JSON.stringify({ pid: server.postmasterPid, home: server.home }));
    process.stdin.resume().on('end', () => server.stop().then(() => process.exit(0)));`;
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--input-type=module-typescript', '-e', script],
    { stdio: ['pipe', 'pipe', 'pipe'], cwd: new URL('../..', import.meta.url).pathname, ...user },
  );
  const started = new Promise<{ pid: number; home: string }>((resolve, reject) => {
    let errors = '';
    child.stderr.on('data', (text) => {
      errors += text;
    });
    child.stdout.on('data', (text) => resolve(JSON.parse(String(text))));
    child.once('exit', (code) => reject(new Error(`child ended with ${code}: ${errors}`)));
  });
  return { child, started };
};

describe('the embedded database', () => {
  let dataDir: string;
  const homes = new Set<string>();
  beforeAll(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'centre-db-'));
  });
  afterAll(() => {
    for (const folder of [dataDir, ...homes]) rmSync(folder, { recursive: true, force: true });
  });

  it('does not outlive a parent that was killed, and starts again on the same cluster', async () => {
    const { child, started } = startInChild(dataDir);
    const { pid, home } = await started;
    homes.add(home);
    expect(alive(pid)).toBe(true);
    child.kill('SIGKILL');
    await until('the server ends', () => !alive(pid));

    const server = await EmbeddedPostgres.start({ dataDir, logger });
    expect(server.home).toBe(home);
    expect(server.counters.orphans).toBe(0);
    await server.stop();
    expect(existsSync(join(home, 'data', 'postmaster.pid'))).toBe(false);
  });

  it('ends a server whose guard was killed as well, and removes a pid file whose number was reused', async () => {
    const first = await EmbeddedPostgres.start({ dataDir, logger });
    const pid = first.postmasterPid!;
    // A second life on the same folder, as after a kill of centre and guard: the old server is an orphan to it.
    const second = await EmbeddedPostgres.start({ dataDir, logger });
    expect(second.counters.orphans).toBe(1);
    expect(alive(pid)).toBe(false);
    await first.stop();
    await second.stop();
    writeFileSync(join(second.home, 'data', 'postmaster.pid'), `${process.pid}\n${second.home}\n`);
    const third = await EmbeddedPostgres.start({ dataDir, logger });
    await third.stop();
  });

  it('is started again when it falls; meanwhile calls fail at once and plainly', async () => {
    const database = await openDatabase({ dataDir, logger, probe: { first: 20, longest: 100 } });
    const { embedded } = database as unknown as { embedded: EmbeddedPostgres };
    const changes: boolean[] = [];
    database.onChange((available) => changes.push(available));
    await database.query('SELECT 1');
    process.kill(embedded.postmasterPid!, 'SIGKILL');
    await until('the loss is seen', () => {
      database.query('SELECT 1').catch(() => {});
      return !database.available;
    });
    await expect(database.query('SELECT 1')).rejects.toMatchObject({
      code: 'centre.database.away',
      fault: 'environment',
    });
    await database.whenAvailable(AbortSignal.timeout(60_000));
    expect((await database.query('SELECT 1::int AS one')).rows).toEqual([{ one: 1 }]);
    expect(changes).toEqual([false, true]);
    expect(embedded.counters.falls).toBeGreaterThanOrEqual(1);
    await database.close();
    await expect(database.query('SELECT 1')).rejects.toMatchObject({ code: 'centre.database.away' });
  });

  it.runIf(process.getuid?.() === 0)('runs for root when the data folder lets nobody in', async () => {
    const closed = mkdtempSync(join(tmpdir(), 'centre-root-'));
    chmodSync(closed, 0o700);
    const outside = join(mkdtempSync(join(tmpdir(), 'centre-outside-')), 'enerchain');
    chmodSync(join(outside, '..'), 0o755);
    const server = await EmbeddedPostgres.start({ dataDir: closed, logger, outside: [outside] });
    expect(server.home.startsWith(outside)).toBe(true);
    expect(readFileSync(`/proc/${server.postmasterPid}/status`, 'utf8')).not.toMatch(/^Uid:\s+0\s/m);
    await server.stop();
    // The pointer finds it again; without the pointer the data folder is a new one and the old cluster is forgotten.
    const again = await EmbeddedPostgres.start({ dataDir: closed, logger, outside: [outside] });
    expect(again.home).toBe(server.home);
    await again.stop();
    rmSync(join(closed, 'database'), { recursive: true });
    const fresh = await EmbeddedPostgres.start({ dataDir: closed, logger, outside: [outside] });
    expect(fresh.home).not.toBe(server.home);
    expect(existsSync(server.home)).toBe(false);
    await fresh.stop();
    rmSync(closed, { recursive: true });
    rmSync(join(outside, '..'), { recursive: true });
  });

  it.runIf(process.getuid?.() === 0)(
    'is copied where its user can run it, with the links that the installation did not make',
    () => {
      const { root, version } = findPackage();
      const closed = mkdtempSync(join(tmpdir(), 'centre-package-'));
      cpSync(join(root, 'native'), join(closed, 'native'), {
        recursive: true,
        filter: (path) => !lstatSync(path).isSymbolicLink(),
      });
      const outside = mkdtempSync(join(tmpdir(), 'centre-outside-'));
      chmodSync(outside, 0o755);
      const user = unprivilegedUser();
      const { bin } = usableBinaries(user, ['/dev/null/no-such-folder', outside], { root: closed, version });
      expect(bin.startsWith(outside)).toBe(true);
      expect(canRun(bin, user)).toBe(true);
      for (const folder of [closed, outside]) rmSync(folder, { recursive: true });
    },
  );

  it.runIf(process.getuid?.() === 0)('runs for an ordinary user', async () => {
    const ask = (flag: string) => Number(spawnSync('id', [flag, 'nobody'], { encoding: 'utf8' }).stdout);
    const user = { uid: ask('-u'), gid: ask('-g') };
    const own = mkdtempSync(join(tmpdir(), 'centre-user-'));
    spawnSync('chown', [`${user.uid}:${user.gid}`, own]);
    const { child, started } = startInChild(own, user);
    const { pid, home } = await started;
    expect(home).toBe(join(own, 'database', 'cluster'));
    child.stdin.end();
    await until('the server ends', () => !alive(pid));
    rmSync(own, { recursive: true });
  });
});
