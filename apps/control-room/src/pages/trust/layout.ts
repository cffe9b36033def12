/**
 * Where the nodes of the network stand: the centre and its services on top, network nodes in the middle, gateways below.
 * The same network always gives the same drawing: nodes by the mean place of their neighbours above, then by name. Pure.
 */
import type { NodeRole, TrustLinkJson } from '../../api/trust.ts';
import { byName, worseLink } from '../../trust/state.ts';

export interface PlacedNode {
  readonly node: string;
  readonly x: number;
  readonly y: number;
  /** Too many for names: a glyph alone, smaller. */
  readonly compact: boolean;
}
export interface PlacedLink extends TrustLinkJson {
  readonly path: string;
  /** Where the mark of its state stands. */
  readonly x: number;
  readonly y: number;
}
export interface TrustMap {
  readonly width: number;
  readonly height: number;
  readonly nodes: readonly PlacedNode[];
  readonly links: readonly PlacedLink[];
}

/** Room for a glyph with its name and state below. */
export const CELL = { width: 128, height: 112 } as const;
export const COMPACT = { width: 34, height: 38 } as const;
/** Radius of the ring round a glyph. */
export const RING = 21;
const TOP = 36;
const BOTTOM = 72;
/** More rows than this of one role are drawn without names. */
const MOST_ROWS = 3;
const WIDEST_GAP = 210;
const MOST_SPREAD = 130;

const LAYERS: readonly (readonly NodeRole[])[] = [['centre', 'service'], ['network'], ['edge']];

interface Row {
  y: number;
  readonly nodes: readonly string[];
  readonly xs: readonly number[];
  readonly compact: boolean;
}

/**
 * @param width in the units of the drawing; what is wider wraps
 * @param height the rows spread to fill it, as far as that looks like one drawing
 */
export function layoutTrust(
  nodes: readonly { readonly node: string; readonly role: NodeRole }[],
  links: readonly TrustLinkJson[],
  width: number,
  height = 0,
): TrustMap {
  const columns = Math.max(1, Math.floor(width / CELL.width));
  const neighbours = neighbourMap(links);
  const placed = new Map<string, PlacedNode>();
  const rows: Row[] = [];
  for (const roles of LAYERS) {
    const members = nodes.filter(({ role }) => roles.includes(role));
    if (members.length === 0) continue;
    const compact = members.length > columns * MOST_ROWS;
    const cell = compact ? COMPACT : CELL;
    const perRow = compact ? Math.max(1, Math.floor(width / cell.width)) : columns;
    const ordered = inOrder(members, roles, placed, neighbours);
    const lines = Math.ceil(ordered.length / perRow);
    const even = Math.ceil(ordered.length / lines);
    for (let line = 0; line < lines; line++) {
      const names = ordered.slice(line * even, (line + 1) * even);
      const gap = Math.min(width / names.length, compact ? 1.6 * COMPACT.width : WIDEST_GAP);
      const start = width / 2 - (gap * (names.length - 1)) / 2;
      const xs = names.map((_, index) => round(start + index * gap));
      for (const [index, node] of names.entries()) placed.set(node, { node, x: xs[index]!, y: 0, compact });
      rows.push({ y: 0, nodes: names, xs, compact });
    }
  }
  stack(rows, height);
  for (const row of rows) for (const node of row.nodes) placed.set(node, { ...placed.get(node)!, y: row.y });
  const last = rows.at(-1);
  return {
    width,
    height: last ? last.y + BOTTOM : 0,
    nodes: [...placed.values()],
    links: onePerPair(links).flatMap((link) => drawn(link, placed, rows)),
  };
}

/** Gives the rows their heights; rows of glyphs without names stand close together. */
function stack(rows: readonly Row[], height: number): void {
  const close = (index: number): boolean => rows[index]!.compact && rows[index + 1]?.compact === true;
  const steps = rows.slice(1).map((_, index) => (close(index) ? COMPACT.height : CELL.height));
  const wide = steps.filter((step) => step === CELL.height).length;
  const spare = Math.max(0, height - TOP - BOTTOM - steps.reduce((sum, step) => sum + step, 0));
  const more = wide ? Math.min(MOST_SPREAD, spare / wide) : 0;
  let y = TOP;
  for (const [index, row] of rows.entries()) {
    row.y = round(y);
    const step = steps[index] ?? 0;
    y += step === CELL.height ? step + more : step;
  }
}

