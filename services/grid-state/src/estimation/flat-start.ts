/** Where an estimation starts from: the angles that are references, and voltages as without load. */
import { type BranchTable, BUS_TYPE, type PowerFlowCase } from '../powerflow/case.ts';
import type { EstimatedState } from './estimated-state.ts';
import type { Layout } from './layout.ts';
import { type Channels, KIND } from './measurement.ts';

/** Connected parts: the one of each bus, and how many there are. */
export interface Components {
  readonly component: Int32Array;
  readonly count: number;
}

/** One angle of every connected part is the reference and no state, unless angles are measured there. */
export function chooseReferences(
  { free }: EstimatedState,
  { component, count }: Components,
  { buses }: PowerFlowCase,
  { map, weight }: Channels,
): void {
  const reference = new Int32Array(count).fill(-1);
  const isSlack = (bus: number): boolean => buses.type[bus] === BUS_TYPE.slack;
  const synchronised = new Uint8Array(count);
  component.forEach((part, bus) => {
    if (weight[map.first[KIND.angle]! + bus]! > 0) synchronised[part] = 1;
    const known = reference[part]!;
    if (known < 0 || (isSlack(bus) && !isSlack(known))) reference[part] = bus;
  });
  free.fill(1);
  reference.forEach((bus, part) => {
    if (synchronised[part] === 0) free[bus] = 0;
  });
}

/**
 * The magnitude that is measured in the middle; angles, and magnitudes where a ratio is far from 1, as the references,
 * phase shifts and ratios on the way have them.
 */
export function flatStart(
  state: EstimatedState,
  layout: Layout,
  { buses, branches }: PowerFlowCase,
  { map, value, weight }: Channels,
): void {
  const { vm, va, free } = state;
  vm.fill(1);
  va.fill(0);
  const steps = branches.shift.some((shift) => shift !== 0) || branches.ratio.some(isFarFromOne);
  if (steps || buses.va.some((angle, i) => angle !== 0 && free[i] === 0)) {
    spread(state, layout, buses.va, branches);
  }
  const measured: number[] = [];
  for (let i = 0; i < map.busCount; i++) if (weight[i]! > 0) measured.push(i);
  const middle = middleOf(measured, value, vm);
  // Ratios far from 1 that no voltage bears witness to are an oddity of the data: all else is near 1.
  if (vm.some((each) => each !== 1)) {
    const even = new Float64Array(vm.length).fill(1);
    const plain = middleOf(measured, value, even);
    if (plain.off <= middle.off) {
      vm.fill(plain.value);
      return;
    }
  }
  for (let i = 0; i < layout.busCount; i++) vm[i] = vm[i]! * middle.value;
}

/** Voltages from the references over all branches, as without load. */
function spread(
  { vm, va, free }: EstimatedState,
  { admittance }: Layout,
  angles: Float64Array,
  { from, ratio, shift }: BranchTable,
): void {
  const { start, column, entry } = admittance;
  const shiftOf = new Float64Array(column.length);
  const ratioOf = new Float64Array(column.length).fill(1);
  for (let k = 0; k < from.length; k++) {
    const [forward, back] = [entry[4 * k + 1]!, entry[4 * k + 2]!];
    shiftOf[forward] = -shift[k]!;
    shiftOf[back] = shift[k]!;
    if (!isFarFromOne(ratio[k]!)) continue;
    ratioOf[forward] = 1 / ratio[k]!;
    ratioOf[back] = ratio[k]!;
  }
  const reached = new Uint8Array(vm.length);
  for (const references of [true, false]) {
    for (let root = 0; root < vm.length; root++) {
      if (reached[root] === 1 || (references && free[root] !== 0)) continue;
      reached[root] = 1;
      va[root] = free[root] === 0 ? angles[root]! : 0;
      const queue = [root];
      for (const bus of queue) {
        for (let at = start[bus]!; at < start[bus + 1]!; at++) {
          const other = column[at]!;
          if (reached[other] === 1) continue;
          reached[other] = 1;
          va[other] = va[bus]! + shiftOf[at]!;
          vm[other] = vm[bus]! * ratioOf[at]!;
          queue.push(other);
        }
      }
    }
  }
}

/** By what the measured voltages exceed a profile: the middle, and how far they are off it on the average. */
function middleOf(
  measured: readonly number[],
  value: Float64Array,
  profile: Float64Array,
): { value: number; off: number } {
  const shares = measured
    .map((bus) => value[bus]! / profile[bus]!)
    .filter((share) => share > 0.5 && share < 1.5)
    .sort((a, b) => a - b);
  const middle = shares[shares.length >> 1] ?? 1;
  let off = measured.length - shares.length;
  for (const share of shares) off += Math.abs(share - middle);
  return { value: middle, off: measured.length === 0 ? 0 : off / measured.length };
}

/** A tap keeps voltages together; a ratio like this parts them. */
const isFarFromOne = (ratio: number): boolean => ratio > 1.25 || ratio < 0.8;
