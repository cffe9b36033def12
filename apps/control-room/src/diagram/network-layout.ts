/**
 * The overview of a meshed grid: a box for every station, lines between them along channels of a raster, each in a track
 * of its own, so that no two lie on each other. A pure function of the model.
 */
import type { Drawing, XY } from './drawing.ts';
import { byName, type Equipment, type GridIndex } from './equipment.ts';
import { rasterOf } from './network-places.ts';
import { nameWidth, Sketch } from './sketch.ts';

const TRACK = 9;
const PAD = 14;
const MARGIN = 36;
/** Distance of the ports at one side of a box. */
const PORT = 10;
/** From this many stations on a box has its name alone. */
const MANY = 40;

interface Station {
  readonly mRID: string;
  readonly name: string;
  readonly nodes: string[];
  readonly busbars: Equipment[];
  readonly equipment: string[];
}
interface Edge {
  readonly equipment: Equipment;
  readonly a: number;
  readonly b: number;
}
/** One line: where it leaves each box, and the channels it takes. */
interface Route {
  readonly edge: Edge;
  readonly ports: readonly [Port, Port];
  /** Between neighbours: straight down or straight across, one of so many side by side. */
  readonly straight?: { readonly way: 'down' | 'across'; place: number; of: number };
  /** Channel (row index of the boxes below it) and its track. */
  readonly horizontal: { readonly channel: number; from: number; to: number; track: number }[];
  /** Channel (column index of the boxes right of it). */
  readonly vertical?: { readonly channel: number; readonly from: number; readonly to: number; track: number };
}
interface Port {
  readonly station: number;
  readonly side: 'top' | 'bottom';
  /** Place among the ports of its side. */
  slot: number;
  /** For the order of the ports: the column that the line goes to. */
  readonly towards: number;
}

export function networkLayout(index: GridIndex): Drawing {
  return new NetworkLayout(index).drawing;
}

class NetworkLayout {
  readonly drawing: Drawing;
  readonly #sketch = new Sketch();
  readonly #stations: readonly Station[];
  readonly #edges: readonly Edge[];
  readonly #compact: boolean;

  constructor(index: GridIndex) {
    this.#stations = stationsOf(index);
    const at = new Map(this.#stations.map(({ mRID }, place) => [mRID, place]));
    this.#edges = edgesOf(index, at);
    this.#compact = this.#stations.length >= MANY;
    this.drawing = this.#draw(index);
  }

  #draw(index: GridIndex): Drawing {
    const raster = rasterOf(
      this.#stations.length,
      this.#edges.map(({ a, b }) => [a, b] as const),
    );
    const { rows, columns, at } = raster;
    const routes = this.#edges.map((edge) => routeOf(edge, at));
    beside(routes);
    const slots = portsOf(routes);
    const most = Math.max(1, ...slots.values());
    const names = Math.max(0, ...this.#stations.map(({ name }) => nameWidth(short(name))));
    const width = Math.max(this.#compact ? 92 : 150, Math.min(names + 20, 190), (most + 1) * PORT);
    const lines = this.#compact
      ? 1
      : 1 + Math.min(3, Math.max(1, ...this.#stations.map((each) => each.busbars.length)));
    const height = 14 + 18 * lines;

    // Ports at the bottom stand between those at the top of the box below, so that their stubs never meet.
    const portX = (left: number, { station, side, slot }: Port): number => {
      const count = slots.get(`${station} ${side}`) ?? 1;
      const away = (slot - Math.floor((count - 1) / 2)) * PORT;
      return Math.round(left + width / 2) + away + (side === 'bottom' ? PORT / 2 : 0);
    };
    // Vertical channels first: their widths give the columns their places.
    const verticalTracks = assign(
      routes.flatMap(({ vertical }) => (vertical ? [vertical] : [])),
      columns + 1,
      0.5,
    );
    const columnX: number[] = [];
    let x = MARGIN;
    const channelX: number[] = [];
    for (let column = 0; column <= columns; column++) {
      channelX.push(x + PAD);
      x += 2 * PAD + TRACK * verticalTracks[column]!;
      columnX.push(x);
      if (column < columns) x += width;
    }
    const verticalX = (route: Route): number => channelX[route.vertical!.channel]! + TRACK * route.vertical!.track;
    // Then the horizontal pieces, whose ends are now known.
    for (const route of routes) {
      if (route.straight) continue;
      const [first, last] = route.ports.map((port) => portX(columnX[at[port.station]!.column]!, port)) as [
        number,
        number,
      ];
      const ends = route.vertical ? [first, verticalX(route), verticalX(route), last] : [first, last];
      route.horizontal.forEach((piece, place) => {
        piece.from = Math.min(ends[2 * place]!, ends[2 * place + 1]!);
        piece.to = Math.max(ends[2 * place]!, ends[2 * place + 1]!);
      });
    }
    const horizontalTracks = assign(
      routes.flatMap(({ horizontal }) => horizontal),
      rows + 1,
      3,
    );
    const rowY: number[] = [];
    const channelY: number[] = [];
    let y = MARGIN;
    for (let row = 0; row <= rows; row++) {
      channelY.push(y + PAD);
      y += 2 * PAD + TRACK * horizontalTracks[row]!;
      rowY.push(y);
      if (row < rows) y += height;
    }
    const pieceY = ({ channel, track }: { channel: number; track: number }) => channelY[channel]! + TRACK * track;
    const portY = ({ station, side }: Port) => rowY[at[station]!.row]! + (side === 'bottom' ? height : 0);

    for (const route of routes) {
      const [first, last] = route.ports;
      const [x0, x1] = [first, last].map((port) => portX(columnX[at[port.station]!.column]!, port)) as [number, number];
      if (route.straight?.way === 'across') {
        const { place, of } = route.straight;
        const [left, right] = [at[first.station]!, at[last.station]!];
        const y = rowY[left.row]! + Math.round(height / 2) + (place - (of - 1) / 2) * 7;
        this.#line(route.edge.equipment, [
          { x: columnX[left.column]! + width, y },
          { x: columnX[right.column]!, y },
        ]);
        continue;
      }
      const path: XY[] = [{ x: x0, y: portY(first) }];
      if (route.straight) path.push({ x: x0, y: portY(last) });
      else {
        const out = pieceY(route.horizontal[0]!);
        path.push({ x: x0, y: out });
        if (route.vertical) {
          const into = pieceY(route.horizontal[1]!);
          path.push({ x: verticalX(route), y: out }, { x: verticalX(route), y: into });
          path.push({ x: x1, y: into });
        } else path.push({ x: x1, y: out });
        path.push({ x: x1, y: portY(last) });
      }
      this.#line(route.edge.equipment, path);
    }
    this.#stations.forEach((station, place) => {
      const { column, row } = at[place]!;
      this.#box(index, station, { x: columnX[column]!, y: rowY[row]!, width, height });
    });
    return this.#sketch.drawing(Math.max(480, x + MARGIN), Math.max(300, y + MARGIN));
  }

