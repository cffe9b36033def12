/** What services have said about their routes, as part of the description of the whole API. */

const METHODS = new Set(['get', 'post', 'put', 'delete']);
/** Paths of one service that are taken; nobody reads more. */
const MOST_PATHS = 200;
const SECURITY = [{ session: [] }, { token: [] }];

type Json = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * A description with the paths of services added. Ours stand first: a service describes nothing that it cannot answer,
 * and what is no description is left out.
 * @param prefix of the whole API
 */
export function withServices<T extends object>(
  document: T,
  prefix: string,
  descriptions: ReadonlyMap<string, unknown>,
): T {
  const own = (document as { paths?: Json }).paths ?? {};
  const paths: Record<string, unknown> = { ...own };
  for (const [below, description] of descriptions) {
    if (!isObject(description)) continue;
    for (const [path, item] of Object.entries(description).slice(0, MOST_PATHS)) {
      const whole = prefix + below + path;
      if (!/^(\/[A-Za-z0-9_.{}-]+)*$/.test(path) || !isObject(item) || Object.hasOwn(paths, whole)) continue;
      const operations = Object.entries(item).flatMap(([method, operation]) =>
        METHODS.has(method) && isObject(operation)
          ? [[method, { ...operation, security: SECURITY, description: needs(method, operation.description) }]]
          : [],
      );
      if (operations.length > 0) paths[whole] = Object.fromEntries(operations);
    }
  }
  return { ...document, paths };
}

const needs = (method: string, description: unknown): string =>
  `${typeof description === 'string' ? `${description}\n\n` : ''}Needs: ${method === 'get' ? 'values.read' : 'services.ask'}`;
