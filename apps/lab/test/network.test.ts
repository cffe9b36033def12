import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkFault } from '../src/faults/request.ts';
import { actOnNode } from '../src/network/faults.ts';
import { forgetMischief, mischiefNow, orderMischief } from '../src/network/mischief.ts';
import {
  firmwareFile,
  firmwareOf,
  NETWORK_NODES,
  networkPort,
  networkSettings,
  writeNetworkFiles,
} from '../src/network/network-files.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'enerchain-lab-network-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const PORTS = new Map(NETWORK_NODES.map((node, i) => [networkPort(node), 20_000 + i]));
const fault = (kind: string, target: string, settings = {}) =>
  actOnNode(checkFault({ kind, target, settings }), folder);

describe('the network of the lab', () => {
  test('whoever is a neighbour is one in both directions, at the address where it listens', () => {
    const settings = new Map(NETWORK_NODES.map((node) => [node, networkSettings(node, '127.0.0.1', PORTS)]));
    for (const [node, { neighbours }] of settings) {
      expect(neighbours.length).toBeGreaterThanOrEqual(2);
      for (const { name, address } of neighbours) {
        expect(address).toBe(settings.get(name)!.listen);
        expect(settings.get(name)!.neighbours.map((each) => each.name)).toContain(node);
      }
    }
  });

  test('firmware that somebody has changed stays changed over a start; restoring puts back what was delivered', () => {
    const files = writeNetworkFiles(folder, '127.0.0.1', PORTS, () => undefined);
    expect(files.map((file) => JSON.parse(readFileSync(file, 'utf8')).source)).toEqual(['core-1', 'core-2']);
    const file = firmwareFile(folder, 'edge-nord');
    const delivered = readFileSync(file, 'utf8');
    expect(delivered).toBe(firmwareOf('edge-nord'));
    expect(fault('firmware-changed', 'edge-nord')).toContain('was changed');
    writeNetworkFiles(folder, '127.0.0.1', PORTS, () => undefined);
    expect(readFileSync(file, 'utf8')).not.toBe(delivered);
    fault('firmware-changed', 'edge-nord', { restore: 'yes' });
    expect(readFileSync(file, 'utf8')).toBe(delivered);
  });

  test('faults last as long as they were asked for, several at once, and end with the lab', () => {
    writeNetworkFiles(folder, '127.0.0.1', PORTS, () => undefined);
    const file = join(folder, 'sites', 'core-1.fault');
    expect(mischiefNow(file)).toEqual(new Set());
    expect(fault('attester-stopped', 'core-1', { seconds: 60 })).toBe('core-1: attester-stopped for 60 s');
    fault('quote-replayed', 'core-1');
    orderMischief(folder, 'core-1', 'network-partition', Date.now() - 1);
    expect(mischiefNow(file)).toEqual(new Set(['attester-stopped', 'quote-replayed']));
    expect(mischiefNow(join(folder, 'sites', 'core-2.fault'))).toEqual(new Set());
    forgetMischief(folder, 'core-1');
    expect(mischiefNow(file)).toEqual(new Set());
    writeFileSync(file, 'not JSON');
    expect(mischiefNow(file)).toEqual(new Set());
  });

  test('a fault of a node that there is not says which there are', () => {
    expect(() => fault('attester-stopped', 'edge-nord')).toThrow(/there are core-1, core-2/);
    expect(() => fault('firmware-changed', 'core-9')).toThrow(
      /there are edge-nord, edge-sued, edge-west, core-1, core-2/,
    );
  });
});
