/**
 * Services over their links: what they may ask, and what they may add to the face of the centre. A service in another
 * process reaches the same ports as code inside, with an identity of its own; default deny, every change audited.
 */
import type { HttpResponse, LinkPeer, LogItem, RequestContext } from '@enerchain/link';
import { EnerchainError, type GridModel, validator } from '@enerchain/model';
import type { CborValue } from '@enerchain/trust';
import Type, { type Static, type TSchema } from 'typebox';
import type { Findings } from '../ingest/findings.ts';
import type { Directory } from '../ingest/points.ts';
import { RecordEntry } from '../log/entries.ts';
import type { LogEntry, LogReader, ServicePage, ServiceRequest, ServiceResponse, ServiceRoutes } from '../ports.ts';

/** What the face of the centre gives to services. */
export interface ServicePorts {
  grid(): Promise<GridModel | undefined>;
  /** Whether a service may prepare and operate commands at all. */
  mayCommand(service: string): boolean;
  /** Prepares a command in the name of a service. @returns what the API would return */
  prepare(service: string, request: { point: string; value: number; test?: boolean }): Promise<object>;
  /** Select, operate or cancel. @returns what the API would return */
  step(service: string, action: 'select' | 'operate' | 'cancel', id: string): Promise<object>;
}

const Offset = Type.Union([Type.Integer({ minimum: 0 }), Type.Literal('next')]);
const Id = Type.String({ minLength: 1, maxLength: 100 });

/** Parameters of the methods. */
const PARAMS = {
  'log.read': Type.Object({ from: Offset }),
  'points.get': Type.Object({}),
  'grid.get': Type.Object({}),
  'command.prepare': Type.Object({ point: Id, value: Type.Number(), test: Type.Optional(Type.Boolean()) }),
  'command.select': Type.Object({ id: Id }),
  'command.operate': Type.Object({ id: Id }),
  'command.cancel': Type.Object({ id: Id }),
  'routes.register': Type.Object({
    prefix: Type.String({ pattern: '^/[a-z0-9-]+(/[a-z0-9-]+)*$', maxLength: 100 }),
    openapi: Type.Optional(Type.Unknown()),
  }),
  'page.register': Type.Object({
    id: Type.String({ pattern: '^[a-z0-9-]+$', maxLength: 50 }),
    title: Type.String({ minLength: 1, maxLength: 100 }),
    icon: Type.String({ maxLength: 400 }),
    module: Type.String({ pattern: '^/', maxLength: 300 }),
  }),
} as const satisfies Record<string, TSchema>;
type Method = keyof typeof PARAMS;
type Params<M extends Method> = Static<(typeof PARAMS)[M]>;

const CHECKS = Object.fromEntries(
  Object.entries(PARAMS).map(([method, schema]) => [method, validator(schema, 'peer')]),
) as unknown as { readonly [M in Method]: { parse(data: unknown, what: string): Params<M> } };

const Answer = validator(
  Type.Object({
    status: Type.Integer({ minimum: 100, maximum: 599 }),
    headers: Type.Record(Type.String(), Type.String()),
    body: Type.Unknown(),
  }),
  'peer',
);

const MOST_PAGES = 100;
const MOST_ROUTES = 100;
const HTTP_TIMEOUT_MILLIS = 30_000;

interface Route {
  readonly peer: LinkPeer;
  readonly openapi: unknown;
}

export class ServiceSessions implements ServiceRoutes {
  readonly #log: LogReader;
  readonly #points: Directory;
  readonly #findings: Findings;
  readonly #routes = new Map<string, Route>();
  readonly #pages = new Map<string, { readonly peer: LinkPeer; readonly page: ServicePage }>();
  #ports: ServicePorts | undefined;

  constructor(log: LogReader, points: Directory, findings: Findings) {
    this.#log = log;
    this.#points = points;
    this.#findings = findings;
  }

  /** The face of the centre is there: grid and commands can be had. */
  attach(ports: ServicePorts): void {
    this.#ports = ports;
  }

