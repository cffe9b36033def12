/** Rows of points that stand in the site file itself, or follow from the settings of an endpoint. */
import { dirname } from 'node:path';
import { describeError } from '@enerchain/model';
import type { ProtocolSpec } from '../protocol.ts';
import { type FieldSpec, fieldsByColumn, normalizeColumn, POINT_FIELDS } from './fields.ts';
import type { RawRow } from './point-list.ts';
import { pathText, type YamlSource } from './yaml-source.ts';

/** Points that the protocol finds by itself; what the lists say of one with the same address goes on top. */
export function rowsOfSettings(
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

/** What stands under `points` of an endpoint. */
export function rowsOfYaml(
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
