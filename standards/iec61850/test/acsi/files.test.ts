import { readdirSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MmsClient, type RequestOf, type ResponseOf } from '@enerchain/mms';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Files } from '../../src/client/files.ts';
import { OfferedFiles } from '../../src/client/offered-files.ts';
import {
  comtradeRecords,
  FileError,
  type FileProgress,
  FolderStore,
  type OpenFile,
  type StoredFile,
} from '../../src/index.ts';
import { generalizedTime, millisOfGeneralizedTime, pathOf } from '../../src/mapping/file-names.ts';
import { ANYBODY, PAIRS, station, turn, until } from './support.ts';

/** A folder with fault records, and beside it something that is nobody's business. */
async function folder() {
  const base = await mkdtemp(join(tmpdir(), 'files-'));
  onTestFinished(() => rm(base, { recursive: true, force: true }));
  const root = join(base, 'root');
  await mkdir(join(root, 'COMTRADE', 'old'), { recursive: true });
  await writeFile(join(base, 'secret'), 'secret');
  await writeFile(join(root, 'events.txt'), 'events');
  await writeFile(join(root, 'COMTRADE', 'F1.CFG'), 'configuration');
  await writeFile(join(root, 'COMTRADE', 'F1.dat'), Buffer.alloc(200_000, 7));
  await writeFile(join(root, 'COMTRADE', 'F1.hdr'), 'header');
  await writeFile(join(root, 'COMTRADE', 'old', 'F0.cff'), 'all');
  await symlink(join(base, 'secret'), join(root, 'link'));
  await symlink(base, join(root, 'COMTRADE', 'up'));
  return { base, root };
}

