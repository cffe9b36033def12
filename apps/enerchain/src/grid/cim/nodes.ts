/**
 * Containers and nodes. A terminal stands at its connectivity node; where a model has none (bus-branch), at its topological
 * node; and where one authority has the one and its neighbour the other, both meet at the connectivity node that the
 * topological one holds.
 */
import type { GridModel, Mrid } from '@enerchain/model';
import type { CimSource } from './source.ts';

/** What the files call a bus: its own identifier, and the nodes of the grid that are in it. */
export interface TopologicalNode {
  /** As the file has it, without a leading underscore. */
  readonly id: string;
  readonly name: string;
  readonly nodes: readonly Mrid[];
}

type Level = GridModel['voltageLevels'][number];

export class Nodes {
  readonly substations: GridModel['substations'] = [];
  readonly voltageLevels: GridModel['voltageLevels'] = [];
  readonly bays: GridModel['bays'] = [];
  readonly connectivityNodes: GridModel['connectivityNodes'] = [];
  readonly #source: CimSource;
  /** Terminals of equipment, by their sequence number. */
  readonly #terminals: Map<number, number[]>;
  readonly #levels = new Map<number, Level>();
  /** Container of the grid by object: substation, level, bay. */
  readonly #containers = new Map<number, Mrid>();
  /** Node of the grid by object. */
  readonly #nodes = new Map<number, { readonly mRID: Mrid; readonly level: Level }>();
  /** Object that stands for a topological node. */
  readonly #standsFor = new Map<number, number>();
  /** Topological node → nodes that are in it, and back. */
  readonly #within = new Map<number, Set<number>>();
  readonly #busOf = new Map<number, number>();
  /** Voltage levels made for lines, by station and voltage. */
  readonly #lineLevels = new Map<string, Level>();

  constructor(source: CimSource) {
    this.#source = source;
    this.#terminals = source.referring(['Terminal'], 'Terminal.ConductingEquipment', 'ACDCTerminal.sequenceNumber');
    this.#stations();
    this.#place(this.#used());
  }

  terminals(equipment: number): readonly number[] {
    return this.#terminals.get(equipment) ?? [];
  }

  /** Object of the node at which a terminal stands. */
  at(terminal: number): number | undefined {
    const { store } = this.#source;
    const node = store.reference(terminal, 'Terminal.ConnectivityNode');
    if (node !== undefined && this.#nodes.has(node)) return node;
    const bus = store.reference(terminal, 'Terminal.TopologicalNode');
    if (bus === undefined) return undefined;
    const stand = this.#standsFor.get(bus) ?? bus;
    return this.#nodes.has(stand) ? stand : undefined;
  }

  mrid(node: number): Mrid {
    return this.#nodes.get(node)!.mRID;
  }
  level(node: number): Level {
    return this.#nodes.get(node)!.level;
  }

  /** Container of equipment as the grid has it: substation, voltage level or bay. */
  container(object: number): { container?: Mrid } {
    const holder = this.#source.store.reference(object, 'Equipment.EquipmentContainer');
    const container = holder === undefined ? undefined : this.#containers.get(holder);
    return container === undefined ? {} : { container };
  }

  /** Nodes in a topological node; none when it is not in the grid. */
  within(bus: number): Mrid[] {
    return [...(this.#within.get(bus) ?? [])].map((node) => this.mrid(node));
  }

  topologicalNodes(): TopologicalNode[] {
    const { store } = this.#source;
    return [...this.#within].map(([bus, nodes]) => ({
      id: store.key(bus).replace(/^_/, ''),
      name: this.#source.name(bus),
      nodes: [...nodes].map((node) => this.mrid(node)),
    }));
  }

  #stations(): void {
    const source = this.#source;
    const { store } = source;
    for (const object of store.ofClass('Substation')) {
      this.substations.push(source.head(object));
      this.#containers.set(object, source.mrid(object));
    }
    for (const object of store.ofClass('VoltageLevel')) {
      const substation = store.reference(object, 'VoltageLevel.Substation');
      const nominalVoltage = this.#nominal(object, 'VoltageLevel.BaseVoltage');
      if (substation === undefined || store.class(substation) !== 'Substation') {
        source.leave(object, 'it is in no substation', 'VoltageLevel.Substation');
      } else if (nominalVoltage === undefined) {
        source.leave(object, 'its nominal voltage is not known', 'VoltageLevel.BaseVoltage');
      } else {
        const band = source.numbers(object, 'VoltageLevel', 'lowVoltageLimit', 'highVoltageLimit');
        const level = { ...source.head(object), substation: source.mrid(substation), nominalVoltage, ...band };
        this.voltageLevels.push(level);
        this.#levels.set(object, level);
        this.#containers.set(object, level.mRID);
      }
    }
    for (const object of store.ofClass('Bay')) {
      const holder = store.reference(object, 'Bay.VoltageLevel');
      const level = holder === undefined ? undefined : this.#levels.get(holder);
      if (!level) continue;
      this.bays.push({ ...source.head(object), voltageLevel: level.mRID });
      this.#containers.set(object, source.mrid(object));
      this.#levels.set(object, level);
    }
  }