  /** Answers a request of a peer. @throws EnerchainError, which goes back to the peer */
  async handle(peer: LinkPeer, method: string, params: CborValue, context: RequestContext): Promise<CborValue> {
    if (!Object.hasOwn(PARAMS, method)) {
      throw new EnerchainError('unsupported', 'link.method', `requests '${method}' are not answered here`);
    }
    if (peer.holder.role !== 'service') {
      this.#findings.tell({ action: 'service.refused', actor: peer.source, outcome: 'refused', subject: method });
      throw new EnerchainError(
        'peer',
        'service.role',
        `${method} is for services; ${peer.source} is an ${peer.holder.role}`,
      );
    }
    const what = `${method} of ${peer.source}`;
    switch (method as Method) {
      case 'log.read':
        return this.#readLog(CHECKS['log.read'].parse(params, what).from, context);
      case 'points.get':
        for (const document of this.#points.documents()) await context.write(document as unknown as CborValue);
        return { revision: this.#points.revision };
      case 'grid.get':
        return ((await this.#needPorts().grid()) ?? null) as unknown as CborValue;
      case 'command.prepare': {
        const request = CHECKS['command.prepare'].parse(params, what);
        return plain(await this.#commandPorts(peer).prepare(peer.source, request));
      }
      case 'command.select':
      case 'command.operate':
      case 'command.cancel': {
        const { id } = CHECKS['command.operate'].parse(params, what);
        const action = method.slice('command.'.length) as 'select' | 'operate' | 'cancel';
        return plain(await this.#commandPorts(peer).step(peer.source, action, id));
      }
      case 'routes.register':
        return this.#registerRoute(peer, CHECKS['routes.register'].parse(params, what));
      case 'page.register':
        return this.#registerPage(peer, CHECKS['page.register'].parse(params, what));
    }
  }

  pages(): readonly ServicePage[] {
    return [...this.#pages.values()].map(({ page }) => page);
  }

  descriptions(): ReadonlyMap<string, unknown> {
    return new Map([...this.#routes].map(([prefix, { openapi }]) => [prefix, openapi]));
  }

  request(request: ServiceRequest): Promise<ServiceResponse> | undefined {
    const route = this.#routeOf(request.path);
    return route && this.#proxy(route, request);
  }

  /** A peer is gone, and with it what it registered. */
  left(peer: LinkPeer): void {
    for (const [prefix, route] of this.#routes) if (route.peer === peer) this.#routes.delete(prefix);
    for (const [id, { peer: owner }] of this.#pages) if (owner === peer) this.#pages.delete(id);
  }

  async #readLog(from: number | 'next', { signal, write }: RequestContext): Promise<CborValue> {
    const start = from === 'next' ? this.#log.bounds().next : from;
    for await (const entries of this.#log.read(start, signal)) {
      for (const entry of entries) await write(itemOf(entry) as unknown as CborValue);
    }
    return null;
  }

  #needPorts(): ServicePorts {
    if (this.#ports) return this.#ports;
    throw new EnerchainError('environment', 'centre.starting', 'the centre is still starting; ask again');
  }

  #commandPorts(peer: LinkPeer): ServicePorts {
    const ports = this.#needPorts();
    if (ports.mayCommand(peer.source)) return ports;
    this.#findings.tell({ action: 'service.refused', actor: peer.source, outcome: 'refused', subject: 'command' });
    throw new EnerchainError('peer', 'service.right', `${peer.source} may not command`);
  }

  #registerRoute(peer: LinkPeer, { prefix, openapi }: Params<'routes.register'>): CborValue {
    const before = this.#routes.get(prefix);
    if ((before && before.peer.source !== peer.source) || this.#routes.size >= MOST_ROUTES) {
      throw new EnerchainError('caller', 'service.taken', `the prefix ${prefix} is taken by another service`);
    }
    this.#routes.set(prefix, { peer, openapi });
    this.#findings.tell({ action: 'service.routes', actor: peer.source, outcome: 'ok', subject: prefix });
    return { prefix };
  }

  #registerPage(peer: LinkPeer, page: ServicePage): CborValue {
    const before = this.#pages.get(page.id);
    if ((before && before.peer.source !== peer.source) || this.#pages.size >= MOST_PAGES) {
      throw new EnerchainError('caller', 'service.taken', `the page ${page.id} is taken by another service`);
    }
    this.#pages.set(page.id, { peer, page });
    this.#findings.tell({ action: 'service.page', actor: peer.source, outcome: 'ok', subject: page.id });
    return { id: page.id };
  }

  /** The route with the longest prefix of a path. */
  #routeOf(path: string): Route | undefined {
    const bare = path.split('?')[0] ?? '';
    let best: { prefix: string; route: Route } | undefined;
    for (const [prefix, route] of this.#routes) {
      const within = bare === prefix || bare.startsWith(`${prefix}/`);
      if (within && prefix.length > (best?.prefix.length ?? 0)) best = { prefix, route };
    }
    return best?.route;
  }

  async #proxy({ peer }: Route, { body, ...request }: ServiceRequest): Promise<ServiceResponse> {
    const params = { ...request, ...(body && { body }) } as unknown as CborValue;
    const answer = await peer.request('http', params, { timeout: HTTP_TIMEOUT_MILLIS });
    const response = Answer.parse(
      answer,
      `the answer of ${peer.source} to ${request.method} ${request.path}`,
    ) as HttpResponse;
    if (!(response.body instanceof Uint8Array)) {
      throw new EnerchainError('peer', 'service.answer', `the answer of ${peer.source} has no octets as its body`);
    }
    return response;
  }
}

function itemOf(entry: LogEntry): LogItem {
  const { offset, at, source } = entry;
  if (entry instanceof RecordEntry)
    return { offset, at, source, batch: entry.record.batch, rejected: entry.record.rejected };
  if (entry.content.kind === 'gap') return { offset, at, source, gap: entry.content.gap };
  throw new EnerchainError('local', 'centre.log.entry', `record ${offset} is neither a batch nor a gap`);
}

/** Objects of the API hold only what JSON can say; undefined fields are left out. */
const plain = (value: object): CborValue => JSON.parse(JSON.stringify(value)) as CborValue;
