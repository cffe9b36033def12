/** Points as a list that a gateway is started with (CSV), still without addresses; and the points of a running system. */
import type { Point } from '@enerchain/model';
import type { SystemClient } from '../system-client.ts';

/** Columns of a point list, as `enerchain edge` reads them. */
const COLUMNS: readonly (readonly [name: string, of: (point: Point) => string | number | boolean | undefined])[] = [
  ['mrid', ({ mRID }) => mRID],
  ['name', ({ name }) => name],
  ['kind', ({ kind }) => kind],
  ['cdc', ({ cdc }) => cdc],
  ['measurementType', ({ measurementType }) => measurementType],
  ['phases', ({ phases }) => phases],
  ['unit', ({ unitSymbol }) => unitSymbol],
  ['multiplier', ({ unitMultiplier }) => unitMultiplier],
  ['equipment', ({ equipment }) => equipment],
  ['terminal', ({ terminal }) => terminal],
  ['positiveFlowIn', ({ positiveFlowIn }) => positiveFlowIn],
  ['normal', ({ kind, normalValue }) => (kind === 'discrete' ? normalValue : undefined)],
  ...(['highHigh', 'high', 'low', 'lowLow'] as const).map(
    (kind) => [kind, ({ limits }: Point) => limits?.find((limit) => limit.kind === kind)?.value] as const,
  ),
  ['feedback', ({ feedback }) => feedback],
  ['min', ({ minimum }) => minimum],
  ['max', ({ maximum }) => maximum],
  [
    'aliases',
    ({ valueAliases }) =>
      Object.entries(valueAliases ?? {})
        .map((pair) => pair.join('='))
        .join('|'),
  ],
  ['description', ({ description }) => description],
];

const cell = (value: string | number | boolean | undefined): string => {
  const text = value === undefined ? '' : String(value);
  return /[;"\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

/** One line a point; the columns of the protocol's address are for the engineer to add. */
export function pointListOf(points: readonly Point[]): string {
  const lines = [COLUMNS.map(([name]) => name), ...points.map((point) => COLUMNS.map(([, of]) => cell(of(point))))];
  return lines.map((line) => `${line.join(';')}\n`).join('');
}

/** Of the system, with what they are linked to. */
export async function pointsOfSystem(client: SystemClient): Promise<(Point & { readonly source: string })[]> {
  const points: (Point & { readonly source: string })[] = [];
  for (let cursor: string | undefined = ''; cursor !== undefined; ) {
    const query = new URLSearchParams({ limit: '10000', ...(cursor ? { cursor } : {}) });
    const page: { items: (Point & { source: string })[]; next?: string } = await client.request(
      'GET',
      `/points?${query}`,
    );
    points.push(...page.items);
    cursor = page.next;
  }
  return points;
}
