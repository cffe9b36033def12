/** Just enough of MATPOWER's case format to check the kernel against published grids. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { BUS_TYPE, branchTable, busTable, type PowerFlowCase } from '../src/powerflow/case.ts';

const FOLDER = fileURLToPath(new URL('../../../../shared/data/matpower/', import.meta.url));

export const matpowerFile = (name: string): string => `${FOLDER}${name}.m`;
export const hasMatpower = (name: string): boolean => existsSync(matpowerFile(name));

export function readMatpower(name: string): PowerFlowCase {
  const text = readFileSync(matpowerFile(name), 'utf8').replaceAll(/%.*/g, '');
  const table = (key: string): number[][] => {
    const body = new RegExp(`mpc\\.${key}\\s*=\\s*\\[([^\\]]*)\\]`).exec(text)?.[1] ?? '';
    return body
      .split(/[;\n]/)
      .map((row) => row.trim())
      .filter((row) => row !== '')
      .map((row) => row.split(/[\s,]+/).map(Number));
  };
  const base = Number(/mpc\.baseMVA\s*=\s*([\d.]+)/.exec(text)?.[1]);
  const radians = Math.PI / 180;
  const busRows = table('bus').filter((row) => row[1] !== 4);
  const index = new Map(busRows.map((row, i) => [row[0]!, i]));
  const buses = busTable(busRows.length);
  busRows.forEach((row, i) => {
    buses.type[i] = row[1]!;
    buses.p[i] = -row[2]! / base;
    buses.q[i] = -row[3]! / base;
    buses.gs[i] = row[4]! / base;
    buses.bs[i] = row[5]! / base;
    buses.vm[i] = row[7]!;
    buses.va[i] = row[8]! * radians;
  });
  const generating = new Set<number>();
  for (const row of table('gen')) {
    const i = index.get(row[0]!);
    if (i === undefined || row[7]! <= 0) continue;
    generating.add(i);
    buses.p[i] = buses.p[i]! + row[1]! / base;
    buses.q[i] = buses.q[i]! + row[2]! / base;
    if (buses.type[i] !== BUS_TYPE.pq) buses.vm[i] = row[5]!;
  }
  busRows.forEach((_, i) => {
    if (buses.type[i] === BUS_TYPE.pv && !generating.has(i)) buses.type[i] = BUS_TYPE.pq;
  });
  const branchRows = table('branch').filter((row) => row[10] === 1 && index.has(row[0]!) && index.has(row[1]!));
  const branches = branchTable(branchRows.length);
  branchRows.forEach((row, k) => {
    const ratio = row[8] || 1;
    branches.from[k] = index.get(row[0]!)!;
    branches.to[k] = index.get(row[1]!)!;
    branches.r[k] = row[2]!;
    branches.x[k] = row[3]!;
    branches.bFrom[k] = row[4]! / 2 / ratio ** 2;
    branches.bTo[k] = row[4]! / 2;
    branches.ratio[k] = ratio;
    branches.shift[k] = row[9]! * radians;
  });
  return { buses, branches };
}
