/** Reads a site file and its point lists; says everything that is wrong at once. */
import type { TcnSettings } from '@enerchain/tcn';
import { tcnSettings } from '../tcn/settings.ts';
import { FindingList, SiteError, type SiteFinding } from './findings.ts';
import { readEndpoint } from './read-endpoint.ts';
import { checkSchema } from './schema-check.ts';
import { announcementOf, type BoundPoint, DEFAULT_OUTBOX, type EndpointSite, type Site } from './site.ts';
import { type EndpointContent, SiteFile, type SiteFileContent } from './site-file.ts';
import { readText } from './text-file.ts';
import { YamlSource } from './yaml-source.ts';

/** Interval of the status report, unless the file says otherwise. */
const REPORT_SECONDS = 5;

export interface LoadedSite {
  /** Absent when there is an error among the findings. */
  readonly site: Site | undefined;
  readonly findings: readonly SiteFinding[];
}

/** Reads the site; never throws for what the user wrote, only says it in `findings`. */
export function loadSite(file: string): LoadedSite {
  return read(file).result;
}

/** @throws SiteError that lists everything that is wrong */
export function openSite(file: string): { site: Site; warnings: readonly SiteFinding[] } {
  const { result, findings } = read(file);
  if (!result.site) throw new SiteError(file, findings.list, findings.suppressed);
  return { site: result.site, warnings: result.findings };
}

function read(file: string): { result: LoadedSite; findings: FindingList } {
  const findings = new FindingList();
  const site = readSite(file, findings);
  return { result: { site: findings.failed ? undefined : site, findings: findings.list }, findings };
}

/** @returns undefined when so much is wrong that nothing more can be said */
function readSite(file: string, findings: FindingList): Site | undefined {
  const text = readText(file, undefined, undefined, file, findings);
  if (text === undefined) return undefined;
  const source = new YamlSource(file, text, findings);
  if (findings.failed) return undefined;
  if (!checkSchema(SiteFile, source.content, [], source, findings, ['endpoints'])) return undefined;
  const content = source.content as SiteFileContent;
  const endpoints = readEndpoints(content, source, findings);
  const network = tcnSettings(content.trust ?? {}, content.source);
  if (network && 'message' in network) {
    source.error(['trust', network.field], network.message);
    return undefined;
  }
  return siteOf(file, content, endpoints, network);
}

function readEndpoints(content: SiteFileContent, source: YamlSource, findings: FindingList): EndpointSite[] {
  const endpoints: EndpointSite[] = [];
  const ids = new Map<string, number>();
  const places = new Map<string, { endpoint: string; kind: string; origin: string }>();
  let slot = 0;
  for (const [index, raw] of (content.endpoints as EndpointContent[]).entries()) {
    const one = readEndpoint(raw, index, content.site.id, source, findings);
    if (!one) continue;
    const { id } = one.endpoint;
    const earlier = ids.get(id);
    if (earlier !== undefined) {
      const message = `'${id}' is also the id of endpoints[${earlier}]; expected each id once`;
      source.error(['endpoints', index, 'id'], message);
    }
    ids.set(id, index);
    const points: BoundPoint[] = one.points.map((point) => ({ ...point, slot: slot++ }));
    for (const { point, origin } of points) {
      const other = places.get(point.mRID);
      if (other && (other.endpoint === id || other.kind !== point.kind)) {
        const message = `mRID ${point.mRID} stands in ${other.origin} and ${origin}; expected one point of one kind, bound at most once per endpoint`;
        findings.error(source.file, undefined, undefined, message);
      }
      places.set(point.mRID, { endpoint: id, kind: point.kind, origin });
    }
    endpoints.push({ ...one, points });
  }
  return endpoints;
}

/** What was read, with what holds where the file says nothing. */
function siteOf(
  file: string,
  { source, site: { id, name = id }, outbox, uplink, trust, policy }: SiteFileContent,
  endpoints: readonly EndpointSite[],
  network: TcnSettings | undefined,
): Site {
  const { url, bytesPerSecond, reportSeconds } = uplink ?? {};
  return {
    file,
    source,
    site: { id, name },
    outbox: { ...DEFAULT_OUTBOX, ...outbox },
    uplink: {
      ...(url === undefined ? {} : { url }),
      ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }),
      reportSeconds: reportSeconds ?? REPORT_SECONDS,
    },
    trust: trustOf(source, trust ?? {}),
    ...(network ? { network } : {}),
    policy: {
      forbidCommands: [],
      essential: [],
      secondPerson: [],
      breakGlass: false,
      inspection: 'files',
      ...policy,
    },
    endpoints,
    document: announcementOf(source, { id, name }, endpoints),
  };
}

function trustOf(source: string, { key, ...trust }: NonNullable<SiteFileContent['trust']>): Site['trust'] {
  const place = key ?? (trust.tpm === undefined ? 'file' : 'tpm');
  if (typeof place === 'string') return { ...trust, key: { place } };
  return { ...trust, key: { ...place, place: 'hsm', label: place.label ?? source } };
}