  /** kV of the base voltage that an object refers to. */
  #nominal(object: number, property: string): number | undefined {
    const base = this.#source.store.reference(object, property);
    const kilovolts = base === undefined ? undefined : this.#source.store.number(base, 'BaseVoltage.nominalVoltage');
    return kilovolts !== undefined && kilovolts > 0 ? kilovolts : undefined;
  }

  /** Objects that are nodes of the grid; fills what stands for which topological node. */
  #used(): number[] {
    const { store } = this.#source;
    const touched = new Set<number>();
    const busOf = this.#busOf;
    for (const node of store.ofClass('ConnectivityNode')) {
      const bus = store.reference(node, 'ConnectivityNode.TopologicalNode');
      if (bus !== undefined) busOf.set(node, bus);
    }
    for (const terminal of store.ofClass('Terminal')) {
      const node = store.reference(terminal, 'Terminal.ConnectivityNode');
      if (node === undefined || store.class(node) !== 'ConnectivityNode') continue;
      touched.add(node);
      const bus = store.reference(terminal, 'Terminal.TopologicalNode');
      if (bus !== undefined && !busOf.has(node)) busOf.set(node, bus);
    }
    const used: number[] = [];
    for (const node of store.ofClass('ConnectivityNode')) {
      const bus = busOf.get(node);
      // A boundary names its connectivity nodes even where nobody uses them.
      if (!touched.has(node) && bus !== undefined) continue;
      used.push(node);
      if (bus === undefined) continue;
      if (!this.#standsFor.has(bus)) this.#standsFor.set(bus, node);
      this.#put(bus, node);
    }
    for (const bus of store.ofClass('TopologicalNode')) {
      if (this.#standsFor.has(bus)) continue;
      used.push(bus);
      busOf.set(bus, bus);
      this.#put(bus, bus);
    }
    return used;
  }

  #put(bus: number, node: number): void {
    const nodes = this.#within.get(bus);
    if (nodes) nodes.add(node);
    else this.#within.set(bus, new Set([node]));
  }

  #place(used: readonly number[]): void {
    const { store } = this.#source;
    let terminalsAt: Map<number, number[]> | undefined;
    for (const node of used) {
      const property = `${store.class(node)}.ConnectivityNodeContainer`;
      const holder = store.reference(node, property);
      let level = holder === undefined ? undefined : this.#levels.get(holder);
      if (!level && (holder === undefined || store.class(holder) !== 'VoltageLevel')) {
        terminalsAt ??= this.#byNode();
        level = this.#lineLevel(node, holder, terminalsAt.get(node) ?? []);
      }
      if (level) {
        const head = this.#source.head(node);
        this.#nodes.set(node, { mRID: head.mRID, level });
        this.connectivityNodes.push({ ...head, voltageLevel: level.mRID });
        continue;
      }
      this.#within.get(this.#busOf.get(node) ?? -1)?.delete(node);
      this.#source.leave(node, 'it is in no voltage level and its nominal voltage is not known', property);
    }
  }

  #byNode(): Map<number, number[]> {
    const { store } = this.#source;
    const found = new Map<number, number[]>();
    for (const terminal of store.ofClass('Terminal')) {
      for (const property of ['Terminal.ConnectivityNode', 'Terminal.TopologicalNode']) {
        const node = store.reference(terminal, property);
        if (node === undefined) continue;
        const list = found.get(node);
        if (list) list.push(terminal);
        else found.set(node, [terminal]);
      }
    }
    return found;
  }

  /** A node in a Line (boundary, tee) or in nothing at all gets a voltage level of its own. */
  #lineLevel(node: number, holder: number | undefined, terminals: readonly number[]): Level | undefined {
    const source = this.#source;
    const { store } = source;
    const bus = this.#busOf.get(node);
    const candidates = [
      bus === undefined ? undefined : this.#nominal(bus, 'TopologicalNode.BaseVoltage'),
      ...terminals.map((terminal) => this.#ofEquipment(terminal)),
    ];
    const nominalVoltage = candidates.find((kilovolts) => kilovolts !== undefined);
    if (nominalVoltage === undefined) return undefined;
    const line = holder !== undefined && (store.class(holder) === 'Line' || this.#containers.has(holder));
    const owner = line ? holder : node;
    if (!this.#containers.has(owner)) {
      const station = line ? source.mrid(owner) : source.derive(`station of ${store.key(node)}`);
      this.substations.push({ mRID: station, name: source.name(owner), line: true });
      this.#containers.set(owner, station);
    }
    const substation = this.#containers.get(owner)!;
    const name = `${nominalVoltage} kV`;
    const key = `${name} of ${store.key(owner)}`;
    const known = this.#lineLevels.get(key);
    if (known) return known;
    const level = {
      mRID: source.derive(`voltage level ${key}`),
      name,
      substation,
      nominalVoltage,
    };
    this.voltageLevels.push(level);
    this.#lineLevels.set(key, level);
    return level;
  }

  /** kV that the equipment at a terminal says, of itself or of its end there. */
  #ofEquipment(terminal: number): number | undefined {
    const { store } = this.#source;
    const equipment = store.reference(terminal, 'Terminal.ConductingEquipment');
    if (equipment === undefined) return undefined;
    if (store.class(equipment) === 'PowerTransformer') return undefined;
    const own = this.#nominal(equipment, 'ConductingEquipment.BaseVoltage');
    if (own !== undefined) return own;
    const holder = store.reference(equipment, 'Equipment.EquipmentContainer');
    return holder === undefined ? undefined : this.#levels.get(holder)?.nominalVoltage;
  }
}
