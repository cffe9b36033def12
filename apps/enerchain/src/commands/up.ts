/** `enerchain up`: every process of a system on this machine, supervised, on loopback. */
import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lockFolder } from '@enerchain/host';
import type { LabHandle } from '@enerchain/lab';
import { EnerchainError, type GridModel } from '@enerchain/model';
import { parse } from 'yaml';
import { type DataFolder, openDataFolder } from '../data-folder.ts';
import { wholeNumber } from '../options.ts';
import { FRUGAL } from '../supervisor/frugal.ts';
import { reportReady, stopSignal } from '../supervisor/supervised.ts';
import { Supervisor } from '../supervisor/supervisor.ts';
import { SystemClient } from '../system-client.ts';

export interface UpOptions {
  readonly data: string;
  readonly port: string;
  readonly host: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly lab: boolean;
  readonly site?: readonly string[];
  readonly seed: string;
  readonly speed: string;
  readonly gridTime?: string;
  readonly tpm: boolean;
  /** Network interfaces for GOOSE: of the lab's IEDs, and of the gateway that listens. */
  readonly gooseInterface?: readonly string[];
  /** `development`, `production`, or a file. */
  readonly trustPolicy: string;
  /** File that says where the keys of the centre lie. */
  readonly keys?: string;
  /** Names of services. */
  readonly commandingService?: readonly string[];
}

type NodeRole = 'edge' | 'service' | 'network';

const say = (text: string): void => void process.stdout.write(`${text}\n`);
/** How long the centre may take until it can keep a grid, ms. */
const GRID_WITHIN = 30_000;

const main = fileURLToPath(new URL('../main.ts', import.meta.url));

export async function up(options: UpOptions): Promise<void> {
  const data = openDataFolder(options.data);
  const lock = lockFolder(join(data.root, 'run'), 'a system');
  const signal = stopSignal();
  const supervisor = new Supervisor({
    program: [process.execPath, '--disable-warning=ExperimentalWarning', ...FRUGAL.options, main],
    env: FRUGAL.env,
    logFolder: data.logs,
    say: (text) => say(`· ${text}`),
  });
  try {
    await startAll(supervisor, data, options, signal);
    if (!signal.aborted) await new Promise((done) => signal.addEventListener('abort', done, { once: true }));
    say('· stopping');
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    await supervisor.stop();
    lock.release();
    // The channel to our own parent would keep us alive.
    if (process.connected) process.disconnect();
  }
}

