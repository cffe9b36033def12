#!/usr/bin/env node
/**
 * The door of the repository: `npm start`, `npm test`, `npm run …` and `npx enerchain` come through here. Sets up
 * what is missing, then hands over to the pinned Node 22.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { againOf, failedFiles, reportFile } from './reports.mjs';
import {
  buildControlRoom,
  checkPlatform,
  installDependencies,
  pinnedNode,
  root,
  run,
  SetupError,
  withSetupLock,
} from './setup.mjs';

const say = (text) => process.stderr.write(`· ${text}\n`);
const [task, ...rest] = process.argv.slice(2);
const QUIET = '--disable-warning=ExperimentalWarning';
/** More files than these that fail in one suite are no accident of a busy machine. */
const MOST_FILES_AGAIN = 3;
const bin = (name) => join(root, 'node_modules', ...name.split('/'));

/** Folders with the pages that services add to the control room; they are written for the browser. */
const pages = () =>
  readdirSync(join(root, 'services'))
    .map((service) => join('services', service, 'page'))
    .filter((page) => existsSync(join(root, page, 'tsconfig.json')));

/** Every check that needs no running system; all of them run, so that one message does not hide the next. */
async function check() {
  const node = pinnedNode();
  const steps = [
    ['layers', [QUIET, join(root, 'tools', 'check-layers.ts')]],
    ['lint and format', [bin('@biomejs/biome/bin/biome'), 'check', '--log-level=warn', '.']],
    ['types', [bin('typescript/bin/tsc'), '--noEmit', '-p', root]],
    ['types of interop', [bin('typescript/bin/tsc'), '--noEmit', '-p', join(root, 'interop')]],
    ['types of the control room', [bin('typescript/bin/tsc'), '--noEmit', '-p', join(root, 'apps', 'control-room')]],
    ...pages().map((page) => [`types of ${page}`, [bin('typescript/bin/tsc'), '--noEmit', '-p', join(root, page)]]),
  ];
  let failed = 0;
  for (const [name, args] of steps) {
    say(name);
    if ((await run(node, args)) !== 0) failed += 1;
  }
  return failed;
}

/** The child ends when the channel to us closes, so a SIGKILL here leaves nothing behind. */
const enerchain = (args) => {
  endWithNpm();
  return run(pinnedNode(), [QUIET, join(root, 'apps', 'enerchain', 'src', 'main.ts'), ...args], {
    // npm changes to the root of the repository; paths are meant from where the person stands.
    cwd: (process.env.npm_command && process.env.INIT_CWD) || process.cwd(),
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, ENERCHAIN_SUPERVISED: '1' },
  });
};

/** npm that is killed cannot tell us, and the shell between us stays: stop as with SIGTERM when it is gone. */
function endWithNpm() {
  if (!process.env.npm_lifecycle_event) return;
  const above = () => `${process.ppid} ${parentOf(process.ppid)}`;
  const first = above();
  setInterval(() => above() === first || process.kill(process.pid, 'SIGTERM'), 1000).unref();
}

/** Parent of a process where /proc tells it (Linux); the shells of macOS replace themselves and need no look. */
function parentOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}

/**
 * Runs a suite, or the files named; the counts are left in `.reports/<suite>.json` for those who add them up. With
 * `ENERCHAIN_SECOND_RUN` (CI sets it) a few files that fail run once more, alone; `sum-reports.mjs` names them.
 */
async function vitest(suite, files, { options = [], env = {} } = {}) {
  const attempt = (name, only) =>
    run(
      pinnedNode(),
      [
        ...[QUIET, bin('vitest/vitest.mjs'), 'run', '--reporter=default', '--reporter=json'],
        ...[`--outputFile.json=${reportFile(name)}`, ...options, ...only],
      ],
      { env: { ...process.env, ...env } },
    );
  const status = await attempt(suite, files);
  if (status === 0 || !process.env.ENERCHAIN_SECOND_RUN) return status;
  const failed = failedFiles(suite);
  if (failed.length === 0 || failed.length > MOST_FILES_AGAIN) return status;
  say(`these files failed and run once more, alone: ${failed.join(', ')}`);
  return attempt(againOf(suite), failed);
}

async function main() {
  checkPlatform();
  await withSetupLock(say, async () => {
    await installDependencies(say);
    if (['start', 'interop'].includes(task) || (task === 'enerchain' && ['up', 'centre'].includes(rest[0])))
      await buildControlRoom(say);
  });
  switch (task) {
    case 'start':
      return enerchain(['up', ...rest]);
    case 'enerchain':
      return enerchain(rest);
    case 'check':
      return check();
    case 'test': {
      const slow = rest.includes('--slow');
      const args = rest.filter((arg) => arg !== '--slow');
      const failed = slow || args.length > 0 ? 0 : await check();
      const status = await vitest(slow ? 'slow' : 'fast', args, { env: slow ? { ENERCHAIN_SUITE: 'slow' } : {} });
      return failed > 0 ? 1 : status;
    }
    case 'interop':
      return vitest('interop', rest, { options: ['--config', join(root, 'interop', 'vitest.config.ts')] });
    default:
      throw new SetupError(`unknown task '${task}': start, test, interop, check or enerchain`);
  }
}

main().then(
  (status) => {
    process.exitCode = status;
  },
  (error) => {
    process.stderr.write(error instanceof SetupError ? `${error.message}\n` : `${error.stack}\n`);
    process.exitCode = 1;
  },
);
