/**
 * Which terminal or equipment a point may belong to, by its name and kind: proposals with a confidence and its reason, for a
 * person to accept. Nothing here links anything.
 */
import {
  type ConductingEquipment,
  fitOf,
  type GridModel,
  isSwitch,
  type Mrid,
  measurementTypeOf,
  type Point,
  quantityOf,
  wordsOf,
} from '@enerchain/model';

export interface LinkProposal {
  readonly point: Mrid;
  readonly pointName: string;
  readonly equipment: Mrid;
  readonly equipmentName: string;
  readonly equipmentClass: string;
  readonly terminal?: Mrid;
  /** For a point that has none. */
  readonly measurementType?: string;
  readonly method: 'name' | 'scl' | 'cim' | 'manual';
  /** 0 … 1; half of it is a guess. */
  readonly confidence: number;
  readonly reason: string;
}

/** A point as the system tells it. */
export type LinkablePoint = Point & { readonly site?: string; readonly endpoint?: string; readonly address?: string };

/** A place a point could have: equipment, or one of its terminals. */
interface Candidate {
  readonly item: ConductingEquipment;
  readonly terminal: Mrid | undefined;
  readonly bay: string | undefined;
  /** Words by where they stand. */
  readonly words: { readonly station: Words; readonly level: Words; readonly bay: Words; readonly own: Words };
  readonly all: Words;
}
type Words = ReadonlySet<string>;

const NOTHING: Words = new Set();
/** Proposals below this are not made. */
const LEAST = 0.25;
/** How much better the best must be than the next to count in full. */
const MARGIN = 0.12;

export class LinkProposer {
  readonly #candidates: readonly Candidate[];
  readonly #weight = new Map<string, number>();
  readonly #bays: ReadonlyMap<string, Words>;

  constructor(grid: GridModel) {
    this.#bays = new Map(grid.bays.map(({ mRID, name }) => [mRID, new Set(wordsOf(name))]));
    this.#candidates = candidatesOf(grid);
    const count = new Map<string, number>();
    for (const { all } of this.#candidates) for (const word of all) count.set(word, (count.get(word) ?? 0) + 1);
    for (const [word, times] of count) this.#weight.set(word, Math.log(1 + this.#candidates.length / times));
  }

  /** Best first, at most `limit`; none for a point that says itself where it belongs, and for one nobody can place. */
  propose(point: LinkablePoint, limit = 3): LinkProposal[] {
    if (point.terminal !== undefined || point.equipment !== undefined) return [];
    const spoken = wordsOf(`${point.name} ${point.description ?? ''}`);
    const words = new Set([...spoken, ...wordsOf(`${point.site ?? ''} ${point.endpoint ?? ''}`)]);
    const named = new Set(spoken);
    const quantity = quantityOf(point);
    const text = spoken.join(' ');
    // Words that are names of nothing in the grid say nothing about the place.
    const informative = [...named].filter((word) => this.#weight.has(word));
    const wanted = this.#sum(informative);
    if (wanted === 0) return [];
    const scored: { candidate: Candidate; score: number; matched: string[] }[] = [];
    for (const candidate of this.#candidates) {
      const fit = fitOf(quantity, text, candidate.item);
      if (fit === 0) continue;
      const { station, level, bay, own } = candidate.words;
      const exact = [...bay, ...own].some((word) => named.has(word) && !station.has(word) && !level.has(word));
      // In a station with many bays its name alone places a voltage at a busbar, and nothing else.
      if (!exact && !(quantity === 'voltage' && candidate.item.class === 'BusbarSection')) continue;
      const matched = informative.filter((word) => candidate.all.has(word));
      const recall = this.#sum(matched) / wanted;
      const place = new Set([...station, ...level, ...bay]);
      const found = [...place].filter((word) => words.has(word));
      const precision = place.size === 0 ? 0.5 : this.#sum(found) / this.#sum(place);
      const name = own.size === 0 ? 0 : this.#sum([...own].filter((word) => named.has(word))) / this.#sum(own);
      // A bay named after the station at its far end must not count for that station.
      const here =
        station.size === 0 ? 1 : this.#sum([...station].filter((word) => words.has(word))) / this.#sum(station);
      const said = 0.55 * recall + 0.25 * precision + 0.2 * Math.max(name, bay.size > 0 && exact ? 0.7 : 0);
      const score = fit * said * (0.5 + 0.5 * here);
      scored.push({ candidate, score, matched });
    }
    scored.sort((a, b) => b.score - a.score);
    const best: typeof scored = [];
    for (const each of scored) {
      // Of one equipment its best terminal.
      if (best.every(({ candidate }) => candidate.item.mRID !== each.candidate.item.mRID)) best.push(each);
      if (best.length > limit) break;
    }
    return best.slice(0, limit).flatMap(({ candidate, score, matched }, index) => {
      const next = best[index + 1]?.score ?? 0;
      const margin = index === 0 ? Math.min(1, 0.5 + (score - next) / (2 * MARGIN)) : 0.4;
      const confidence = Math.round(Math.min(0.95, score) * margin * 100) / 100;
      if (confidence < LEAST) return [];
      const type = point.measurementType === undefined ? measurementTypeOf(point, quantity) : undefined;
      const alike = scored.filter(
        (other) => other.candidate.item.mRID === candidate.item.mRID && other.score > score - MARGIN / 4,
      );
      // Two ends that the name fits alike: the equipment is clear, the end is not.
      const terminal = alike.length === 1 || candidate.item.terminals.length === 1 ? candidate.terminal : undefined;
      const ties =
        index === 0 && best[1] && score - best[1].score < MARGIN
          ? `; ${best[1].candidate.item.name} fits almost as well`
          : '';
      return [
        {
          point: point.mRID,
          pointName: point.name,
          equipment: candidate.item.mRID,
          equipmentName: this.#place(candidate),
          equipmentClass: candidate.item.class,
          ...(terminal === undefined || isSwitch(candidate.item) ? {} : { terminal }),
          ...(type === undefined ? {} : { measurementType: type }),
          method: 'name' as const,
          confidence,
          reason: `the name says ${matched.join(' ')}, and ${WHAT[quantity]} ${candidate.item.class}${ties}`,
        },
      ];
    });
  }

  #sum(words: Iterable<string>): number {
    let sum = 0;
    for (const word of words) sum += this.#weight.get(word) ?? 0;
    return sum;
  }

  #place({ item, bay }: Candidate): string {
    const of = bay === undefined ? undefined : this.#bays.get(bay);
    return of && !wordsOf(item.name).some((word) => of.has(word)) ? `${[...of].join(' ')}: ${item.name}` : item.name;
  }
}

