/** Reads a site file and its point lists; says everything that is wrong at once. */
import { readFileSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { describeError, Endpoint, SiteDocument } from '@enerchain/model';
import Type, { type TObject } from 'typebox';
import Schema from 'typebox/schema';
import { type Document, isMap, isNode, LineCounter, parseDocument } from 'yaml';
import type { ProtocolSpec } from '../protocol.ts';
import { PROTOCOLS } from '../protocols.ts';
import { TCN_KEYS, tcnSettings } from '../tcn/settings.ts';
import { type FieldSpec, fieldsByColumn, normalizeColumn, POINT_FIELDS } from './fields.ts';
import { FindingList, SiteError, type SiteFinding } from './findings.ts';
import { bindRows, type RawRow, rowsOfCsv } from './point-list.ts';
import { announcementOf, type BoundPoint, DEFAULT_OUTBOX, type EndpointSite, type Site } from './site.ts';

const positive = (description: string) => Type.Optional(Type.Number({ exclusiveMinimum: 0, description }));

const POINT_LIST = Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 200 }), { maxItems: 1000 }));

/** The site file without what stands under `endpoints`. */
export const SiteFile = Type.Object(
  {
    source: SiteDocument.properties.source,
    site: Type.Object(
      {
        id: Type.String({ minLength: 1, maxLength: 100 }),
        name: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
      },
      { additionalProperties: false },
    ),
    outbox: Type.Optional(
      Type.Object(
        {
          maxBytes: Type.Optional(Type.Integer({ minimum: 65_536, description: 'octets on disk' })),
          maxAge: positive('seconds'),
          maxMemory: Type.Optional(Type.Integer({ minimum: 65_536, description: 'octets in memory' })),
          batchTime: positive('milliseconds'),
          batchCount: Type.Optional(Type.Integer({ minimum: 1, maximum: 100_000, description: 'observations' })),
        },
        { additionalProperties: false },
      ),
    ),
    uplink: Type.Optional(
      Type.Object(
        {
          url: Type.Optional(Type.String({ pattern: '^(wss|https)://', description: 'address of the centre' })),
          bytesPerSecond: positive('throttle for narrow links'),
          reportSeconds: positive('interval of the status report'),
        },
        { additionalProperties: false },
      ),
    ),
    policy: Type.Optional(
      Type.Object(
        {
          forbidCommands: POINT_LIST,
          essential: POINT_LIST,
          secondPerson: POINT_LIST,
          breakGlass: Type.Optional(Type.Union([Type.Boolean(), Type.Literal('authenticator')])),
          inspection: Type.Optional(Type.Enum(['none', 'views', 'files'] as const)),
        },
        { additionalProperties: false },
      ),
    ),
    trust: Type.Optional(
      Type.Object(
        {
          tpm: Type.Optional(
            Type.String({
              minLength: 1,
              maxLength: 200,
              description: 'device or socket of a TPM 2.0; absent: software',
            }),
          ),
          key: Type.Optional(
            Type.Union(
              [
                Type.Enum(['file', 'tpm'] as const),
                Type.Object(
                  {
                    library: Type.String({ minLength: 1, maxLength: 300, description: 'PKCS#11 library of the HSM' }),
                    token: Type.String({ minLength: 1, maxLength: 32 }),
                    label: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
                    pinFile: Type.String({ minLength: 1, maxLength: 300, description: 'file (0600) with the PIN' }),
                  },
                  { additionalProperties: false },
                ),
              ],
              { description: 'where the key of the gateway lies: tpm when there is one, else file' },
            ),
          ),
          tls: Type.Optional(
            Type.Enum(['file', 'hsm'] as const, {
              description: 'where the key of connections lies that is not that of the gateway: file, or the same HSM',
            }),
          ),
          eventLog: Type.Optional(
            Type.String({
              minLength: 1,
              maxLength: 300,
              description: 'event log of the boot, where Linux does not show it',
            }),
          ),
          measure: Type.Optional(
            Type.Array(Type.String({ minLength: 1, maxLength: 200 }), {
              maxItems: 1000,
              description: 'further files that are measured, for example firmware of this gateway',
            }),
          ),
          ...TCN_KEYS,
        },
        { additionalProperties: false },
      ),
    ),
    endpoints: Type.Array(Type.Object({}), { minItems: 1, maxItems: 10_000 }),
  },
  { additionalProperties: false },
);

