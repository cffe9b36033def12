/** The SHACL engine and the RDF store it stands on: optional, loaded when somebody asks for it. */
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { CimError } from '../error.ts';

export interface Term {
  readonly termType: string;
  readonly value: string;
}
export interface Dataset {
  addQuad(subject: Term, predicate: Term, object: Term): void;
  readonly size: number;
}
export interface DataFactory {
  namedNode(iri: string): Term;
  literal(text: string, type: Term): Term;
  blankNode(name: string): Term;
  variable(name: string): Term;
}

/** Of grapoi, a place in a graph, or several. */
export interface Pointer extends Iterable<Pointer> {
  readonly term: Term | undefined;
  readonly terms: readonly Term[];
  readonly value: string | undefined;
  readonly dataset: Dataset;
  node(terms: readonly (Term | undefined)[]): Pointer;
  out(predicates: readonly Term[]): Pointer;
  in(predicates: readonly Term[]): Pointer;
}
/** Of shacl-engine. */
export interface EngineShape {
  readonly ptr: Pointer;
  readonly path: EnginePath | undefined;
  readonly sparql: Pointer;
}
export type EnginePath = readonly { readonly predicates: readonly Term[] }[];
export interface EngineContext {
  readonly focusNode: Pointer;
  violation(component: Term, details: object): void;
}
/** What of a result of shacl-engine we read. */
export interface ShaclResult {
  readonly focusNode: Pointer;
  readonly path: EnginePath | undefined;
  readonly value: Pointer | undefined;
  readonly severity: Term | undefined;
  readonly message: readonly Term[];
  readonly constraintComponent: Term | undefined;
  readonly shape: EngineShape;
}
/** A row of a SPARQL answer. */
export interface Row extends Iterable<readonly [variable: Term, value: Term]> {
  get(name: string): Term | undefined;
}
export type Validation = (shape: EngineShape) => { generic: (context: EngineContext) => Promise<void> };

export interface Libraries {
  readonly factory: DataFactory;
  readonly dataset: () => Dataset;
  /** @throws Error with the line when the text is no Turtle */
  readonly parse: (turtle: string, into: Dataset) => void;
  readonly validate: (
    shapes: Dataset,
    data: Dataset,
    /** What is to be done about constraints and targets in SPARQL. */
    sparql: { readonly validation: Validation; readonly target: (target: Pointer) => Promise<readonly Term[]> },
  ) => Promise<{ results: readonly ShaclResult[] }>;
  /** @param bound variables that have a value already; not those a query groups by */
  readonly select: (query: string, data: Dataset, bound?: Readonly<Record<string, Term>>) => Promise<readonly Row[]>;
  /** As SPARQL 1.1 has it, for `$PATH`. */
  readonly pathText: (path: EnginePath | undefined) => string | null;
}

/** Not literal in `import`: they may be missing, and have no types. */
const NAMES = ['n3', 'shacl-engine', 'shacl-engine/lib/sparql.js'];
const OF_ENGINE = ['@comunica/query-sparql-rdfjs-lite', '@comunica/utils-bindings-factory'];

/** What of the packages is used, in the order of the names. */
type Packages = readonly [
  store: {
    readonly Store: new () => Dataset;
    readonly Parser: new (options: {
      format: string;
    }) => {
      parse(text: string): readonly { readonly subject: Term; readonly predicate: Term; readonly object: Term }[];
    };
    readonly DataFactory: DataFactory;
  },
  engine: {
    readonly Validator: new (
      shapes: Dataset,
      options: object,
    ) => { validate(data: { dataset: Dataset }): Promise<{ results: readonly ShaclResult[] }> };
  },
  paths: { readonly stringifyPath: Libraries['pathText'] },
  queries: {
    readonly QueryEngine: new () => {
      queryBindings(query: string, context: object): Promise<{ toArray(): Promise<readonly Row[]> }>;
    };
  },
  bindings: {
    readonly BindingsFactory: new (factory: DataFactory) => { bindings(initial: readonly unknown[]): object };
  },
];

async function load(): Promise<Packages> {
  // Where the engine finds its own, wherever they were installed.
  const near = createRequire(import.meta.resolve(NAMES[1]!));
  const names = [...NAMES, ...OF_ENGINE.map((name) => pathToFileURL(near.resolve(name)).href)];
  return (await Promise.all(names.map((name) => import(name)))) as unknown as Packages;
}

/** @throws CimError `shacl.missing` (environment) */
export async function loadLibraries(): Promise<Libraries> {
  const packages = await load().catch((cause) => {
    const text =
      'SHACL shapes are checked with the packages shacl-engine 1.1.2 and n3 2.13.12, which are optional and not installed here; npm install brings them unless it is told to leave optional ones out';
    throw new CimError('environment', 'shacl.missing', text, { cause });
  });
  const [store, engine, { stringifyPath }, { QueryEngine }, { BindingsFactory }] = packages;
  const { Parser, Store, DataFactory: factory } = store;
  const queries = new QueryEngine();
  const bindings = new BindingsFactory(factory);
  return {
    factory,
    dataset: () => new Store(),
    parse: (turtle, into) => {
      for (const { subject, predicate, object } of new Parser({ format: 'text/turtle' }).parse(turtle)) {
        into.addQuad(subject, predicate, object);
      }
    },
    validate: (shapes, data, sparql) => {
      const of = <T>(name: string, value: T): Map<Term, T> =>
        new Map([[factory.namedNode(`http://www.w3.org/ns/shacl#${name}`), value]]);
      const options = {
        factory,
        validations: of('sparql', sparql.validation),
        targetResolvers: of('target', sparql.target),
      };
      return new engine.Validator(shapes, options).validate({ dataset: data });
    },
    // Not the engine's own: it hides from the query planner how much there is of what, and begins anew each time.
    select: async (query, data, bound = {}) => {
      const initial = Object.entries(bound).map(([name, term]) => [factory.variable(name), term]);
      const stream = await queries.queryBindings(query, {
        sources: [data],
        initialBindings: bindings.bindings(initial),
      });
      return stream.toArray();
    },
    pathText: stringifyPath,
  };
}
