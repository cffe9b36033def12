/**
 * The grid model of the platform out of a CIM model (CGMES 3.0 and 2.4.15: EQ, EQBD, SSH, TP, SV, DL). What the platform's
 * model has no place for is left out as a whole and named: a grid without some of its machines is another grid, and
 * whoever stores it should know.
 */
import type { CimModel, Findings } from '@enerchain/cim';
import { type ConductingEquipment, type GridModel, type GridModelHeader, type Mrid, uuidV5 } from '@enerchain/model';
import { replacedInjections } from './cim/boundary.ts';
import { Controls } from './cim/control.ts';
import { diagramOf } from './cim/diagram.ts';
import { type Head, Injections } from './cim/injections.ts';
import { Limits } from './cim/limits.ts';
import { Nodes, type TopologicalNode } from './cim/nodes.ts';
import { Shunts } from './cim/shunts.ts';
import { type Solution, solutionOf } from './cim/solution.ts';
import { CimSource, type LeftOut } from './cim/source.ts';
import { Transformers } from './cim/transformers.ts';

export type { TopologicalNode } from './cim/nodes.ts';
export type { Solution } from './cim/solution.ts';
export type { LeftOut } from './cim/source.ts';

export interface ConversionOptions {
  readonly name: string;
  /** Hz; CIM does not say it. */
  readonly frequency: number;
  /**
   * Whether what the solution (SV) has of steps, sections, switches and equipment in service goes before the hypothesis
   * (SSH). Default: false.
   */
  readonly solved?: boolean;
}

export interface Conversion {
  readonly grid: GridModel;
  /** What is not in the grid and changes it. */
  readonly leftOut: readonly LeftOut[];
  /** All that was left out or understood otherwise than one might think, each with its place. */
  readonly findings: Findings;
  /** How many identifiers are no UUIDs and got one that follows from them. */
  readonly derived: number;
  /** The buses as the files (TP) have them; empty without TP. */
  readonly topologicalNodes: readonly TopologicalNode[];
  /** What SV says; absent without SV. */
  readonly solution?: Solution;
}

/** Never throws for what a file says. */
export function gridFromCim(model: CimModel, options: ConversionOptions): Conversion {
  return new Converter(model, options).convert();
}

type Equipment = ConductingEquipment;
type Terminals = Equipment['terminals'];

const nodeOf = (equipment: readonly Equipment[]): Map<Mrid, Mrid> =>
  new Map(equipment.flatMap(({ terminals }) => terminals.map((each) => [each.mRID, each.connectivityNode])));

/** Without effect on the balanced power flow. */
const EARTHING = ['GroundingImpedance', 'PetersenCoil', 'EarthFaultCompensator'];
const WITHOUT_EFFECT = ['BusbarSection', 'Junction', 'Connector', 'Clamp', 'Ground', 'GroundDisconnector'];
const SWITCHES = {
  Breaker: 'Breaker',
  DisconnectingCircuitBreaker: 'Breaker',
  LoadBreakSwitch: 'LoadBreakSwitch',
  Disconnector: 'Disconnector',
  Fuse: 'Fuse',
  Jumper: 'Jumper',
  Recloser: 'Recloser',
  Sectionaliser: 'Sectionaliser',
  Switch: 'Switch',
  ProtectedSwitch: 'Switch',
  Cut: 'Switch',
} as const;

/** What was calculated from the numbers of a file may have left the range of numbers. */
const boundless = (value: unknown): boolean =>
  typeof value === 'number'
    ? !Number.isFinite(value)
    : typeof value === 'object' && value !== null && Object.values(value).some(boundless);

class Converter {
  readonly #options: ConversionOptions;
  readonly #source: CimSource;
  readonly #nodes: Nodes;
  readonly #controls: Controls;
  readonly #limits: Limits;
  readonly #transformers: Transformers;
  readonly #injections: Injections;
  readonly #shunts: Shunts;
  readonly #solution: Solution | undefined;
  /** SvSwitch.open and SvStatus.inService. */
  readonly #solvedOpen = new Map<number, boolean>();
  readonly #solvedService = new Map<number, boolean>();