describe.each(PAIRS)('files over $name', (pair) => {
  async function open(options = ANYBODY, limits: { openPerClient?: number; open?: number } = {}) {
    const { root, base } = await folder();
    return { root, base, ...station(pair, { ...options, files: { store: new FolderStore(root), ...limits } }) };
  }

  test('folders are listed, files read in pieces; what is no file or folder is not there', async () => {
    const { connect } = await open();
    const { files } = await connect();
    const names = async (at?: string) => (await files.list(at)).map(({ name }) => name);
    expect(await names()).toEqual(['COMTRADE/', 'events.txt']);
    expect(await files.list('COMTRADE/')).toMatchObject([
      { name: 'COMTRADE/F1.CFG', folder: false, size: 13, modified: expect.any(Number) },
      { name: 'COMTRADE/F1.dat', size: 200_000 },
      { name: 'COMTRADE/F1.hdr' },
      { name: 'COMTRADE/old/', folder: true, size: 0 },
    ]);
    for (const odd of ['/COMTRADE', '\\COMTRADE\\', 'COMTRADE//', './COMTRADE'])
      expect((await files.list(odd)).length).toBe(4);
    expect(await names('events.txt')).toEqual(['events.txt']);
    expect((await files.list(undefined, { recursive: true })).map(({ name }) => name)).toEqual([
      'COMTRADE/F1.CFG',
      'COMTRADE/F1.dat',
      'COMTRADE/F1.hdr',
      'COMTRADE/old/F0.cff',
      'events.txt',
    ]);
    expect(Buffer.from(await files.content('events.txt')).toString()).toBe('events');
    expect(Buffer.from(await files.content('/events.txt', { position: 3 })).toString()).toBe('nts');
    const seen: FileProgress[] = [];
    const data = await files.content('COMTRADE/F1.dat', { onProgress: (progress) => seen.push(progress) });
    expect(Buffer.compare(data, Buffer.alloc(200_000, 7))).toBe(0);
    expect(seen.length).toBeGreaterThan(3);
    expect(seen.at(-1)).toEqual({ name: 'COMTRADE/F1.dat', octets: 200_000, size: 200_000 });
  });

  test('fault records come with their parts', async () => {
    const { connect } = await open();
    const { files } = await connect();
    const records = await files.records();
    expect(records.map(({ name, complete, parts }) => [name, complete, Object.keys(parts).join()])).toEqual([
      ['COMTRADE/F1', true, 'cfg,dat,hdr'],
      ['COMTRADE/old/F0', true, 'cff'],
    ]);
    const { cfg, dat, hdr } = await files.record(records[0]!);
    expect([Buffer.from(cfg!).toString(), dat!.length, Buffer.from(hdr!).toString()]).toEqual([
      'configuration',
      200_000,
      'header',
    ]);
    await expect(files.record(records[0]!, { maxSize: 100_000 })).rejects.toMatchObject({ code: 'files.limit' });
  });

  test('a download is given up by a signal or when it is too large, and the file closed', async () => {
    const { connect } = await open(ANYBODY, { openPerClient: 1 });
    const { files } = await connect();
    const stop = new AbortController();
    const download = files.content('COMTRADE/F1.dat', {
      signal: stop.signal,
      onProgress: () => stop.abort(new Error('enough')),
    });
    await expect(download).rejects.toThrow('enough');
    await expect(files.content('COMTRADE/F1.dat', { maxSize: 70_000 })).rejects.toMatchObject({ code: 'files.limit' });
    for await (const piece of files.read('COMTRADE/F1.dat')) {
      expect(piece.length).toBeGreaterThan(0);
      break;
    }
    expect(await files.content('events.txt')).toHaveLength(6);
  });

  test('a listing that does not fit comes in pieces; a file that goes meanwhile makes no gap', async () => {
    const { root, connect } = await open();
    const client = await connect({ association: { initiate: { ...offer, localDetail: 1_000 } } });
    await mkdir(join(root, 'many'));
    const names = Array.from({ length: 60 }, (_, i) => `many/${String(i).padStart(3, '0')}.cfg`);
    for (const name of names) await writeFile(join(root, name), '');
    expect((await client.files.list('many')).map(({ name }) => name)).toEqual(names);
    const first = await client.call('fileDirectory', { specification: ['many'] });
    expect(first.moreFollows).toBe(true);
    const last = first.entries.at(-1)!.name;
    await rm(join(root, last[0]!));
    const second = await client.call('fileDirectory', { specification: ['many'], continueAfter: last });
    expect(second.entries[0]!.name).toEqual([names[first.entries.length]]);
  });

  test('nothing outside of the folder is seen, whatever a name says', async () => {
    const { base, connect } = await open();
    const client = await connect();
    const no = async (name: readonly string[]) => {
      for (const attempt of [
        () => client.call('fileOpen', { name, position: 0 }),
        () => client.call('fileDirectory', { specification: name }),
        () => client.call('fileDelete', name),
        () => client.call('fileRename', { from: name, to: ['stolen'] }),
        () => client.call('fileRename', { from: ['events.txt'], to: name }),
      ])
        await expect(attempt(), name.join('|')).rejects.toMatchObject({ code: 'service.file' });
    };
    for (const name of [
      ['../secret'],
      ['..', 'secret'],
      ['..\\secret'],
      ['COMTRADE/../../secret'],
      ['/../secret'],
      ['.. /secret'],
      ['COMTRADE/up/secret'],
      ['link/x'],
      ['C:\\secret'],
      ['secret\u0000.txt'],
      ['a'.repeat(2_000)],
      [`${'a/'.repeat(100)}b`],
      Array.from({ length: 60 }, () => '..'),
    ])
      await no(name);
    await expect(client.files.content('link')).rejects.toMatchObject({ code: 'service.file' });
    await expect(client.files.content('/')).rejects.toMatchObject({ code: 'service.file' });
    await expect(client.files.content('COMTRADE')).rejects.toMatchObject({ code: 'service.file' });
    // An absolute path is one below the root.
    await expect(client.files.content(join(base, 'secret'))).rejects.toMatchObject({ code: 'service.file' });
    expect(await readFile(join(base, 'secret'), 'utf8')).toBe('secret');
  });

  test('deleting and renaming are for those who may; no file is lost under another', async () => {
    const { root, connect } = await open();
    const { files } = await connect();
    await files.rename('events.txt', 'COMTRADE/events.log');
    await expect(files.rename('COMTRADE/events.log', 'COMTRADE/F1.hdr')).rejects.toMatchObject({
      code: 'service.file',
    });
    await files.delete('COMTRADE/events.log');
    await expect(files.delete('COMTRADE')).rejects.toMatchObject({ code: 'service.file' });
    await expect(files.delete('link')).rejects.toMatchObject({ code: 'service.file' });
    expect((await readdir(root)).sort()).toEqual(['COMTRADE', 'link']);
    const shut = await open({});
    const reader = (await shut.connect()).files;
    await expect(reader.delete('events.txt')).rejects.toMatchObject({ code: 'service.file' });
    await expect(reader.rename('events.txt', 'x')).rejects.toMatchObject({ code: 'service.file' });
    expect(await reader.content('events.txt')).toHaveLength(6);
    const blind = await open({ access: ({ reference }) => !reference.startsWith('COMTRADE') });
    await expect((await blind.connect()).files.list('COMTRADE')).rejects.toMatchObject({ code: 'service.file' });
  });

  test('a client opens ten thousand files and leaves: others are served, and nothing stays open', async () => {
    const { connect } = await open(ANYBODY, { openPerClient: 8, open: 10 });
    const [greedy, other] = [await connect(), await connect()];
    const name = ['events.txt'];
    const answers: string[] = [];
    for (let i = 0; i < 10_000 / 50; i++) {
      const some = Array.from({ length: 50 }, () =>
        greedy.call('fileOpen', { name, position: 0 }).then(
          () => 'open',
          (error) => error.code as string,
        ),
      );
      answers.push(...(await Promise.all(some)));
    }
    expect(answers.filter((answer) => answer === 'open')).toHaveLength(8);
    expect(new Set(answers)).toEqual(new Set(['open', 'service.resource']));
    expect(await other.files.content('events.txt')).toHaveLength(6);
    greedy.abort();
    await turn();
    for (let i = 0; i < 8; i++) await other.call('fileOpen', { name, position: 0 });
    await expect(other.call('fileOpen', { name, position: 0 })).rejects.toMatchObject({ code: 'service.resource' });
  });

  test('files of others and files that are closed cannot be read; nor twice at once', async () => {
    const { connect } = await open();
    const [one, two] = [await connect(), await connect()];
    const { frsm } = await one.call('fileOpen', { name: ['COMTRADE/F1.dat'], position: 0 });
    await expect(two.call('fileRead', frsm)).rejects.toMatchObject({ code: 'service.file' });
    await expect(two.call('fileClose', frsm)).rejects.toMatchObject({ code: 'service.file' });
    const results = await Promise.allSettled([one.call('fileRead', frsm), one.call('fileRead', frsm)]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    await one.call('fileClose', frsm);
    await expect(one.call('fileRead', frsm)).rejects.toMatchObject({ code: 'service.file' });
    await expect(one.call('fileOpen', { name: ['events.txt'], position: 7 })).rejects.toMatchObject({
      code: 'service.file',
    });
  });

  test('a file is brought: the server fetches it, and has it when it is whole', async () => {
    const { root, connect } = await open();
    const { files } = await connect();
    const content = Buffer.alloc(300_000, 'brought');
    const seen: FileProgress[] = [];
    await files.put('COMTRADE/settings.cid', content, { onProgress: (progress) => seen.push(progress) });
    expect(Buffer.compare(await readFile(join(root, 'COMTRADE', 'settings.cid')), content)).toBe(0);
    expect(seen.length).toBeGreaterThan(3);
    expect(seen.at(-1)).toEqual({ name: 'COMTRADE/settings.cid', octets: 300_000, size: 300_000 });
    await files.put('empty', new Uint8Array(0));
    expect(await readFile(join(root, 'empty'))).toHaveLength(0);
    // Not over one that is there, not outside, not by those who may not.
    for (const name of ['events.txt', 'COMTRADE', '../new', 'COMTRADE/up/new', 'link', 'none/new', '/'])
      await expect(files.put(name, content), name).rejects.toMatchObject({ code: 'service.file' });
    expect((await readdir(root)).sort()).toEqual(['COMTRADE', 'empty', 'events.txt', 'link']);
    const shut = (await (await open({})).connect()).files;
    await expect(shut.put('new', content)).rejects.toMatchObject({ code: 'service.file' });
  });

  test('a client that brings what it does not have, or without end, leaves nothing behind', async () => {
    const { root } = await folder();
    const small = new FolderStore(root, { maxSize: 100_000 });
    const bounded = station(pair, { ...ANYBODY, files: { store: small } });
    const client = await bounded.connect();
    await expect(client.files.put('large', Buffer.alloc(100_001))).rejects.toMatchObject({ code: 'service.file' });
    await client.files.put('small', Buffer.alloc(100_000));
    const nothing = { source: ['secret'], destination: ['new'] };
    await expect(client.call('obtainFile', nothing)).rejects.toMatchObject({ code: 'service.file' });
    const third = { ...nothing, server: new Uint8Array(0) };
    await expect(client.call('obtainFile', third)).rejects.toMatchObject({ code: 'service.access' });

    /** A client that answers a read like this. */
    const hostile = async (fileRead: () => ResponseOf<'fileRead'> | Promise<ResponseOf<'fileRead'>>) => {
      const { left, right, shutdown } = await pair.open();
      onTestFinished(shutdown);
      bounded.server.attach(right);
      const attributes = { size: 0xffff_ffff };
      const handlers = { fileOpen: () => ({ frsm: 1, attributes }), fileRead, fileClose: () => null };
      return MmsClient.associate(left, { clock: bounded.clock, callTimeout: 1_000_000, handlers });
    };
    const order = { source: ['x'], destination: ['new'] };
    const endless = await hostile(() => ({ data: new Uint8Array(50_000), moreFollows: true }));
    await expect(endless.call('obtainFile', order)).rejects.toMatchObject({ code: 'service.file' });
    const hollow = await hostile(() => ({ data: new Uint8Array(0), moreFollows: true }));
    await expect(hollow.call('obtainFile', order)).rejects.toMatchObject({ code: 'service.file' });
    const asked: number[] = [];
    const silent = await hostile(() => new Promise(() => void asked.push(1)));
    const waiting = silent.call('obtainFile', order).catch((error) => error);
    await until(() => asked.length === 1);
    await expect(silent.call('obtainFile', order)).rejects.toMatchObject({ code: 'service.file' });
    await bounded.clock.advance(10_000);
    expect(await waiting).toMatchObject({ code: 'service.others' });
    const gone = await hostile(() => new Promise(() => void asked.push(2)));
    const cut = gone.call('obtainFile', order).catch((error) => error);
    await until(() => asked.length === 2);
    gone.abort();
    expect(await cut).toMatchObject({ name: 'MmsError' });
    await until(() => readdirSync(root).every((name) => !name.startsWith('.partial')));
    expect((await readdir(root)).sort()).toEqual(['COMTRADE', 'events.txt', 'link', 'small']);
  });

  test('a server without files does not know the services', async () => {
    const client = await station(pair, ANYBODY).connect();
    await expect(client.files.list()).rejects.toMatchObject({ code: 'service.rejected' });
  });
});

describe('files of devices as they are', () => {
  /** A device that answers with these. */
  function device(answers: {
    directory?: (request: RequestOf<'fileDirectory'>) => ResponseOf<'fileDirectory'>;
    read?: () => ResponseOf<'fileRead'>;
  }) {
    const closed: number[] = [];
    const call = async (service: string, request: unknown): Promise<unknown> => {
      if (service === 'fileDirectory') return answers.directory!(request as RequestOf<'fileDirectory'>);
      if (service === 'fileOpen') return { frsm: 5, attributes: { size: 0 } };
      if (service === 'fileRead') return answers.read!();
      closed.push(request as number);
      return null;
    };
    return { files: new Files({ call: call as never }, new OfferedFiles(() => 0)), closed };
  }
  const listing = (...names: string[]) => ({
    entries: names.map((name) => ({ name: [name], attributes: { size: 1, lastModified: '20260115120000Z' } })),
    moreFollows: false,
  });

  test.each([
    ['COMTRADE', ['COMTRADE/a.cfg', 'COMTRADE/sub/'], ['COMTRADE/a.cfg', 'COMTRADE/sub/']],
    ['COMTRADE/', ['a.cfg', 'sub/'], ['COMTRADE/a.cfg', 'COMTRADE/sub/']],
    ['/COMTRADE', ['/COMTRADE/a.cfg'], ['/COMTRADE/a.cfg']],
    ['\\COMTRADE\\', ['\\COMTRADE\\a.cfg', 'b.cfg'], ['\\COMTRADE\\a.cfg', '\\COMTRADE\\b.cfg']],
    ['comtrade', ['COMTRADE/A.CFG'], ['COMTRADE/A.CFG']],
    ['a.cfg', ['a.cfg'], ['a.cfg']],
    ['/', ['a.cfg', '/b.cfg'], ['a.cfg', '/b.cfg']],
  ])('in %s are %j', async (at, names, whole) => {
    const { files } = device({ directory: () => listing(...names) });
    expect((await files.list(at)).map(({ name }) => name)).toEqual(whole);
  });

  test('folders within themselves come to an end, and so do devices that have no end', async () => {
    const loop = device({ directory: ({ specification }) => listing(`${specification?.join('') ?? ''}x/`, 'one.cfg') });
    const found = await loop.files.list(undefined, { recursive: true });
    expect(found.length).toBeLessThan(20);
    const stuck = device({ directory: () => ({ ...listing('same'), moreFollows: true }) });
    await expect(stuck.files.list()).rejects.toMatchObject({ code: 'files.stuck' });
    let count = 0;
    const endless = device({
      directory: () => ({ ...listing(...Array.from({ length: 5_000 }, () => `f${count++}`)), moreFollows: true }),
    });
    await expect(endless.files.list()).rejects.toMatchObject({ code: 'files.limit' });
    const empty = device({ read: () => ({ data: new Uint8Array(0), moreFollows: true }) });
    await expect(empty.files.content('x')).rejects.toMatchObject({ code: 'files.stuck' });
    const large = device({ read: () => ({ data: new Uint8Array(1 << 20), moreFollows: true }) });
    await expect(large.files.content('x')).rejects.toMatchObject({ code: 'files.limit' });
    expect([...empty.closed, ...large.closed]).toEqual([5, 5]);
  });

  test('parts of a record are found in any case and any folder', () => {
    const files = [
      '\\DR\\0001.CFG',
      'DR/0001.dat',
      '/DR/0001.Hdr',
      'DR/0001.INF',
      'DR/0002.cfg',
      'DR/x.cff',
      'DR/',
      '.cfg',
      'DR/notes.txt',
      'DR/0001.cfg',
    ];
    const records = comtradeRecords(files.map((name) => ({ name })));
    expect(
      records.map(({ name, complete, parts }) => [name, complete, Object.values(parts).map((part) => part.name)]),
    ).toEqual([
      ['\\DR\\0001', true, ['\\DR\\0001.CFG', 'DR/0001.dat', '/DR/0001.Hdr', 'DR/0001.INF']],
      ['DR/0002', false, ['DR/0002.cfg']],
      ['DR/x', true, ['DR/x.cff']],
    ]);
  });
});

describe('names of files', () => {
  const anything = fc.array(
    fc.oneof(
      fc.string(),
      fc.constantFrom('..', '.', '/', '\\', '', 'C:', '...', ' ', '.. ', '\u0000'),
      fc.stringMatching(/^[./\\ a]{0,12}$/),
    ),
    { maxLength: 8 },
  );

  test('lead nowhere but down', () => {
    fc.assert(
      fc.property(anything, (name) => {
        const path = pathOf(name);
        if (!path) return;
        for (const part of path) {
          expect(part).not.toMatch(/^[. ]*$/);
          // biome-ignore lint/suspicious/noControlCharactersInRegex: none of them may be left
          expect(part).not.toMatch(/[/\\\u0000-\u001f]/);
        }
        expect(join('/root', ...path).startsWith('/root')).toBe(true);
        expect(pathOf(path)).toEqual(path);
      }),
      { numRuns: 2_000 },
    );
  });

  test('lead to nothing outside of a folder, with links in it', async () => {
    const { root } = await folder();
    const store = new FolderStore(root);
    const piece = fc.oneof(
      fc.constantFrom('..', 'link', 'COMTRADE', 'up', 'secret', 'root', '.', '/', '\\', 'F1.CFG', 'events.txt', '.. '),
      fc.string({ maxLength: 6 }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 6 }), async (name) => {
        const path = pathOf(name);
        if (!path) return;
        const opened = await store.open(path).catch((error: unknown) => error);
        if (opened instanceof Error) expect(opened).toBeInstanceOf(FileError);
        else {
          const { size, read, close } = opened as OpenFile;
          expect(Buffer.from(await read(0, size)).toString()).not.toBe('secret');
          await close();
        }
        const listed = await store.list(path).catch((error: unknown) => error);
        if (listed instanceof Error) expect(listed).toBeInstanceOf(FileError);
        else expect((listed as StoredFile[]).map((file) => file.name)).not.toContain('secret');
      }),
      { numRuns: 300 },
    );
  });

  test('times come back as they were, and nothing else is taken for one', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: Date.UTC(9999, 0, 1) }), (millis) => {
        expect(millisOfGeneralizedTime(generalizedTime(millis))).toBe(millis);
      }),
    );
    fc.assert(
      fc.property(fc.string(), (text) => {
        const millis = millisOfGeneralizedTime(text);
        expect(millis === undefined || Number.isFinite(millis)).toBe(true);
      }),
    );
    expect(millisOfGeneralizedTime('20260115120000+0130')).toBe(Date.UTC(2026, 0, 15, 10, 30));
    expect(millisOfGeneralizedTime('2026011512')).toBe(Date.UTC(2026, 0, 15, 12));
    for (const text of ['', '2026', '20261315120000Z', '20260132120000Z', '20260115120000X'])
      expect(millisOfGeneralizedTime(text)).toBeUndefined();
  });
});

const offer = {
  outstandingCalling: 1,
  outstandingCalled: 1,
  nesting: 10,
  detail: {
    version: 1,
    parameters: { length: 11, bytes: Uint8Array.of(0xf1, 0) },
    services: { length: 85, bytes: new Uint8Array(11).fill(0xff) },
  },
};
