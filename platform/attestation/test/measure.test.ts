/** The measurer in a process of its own, over a tree on a real disk. */
import { type ChildProcess, fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { componentName, installationRoot, loadableFiles, measureInstallation, processSettings } from '../src/index.ts';

const child = fileURLToPath(new URL('./measure-child.ts', import.meta.url));
const TREE: Readonly<Record<string, string>> = {
  'package-lock.json': '{"lockfileVersion":3}',
  'package.json': '{"type":"module"}',
  'site.yaml': 'source: edge-nord\n',
  'app/main.ts': `import { createRequire } from 'node:module';
import data from './data.json' with { type: 'json' };
${'import'} 'library';
const require = createRequire(import.meta.url);
export const all: unknown[] = [data, require('./old.cjs')];
`,
  'app/data.json': '{"a":1}',
  'app/old.cjs': 'module.exports = require("./older.cjs");\n',
  'app/older.cjs': '// as it was\nmodule.exports = 1;\n',
  'app/late.ts': 'export const late: number = 1;\n',
  'app/never.ts': 'export const never: number = 1;\n',
  'node_modules/library/package.json': '{"name":"library","type":"module","exports":"./index.js"}',
  'node_modules/library/index.js': 'export default 1;\n',
};
const sha256 = (text: string | Buffer): string => createHash('sha256').update(text).digest('hex');

interface Told {
  readonly done?: string;
  readonly changed?: [string, string][];
  readonly entries: [string, string][][];
  readonly counters: { hashed: number; looks: number };
}

describe('the measurer', () => {
  let root: string;
  let running: ChildProcess;
  let told: Told[];
  let wake: () => void;

  const put = (file: string, content: string) => {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), content);
  };
  const next = async (which: (message: Told) => boolean): Promise<Told> => {
    for (;;) {
      const found = told.findIndex(which);
      if (found >= 0) return told.splice(found, 1)[0] as Told;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  const ask = async (what: string, file?: string): Promise<Told> => {
    running.send({ do: what, file });
    return next(({ done }) => done === what);
  };
  const start = async (execArgv: string[] = [], env: Record<string, string> = {}): Promise<Map<string, string>> => {
    told = [];
    running = fork(child, [root], {
      execArgv: ['--disable-warning=ExperimentalWarning', ...execArgv],
      env: { PATH: process.env.PATH, ...env },
    });
    running.on('message', (message) => {
      told.push(message as Told);
      wake?.();
    });
    const { entries } = await next(({ done }) => done === 'start');
    return new Map(entries[0]);
  };

  beforeEach(() => {
    root = realpathSync(mkdtempSync(join(tmpdir(), 'enerchain-measured-')));
    for (const [file, content] of Object.entries(TREE)) put(file, content);
  });
  afterEach(async () => {
    if (running.connected) running.disconnect();
    if (running.exitCode === null) await new Promise((ended) => running.once('exit', ended));
    rmSync(root, { recursive: true, force: true });
  });

  it('sees every module that is loaded, ours and those of node_modules, ESM, CommonJS and JSON', async () => {
    const names = await start();
    for (const file of [
      'app/main.ts',
      'app/data.json',
      'app/old.cjs',
      'app/older.cjs',
      'node_modules/library/index.js',
    ]) {
      expect(names.get(file), file).toBe(sha256(TREE[file] as string));
    }
    expect(names.get('package-lock.json')).toBe(sha256(TREE['package-lock.json'] as string));
    expect(names.get('config:site')).toBe(sha256(TREE['site.yaml'] as string));
    expect(names.get('runtime:node')).toBe(sha256(readFileSync(process.execPath)));
    expect(names.has('app/never.ts')).toBe(false);
    // The measurer itself lies elsewhere here, and is seen as well.
    const hook = fileURLToPath(new URL('../src/measure/hook.ts', import.meta.url));
    expect(names.get(`outside:${hook}`)).toBe(sha256(readFileSync(hook)));
    expect(names.get('config:process')).toBe(sha256(Buffer.from(processSettings([], {}))));
  });

  it('shows a changed octet on the disk, even with its times set back, and only what changed', async () => {
    await start();
    const before = await ask('rescan');
    expect(before.entries).toHaveLength(1);
    const file = join(root, 'app/older.cjs');
    const { atime, mtime } = statSync(file);
    put('app/older.cjs', '// as it wos\nmodule.exports = 1;\n');
    utimesSync(file, atime, mtime);
    const { changed } = await next(({ changed }) => changed !== undefined);
    expect(changed).toEqual([['app/older.cjs', sha256('// as it wos\nmodule.exports = 1;\n')]]);
    const after = await ask('rescan');
    expect(after.entries).toHaveLength(2);
    // Put right again, it is a third entry: that it was changed stays on the list.
    put('app/older.cjs', TREE['app/older.cjs'] as string);
    expect((await ask('rescan')).entries.slice(1)).toEqual([
      [['app/older.cjs', sha256('// as it wos\nmodule.exports = 1;\n')]],
      [['app/older.cjs', sha256(TREE['app/older.cjs'] as string)]],
    ]);
  });

  it('shows configuration that changed, a file that is gone, and a module that is loaded late', async () => {
    await start();
    put('site.yaml', 'source: edge-evil\n');
    expect((await ask('rescan')).entries.slice(1)).toEqual([[['config:site', sha256('source: edge-evil\n')]]]);
    unlinkSync(join(root, 'app/data.json'));
    expect((await ask('rescan')).entries.at(-1)).toEqual([['app/data.json', 'ff'.repeat(32)]]);
    put('app/data.json', TREE['app/data.json'] as string);
    await ask('rescan');
    await ask('load', join(root, 'app/late.ts'));
    expect((await ask('rescan')).entries.at(-1)).toEqual([['app/late.ts', sha256(TREE['app/late.ts'] as string)]]);
  });

  it('costs a look at the times when nothing has changed', async () => {
    await start();
    const { counters } = await ask('rescan');
    const again = await ask('rescan');
    expect(again.counters.hashed).toBe(counters.hashed);
    expect(again.counters.looks).toBe(counters.looks + 1);
    expect(again.entries).toHaveLength(1);
    expect((await ask('full')).counters.hashed).toBeGreaterThan(counters.hashed);
  });

  it('tells how the process was started when that lets foreign code in', async () => {
    const plain = sha256(Buffer.from(processSettings([], {})));
    put('preload.mjs', 'export {};\n');
    const names = await start([`--import=${join(root, 'preload.mjs')}`]);
    expect(names.get('config:process')).not.toBe(plain);
    expect(sha256(Buffer.from(processSettings(['--max-old-space-size=100'], {})))).toBe(plain);
    expect(sha256(Buffer.from(processSettings([], { LD_PRELOAD: '/tmp/evil.so' })))).not.toBe(plain);
  });
});

describe('an installation', () => {
  it('is the folder with the lock file, and what in it can be loaded is found', async () => {
    const root = realpathSync(mkdtempSync(join(tmpdir(), 'enerchain-installation-')));
    try {
      for (const [file, content] of Object.entries(TREE)) {
        mkdirSync(dirname(join(root, file)), { recursive: true });
        writeFileSync(join(root, file), content);
      }
      writeFileSync(join(root, 'app', 'types.d.ts'), '');
      writeFileSync(join(root, 'app', 'some.test.ts'), '');
      expect(installationRoot(join(root, 'app', 'main.ts'))).toBe(root);
      const names = loadableFiles(root).map((path) => componentName(root, path));
      expect(names).toEqual(
        Object.keys(TREE)
          .filter((name) => name !== 'site.yaml')
          .sort(),
      );
      expect(componentName(root, '/elsewhere/x.js')).toBe('outside:/elsewhere/x.js');
      const components = new Map((await measureInstallation(root)).map(({ name, digest }) => [name, digest]));
      expect(components.size).toBe(names.length + 2);
      expect(Buffer.from(components.get('app/main.ts') as Uint8Array).toString('hex')).toBe(
        sha256(TREE['app/main.ts'] as string),
      );
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  });
});