/** Two that attest each other are linked once, in the worse of the two states. */
export function onePerPair(links: readonly TrustLinkJson[]): TrustLinkJson[] {
  const pairs = new Map<string, TrustLinkJson>();
  for (const link of links) {
    const key = link.a < link.b ? `${link.a}\n${link.b}` : `${link.b}\n${link.a}`;
    const known = pairs.get(key);
    if (!known || worseLink(known.state, link.state) !== known.state) pairs.set(key, link);
  }
  return [...pairs.values()];
}

function neighbourMap(links: readonly TrustLinkJson[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const { a, b } of links) {
    found.set(a, [...(found.get(a) ?? []), b]);
    found.set(b, [...(found.get(b) ?? []), a]);
  }
  return found;
}

/** By role (the centre before its services), then under what they are linked to, then by name. */
function inOrder(
  members: readonly { readonly node: string; readonly role: NodeRole }[],
  roles: readonly NodeRole[],
  placed: ReadonlyMap<string, PlacedNode>,
  neighbours: ReadonlyMap<string, readonly string[]>,
): string[] {
  const mean = new Map(
    members.map(({ node }) => {
      const above = (neighbours.get(node) ?? []).flatMap((each) => placed.get(each)?.x ?? []);
      return [node, above.length ? above.reduce((sum, x) => sum + x, 0) / above.length : Number.POSITIVE_INFINITY];
    }),
  );
  const by = (node: string): number => mean.get(node)!;
  return [...members]
    .sort((a, b) => {
      const role = roles.indexOf(a.role) - roles.indexOf(b.role);
      const place = by(a.node) === by(b.node) ? 0 : by(a.node) - by(b.node);
      return role || place || byName(a.node, b.node);
    })
    .map(({ node }) => node);
}

function drawn(link: TrustLinkJson, placed: ReadonlyMap<string, PlacedNode>, rows: readonly Row[]): PlacedLink[] {
  const [a, b] = [placed.get(link.a), placed.get(link.b)];
  if (!a || !b || a === b) return [];
  if (a.y === b.y) return [{ ...link, ...beside(a, b, rows) }];
  const [upper, lower] = a.y < b.y ? [a, b] : [b, a];
  const between = rows.filter(({ y }) => y > upper.y && y < lower.y);
  const stops: { x: number; y: number }[] = [{ x: upper.x, y: upper.y }];
  for (const row of between) {
    const share = (row.y - upper.y) / (lower.y - upper.y);
    stops.push({ x: gapNear(row, upper.x + share * (lower.x - upper.x)), y: row.y });
  }
  stops.push({ x: lower.x, y: lower.y });
  let path = `M${stops[0]!.x} ${stops[0]!.y}`;
  for (const [index, to] of stops.slice(1).entries()) {
    const from = stops[index]!;
    const bend = (from.y + to.y) / 2;
    path += `C${from.x} ${bend} ${to.x} ${bend} ${to.x} ${to.y}`;
  }
  // The mark stands near the lower end, where a node's own links are apart from each other.
  const [from, to] = [stops.at(-2)!, stops.at(-1)!];
  return [{ ...link, path, x: round((from.x + to.x) / 2), y: round((from.y + to.y) / 2) }];
}

/** A line to the next one in the row, an arc over those between. */
function beside(a: PlacedNode, b: PlacedNode, rows: readonly Row[]): { path: string; x: number; y: number } {
  const [left, right] = a.x < b.x ? [a, b] : [b, a];
  const row = rows.find(({ y }) => y === a.y)!;
  const steps = row.nodes.indexOf(right.node) - row.nodes.indexOf(left.node);
  const middle = round((left.x + right.x) / 2);
  if (steps === 1) return { path: `M${left.x} ${left.y}H${right.x}`, x: middle, y: left.y };
  const rise = 44 + 10 * Math.min(4, steps);
  return {
    path: `M${left.x} ${left.y}Q${middle} ${left.y - 2 * rise} ${right.x} ${right.y}`,
    x: middle,
    y: left.y - rise,
  };
}

/** The middle of the gap of a row that is nearest to `x`, so that no link runs through a node that it does not touch. */
function gapNear(row: Row, x: number): number {
  const { xs } = row;
  if (xs.length === 0) return x;
  const half = xs.length > 1 ? (xs[1]! - xs[0]!) / 2 : 64;
  if (xs.every((each) => Math.abs(each - x) > RING + 8)) return round(x);
  const gaps = [xs[0]! - half, ...xs.map((each) => each + half)];
  return round(gaps.reduce((best, each) => (Math.abs(each - x) < Math.abs(best - x) ? each : best)));
}

const round = (value: number): number => Math.round(value * 10) / 10;