  #line({ mRID, name }: Equipment, path: readonly XY[]): void {
    const sketch = this.#sketch;
    const clean = path.filter((point, at) => {
      const before = path[at - 1];
      return !before || before.x !== point.x || before.y !== point.y;
    });
    sketch.wires.push({ path: clean, kind: 'wire', equipment: mRID });
    let [longest, from, to] = [0, clean[0]!, clean[0]!];
    for (let at = 1; at < clean.length; at++) {
      const [a, b] = [clean[at - 1]!, clean[at]!];
      const length = Math.abs(a.x - b.x) + Math.abs(a.y - b.y);
      if (length > longest) [longest, from, to] = [length, a, b];
    }
    const vertical = from.x === to.x;
    sketch.targets.push({
      equipment: mRID,
      name,
      x: Math.min(from.x, to.x) - (vertical ? 4 : -4),
      y: Math.min(from.y, to.y) + (vertical ? 4 : -4),
      width: vertical ? 8 : Math.max(6, longest - 8),
      height: vertical ? Math.max(6, longest - 8) : 8,
    });
  }

  #box(index: GridIndex, station: Station, box: XY & { width: number; height: number }): void {
    const sketch = this.#sketch;
    const { mRID, name, nodes, busbars, equipment } = station;
    sketch.boxes.push({ substation: mRID, nodes, equipment, ...box });
    const text = short(name);
    sketch.labels.push({ x: box.x + 9, y: box.y + 20, text, style: 'name', anchor: 'start' });
    if (!this.#compact) {
      busbars.slice(0, 3).forEach((busbar, at) => {
        const y = box.y + 39 + 18 * at;
        const node = busbar.terminals[0]!.connectivityNode;
        const level = index.name(index.levelOf(node) ?? '') ?? '';
        const words = busbars.length > 3 && at === 2 ? `+ ${busbars.length - 2} more` : shorter(level || busbar.name);
        sketch.labels.push({ x: box.x + 9, y, text: words, style: 'small', anchor: 'start' });
        if (busbars.length > 3 && at === 2) return;
        sketch.slots.push({ x: box.x + box.width - 8, y, equipment: [busbar.mRID, node], roles: ['U'], anchor: 'end' });
      });
    }
    sketch.targets.push({ equipment: mRID, opens: { substation: mRID }, name: `Open ${name}`, ...box });
  }
}

const short = (name: string): string => (name.length > 18 ? `${name.slice(0, 17).trimEnd()}…` : name);
const shorter = (name: string): string => (name.length > 10 ? `${name.slice(0, 9).trimEnd()}…` : name);

function stationsOf(index: GridIndex): Station[] {
  const { model } = index;
  const found = new Map<string, Station>();
  const named = new Map(model.substations.map((each) => [each.mRID, each]));
  for (const { mRID: node } of [...model.connectivityNodes].sort(byName)) {
    const mRID = index.substationOf(node)!;
    let station = found.get(mRID);
    if (!station) {
      const name = named.get(mRID)?.name ?? index.name(mRID) ?? mRID;
      station = { mRID, name, nodes: [], busbars: [], equipment: [] };
      found.set(mRID, station);
    }
    station.nodes.push(node);
    for (const { equipment } of index.at(node)) {
      station.equipment.push(equipment.mRID);
      if (equipment.class === 'BusbarSection') station.busbars.push(equipment);
    }
  }
  const kV = new Map(model.voltageLevels.map((level) => [level.mRID, level.nominalVoltage]));
  const voltage = (equipment: Equipment) => kV.get(index.levelOf(equipment.terminals[0]!.connectivityNode) ?? '') ?? 0;
  for (const { busbars } of found.values()) busbars.sort((a, b) => voltage(b) - voltage(a) || byName(a, b));
  return [...found.values()].sort(byName);
}

