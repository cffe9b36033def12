import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { processSettings } from '@enerchain/attestation';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nextRestart } from '../src/supervisor/backoff.ts';
import { FRUGAL } from '../src/supervisor/frugal.ts';
import { RotatingFile } from '../src/supervisor/rotating-file.ts';
import { Supervisor } from '../src/supervisor/supervisor.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'enerchain-supervisor-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('what saves memory', () => {
  it('is nothing that a verifier could take for foreign code', () => {
    expect(processSettings(FRUGAL.options, FRUGAL.env)).toEqual(processSettings([], {}));
  });
});

const CHILD = `
  import { writeFileSync } from 'node:fs';
  const [mode, file] = process.argv.slice(2);
  if (file) writeFileSync(file, String(process.pid));
  if (mode === 'fails') { console.error('no such grid'); process.exit(3); }
  process.on('disconnect', () => process.exit(0));
  process.on('SIGTERM', () => process.exit(0));
  process.send({ type: 'ready', info: { pid: process.pid } });
  setInterval(() => {}, 1000);
`;

function supervisor(said: string[] = []): Supervisor {
  const script = join(folder, 'child.mjs');
  writeFileSync(script, CHILD);
  return new Supervisor({
    program: [process.execPath, script],
    logFolder: folder,
    say: (text) => said.push(text),
    policy: { initial: 10, maximum: 100, healthyAfter: 60_000 },
  });
}

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

async function until(condition: () => boolean): Promise<void> {
  for (const deadline = performance.now() + 60_000; !condition(); ) {
    if (performance.now() > deadline) throw new Error('waited for a minute in vain');
    await new Promise((wake) => setTimeout(wake, 10));
  }
}

describe('restart delays', () => {
  it('double up to the maximum and start over after a healthy run', () => {
    const policy = { initial: 500, maximum: 4000, healthyAfter: 60_000 };
    let failures = 0;
    const delays = [0, 0, 0, 0, 0].map((ranFor) => {
      const next = nextRestart(failures, ranFor, policy);
      failures = next.failures;
      return next.delay;
    });
    expect(delays).toEqual([500, 1000, 2000, 4000, 4000]);
    expect(nextRestart(failures, 60_000, policy)).toEqual({ delay: 500, failures: 1 });
  });
});

describe('the supervisor', () => {
  it('starts a child, restarts it when it is killed, and stops it', async () => {
    const said: string[] = [];
    const running = supervisor(said);
    const { pid } = (await running.start({ name: 'a', args: () => ['runs'] })) as { pid: number };
    process.kill(pid, 'SIGKILL');
    await until(() => said.some((line) => line === 'a runs again'));
    const [status] = running.status();
    expect(status).toMatchObject({ state: 'ready', restarts: 1 });
    await running.stop();
    expect(alive(status!.pid!)).toBe(false);
  });

  it('reports a child that cannot start, with its own words', async () => {
    const running = supervisor();
    await expect(running.start({ name: 'b', args: () => ['fails'] })).rejects.toThrow(
      /b stopped with status 3:\n {2}no such grid/,
    );
    await running.stop();
  });

  it('leaves nothing behind when it is itself killed', async () => {
    const pidFile = join(folder, 'grandchild.pid');
    const parentScript = join(folder, 'parent.ts');
    supervisor();
    writeFileSync(
      parentScript,
      `import { Supervisor } from ${JSON.stringify(new URL('../src/supervisor/supervisor.ts', import.meta.url).href)};
       const s = new Supervisor({ program: [process.execPath, ${JSON.stringify(join(folder, 'child.mjs'))}], logFolder: ${JSON.stringify(folder)}, say: () => {} });
       await s.start({ name: 'c', args: () => ['runs', ${JSON.stringify(pidFile)}] });
       process.kill(process.pid, 'SIGKILL');`,
    );
    const { spawnSync } = await import('node:child_process');
    spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', parentScript], { timeout: 10_000 });
    const pid = Number(readFileSync(pidFile, 'utf8'));
    await until(() => !alive(pid));
  });
});

describe('a rotating log file', () => {
  it('keeps the newest lines within its bound', () => {
    const path = join(folder, 'x.log');
    const file = new RotatingFile(path, 100);
    for (let i = 0; i < 50; i++) file.write(Buffer.from(`line ${String(i).padStart(3, '0')}\n`));
    file.close();
    const kept = readFileSync(`${path}.1`, 'utf8') + readFileSync(path, 'utf8');
    expect(kept.length).toBeLessThanOrEqual(200);
    expect(kept.endsWith('line 049\n')).toBe(true);
  });
});