const COMMON_ENDPOINT_KEYS = {
  id: Endpoint.properties.id,
  name: Endpoint.properties.name,
  protocol: Endpoint.properties.protocol,
  asset: Endpoint.properties.asset,
  timeZone: Endpoint.properties.timeZone,
  enabled: Type.Optional(Type.Boolean()),
  pointsFile: Type.Optional(Type.String({ minLength: 1 })),
  points: Type.Optional(Type.Array(Type.Object({}), { maxItems: 200_000 })),
};

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

type SiteFileContent = Type.Static<typeof SiteFile>;
type EndpointContent = Record<string, unknown> & { id: string; points?: unknown[]; pointsFile?: string };

function read(file: string): { result: LoadedSite; findings: FindingList } {
  const findings = new FindingList();
  const done = (site?: Site) => ({
    result: { site: findings.failed ? undefined : site, findings: findings.list },
    findings,
  });
  const text = readText(file, undefined, undefined, file, findings);
  if (text === undefined) return done();
  const source = new YamlSource(file, text, findings);
  if (findings.failed) return done();
  if (!checkSchema(SiteFile, source.content, [], source, findings, ['endpoints'])) return done();
  const content = source.content as SiteFileContent;
  const endpoints: EndpointSite[] = [];
  const ids = new Map<string, number>();
  const places = new Map<string, { endpoint: string; kind: string; origin: string }>();
  let slot = 0;
  for (const [index, raw] of (content.endpoints as EndpointContent[]).entries()) {
    const one = readEndpoint(raw, index, content.site.id, source, findings);
    if (!one) continue;
    const earlier = ids.get(one.endpoint.id);
    if (earlier !== undefined) {
      source.error(
        ['endpoints', index, 'id'],
        `'${one.endpoint.id}' is also the id of endpoints[${earlier}]; expected each id once`,
      );
    }
    ids.set(one.endpoint.id, index);
    const points: BoundPoint[] = one.points.map((point) => ({ ...point, slot: slot++ }));
    for (const { point, origin } of points) {
      const other = places.get(point.mRID);
      if (other && (other.endpoint === one.endpoint.id || other.kind !== point.kind)) {
        findings.error(
          file,
          undefined,
          undefined,
          `mRID ${point.mRID} stands in ${other.origin} and ${origin}; expected one point of one kind, bound at most once per endpoint`,
        );
      }
      places.set(point.mRID, { endpoint: one.endpoint.id, kind: point.kind, origin });
    }
    endpoints.push({ ...one, points });
  }
  const { url, bytesPerSecond, reportSeconds } = content.uplink ?? {};
  const network = tcnSettings(content.trust ?? {}, content.source);
  if (network && 'message' in network) {
    source.error(['trust', network.field], network.message);
  }
  return done({
    file,
    source: content.source,
    site: { id: content.site.id, name: content.site.name ?? content.site.id },
    outbox: { ...DEFAULT_OUTBOX, ...content.outbox },
    uplink: {
      ...(url === undefined ? {} : { url }),
      ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }),
      reportSeconds: reportSeconds ?? 5,
    },
    trust: trustOf(content.source, content.trust ?? {}),
    ...(network && !('message' in network) ? { network } : {}),
    policy: {
      forbidCommands: [],
      essential: [],
      secondPerson: [],
      breakGlass: false,
      inspection: 'files',
      ...content.policy,
    },
    endpoints,
    document: announcementOf(
      content.source,
      { id: content.site.id, name: content.site.name ?? content.site.id },
      endpoints,
    ),
  });
}

function trustOf(source: string, { key, ...trust }: NonNullable<SiteFileContent['trust']>): Site['trust'] {
  const place = key ?? (trust.tpm === undefined ? 'file' : 'tpm');
  if (typeof place === 'string') return { ...trust, key: { place } };
  return { ...trust, key: { ...place, place: 'hsm', label: place.label ?? source } };
}