const WHAT = {
  switch: 'a position is that of a switch:',
  flow: 'a power or current is at',
  voltage: 'a voltage is at',
  tap: 'a tap is that of a',
  other: 'a signal like this may belong to a',
} as const;

function candidatesOf(grid: GridModel): Candidate[] {
  const stations = new Map(grid.substations.map(({ mRID, name }) => [mRID, name]));
  const levels = new Map(grid.voltageLevels.map((level) => [level.mRID, level]));
  const bays = new Map(grid.bays.map((bay) => [bay.mRID, bay]));
  const nodes = new Map(grid.connectivityNodes.map((node) => [node.mRID, node]));
  /** Bay whose switches end at a node; undefined where several do, as at a busbar. */
  const bayOfNode = new Map<Mrid, string | undefined>();
  for (const item of grid.equipment) {
    if (!isSwitch(item) || item.container === undefined || !bays.has(item.container)) continue;
    for (const { connectivityNode } of item.terminals) {
      const known = bayOfNode.has(connectivityNode);
      bayOfNode.set(
        connectivityNode,
        known && bayOfNode.get(connectivityNode) !== item.container ? undefined : item.container,
      );
    }
  }
  for (const item of grid.equipment) {
    if (item.class === 'BusbarSection')
      for (const each of item.terminals) bayOfNode.set(each.connectivityNode, undefined);
  }
  const of = (item: ConductingEquipment, terminal: Mrid | undefined, node: Mrid | undefined): Candidate => {
    const inBay = item.container !== undefined && bays.has(item.container) ? item.container : undefined;
    const bay = inBay ?? (node === undefined ? undefined : bayOfNode.get(node));
    const levelId =
      (bay === undefined ? undefined : bays.get(bay)!.voltageLevel) ?? (node && nodes.get(node)?.voltageLevel);
    const level = levelId === undefined ? undefined : levels.get(levelId);
    const station = level ? stations.get(level.substation) : stations.get(item.container ?? '');
    const words = {
      station: new Set(wordsOf(station ?? '')),
      level: new Set(level ? wordsOf(level.name) : []),
      bay: bay === undefined ? NOTHING : new Set(wordsOf(bays.get(bay)!.name)),
      own: new Set(wordsOf(item.name)),
    };
    const all = new Set(Object.values(words).flatMap((each) => [...each]));
    return { item, terminal, bay, words, all };
  };
  return grid.equipment.flatMap((item) =>
    isSwitch(item)
      ? [of(item, undefined, item.terminals[0]?.connectivityNode)]
      : item.terminals.map(({ mRID, connectivityNode }) => of(item, mRID, connectivityNode)),
  );
}
