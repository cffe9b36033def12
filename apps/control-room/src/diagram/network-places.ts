/**
 * Places for the stations of a meshed grid: cells of a raster, so that stations joined by lines stand near each other.
 * Stress majorisation over the number of lines between them, then columns and rows of equal size, then exchanges of
 * neighbours as long as lines become shorter. Only + − × ÷ and √, which every machine rounds alike: same grid, same places.
 */

export interface Raster {
  readonly columns: number;
  readonly rows: number;
  /** Column and row of each station. */
  readonly at: readonly { readonly column: number; readonly row: number }[];
}

/** Columns for each row, so that boxes that are wider than high fill a display that is too. */
const ASPECT = 0.85;
/** Distances computed at most, all iterations together. */
const EFFORT = 4e6;

/** @param edges pairs of indices of stations */
export function rasterOf(count: number, edges: readonly (readonly [number, number])[]): Raster {
  if (count === 0) return { columns: 0, rows: 0, at: [] };
  const columns = Math.max(1, Math.ceil(Math.sqrt(count * ASPECT)));
  const rows = Math.ceil(count / columns);
  const spots = spread(count, edges);
  const byX = Array.from({ length: count }, (_, index) => index).sort((a, b) => spots.x[a]! - spots.x[b]! || a - b);
  const cell = new Int32Array(count);
  for (let column = 0, from = 0; from < count; column++) {
    const size = Math.ceil((count - from) / (columns - column));
    const members = byX.slice(from, from + size).sort((a, b) => spots.y[a]! - spots.y[b]! || a - b);
    // A column that is not full spreads over the height.
    members.forEach((station, rank) => {
      const row = Math.min(rows - 1, Math.floor(((rank + 0.5) * rows) / members.length));
      cell[station] = column * rows + row;
    });
    from += size;
  }
  exchange(cell, columns, rows, edges);
  return {
    columns,
    rows,
    at: Array.from(cell, (place) => ({ column: Math.floor(place / rows), row: place % rows })),
  };
}

function neighboursOf(count: number, edges: readonly (readonly [number, number])[]): number[][] {
  const beside: number[][] = Array.from({ length: count }, () => []);
  for (const [a, b] of edges) {
    if (a === b || beside[a]!.includes(b)) continue;
    beside[a]!.push(b);
    beside[b]!.push(a);
  }
  return beside;
}

/** SMACOF: each station moves to where its distances to all others say, weighted by 1/d². */
function spread(count: number, edges: readonly (readonly [number, number])[]): { x: Float64Array; y: Float64Array } {
  const beside = neighboursOf(count, edges);
  const [x, y] = [new Float64Array(count), new Float64Array(count)];
  const side = Math.ceil(Math.sqrt(count));
  for (let index = 0; index < count; index++) {
    x[index] = index % side;
    y[index] = Math.floor(index / side) + (index % side) / side;
  }
  const iterations = Math.min(120, Math.floor(EFFORT / (count * count)));
  if (iterations < 5) return byDistance(count, beside);
  const distance = distances(count, beside);
  for (let round = 0; round < iterations; round++) {
    for (let i = 0; i < count; i++) {
      let sx = 0;
      let sy = 0;
      let sum = 0;
      for (let j = 0; j < count; j++) {
        if (i === j) continue;
        const d = distance[i * count + j]!;
        const weight = 1 / (d * d);
        const dx = x[i]! - x[j]!;
        const dy = y[i]! - y[j]!;
        const pull = d / (Math.sqrt(dx * dx + dy * dy) || 1e-6);
        sx += weight * (x[j]! + pull * dx);
        sy += weight * (y[j]! + pull * dy);
        sum += weight;
      }
      if (sum > 0) {
        x[i] = sx / sum;
        y[i] = sy / sum;
      }
    }
  }
  return { x, y };
}

/** Too many for distances between all: by the steps from two far stations. */
function byDistance(count: number, beside: readonly number[][]): { x: Float64Array; y: Float64Array } {
  const first = steps(count, beside, 0);
  const far = first.indexOf(Math.max(...first));
  const x = steps(count, beside, far);
  const second = x.indexOf(Math.max(...x));
  const back = steps(count, beside, second);
  return { x: Float64Array.from(x, (value, at) => value - back[at]!), y: Float64Array.from(first) };
}

/** Lines between a station and all others; those that cannot be reached lie a little beyond the farthest. */
function steps(count: number, beside: readonly number[][], from: number): number[] {
  const found = new Array<number>(count).fill(-1);
  found[from] = 0;
  const queue = [from];
  for (const at of queue) {
    for (const next of beside[at]!) {
      if (found[next] !== -1) continue;
      found[next] = found[at]! + 1;
      queue.push(next);
    }
  }
  const beyond = Math.max(...found) + 2;
  return found.map((each) => (each < 0 ? beyond : each));
}

function distances(count: number, beside: readonly number[][]): Float64Array {
  const all = new Float64Array(count * count);
  for (let from = 0; from < count; from++) all.set(steps(count, beside, from), from * count);
  return all;
}

/** Exchanges the contents of two near cells while the sum of the lengths of all lines becomes less. */
function exchange(
  cell: Int32Array,
  columns: number,
  rows: number,
  edges: readonly (readonly [number, number])[],
): void {
  const beside = neighboursOf(cell.length, edges);
  const inCell = new Int32Array(columns * rows).fill(-1);
  const columnOf = Int32Array.from(inCell, (_, place) => Math.floor(place / rows));
  cell.forEach((place, station) => {
    inCell[place] = station;
  });
  const length = (station: number): number => {
    const column = columnOf[cell[station]!]!;
    const row = cell[station]! - column * rows;
    let sum = 0;
    for (const next of beside[station]!) {
      const there = columnOf[cell[next]!]!;
      const dx = Math.abs(there - column);
      const dy = Math.abs(cell[next]! - there * rows - row);
      // A line that turns is worse than one that runs straight.
      sum += dx + dy + (dx > 0 && dy > 0 ? 1 : 0);
    }
    return sum;
  };
  const swap = (a: number, b: number): void => {
    const first = inCell[a]!;
    const second = inCell[b]!;
    inCell[a] = second;
    inCell[b] = first;
    if (first >= 0) cell[first] = b;
    if (second >= 0) cell[second] = a;
  };
  const NEAR = 3;
  for (let round = 0; round < 24; round++) {
    let better = false;
    for (let a = 0; a < inCell.length; a++) {
      const [column, row] = [Math.floor(a / rows), a % rows];
      for (let dc = 0; dc <= NEAR; dc++) {
        for (let dr = dc === 0 ? 1 : -NEAR; dr <= NEAR; dr++) {
          const c = column + dc;
          const r = row + dr;
          if (c >= columns || r < 0 || r >= rows) continue;
          const b = c * rows + r;
          const first = inCell[a]!;
          const second = inCell[b]!;
          if (first < 0 && second < 0) continue;
          const before = (first < 0 ? 0 : length(first)) + (second < 0 ? 0 : length(second));
          swap(a, b);
          const after = (first < 0 ? 0 : length(first)) + (second < 0 ? 0 : length(second));
          if (after < before) better = true;
          else swap(a, b);
        }
      }
    }
    if (!better) break;
  }
}