function readEndpoint(
  raw: EndpointContent,
  index: number,
  siteId: string,
  source: YamlSource,
  findings: FindingList,
): (Omit<EndpointSite, 'points'> & { points: Omit<BoundPoint, 'slot'>[] }) | undefined {
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

/** Points that the protocol finds by itself; what the lists say of one with the same address goes on top. */
function rowsOfSettings(
  settings: Readonly<Record<string, unknown>>,
  listed: readonly RawRow[],
  at: readonly (string | number)[],
  protocol: ProtocolSpec,
  source: YamlSource,
): RawRow[] {
  const known = fieldsByColumn([...protocol.pointFields, ...POINT_FIELDS]);
  const addressOf = ({ values }: Pick<RawRow, 'values'>): string =>
    protocol.pointFields
      .filter(({ ofAddress }) => ofAddress !== false)
      .map((field) => String(values.get(field) ?? ''))
      .join(' ');
  const byAddress = new Map(listed.map((row) => [addressOf(row), row]));
  const found: RawRow[] = [];
  try {
    for (const row of protocol.rows!(settings, dirname(source.file))) {
      const values = new Map<FieldSpec, unknown>(
        Object.entries(row).map(([name, value]) => [known.get(normalizeColumn(name))!, value]),
      );
      const own = byAddress.get(addressOf({ values }));
      if (own) byAddress.delete(addressOf(own));
      found.push({
        file: own?.file ?? source.file,
        line: (field) => own?.line(field) ?? source.line([...at]),
        path: (field) => own?.path(field) ?? pathText([...at]),
        values: own ? new Map([...values, ...own.values]) : values,
      });
    }
  } catch (error) {
    source.error([...at], describeError(error));
  }
  return [...found, ...byAddress.values()];
}

function rowsOfYaml(
  points: unknown[],
  at: readonly (string | number)[],
  protocol: ProtocolSpec,
  source: YamlSource,
): RawRow[] {
  const known = fieldsByColumn([...protocol.pointFields, ...POINT_FIELDS]);
  return points.map((point, index) => {
    const values = new Map<FieldSpec, unknown>();
    const keys = new Map<string, string>();
    if (typeof point !== 'object' || point === null || Array.isArray(point)) {
      source.error([...at, index], 'is not a point; expected keys such as `name`');
    } else {
      for (const [key, value] of Object.entries(point)) {
        const field = known.get(normalizeColumn(key));
        if (!field) {
          source.error(
            [...at, index, key],
            `is not a key of a ${protocol.name} point; expected some of ${[...known.values()]
              .map((f) => f.name)
              .filter((n, i, all) => all.indexOf(n) === i)
              .join(', ')}`,
          );
          continue;
        }
        values.set(field, value);
        keys.set(field.name, key);
      }
    }
    const path = (field?: string): readonly (string | number)[] =>
      field === undefined ? [...at, index] : [...at, index, keys.get(field) ?? field];
    return {
      file: source.file,
      line: (field) => source.line(path(field)),
      path: (field) => pathText(path(field)),
      values,
    };
  });
}

/** Checks one object of the file and reports each finding with its line; keys in `opaque` are checked elsewhere. */
function checkSchema(
  schema: TObject,
  data: unknown,
  at: readonly (string | number)[],
  source: YamlSource,
  findings: FindingList,
  opaque: readonly string[],
): boolean {
  const [ok, errors] = Schema.Compile(schema).Errors(data);
  if (ok) return true;
  const before = findings.list.length + findings.suppressed;
  for (const error of errors) {
    const inner = error.instancePath.split('/').slice(1).map(unescapePointer);
    if (inner.length > 1 && opaque.includes(inner[0] as string) && error.keyword !== 'type') continue;
    const path = [...at, ...inner];
    const params = error.params as {
      requiredProperties?: string[];
      additionalProperties?: string[];
      allowedValues?: unknown[];
    };
    switch (error.keyword) {
      case 'boolean':
        break; // said again, and better, by additionalProperties
      case 'required':
        for (const key of params.requiredProperties ?? []) {
          source.error([...path, key], `is missing; expected ${expected(schema, [...inner, key])}`);
        }
        break;
      case 'additionalProperties':
        for (const key of params.additionalProperties ?? []) {
          const object = schemaAt(schema as unknown as AnySchema, inner);
          const keys = object && 'properties' in object ? Object.keys(object.properties as object).join(', ') : '';
          source.error([...path, key], `is not a key known here; expected one of ${keys}`);
        }
        break;
      case 'enum':
        source.error(path, `must be one of ${(params.allowedValues ?? []).join(', ')}`);
        break;
      default:
        source.error(path, `${error.message}; expected ${expected(schema, inner)}`);
    }
  }
  return findings.list.length + findings.suppressed === before;
}

type AnySchema = Record<string, unknown> & { properties?: Record<string, AnySchema>; items?: AnySchema };

function schemaAt(schema: AnySchema, path: readonly (string | number)[]): AnySchema | undefined {
  let at: AnySchema | undefined = schema;
  for (const key of path) at = at?.properties?.[key] ?? at?.items;
  return at;
}

function expected(schema: TObject, path: readonly (string | number)[]): string {
  const at = schemaAt(schema as unknown as AnySchema, path);
  const description = typeof at?.description === 'string' ? ` (${at.description})` : '';
  const pattern = typeof at?.pattern === 'string' ? ` matching ${at.pattern}` : '';
  const words: Record<string, string> = {
    array: 'a list',
    object: 'a block of keys',
    integer: 'a whole number',
    number: 'a number',
    string: 'a text',
    boolean: 'true or false',
  };
  return `${words[String(at?.type)] ?? 'a value'}${pattern}${description}`;
}

/** The YAML text together with the lines its keys stand on. */
class YamlSource {
  readonly file: string;
  readonly content: unknown;
  readonly #findings: FindingList;
  readonly #lines = new LineCounter();
  readonly #document: Document;

  constructor(file: string, text: string, findings: FindingList) {
    this.file = file;
    this.#findings = findings;
    this.#document = parseDocument(text, { lineCounter: this.#lines, uniqueKeys: true });
    for (const error of this.#document.errors) {
      findings.error(
        file,
        error.linePos?.[0].line,
        undefined,
        (error.message.split('\n')[0] ?? error.message).replace(/ at line \d+, column \d+:?$/, ''),
      );
    }
    // A site file needs no aliases; a bound on them keeps a hostile one from growing without end.
    this.content = this.#document.errors.length > 0 ? undefined : this.#document.toJS({ maxAliasCount: 100 });
  }

  error(path: readonly (string | number)[], message: string): void {
    this.#findings.error(this.file, this.line(path), pathText(path), message);
  }

  /** Line of the key or value at `path`, or of its nearest ancestor that exists. */
  line(path: readonly (string | number)[]): number | undefined {
    for (let length = path.length; length >= 0; length--) {
      const parent = this.#document.getIn(path.slice(0, length - 1), true);
      if (length > 0 && isMap(parent)) {
        const key = path[length - 1];
        const pair = parent.items.find(
          ({ key: candidate }) => isNode(candidate) && String((candidate as { value?: unknown }).value) === String(key),
        );
        if (pair && isNode(pair.key) && pair.key.range) return this.#lines.linePos(pair.key.range[0]).line;
      }
      const node = this.#document.getIn(path.slice(0, length), true);
      if (isNode(node) && node.range) return this.#lines.linePos(node.range[0]).line;
    }
    return undefined;
  }
}

function readText(
  file: string,
  line: number | undefined,
  field: string | undefined,
  reportedIn: string,
  findings: FindingList,
): string | undefined {
  try {
    const bytes = readFileSync(file);
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      // Not UTF-8: what an older spreadsheet writes in Western Europe.
      return new TextDecoder('windows-1252').decode(bytes);
    }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const why = code === 'ENOENT' ? 'does not exist' : `cannot be read (${code})`;
    findings.error(reportedIn, line, field, `the file ${file} ${why}; expected a readable text file`);
    return undefined;
  }
}

function pathText(path: readonly (string | number)[]): string {
  return path.reduce<string>(
    (text, key) =>
      typeof key === 'number' || /^\d+$/.test(key) ? `${text}[${key}]` : text === '' ? key : `${text}.${key}`,
    '',
  );
}

const unescapePointer = (part: string): string | number => {
  const text = part.replaceAll('~1', '/').replaceAll('~0', '~');
  return /^\d+$/.test(text) ? Number(text) : text;
};

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