  constructor(model: CimModel, options: ConversionOptions) {
    this.#options = options;
    const solved = options.solved ?? false;
    const source = new CimSource(model);
    this.#source = source;
    this.#nodes = new Nodes(source);
    this.#controls = new Controls(source, this.#nodes);
    this.#limits = new Limits(source);
    this.#transformers = new Transformers(source, this.#controls, solved);
    this.#solution = solutionOf(source, this.#nodes);
    const settled = solved ? this.#solution : undefined;
    this.#injections = new Injections(source, this.#nodes, this.#controls, settled);
    this.#shunts = new Shunts(source, this.#controls, settled);
    if (!solved) return;
    const { store } = source;
    for (const [name, to, of, into] of [
      ['SvSwitch', 'Switch', 'open', this.#solvedOpen],
      ['SvStatus', 'ConductingEquipment', 'inService', this.#solvedService],
    ] as const) {
      for (const object of store.ofClass(name)) {
        const equipment = store.reference(object, `${name}.${to}`);
        const value = store.boolean(object, `${name}.${of}`);
        if (equipment !== undefined && value !== undefined) into.set(equipment, value);
      }
    }
  }

  convert(): Conversion {
    const source = this.#source;
    const { model, store } = source;
    const { substations, voltageLevels, bays, connectivityNodes } = this.#nodes;
    const replaced = replacedInjections(source, this.#nodes);
    const equipment: Equipment[] = [];
    for (const name of model.schema.family('ConductingEquipment')) {
      for (const object of store.ofClass(name)) {
        if (replaced.has(object)) {
          source.ignore(object, 'it stands for a neighbour that is in the model itself');
          continue;
        }
        const converted = this.#equipment(object, name);
        if (typeof converted === 'string') source.leave(object, converted);
        else if (converted) {
          equipment.push(converted);
          source.keep(object);
          for (const terminal of this.#nodes.terminals(object)) source.keep(terminal);
        }
      }
    }
    this.#directCurrent();
    const kept = this.#uncontrolled(equipment, this.#controls.prune());
    const { name, frequency } = this.#options;
    if (this.#options.solved && this.#solution) this.#controls.settle(this.#solution, nodeOf(equipment));
    const limits = this.#limits.sets();
    const drawn = diagramOf(source, [substations, voltageLevels, bays, connectivityNodes, kept]);
    const headers = this.#headers();
    const grid: GridModel = {
      mRID: uuidV5(uuidV5('6ba7b811-9dad-11d1-80b4-00c04fd430c8', 'enerchain:cim'), `model ${name}`),
      name,
      version: 1,
      frequency,
      substations,
      voltageLevels,
      bays,
      connectivityNodes,
      equipment: kept,
      ...(this.#controls.list.length > 0 ? { regulatingControls: this.#controls.list } : {}),
      ...(limits.length > 0 ? { operationalLimitSets: limits } : {}),
      ...(drawn.length > 0 ? { diagram: drawn } : {}),
      ...(headers.length > 0 ? { headers } : {}),
      ...(source.derived.length > 0 ? { derivedIdentifiers: [...source.derived] } : {}),
    };
    return {
      grid,
      leftOut: source.leftOut,
      findings: source.findings,
      derived: source.derived.length,
      topologicalNodes: this.#nodes.topologicalNodes(),
      ...(this.#solution ? { solution: this.#solution } : {}),
    };
  }

  /** @returns the equipment; why it is left out; undefined when it is left out without effect */
  #equipment(object: number, name: string): Equipment | string | undefined {
    const source = this.#source;
    const { store } = source;
    if (EARTHING.includes(name)) {
      source.ignore(object, 'it has no part in the balanced power flow');
      return undefined;
    }
    const inService = this.#solvedService.get(object) ?? store.boolean(object, 'Equipment.inService');
    const own = this.#nodes.terminals(object);
    if (own.some((terminal) => this.#nodes.at(terminal) === undefined)) {
      const dead =
        inService === false ||
        WITHOUT_EFFECT.includes(name) ||
        own.every((terminal) => store.boolean(terminal, 'ACDCTerminal.connected') === false);
      if (!dead) return 'a terminal of it has no node';
      source.ignore(object, 'a terminal of it has no node, and it carries nothing');
      return undefined;
    }
    const terminals = own.map((terminal) => this.#terminal(terminal));
    const head: Head = {
      ...source.head(object),
      ...this.#nodes.container(object),
      ...(inService === false ? { inService } : {}),
    };
    const wanted = this.#wanted(name);
    if (wanted > 0 && terminals.length !== wanted) return `it has ${terminals.length} terminals`;
    const converted =
      this.#branch(object, name, head, own, terminals) ??
      this.#injections.convert(object, name, head, terminals) ??
      this.#shunts.convert(object, name, head, terminals);
    if (!converted) return 'the grid model of the platform has no such class';
    return boundless(converted) ? 'a number of it is beyond all bounds' : converted;
  }

  /** Terminals that a class has; 0: those of its own rule. */
  #wanted(name: string): number {
    if (name === 'PowerTransformer' || name === 'GroundDisconnector') return 0;
    return name in SWITCHES || ['ACLineSegment', 'SeriesCompensator', 'EquivalentBranch'].includes(name) ? 2 : 1;
  }

  #terminal(terminal: number): Terminals[number] {
    const connected = this.#source.store.boolean(terminal, 'ACDCTerminal.connected');
    return {
      mRID: this.#source.mrid(terminal),
      connectivityNode: this.#nodes.mrid(this.#nodes.at(terminal)!),
      ...(connected === false ? { connected } : {}),
    };
  }

  #branch(
    object: number,
    name: string,
    head: Head,
    own: readonly number[],
    terminals: Terminals,
  ): Equipment | string | undefined {
    const source = this.#source;
    const { store } = source;
    switch (name) {
      case 'BusbarSection':
      case 'Junction':
      case 'Ground':
        return { class: name, ...head, terminals };
      case 'Connector':
      case 'Clamp':
        return { class: 'Junction', ...head, terminals };
      case 'GroundDisconnector':
        if (terminals.length !== 1 && terminals.length !== 2) return `it has ${terminals.length} terminals`;
        return { class: name, ...head, terminals, ...this.#positions(object) };
      case 'ACLineSegment': {
        const { r, x, bch, gch } = source.numbers(object, name, 'r', 'x', 'bch', 'gch');
        if (r === undefined || x === undefined || bch === undefined) return 'r, x or bch is missing';
        const length = store.number(object, 'Conductor.length');
        return {
          class: name,
          ...head,
          terminals,
          r,
          x,
          bch,
          ...(gch === undefined ? {} : { gch }),
          ...(length === undefined ? {} : { length }),
          ...this.#limits.ratedCurrent(object),
        };
      }
      case 'SeriesCompensator':
      case 'EquivalentBranch': {
        const { r, x, r21, x21 } = source.numbers(object, name, 'r', 'x', 'r21', 'x21');
        if (r === undefined || x === undefined) return 'r or x is missing';
        const impedance = { r, x, ...this.#limits.ratedCurrent(object) };
        if (name === 'SeriesCompensator') return { class: name, ...head, terminals, ...impedance };
        const back = { ...(r21 === undefined ? {} : { r21 }), ...(x21 === undefined ? {} : { x21 }) };
        return { class: name, ...head, terminals, ...impedance, ...back };
      }
      case 'PowerTransformer': {
        const parts = this.#transformers.parts(object, own);
        if (typeof parts === 'string') return parts;
        const { order, ...rest } = parts;
        const vectorGroup = store.text(object, 'PowerTransformer.vectorGroup');
        return {
          class: name,
          ...head,
          terminals: order.map((terminal) => this.#terminal(terminal)),
          ...rest,
          ...(vectorGroup && vectorGroup.length <= 16 ? { vectorGroup } : {}),
        };
      }
      default: {
        if (!(name in SWITCHES)) return undefined;
        const ratedCurrent = store.number(object, 'Switch.ratedCurrent');
        const retained = store.boolean(object, 'Switch.retained');
        return {
          class: SWITCHES[name as keyof typeof SWITCHES],
          ...head,
          terminals,
          ...this.#positions(object),
          ...(retained === undefined ? {} : { retained }),
          ...(ratedCurrent === undefined ? {} : { ratedCurrent }),
        };
      }
    }
  }

  #positions(object: number): { normalOpen: boolean; open?: boolean } {
    const { store } = this.#source;
    const open = this.#solvedOpen.get(object) ?? store.boolean(object, 'Switch.open');
    return {
      normalOpen: store.boolean(object, 'Switch.normalOpen') ?? false,
      ...(open === undefined ? {} : { open }),
    };
  }

  #directCurrent(): void {
    const source = this.#source;
    for (const name of source.model.schema.family('DCConductingEquipment')) {
      for (const object of source.store.ofClass(name)) {
        if (!source.model.schema.isA(name, 'ACDCConverter')) {
          source.ignore(object, 'the DC side of a link is not modelled; its ends stand as injections');
        }
      }
    }
  }

  /** Equipment whose control is gone takes part in none. */
  #uncontrolled(equipment: readonly Equipment[], gone: ReadonlySet<Mrid>): Equipment[] {
    if (gone.size === 0) return equipment as Equipment[];
    const free = <T extends { regulatingControl?: Mrid; controlEnabled?: boolean }>(holder: T): T => {
      if (holder.regulatingControl === undefined || !gone.has(holder.regulatingControl)) return holder;
      const { regulatingControl: _, controlEnabled: __, ...rest } = holder;
      return rest as T;
    };
    return equipment.map((each) => {
      if (each.class !== 'PowerTransformer') return free(each as Equipment & { regulatingControl?: Mrid });
      return {
        ...each,
        ...(each.ratioTapChanger ? { ratioTapChanger: free(each.ratioTapChanger) } : {}),
        ...(each.tapChangers ? { tapChangers: each.tapChangers.map(free) } : {}),
      };
    });
  }

  #headers(): GridModelHeader[] {
    const cut = (text: string | undefined): string | undefined => text?.slice(0, 2_000);
    return this.#source.model.files.flatMap(({ header }) => {
      if (!header) return [];
      const { id, kind, profileUris, dependentOn, supersedes } = header;
      const texts = {
        created: cut(header.created),
        scenarioTime: cut(header.scenarioTime),
        version: cut(header.version),
        modelingAuthoritySet: cut(header.modelingAuthoritySet),
        description: cut(header.description),
      };
      const given = Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== undefined));
      const bounded = (list: readonly string[]) => list.slice(0, 1_000).map((each) => each.slice(0, 500));
      return [
        {
          id: id.slice(0, 500),
          kind,
          profiles: bounded(profileUris),
          dependentOn: bounded(dependentOn),
          supersedes: bounded(supersedes),
          ...given,
        },
      ];
    });
  }
}
