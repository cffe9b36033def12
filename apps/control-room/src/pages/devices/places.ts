/** `#/ieds`, `#/ieds/<gateway>/<endpoint>/<tab>`, with the reference that is looked at in `?at=`. */
import type { EndpointReport, SourceStatusJson } from '../../api/types.ts';
import { route } from '../../route.ts';

export const TABS = [
  { id: 'model', title: 'Model' },
  { id: 'blocks', title: 'Control blocks' },
  { id: 'goose', title: 'GOOSE' },
  { id: 'data-sets', title: 'Data sets' },
  { id: 'files', title: 'Files' },
] as const;
export type Tab = (typeof TABS)[number]['id'];

/** A device as its gateway reports it. */
export interface Ied {
  readonly source: SourceStatusJson;
  readonly endpoint: EndpointReport;
}

/** Endpoints that speak IEC 61850, by gateway and name. */
export function iedsOf(sources: readonly SourceStatusJson[]): Ied[] {
  const collator = new Intl.Collator('en', { numeric: true });
  return sources
    .filter(({ role }) => role === 'edge')
    .flatMap((source) =>
      (source.report?.endpoints ?? [])
        .filter(({ protocol }) => protocol === 'iec61850')
        .map((endpoint) => ({ source, endpoint })),
    )
    .sort(
      (a, b) => collator.compare(a.source.source, b.source.source) || collator.compare(a.endpoint.id, b.endpoint.id),
    );
}

export function openIed(): { readonly source: string; readonly endpoint: string; readonly tab: Tab } | undefined {
  const [page, source, endpoint, named] = route().path;
  if (page !== 'ieds' || source === undefined || endpoint === undefined) return undefined;
  return { source, endpoint, tab: TABS.find(({ id }) => id === named)?.id ?? 'model' };
}

export const iedPath = (source: string, endpoint: string, tab: Tab = 'model'): string =>
  `ieds/${encodeURIComponent(source)}/${encodeURIComponent(endpoint)}${tab === 'model' ? '' : `/${tab}`}`;
