/** What happens to the processes of a system: killed, started twice, started by others, asked from the command line. */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Api } from './api.ts';
import { enerchain } from './command-line.ts';
import { type ProcessInfo, processIn, stillRunning, treeOf } from './processes.ts';
import {
  type RunningSystem,
  removeData,
  root,
  STARTS_WITHIN,
  startAndEnd,
  startSystem,
  twoFreePorts,
  until,
} from './running-system.ts';

const linux = process.platform === 'linux';
const asRoot = process.getuid?.() === 0;
if (!linux) console.log('skipped: the tests of processes read /proc, so they need Linux');

/** A counter of an RTU that steps every second: it tells that values flow. */
const flows = (api: Api, name: string): Promise<boolean> =>
  until(`fresh values of ${name}`, async () => {
    const value = await api.value((await api.point(`${name} Ledger counter`)).mRID);
    return value !== undefined && Date.now() - value.t < 3_000;
  });

const nothingLeft = (known: readonly ProcessInfo[]): Promise<boolean> =>
  until('every process to be gone', () => {
    const left = stillRunning(known);
    if (left.length > 0) throw new Error(`left: ${left.map(({ pid, command }) => `${pid} ${command}`).join('; ')}`);
    return true;
  });

describe.skipIf(!linux)('a running system', () => {
  let system: RunningSystem;
  let api: Api;
  beforeAll(async () => {
    system = await startSystem();
    api = new Api(system);
    await flows(api, '02 Weinberg');
  }, STARTS_WITHIN);
  afterAll(() => system?.stop());

  it('restarts a gateway that is killed, says what may be missing, and accounts for every event', async () => {
    const victim = processIn(system.process.pid!, 'edge', join(system.data, 'lab', 'sites', 'edge-nord.yaml'));
    const killedAt = Date.now();
    process.kill(victim.pid, 'SIGKILL');
    await until('a new process', () => {
      const now = processIn(system.process.pid!, 'edge', join(system.data, 'lab', 'sites', 'edge-nord.yaml'));
      return now.pid !== victim.pid;
    });
    await until('the sentence about it', () =>
      system.output().includes('edge-nord was ended by SIGKILL; starting it again'),
    );
    const devices = await until('all devices', async () => {
      const source = await api.source('edge-nord');
      const endpoints = source?.report?.endpoints ?? [];
      return source?.connected && endpoints.length > 0 && endpoints.every(({ state }) => state === 'up') && endpoints;
    });
    await flows(api, '02 Weinberg');
    const rtus = devices.map(({ id }) => id).filter((id) => id.startsWith('rtu-'));
    const gaps = await until('a gap record for each RTU', async () => {
      const found = (await api.gaps()).filter(
        ({ source, reason }) => source === 'edge-nord' && reason === 'uncleanRestart',
      );
      return rtus.every((rtu) => found.some(({ endpoint }) => endpoint === undefined || endpoint === rtu)) && found;
    });
    for (const gap of gaps) {
      expect(Date.parse(gap.from)).toBeLessThanOrEqual(killedAt + 1_000);
      expect(Date.parse(gap.to)).toBeGreaterThan(killedAt);
    }
    expect((await api.source('edge-nord'))?.chainBreaks).toBe(0);

    // What the RTU wrote down before it sent anything, against what the centre can give back.
    const until_ = Date.now();
    const counter = await api.point('02 Weinberg Ledger counter');
    const produced = ledger(system, 'rtu-02').filter(({ ioa, time }) => ioa === 499 && time < until_);
    expect(produced.length).toBeGreaterThan(5);
    await until('every event stored or inside a gap', async () => {
      const range = `from=${new Date(produced[0]!.time - 1000).toISOString()}&to=${new Date(until_ + 1000).toISOString()}`;
      const { samples } = await api.request<{ samples: [number, number, number][] }>(
        'GET',
        `/history/${counter.mRID}?${range}`,
      );
      const stored = new Set(samples.map(([time, value]) => `${Math.round(time)} ${value}`));
      const lost = produced.filter(
        ({ time, value }) =>
          !stored.has(`${time} ${value}`) &&
          !gaps.some(
            (gap) => gap.endpoint === 'rtu-02' && time >= Date.parse(gap.from) && time <= Date.parse(gap.to) + 1,
          ),
      );
      if (lost.length > 0) throw new Error(`lost: ${JSON.stringify(lost.slice(0, 5))}`);
      return true;
    });
  });

  it('answers its owner on the command line through a token that only he can read', async () => {
    const token = join(system.data, 'centre', 'admin.token');
    expect(statSync(token).mode & 0o777).toBe(0o600);
    expect(statSync(system.data).mode & 0o077).toBe(0);
    const status = await enerchain(['status', '--data', system.data]);
    expect(status).toMatchObject({ status: 0, stderr: '' });
    for (const name of ['edge-nord', 'edge-sued', 'edge-west', 'grid-state'])
      expect(status.stdout).toMatch(new RegExp(`${name}.*connected`));
    const values = await enerchain(['values', 'Mühlbach Busbar voltage', '--json', '--data', system.data]);
    const line = JSON.parse(values.stdout.split('\n')[0]!) as Record<string, unknown>;
    expect(line).toMatchObject({ name: '03 Mühlbach Busbar voltage', source: 'edge-nord', endpoint: 'rtu-03' });
    expect(line.value).toBeGreaterThan(18);
    const made = await enerchain(['enrol-token', 'edge-new', '--data', system.data]);
    expect(made.status).toBe(0);
    expect(made.stdout.trim().length).toBeGreaterThan(40);
  });

  it('answers from elsewhere through ENERCHAIN_URL and ENERCHAIN_TOKEN, and refuses a wrong token', async () => {
    const { token } = await api.request<{ token: string }>('POST', '/tokens', { name: 'reader', roles: ['VIEWER'] });
    const elsewhere = { ENERCHAIN_URL: system.url, ENERCHAIN_TOKEN: token };
    const nowhere = ['--data', join(tmpdir(), 'no-such-system')];
    expect((await enerchain(['status', ...nowhere], elsewhere)).stdout).toContain('edge-nord');
    const forbidden = await enerchain(['enrol-token', 'edge-new', ...nowhere], elsewhere);
    expect(forbidden.status).toBe(1);
    expect(forbidden.stderr).not.toMatch(/\n\s+at /);
    const wrong = await enerchain(['status', ...nowhere], { ...elsewhere, ENERCHAIN_TOKEN: 'wrong' });
    expect(wrong.status).toBe(1);
    expect(wrong.stderr.trim().split('\n')).toHaveLength(1);
    const none = await enerchain(['status', ...nowhere]);
    expect(none.status).toBe(1);
    expect(none.stderr).toContain('no running system found');
  });

  it('keeps a second one off its folder, in a sentence', async () => {
    const second = await startAndEnd(['--data', system.data, '--port', String(await twoFreePorts())]);
    expect(second.code).toBe(1);
    expect(second.output.trim()).toMatch(
      /^a system already runs on .* \(process \d+\): stop it, or use another --data$/,
    );
  });

  it('keeps a second one off its port, in a sentence', async () => {
    const data = mkdtempSync(join(tmpdir(), 'enerchain-system-'));
    for (const port of [system.port, system.port - 1]) {
      const second = await startAndEnd(['--data', data, '--port', String(port)]);
      expect(second.code).toBe(1);
      expect(second.output.trim()).toBe(
        `port ${system.port} is in use by another program: choose another with --port (two ports in a row are needed)`,
      );
    }
    removeData(data);
  });

  it('runs beside another one, survives its death, and the dead one starts again on its data', {
    timeout: 480_000,
  }, async () => {
    const other = await startSystem();
    const data = other.data;
    try {
      const otherApi = new Api(other);
      await flows(otherApi, '02 Weinberg');
      await flows(api, '02 Weinberg');
      const before = (await otherApi.source('edge-nord'))!.observations;
      const tree = treeOf(other.process.pid!);
      expect(tree.filter(({ command }) => command.includes('postgres')).length).toBeGreaterThan(1);
      process.kill(processIn(other.process.pid!, 'up', '--data').pid, 'SIGKILL');
      await nothingLeft(tree);
      await flows(api, '02 Weinberg');

      const again = await startSystem([], { data, port: other.port });
      const againApi = new Api(again);
      await flows(againApi, '02 Weinberg');
      const source = (await againApi.source('edge-nord'))!;
      expect(source.observations).toBeGreaterThan(before);
      expect(source.chainBreaks).toBe(0);
      const everything = treeOf(again.process.pid!);
      await again.stop();
      await nothingLeft(everything);
    } finally {
      await other.stop();
      removeData(data);
    }
  });

  it('stops cleanly at Ctrl-C and leaves nothing behind', async () => {
    const tree = treeOf(system.process.pid!);
    expect(tree.length).toBeGreaterThan(8);
    // npm ends by the signal itself, or with the status that stands for it.
    expect([0, 130, null]).toContain(await system.stop());
    expect([null, 'SIGINT']).toContain(system.process.signalCode);
    expect(system.output()).toContain('· stopping');
    expect(system.output()).not.toMatch(/\n\s+at .*:\d+:\d+/);
    await nothingLeft(tree);
  });
});

