/** One endpoint of a site file: checked against its protocol, with its points from all the places where they may stand. */
import { dirname, isAbsolute, join } from 'node:path';
import type { Endpoint } from '@enerchain/model';
import Type from 'typebox';
import { PROTOCOLS } from '../protocols.ts';
import type { FindingList } from './findings.ts';
import { bindRows, type RawRow, rowsOfCsv } from './point-list.ts';
import { rowsOfSettings, rowsOfYaml } from './point-rows.ts';
import { checkSchema } from './schema-check.ts';
import type { BoundPoint, EndpointSite } from './site.ts';
import { COMMON_ENDPOINT_KEYS, type EndpointContent } from './site-file.ts';
import { readText } from './text-file.ts';
import type { YamlSource } from './yaml-source.ts';

/** An endpoint whose points have no slots yet: those count over the whole site. */
export type UnnumberedEndpoint = Omit<EndpointSite, 'points'> & {
  readonly points: readonly Omit<BoundPoint, 'slot'>[];
};

/** @returns undefined when so much is wrong that nothing can be said of its points; `findings` has it */
export function readEndpoint(
  raw: EndpointContent,
  index: number,
  siteId: string,
  source: YamlSource,
  findings: FindingList,
): UnnumberedEndpoint | undefined {
  const at = ['endpoints', index] as const;
  const name = raw.protocol;
  const protocol = typeof name === 'string' && Object.hasOwn(PROTOCOLS, name) ? PROTOCOLS[name] : undefined;
  if (!protocol) {
    source.error(
      [...at, 'protocol'],
      `${name === undefined ? 'is missing' : `'${String(name)}' is not a protocol of this edge`}; expected one of ${Object.keys(PROTOCOLS).join(', ')}`,
    );
    return undefined;
  }
  const schema = Type.Object({ ...COMMON_ENDPOINT_KEYS, ...protocol.settings }, { additionalProperties: false });
  if (!checkSchema(schema, raw, at, source, findings, ['points'])) return undefined;
  if (raw.timeZone !== undefined && !isTimeZone(raw.timeZone as string)) {
    source.error(
      [...at, 'timeZone'],
      `'${raw.timeZone}' is not a time zone; expected an IANA name such as Europe/Berlin`,
    );
  }
  const settings: Record<string, unknown> = {};
  for (const key of Object.keys(protocol.settings)) if (raw[key] !== undefined) settings[key] = raw[key];
  const rows: RawRow[] = [];
  if (raw.pointsFile !== undefined) {
    const listFile = isAbsolute(raw.pointsFile) ? raw.pointsFile : join(dirname(source.file), raw.pointsFile);
    const line = source.line([...at, 'pointsFile']);
    const text = readText(listFile, line, `endpoints[${index}].pointsFile`, source.file, findings);
    if (text !== undefined) rows.push(...rowsOfCsv(listFile, text, protocol, findings));
  }
  if (raw.points) rows.push(...rowsOfYaml(raw.points, [...at, 'points'], protocol, source));
  const all = protocol.rows ? rowsOfSettings(settings, rows, at, protocol, source) : rows;
  if (all.length === 0 && !findings.failed) {
    findings.warning(
      source.file,
      source.line([...at]),
      `endpoints[${index}]`,
      'has no points; expected `points` or `pointsFile`',
    );
  }
  const points = bindRows(all, { siteId, endpointId: raw.id, protocol, settings, findings });
  protocol.check?.(
    settings,
    points.map((point) => ({ ...point, slot: -1 })),
    (field, message) => source.error([...at, ...field.split('.')], message),
  );
  const endpoint: Endpoint = {
    id: raw.id,
    protocol: protocol.name,
    ...(raw.name === undefined ? {} : { name: raw.name as string }),
    ...(raw.asset === undefined ? {} : { asset: raw.asset as NonNullable<Endpoint['asset']> }),
    ...(raw.timeZone === undefined ? {} : { timeZone: raw.timeZone as string }),
    securityProfile: raw.tls === undefined ? 'none' : 'tls',
  };
  return { endpoint, settings, points, enabled: raw.enabled !== false };
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
