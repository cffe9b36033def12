/** The state estimations of others: what is given to them, and what they make of it. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { type CaseGrid, type CaseMeasurement, zeroInjectionsOf } from '@enerchain/grid-state';
import type { PeerResult } from './peers.ts';

/** pandapower's weighted least squares; power-grid-model's Newton–Raphson, and its linear iteration, which approximates. */
export const ESTIMATION_PEERS = ['pandapower', 'power-grid-model', 'power-grid-model-linear'] as const;
export type EstimationPeer = (typeof ESTIMATION_PEERS)[number];
export type EstimationPeerResult = PeerResult & { readonly measurements?: number };

const PROGRAM = join(import.meta.dirname, 'peers', 'estimation_peers.py');

/**
 * @param file the case that `grid` was read from
 * @param measurements of `simulateMeasurements` without injections: voltages of buses, then four flows per branch
 * @param seconds for each peer
 */
export function estimateWithPeers(
  python: string,
  file: string,
  grid: CaseGrid,
  measurements: readonly CaseMeasurement[],
  seconds: number,
  peers: readonly EstimationPeer[] = ESTIMATION_PEERS,
): Partial<Record<EstimationPeer, EstimationPeerResult>> {
  const voltages = new Map(measurements.flatMap((each) => (each.kind === 'voltage' ? [[each.bus!, each]] : [])));
  let at = measurements.findIndex(({ kind }) => kind === 'pFlow');
  const sigmaPower = measurements[at]!.sigma;
  const flows = grid.branches.map(({ row }) => {
    if (row < 0) return null;
    at += 4;
    return measurements.slice(at - 4, at).map(({ value }) => value);
  });
  const given = {
    voltage: grid.ids.map((id) => voltages.get(id)?.value ?? null),
    flows,
    sigmaVoltage: measurements[0]!.sigma,
    sigmaPower,
    zero: Array.from(zeroInjectionsOf(grid), (bits) => bits !== 0),
  };
  const text = execFileSync(python, [PROGRAM, file, String(seconds), ...peers], {
    input: JSON.stringify(given),
    encoding: 'utf8',
    maxBuffer: 2 ** 29,
    stdio: ['pipe', 'pipe', 'ignore'],
    timeout: 580_000,
  });
  return JSON.parse(text) as Partial<Record<EstimationPeer, EstimationPeerResult>>;
}

/** How far two estimates are apart, pu and degrees, after turning the peer's to the same reference. */
export function deviation(
  ours: readonly { readonly vm: number | null; readonly va: number | null }[],
  theirs: { readonly vm: readonly (number | null)[]; readonly va: readonly (number | null)[] },
  reference: number,
): { magnitude: number; angle: number } {
  const turn = ours[reference]!.va! - theirs.va[reference]!;
  let [magnitude, angle] = [0, 0];
  ours.forEach(({ vm, va }, i) => {
    magnitude = Math.max(magnitude, Math.abs(vm! - theirs.vm[i]!));
    angle = Math.max(angle, Math.abs(va! - theirs.va[i]! - turn));
  });
  return { magnitude, angle };
}