async function startAll(
  supervisor: Supervisor,
  data: DataFolder,
  options: UpOptions,
  signal: AbortSignal,
): Promise<void> {
  const port = wholeNumber(options.port, '--port', 1, 65_534);
  await portIsFree(port, options.host);
  await portIsFree(port + 1, '127.0.0.1');

  const sites = (options.site ?? []).map((file) => resolve(file));
  // What is wrong with a file is better said now than when half of the system runs.
  for (const site of sites) sourceOf(site);
  const cores: string[] = [];
  let gridFile: string | undefined;
  let tpms: LabHandle['tpms'] | undefined;
  if (options.lab) {
    say('· starting the lab grid');
    const lab = await supervisor.start({
      name: 'lab',
      args: () => [
        'lab',
        '--data',
        data.root,
        '--seed',
        options.seed,
        '--speed',
        options.speed,
        ...(options.gridTime === undefined ? [] : ['--grid-time', options.gridTime]),
        ...(options.tpm ? [] : ['--no-tpm']),
        ...(options.gooseInterface ? ['--goose-interface', ...options.gooseInterface] : []),
      ],
    });
    gridFile = String(lab.gridFile);
    sites.push(...(lab.siteFiles as string[]));
    cores.push(...(lab.networkFiles as string[]));
    tpms = lab.tpms as LabHandle['tpms'];
    say(
      'missing' in tpms
        ? `· software attests, the lower tier: ${tpms.missing}`
        : '· a TPM (swtpm) for each gateway and network node',
    );
    const goose = lab.goose as LabHandle['goose'];
    say(`· GOOSE between the IEDs of the lab: ${goose === 'in memory' ? goose : `on ${goose.interface}`}`);
  }

  if (signal.aborted) return;
  say('· starting the centre');
  const tls = options.tlsCert && options.tlsKey ? ['--tls-cert', options.tlsCert, '--tls-key', options.tlsKey] : [];
  const commanding = (options.commandingService ?? []).flatMap((name) => ['--commanding-service', name]);
  // Under a development policy the files that the gateways are started with are the right ones.
  const keys = options.keys === undefined ? [] : ['--keys', resolve(options.keys)];
  const trust = [
    '--trust-policy',
    options.trustPolicy,
    ...(sites.length > 0 ? ['--vouch-site', ...sites, ...cores] : []),
    ...(tpms && 'makers' in tpms ? ['--tpm-maker', tpms.makers, '--vouch-boot', tpms.golden] : []),
  ];
  const centre = await supervisor.start({
    name: 'centre',
    args: () => [
      'centre',
      '--data',
      data.root,
      '--port',
      String(port),
      '--host',
      options.host,
      ...tls,
      ...commanding,
      ...keys,
      ...trust,
    ],
    readyWithin: 120_000,
  });
  const client = SystemClient.find(data.root);
  if (gridFile) await importGrid(client, gridFile, signal);

  const link = String(centre.link);
  const startNode = async (name: string, role: NodeRole, folder: string, args: readonly string[]): Promise<void> => {
    if (signal.aborted) return;
    say(`· starting ${name}`);
    await supervisor.start({
      name,
      args: () => [...args, '--data', data.root, '--centre', link],
      env: async () =>
        hasValidCertificate(join(folder, 'identity')) ? {} : { ENERCHAIN_ENROL: await token(client, name, role) },
    });
  };
  for (const site of sites) {
    const name = sourceOf(site);
    await startNode(name, 'edge', data.edge(name), ['edge', site]);
  }
  for (const core of cores) {
    const name = sourceOf(core);
    await startNode(name, 'network', data.network(name), ['network-node', core]);
  }
  await startNode('grid-state', 'service', data.service('grid-state'), ['grid-state']);
  if (signal.aborted) return;

  reportReady({ url: client.url });
  say(`\nCloudEnerChain runs: ${String(centre.url)}`);
  if (centre.setupLink) say(`First login — make the first administrator here (once): ${String(centre.setupLink)}`);
  say(`Data and logs: ${data.root}\nStop with Ctrl-C.\n`);
}

function hasValidCertificate(identity: string): boolean {
  const file = join(identity, 'certificate.pem');
  return existsSync(file) && Date.parse(new X509Certificate(readFileSync(file)).validTo) > Date.now();
}

async function token(client: SystemClient, name: string, role: NodeRole): Promise<string> {
  return (await client.request<{ token: string }>('POST', '/enrolment-tokens', { name, role })).token;
}

/**
 * Gives the centre the lab's grid; the same grid again is no new version there. A centre whose database is not there yet
 * cannot take it: it is offered again for a while.
 */
async function importGrid(client: SystemClient, file: string, signal: AbortSignal): Promise<void> {
  const grid = JSON.parse(readFileSync(file, 'utf8')) as GridModel;
  for (const deadline = performance.now() + GRID_WITHIN; ; ) {
    try {
      await client.request('PUT', '/grid', grid);
      return;
    } catch (error) {
      const mayPass = error instanceof EnerchainError && error.fault === 'environment';
      if (!mayPass || signal.aborted || performance.now() > deadline) throw error;
      await new Promise((wake) => setTimeout(wake, 500));
    }
  }
}

/** The name that a site file gives to its gateway. */
export function sourceOf(siteFile: string): string {
  let site: unknown;
  try {
    site = parse(readFileSync(siteFile, 'utf8'));
  } catch (error) {
    throw new EnerchainError('caller', 'cli.site.unreadable', `${siteFile} cannot be read as YAML`, { cause: error });
  }
  const source = (site as { source?: unknown } | null)?.source;
  if (typeof source === 'string' && /^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/.test(source)) return source;
  throw new EnerchainError(
    'caller',
    'cli.site.no-source',
    `${siteFile}: 'source' must name the gateway, for example edge-north`,
  );
}

function portIsFree(port: number, host: string): Promise<void> {
  return new Promise((done, fail) => {
    const probe = createServer();
    probe.once('error', (cause: NodeJS.ErrnoException) => {
      const inUse = cause.code === 'EADDRINUSE';
      const what = inUse ? `port ${port} is in use by another program` : `${host}:${port} cannot be listened on`;
      fail(
        new EnerchainError(
          'environment',
          'cli.port',
          `${what}: choose another with --port (two ports in a row are needed)`,
          inUse ? {} : { cause },
        ),
      );
    });
    probe.listen({ port, host, exclusive: true }, () => probe.close(() => done()));
  });
}