describe.skipIf(!linux)('npm start', () => {
  it('ends with everything it has started when npm itself is killed', async () => {
    const system = await startSystem(['--no-lab']);
    const tree = treeOf(system.process.pid!);
    process.kill(system.process.pid!, 'SIGKILL');
    await nothingLeft(tree);
    await system.stop();
  });

  it('refuses to listen beyond this machine without TLS', async () => {
    const data = mkdtempSync(join(tmpdir(), 'enerchain-system-'));
    const refused = await startAndEnd([
      '--data',
      data,
      '--port',
      String(await twoFreePorts()),
      '--host',
      '0.0.0.0',
      '--no-lab',
    ]);
    expect(refused.code).toBe(1);
    expect(refused.output).toContain('The centre was not started: 0.0.0.0 can be reached from other machines');
    expect(refused.output).not.toMatch(/\n\s+at .*:\d+:\d+/);
    removeData(data);
  });

  it('serves HTTPS with a certificate of a private authority, and its own parts find it', async () => {
    const data = mkdtempSync(join(tmpdir(), 'enerchain-system-'));
    const [cert, key] = [join(data, 'cert.pem'), join(data, 'key.pem')];
    const made = spawnSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
        ...[
          '-subj',
          '/CN=control.example',
          '-addext',
          'subjectAltName=DNS:control.example',
          '-keyout',
          key,
          '-out',
          cert,
        ],
      ],
      { encoding: 'utf8' },
    );
    expect(made.status, made.stderr).toBe(0);
    const system = await startSystem(['--no-lab', '--tls-cert', cert, '--tls-key', key], { data });
    try {
      expect(system.setupLink).toMatch(/^https:/);
      const status = await until('the service', async () => {
        const said = await enerchain(['status', '--data', data]);
        return said.stdout.includes('grid-state') && said;
      });
      expect(status).toMatchObject({ status: 0, stderr: '' });
      const stranger = await enerchain(['status'], {
        ENERCHAIN_URL: system.url.replace('http:', 'https:'),
        ENERCHAIN_TOKEN: 'x',
      });
      expect(stranger.status).toBe(1);
      expect(stranger.stderr).toContain('does not answer');
      await expect(fetch(system.url)).rejects.toThrow();
    } finally {
      await system.stop();
      removeData(data);
    }
  });

  it('says in a sentence that a port is held by another program', async () => {
    const server: Server = createServer();
    const port = await new Promise<number>((done) =>
      server.listen(0, '127.0.0.1', () => done((server.address() as { port: number }).port)),
    );
    const data = mkdtempSync(join(tmpdir(), 'enerchain-system-'));
    const refused = await startAndEnd(['--data', data, '--port', String(port)]);
    expect(refused.code).toBe(1);
    expect(refused.output).toContain(`port ${port} is in use by another program`);
    expect(refused.output.trim().split('\n')).toHaveLength(1);
    server.close();
    removeData(data);
  });

  it.each([
    [['--port', 'http'], "--port must be a whole number from 1 to 65534, not 'http'"],
    [['--site', '/no/such/site.yaml', '--no-lab'], '/no/such/site.yaml cannot be read'],
  ])('says what is wrong with %j', async (args, sentence) => {
    const data = mkdtempSync(join(tmpdir(), 'enerchain-system-'));
    const port = args.includes('--port') ? [] : ['--port', String(await twoFreePorts())];
    const refused = await startAndEnd(['--data', data, ...port, ...args]);
    expect(refused.code).toBe(1);
    expect(refused.output).toContain(sentence);
    expect(refused.output).not.toMatch(/\n\s+at .*:\d+:\d+/);
    removeData(data);
  });

  it.skipIf(!asRoot)('works as root with data below the home of root, where PostgreSQL cannot run', async () => {
    const data = mkdtempSync(join(homedir(), '.enerchain-system-'));
    const system = await startSystem(['--no-lab'], { data });
    try {
      expect(await new Api(system).sources()).toBeInstanceOf(Array);
      const postgres = treeOf(system.process.pid!).filter(({ command }) => /postgres -D/.test(command));
      expect(postgres.length).toBeGreaterThan(0);
      for (const { pid } of postgres) expect(statSync(`/proc/${pid}`).uid).not.toBe(0);
    } finally {
      await system.stop();
      removeData(data);
    }
  });

  it.skipIf(!asRoot)('works as an ordinary user in a checkout of his own', { timeout: 480_000 }, async () => {
    const name = 'enerchain-guest';
    const home = mkdtempSync(join(tmpdir(), 'enerchain-guest-'));
    // Where accounts are made is not on everybody's path.
    const path = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
    const run = (command: string, ...args: string[]): void => {
      const done = spawnSync(command, args, { encoding: 'utf8', env: path });
      if (done.status !== 0) throw new Error(`${command} ${args.join(' ')}: ${done.error?.message ?? done.stderr}`);
    };
    spawnSync('userdel', [name], { env: path });
    run('useradd', '--home-dir', home, '--no-create-home', '--shell', '/bin/sh', name);
    try {
      const checkout = join(home, 'checkout');
      mkdirSync(checkout);
      chmodSync(home, 0o755);
      // The dependencies as they are: the test is about the user, not about the network.
      run(
        'sh',
        '-c',
        `tar -C '${root}' --exclude=./.git --exclude=./interop/.peers --exclude=./benchmarks/.peers --exclude=./.setup-lock -cf - . | tar -C '${checkout}' -xf -`,
      );
      run('chown', '-R', `${name}:`, home);
      const id = (flag: string): number => Number(spawnSync('id', [flag, name], { encoding: 'utf8' }).stdout);
      const [uid, gid] = [id('-u'), id('-g')];
      const data = join(home, '.local', 'share', 'enerchain');
      const env = { HOME: home, USER: name, LOGNAME: name, npm_config_cache: join(home, '.npm') };
      const system = await startSystem(['--no-lab'], { root: checkout, uid, gid, env, data });
      try {
        expect(await new Api(system).sources()).toBeInstanceOf(Array);
        for (const { pid, command } of treeOf(system.process.pid!))
          expect([command, statSync(`/proc/${pid}`).uid]).toEqual([command, uid]);
        expect(existsSync(join(data, 'centre', 'admin.token'))).toBe(true);
      } finally {
        await system.stop();
      }
    } finally {
      spawnSync('userdel', [name], { env: path });
      rmSync(home, { recursive: true, force: true });
    }
  });
});

interface LedgerEvent {
  readonly time: number;
  readonly ioa: number;
  readonly value: number;
}

/** The ledger of an RTU: a header, then `[time, object address, value, quality, type]` in each line. */
function ledger(system: RunningSystem, rtu: string): LedgerEvent[] {
  const [, ...lines] = readFileSync(join(system.data, 'lab', 'ledger', `${rtu}.jsonl`), 'utf8')
    .trimEnd()
    .split('\n');
  return lines.flatMap((line) => {
    const fields = line.endsWith(']') ? (JSON.parse(line) as number[]) : [];
    const [time, ioa, value] = fields;
    return time === undefined || ioa === undefined || value === undefined ? [] : [{ time, ioa, value }];
  });
}
