/** Findings of a schema in the words of whoever wrote the file: which key, on which line, and what was expected. */
import type { TObject } from 'typebox';
import Schema from 'typebox/schema';
import type { FindingList } from './findings.ts';
import type { YamlSource } from './yaml-source.ts';

/** Checks one object of the file and reports each finding with its line; keys in `opaque` are checked elsewhere. */
export function checkSchema(
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

const unescapePointer = (part: string): string | number => {
  const text = part.replaceAll('~1', '/').replaceAll('~0', '~');
  return /^\d+$/.test(text) ? Number(text) : text;
};
