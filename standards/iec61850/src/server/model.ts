/** What a server serves, as MMS has it: domains with variables, lists of variables, control blocks. */
import type { AlternateAccess, Data, Variable as MmsVariable, ObjectName } from '@enerchain/mms';
import { accessBy, type Path, type PathStep, pathOf, textOf } from '../mapping/paths.ts';
import { type Variable, variableOf } from '../mapping/variables.ts';
import type { IedModel, LogicalDevice } from '../scl/model.ts';
import { namesOf } from '../scl/model.ts';

export interface NamedList {
  /** `LLN0$Positions`. */
  readonly name: string;
  readonly members: readonly Member[];
  readonly deletable: boolean;
}

export interface Member {
  readonly domain: string;
  readonly variable: Variable;
  /** `BCU1CTRL/QA1XCBR1$ST$Pos`. */
  readonly reference: string;
}

export class Domain {
  readonly name: string;
  readonly device: LogicalDevice;
  /** By name of the logical node. */
  readonly nodes: ReadonlyMap<string, Variable>;
  readonly lists = new Map<string, NamedList>();
  #names: readonly string[] | undefined;

  constructor(device: LogicalDevice) {
    this.name = device.name;
    this.device = device;
    this.nodes = new Map(device.nodes.map((node) => [node.name, variableOf(node)]));
  }

  /** @param item `QA1XCBR1$ST$Pos$stVal` */
  find(item: string): Variable | undefined {
    const [node, ...names] = item.split('$');
    return this.nodes.get(node!)?.find(names);
  }

  /** Of all variables and their parts, in the order of the model. Asked for once control blocks are in place. */
  get names(): readonly string[] {
    this.#names ??= [...this.nodes.values()].flatMap((variable) => [...variable.named()].map(({ item }) => item));
    return this.#names;
  }
}

/** The domains of an IED with the data sets of its file. */
export function domainsOf(model: IedModel): Map<string, Domain> {
  const domains = new Map(model.devices.map((device) => [device.name, new Domain(device)]));
  const byInst = new Map([...domains.values()].map((domain) => [domain.device.inst, domain]));
  for (const domain of domains.values()) {
    for (const node of domain.device.nodes) {
      for (const { name, fcdas } of node.ln.dataSets) {
        const members = fcdas.flatMap((fcda): Member[] => {
          const at = byInst.get(fcda.ldInst);
          const node = at?.nodes.get(`${fcda.prefix}${fcda.lnClass}${fcda.lnInst}`);
          const member = memberIn(node, [fcda.fc, ...namesOf(fcda)], fcda.ix);
          return at && member ? [memberOf(at.name, member)] : [];
        });
        domain.lists.set(`${node.name}$${name}`, { name: `${node.name}$${name}`, members, deletable: false });
      }
    }
  }
  return domains;
}

export function memberOf(domain: string, variable: Variable): Member {
  const { named, path } = nameAndPath(variable);
  return { domain, variable, reference: `${domain}/${named.item}${path ? textOf(path) : ''}` };
}

export function specificationOf({ domain, variable }: Member): MmsVariable {
  const { named, path } = nameAndPath(variable);
  return {
    specification: { kind: 'name', value: { kind: 'domain', value: { domain, item: named.item } } },
    ...(path ? { access: accessBy(path) } : {}),
  };
}

/** The outermost array that a part is in, and the way from there; itself when it is in none. */
function nameAndPath(variable: Variable): { readonly named: Variable; readonly path?: Path } {
  let named = variable;
  for (let at = variable.parent; at; at = at.parent) if (at.isArray) named = at;
  const path: PathStep[] = [];
  for (let at = variable; at !== named; at = at.parent!)
    path.unshift(
      at.parent!.isArray ? { kind: 'index', value: Number(at.name) } : { kind: 'component', value: at.name },
    );
  const [first, ...rest] = path;
  return first ? { named, path: [first, ...rest] } : { named };
}

/** `LD/LN$name` as a name, `@name` as one of the association. */
export function listNameOf(reference: string): ObjectName | undefined {
  if (reference.startsWith('@')) return { kind: 'association', value: reference.slice(1) };
  const slash = reference.indexOf('/');
  if (slash < 1) return undefined;
  return { kind: 'domain', value: { domain: reference.slice(0, slash), item: reference.slice(slash + 1) } };
}

/** Follows names down; in an array on the way to the element that is meant. */
function memberIn(node: Variable | undefined, names: readonly string[], ix: number | undefined): Variable | undefined {
  const element = (at: Variable | undefined) => (at?.isArray && ix !== undefined ? at.parts[ix] : at);
  return names.reduce((at, name) => element(at?.part(name)), node);
}

/** Elements of arrays by index, and parts of structures by name (ISO 9506-2 § 14.5). @returns undefined when it leads nowhere */
export function select(variable: Variable, access: AlternateAccess | undefined): Data | undefined {
  if (!access) return variable.data;
  const results = access.map((step): Data | undefined =>
    selectOne(variable, step.kind === 'named' ? step.value.access : step),
  );
  if (results.some((result) => result === undefined)) return undefined;
  return results.length === 1 ? results[0] : { kind: 'structure', value: results as Data[] };
}

type Step = Exclude<AlternateAccess[number], { kind: 'named' }>;

function selectOne(variable: Variable, step: Step): Data | undefined {
  switch (step.kind) {
    case 'component':
    case 'index':
      return partOf(variable, step)?.data;
    case 'indexRange': {
      const { lowIndex, numberOfElements } = step.value;
      const parts = variable.isArray ? variable.parts.slice(lowIndex, lowIndex + numberOfElements) : [];
      return parts.length === numberOfElements ? { kind: 'array', value: parts.map(({ data }) => data) } : undefined;
    }
    case 'allElements':
      return variable.isArray ? variable.data : undefined;
    case 'nested': {
      const part = partOf(variable, step.value.select);
      return part && select(part, step.value.access);
    }
  }
}

/** The one part that a path leads to; itself without one. @returns undefined when it leads nowhere, or to several */
export function placeOf(variable: Variable, access: AlternateAccess | undefined): Variable | undefined {
  if (!access) return variable;
  return pathOf(access)?.reduce<Variable | undefined>((at, step) => at && partOf(at, step), variable);
}

function partOf(variable: Variable, step: Exclude<Step, { kind: 'nested' }>): Variable | undefined {
  if (step.kind === 'component') return variable.isArray ? undefined : variable.part(step.value);
  return step.kind === 'index' && variable.isArray ? variable.parts[step.value] : undefined;
}
