/** Which buses an outage leaves without a source. Bridges are known beforehand; only what is not a single branch is searched. */
import { BUS_TYPE, type PowerFlowCase } from '../powerflow/case.ts';

const NONE = new Int32Array(0);

export class Connectivity {
  readonly #type: Uint8Array;
  readonly #from: Int32Array;
  readonly #to: Int32Array;
  /** Branches at each bus, rows compressed. */
  readonly #start: Int32Array;
  readonly #branch: Int32Array;
  /** Buses in the order in which a depth-first search from a source finds them. */
  readonly #found: Int32Array;
  /** Bridge → its far side as a range of `#found`; empty range: no bridge, or a source on the far side too. */
  readonly #farFirst: Int32Array;
  readonly #farEnd: Int32Array;
  readonly #mark: Int32Array;
  #stamp = 0;

  constructor({ buses, branches, outOfService }: PowerFlowCase) {
    const n = buses.type.length;
    const m = branches.from.length;
    this.#type = buses.type;
    this.#from = branches.from;
    this.#to = branches.to;
    this.#mark = new Int32Array(n);
    this.#start = new Int32Array(n + 1);
    const ends = (act: (bus: number, branch: number) => void): void => {
      for (let k = 0; k < m; k++) {
        if (outOfService?.[k] === 1) continue;
        act(branches.from[k]!, k);
        act(branches.to[k]!, k);
      }
    };
    ends((bus) => {
      this.#start[bus + 1] = this.#start[bus + 1]! + 1;
    });
    for (let i = 0; i < n; i++) this.#start[i + 1] = this.#start[i + 1]! + this.#start[i]!;
    this.#branch = new Int32Array(this.#start[n]!);
    const next = this.#start.slice(0, n);
    ends((bus, k) => {
      this.#branch[next[bus]!] = k;
      next[bus] = next[bus]! + 1;
    });
    this.#found = new Int32Array(n);
    this.#farFirst = new Int32Array(m);
    this.#farEnd = new Int32Array(m);
    this.#findBridges();
  }

  /** Branches at a bus. */
  branchesAt(bus: number): Int32Array {
    return this.#branch.subarray(this.#start[bus]!, this.#start[bus + 1]!);
  }

  /** Buses without source after one branch is lost. */
  behind(branch: number): Int32Array {
    const [first, end] = [this.#farFirst[branch]!, this.#farEnd[branch]!];
    return first === end ? NONE : this.#found.subarray(first, end);
  }

  /**
   * Buses without source when these branches and buses are lost; the lost buses are among them.
   * @param isSource of a bus that is not lost
   */
  withoutSource(lostBranches: ReadonlySet<number>, lostBuses: ReadonlySet<number>, isSource: (bus: number) => boolean) {
    const mark = this.#mark;
    const stamp = ++this.#stamp;
    const queue: number[] = [];
    for (let i = 0; i < mark.length; i++) {
      if (!lostBuses.has(i) && isSource(i)) {
        mark[i] = stamp;
        queue.push(i);
      }
    }
    for (const bus of queue) {
      for (let p = this.#start[bus]!; p < this.#start[bus + 1]!; p++) {
        const k = this.#branch[p]!;
        if (lostBranches.has(k)) continue;
        const other = this.#from[k] === bus ? this.#to[k]! : this.#from[k]!;
        if (mark[other] === stamp || lostBuses.has(other)) continue;
        mark[other] = stamp;
        queue.push(other);
      }
    }
    const dead: number[] = [];
    for (let i = 0; i < mark.length; i++) if (mark[i] !== stamp) dead.push(i);
    return Int32Array.from(dead);
  }

  /** Tarjan's bridges (1974), without recursion: a grid may be one long feeder. */
  #findBridges(): void {
    const n = this.#type.length;
    const time = new Int32Array(n).fill(-1);
    const low = new Int32Array(n);
    const via = new Int32Array(n).fill(-1);
    const at = this.#start.slice(0, n);
    /** Sources among the first i found. */
    const sources = new Int32Array(n + 1);
    const isSource = (bus: number): boolean => this.#type[bus] === BUS_TYPE.slack;
    let clock = 0;
    const find = (bus: number): void => {
      time[bus] = clock;
      low[bus] = clock;
      this.#found[clock] = bus;
      sources[clock + 1] = sources[clock]! + (isSource(bus) ? 1 : 0);
      clock++;
    };
    const path: number[] = [];
    for (let root = 0; root < n; root++) {
      if (time[root] !== -1 || !isSource(root)) continue;
      find(root);
      path.push(root);
      while (path.length > 0) {
        const bus = path.at(-1)!;
        if (at[bus]! < this.#start[bus + 1]!) {
          const k = this.#branch[at[bus]!]!;
          at[bus] = at[bus]! + 1;
          const other = this.#from[k] === bus ? this.#to[k]! : this.#from[k]!;
          if (k === via[bus] || other === bus) continue;
          if (time[other] === -1) {
            via[other] = k;
            find(other);
            path.push(other);
          } else low[bus] = Math.min(low[bus]!, time[other]!);
          continue;
        }
        path.pop();
        const above = path.at(-1);
        if (above === undefined) continue;
        low[above] = Math.min(low[above]!, low[bus]!);
        if (low[bus]! > time[above]! && sources[clock] === sources[time[bus]!]) {
          this.#farFirst[via[bus]!] = time[bus]!;
          this.#farEnd[via[bus]!] = clock;
        }
      }
    }
  }
}