function edgesOf(index: GridIndex, at: ReadonlyMap<string, number>): Edge[] {
  return [...index.model.equipment].sort(byName).flatMap((equipment) => {
    const [first, ...others] = index.substationsOf(equipment);
    if (first === undefined) return [];
    return others.map((other) => ({ equipment, a: at.get(first)!, b: at.get(other)! }));
  });
}

type Places = readonly { readonly column: number; readonly row: number }[];

function routeOf(edge: Edge, at: Places): Route {
  // From the upper to the lower station, from left to right in one row.
  const [from, to] = [at[edge.a]!, at[edge.b]!];
  const swapped = from.row > to.row || (from.row === to.row && from.column > to.column);
  const [a, b] = swapped ? [edge.b, edge.a] : [edge.a, edge.b];
  const [upper, lower] = [at[a]!, at[b]!];
  const piece = (channel: number) => ({ channel, from: 0, to: 0, track: 0 });
  const port = (station: number, side: Port['side'], towards: number): Port => ({ station, side, slot: 0, towards });
  if (upper.row === lower.row) {
    if (lower.column - upper.column === 1)
      return {
        edge,
        ports: [port(a, 'bottom', lower.column), port(b, 'bottom', upper.column)],
        straight: { way: 'across', place: 0, of: 1 },
        horizontal: [],
      };
    return {
      edge,
      ports: [port(a, 'bottom', lower.column), port(b, 'bottom', upper.column)],
      horizontal: [piece(upper.row + 1)],
    };
  }
  const ports = [port(a, 'bottom', lower.column), port(b, 'top', upper.column)] as const;
  if (lower.row - upper.row === 1) {
    if (upper.column === lower.column)
      return { edge, ports, straight: { way: 'down', place: 0, of: 1 }, horizontal: [] };
    return { edge, ports, horizontal: [piece(lower.row)] };
  }
  // Beside the column of the lower station, on the side that the line comes from.
  const channel = upper.column < lower.column ? lower.column : lower.column + 1;
  return {
    edge,
    ports,
    horizontal: [piece(upper.row + 1), piece(lower.row)],
    vertical: { channel, from: upper.row + 1, to: lower.row, track: 0 },
  };
}

/** Gives the ports of each side of each box their order, by where their lines go. @returns how many there are */
function portsOf(routes: readonly Route[]): Map<string, number> {
  const sides = new Map<string, Port[]>();
  for (const { ports, straight } of routes) {
    // A line straight across needs no port; one straight down comes in where it went out.
    const used = straight?.way === 'across' ? [] : straight ? ports.slice(0, 1) : ports;
    for (const port of used) {
      const key = `${port.station} ${port.side}`;
      const list = sides.get(key) ?? [];
      list.push(port);
      sides.set(key, list);
    }
  }
  for (const list of sides.values()) {
    const order = new Map(list.map((port, at) => [port, at]));
    list.sort((a, b) => a.towards - b.towards || order.get(a)! - order.get(b)!);
    list.forEach((port, slot) => {
      port.slot = slot;
    });
  }
  return new Map([...sides].map(([key, list]) => [key, list.length]));
}

/** Numbers the lines straight across between the same two boxes. */
function beside(routes: readonly Route[]): void {
  const groups = new Map<string, NonNullable<Route['straight']>[]>();
  for (const { straight, ports } of routes) {
    if (straight?.way !== 'across') continue;
    const key = `${ports[0].station} ${ports[1].station}`;
    const group = groups.get(key) ?? [];
    group.push(straight);
    groups.set(key, group);
  }
  for (const group of groups.values())
    group.forEach((each, place) => {
      each.place = place;
      each.of = group.length;
    });
}

/** Gives each piece the first track of its channel in which it touches no other. @returns tracks by channel */
function assign(
  pieces: readonly { readonly channel: number; readonly from: number; readonly to: number; track: number }[],
  channels: number,
  gap: number,
): number[] {
  const taken: [number, number][][][] = Array.from({ length: channels }, () => []);
  const order = [...pieces].sort((a, b) => a.channel - b.channel || a.from - b.from || a.to - b.to);
  for (const piece of order) {
    const tracks = taken[piece.channel]!;
    const [low, high] = [piece.from - gap, piece.to + gap];
    let at = tracks.findIndex((track) => track.every(([from, to]) => to < low || high < from));
    if (at < 0) at = tracks.push([]) - 1;
    tracks[at]!.push([piece.from, piece.to]);
    piece.track = at;
  }
  return taken.map((tracks) => Math.max(1, tracks.length));
}
