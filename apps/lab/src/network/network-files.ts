/** The nodes of the lab's Trusted Core Network: who is whose neighbour, where each listens, and what each is started with. */
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EDGES, type EdgeName } from '../grid/lab-grid.ts';
import type { LabTpm } from '../tpm/index.ts';

/** Nodes that carry no values: switches and routers of the station network stand for them in a real grid. */
export const CORES = ['core-1', 'core-2'] as const;

const GATEWAYS = Object.keys(EDGES) as EdgeName[];
/** Everybody in the network. */
export const NETWORK_NODES: readonly string[] = [...GATEWAYS, ...CORES];
/** Name of the port on which a node listens for its neighbours. */
export const networkPort = (node: string): string => `network ${node}`;

/** Gateways know the two cores, the cores know everybody. */
const neighboursOf = (node: string): readonly string[] =>
  (CORES as readonly string[]).includes(node) ? NETWORK_NODES.filter((other) => other !== node) : CORES;

/** What a node attests beside the software it runs: stands for the firmware of its machine. */
export const firmwareFile = (dataDir: string, node: string): string => join(dataDir, 'sites', `${node}.firmware`);

/** The section `trust` of a site file. */
export function networkSettings(
  node: string,
  host: string,
  ports: ReadonlyMap<string, number>,
  tpm?: Pick<LabTpm, 'socket' | 'eventLog'>,
) {
  const address = (name: string) => `${host}:${ports.get(networkPort(name))}`;
  return {
    listen: address(node),
    neighbours: neighboursOf(node).map((name) => ({ name, address: address(name) })),
    measure: [`${node}.firmware`],
    ...(tpm ? { tpm: tpm.socket, eventLog: tpm.eventLog } : {}),
  };
}

/** @returns the paths of the files with which the cores are started */
export function writeNetworkFiles(
  dataDir: string,
  host: string,
  ports: ReadonlyMap<string, number>,
  tpmOf: (node: string) => LabTpm | undefined,
): string[] {
  const folder = join(dataDir, 'sites');
  mkdirSync(folder, { recursive: true });
  // Firmware stays as it is, also when somebody has changed it: that is the point of it.
  for (const node of NETWORK_NODES) {
    const file = firmwareFile(dataDir, node);
    if (!existsSync(file)) writeFileSync(file, firmwareOf(node));
  }
  return CORES.map((node) => {
    const file = join(folder, `${node}.json`);
    const content = { source: node, trust: networkSettings(node, host, ports, tpmOf(node)) };
    writeFileSync(`${file}.new`, `${JSON.stringify(content, undefined, 2)}\n`);
    renameSync(`${file}.new`, file);
    return file;
  });
}

/** As delivered. */
export const firmwareOf = (node: string): string => `CloudEnerChain lab firmware 1.0 for ${node}\n`;
