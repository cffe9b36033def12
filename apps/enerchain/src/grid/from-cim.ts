/**
 * The grid model of the platform out of a CIM model. What the platform's model has no place for is left out as a whole
 * and named: a grid without some of its machines is another grid, and whoever stores it should know.
 */
import type { CimModel, CimStore } from '@enerchain/cim';
import { type ConductingEquipment, type GridModel, type Mrid, uuidV5 } from '@enerchain/model';

/** Name space of mRIDs made for identifiers that are no UUIDs, itself the version 5 UUID of `enerchain:cim`. */
const CIM_NAMESPACE = uuidV5('6ba7b811-9dad-11d1-80b4-00c04fd430c8', 'enerchain:cim');

export interface LeftOut {
  readonly class: string;
  readonly reason: string;
  readonly count: number;
  /** Name of the first. */
  readonly example: string;
}

export interface Conversion {
  readonly grid: GridModel;
  /** Conducting equipment that is not in the grid. */
  readonly leftOut: readonly LeftOut[];
  /** Objects whose identifier is no UUID and got one that follows from it. */
  readonly derived: number;
}

/** @param frequency in Hz; CIM does not say it */
export function gridFromCim(model: CimModel, options: { name: string; frequency: number }): Conversion {
  return new Converter(model).convert(options);
}

type Equipment = ConductingEquipment;
type Terminals = Equipment['terminals'];

class Converter {
  readonly #model: CimModel;
  readonly #store: CimStore;
  readonly #mrids = new Map<number, Mrid>();
  readonly #leftOut = new Map<string, { reason: string; class: string; count: number; example: string }>();
  /** Voltage level of every node that is in the grid. */
  readonly #levelOfNode = new Map<number, number>();
  readonly #terminals = new Map<number, number[]>();
  readonly #ends = new Map<number, number[]>();
  readonly #tapOfEnd = new Map<number, number>();
  readonly #ratedCurrent = new Map<number, number>();
  #derived = 0;

  constructor(model: CimModel) {
    this.#model = model;
    this.#store = model.store;
  }

  convert({ name, frequency }: { name: string; frequency: number }): Conversion {
    const substations = this.#store
      .ofClass('Substation')
      .map((object) => ({ mRID: this.#mrid(object), name: this.#name(object) }));
    const voltageLevels = this.#levels();
    const levels = new Set(voltageLevels.map(({ mRID }) => mRID));
    const bays = this.#store.ofClass('Bay').flatMap((object) => {
      const level = this.#store.reference(object, 'Bay.VoltageLevel');
      if (level === undefined || !levels.has(this.#mrid(level))) return [];
      return [{ mRID: this.#mrid(object), name: this.#name(object), voltageLevel: this.#mrid(level) }];
    });
    const connectivityNodes = this.#nodes(levels);
    this.#link();
    const equipment: Equipment[] = [];
    const containers = new Set([...substations, ...voltageLevels, ...bays].map(({ mRID }) => mRID));
    for (const className of this.#model.schema.family('ConductingEquipment')) {
      for (const object of this.#store.ofClass(className)) {
        const converted = this.#equipment(object, className, containers);
        if (typeof converted === 'string') this.#leave(object, className, converted);
        else equipment.push(converted);
      }
    }
    const grid: GridModel = {
      mRID: uuidV5(CIM_NAMESPACE, `model ${name}`),
      name,
      version: 1,
      frequency,
      substations,
      voltageLevels,
      bays,
      connectivityNodes,
      equipment,
    };
    const drawn = this.#diagram([...containers, ...[...connectivityNodes, ...equipment].map(({ mRID }) => mRID)]);
    return {
      grid: drawn.length > 0 ? { ...grid, diagram: drawn } : grid,
      leftOut: [...this.#leftOut.values()],
      derived: this.#derived,
    };
  }

  /** The UUID in the identifier, with or without hyphens, else one that follows from it. */
  #mrid(object: number): Mrid {
    let mrid = this.#mrids.get(object);
    if (mrid === undefined) {
      const key = this.#store.key(object);
      const hex = key.replaceAll(/[_-]/g, '').toLowerCase();
      if (/^[0-9a-f]{32}$/.test(hex)) mrid = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
      else {
        mrid = uuidV5(CIM_NAMESPACE, key);
        this.#derived++;
      }
      this.#mrids.set(object, mrid);
    }
    return mrid;
  }

  #name(object: number): string {
    return (this.#store.text(object, 'IdentifiedObject.name')?.trim() || this.#store.key(object)).slice(0, 200);
  }

  #leave(object: number, className: string, reason: string): void {
    const key = `${className} ${reason}`;
    const known = this.#leftOut.get(key);
    if (known) known.count++;
    else this.#leftOut.set(key, { class: className, reason, count: 1, example: this.#name(object) });
  }

  #levels(): GridModel['voltageLevels'] {
    return this.#store.ofClass('VoltageLevel').flatMap((object) => {
      const substation = this.#store.reference(object, 'VoltageLevel.Substation');
      const base = this.#store.reference(object, 'VoltageLevel.BaseVoltage');
      const nominalVoltage = base === undefined ? undefined : this.#store.number(base, 'BaseVoltage.nominalVoltage');
      if (substation === undefined || nominalVoltage === undefined || nominalVoltage <= 0) return [];
      return [
        { mRID: this.#mrid(object), name: this.#name(object), substation: this.#mrid(substation), nominalVoltage },
      ];
    });
  }

  /** Connectivity nodes, or topological nodes where the model has no others (bus-branch). */
  #nodes(levels: ReadonlySet<Mrid>): GridModel['connectivityNodes'] {
    const store = this.#store;
    const nodes: GridModel['connectivityNodes'] = [];
    for (const kind of ['ConnectivityNode', 'TopologicalNode'] as const) {
      for (const object of store.ofClass(kind)) {
        const container = store.reference(object, `${kind}.ConnectivityNodeContainer`);
        const level =
          container === undefined ? undefined : (store.reference(container, 'Bay.VoltageLevel') ?? container);
        if (level === undefined || !levels.has(this.#mrid(level))) continue;
        this.#levelOfNode.set(object, level);
        nodes.push({ mRID: this.#mrid(object), name: this.#name(object), voltageLevel: this.#mrid(level) });
      }
      if (nodes.length > 0) break;
    }
    return nodes;
  }

  /** What refers to equipment instead of being referred to. */
  #link(): void {
    const store = this.#store;
    const collect = (into: Map<number, number[]>, object: number, property: string, order: string): void => {
      const owner = store.reference(object, property);
      if (owner === undefined) return;
      const list = into.get(owner) ?? [];
      list.push(object);
      list.sort((a, b) => (store.number(a, order) ?? 0) - (store.number(b, order) ?? 0));
      into.set(owner, list);
    };
    for (const object of store.ofClass('Terminal')) {
      collect(this.#terminals, object, 'Terminal.ConductingEquipment', 'ACDCTerminal.sequenceNumber');
    }
    for (const object of store.ofClass('PowerTransformerEnd')) {
      collect(this.#ends, object, 'PowerTransformerEnd.PowerTransformer', 'TransformerEnd.endNumber');
    }
    for (const object of store.ofClass('RatioTapChanger')) {
      const end = store.reference(object, 'RatioTapChanger.TransformerEnd');
      if (end !== undefined) this.#tapOfEnd.set(end, object);
    }
    for (const className of this.#model.schema.family('PhaseTapChanger')) {
      for (const object of store.ofClass(className)) {
        const end = store.reference(object, 'PhaseTapChanger.TransformerEnd');
        if (end !== undefined) this.#tapOfEnd.set(end, object);
      }
    }
    for (const limit of store.ofClass('CurrentLimit')) {
      const type = store.reference(limit, 'OperationalLimit.OperationalLimitType');
      const kind =
        type === undefined
          ? undefined
          : (store.text(type, 'OperationalLimitType.kind') ?? store.text(type, 'OperationalLimitType.limitType'));
      const amperes = store.number(limit, 'CurrentLimit.normalValue') ?? store.number(limit, 'CurrentLimit.value');
      const set = store.reference(limit, 'OperationalLimit.OperationalLimitSet');
      if (!kind?.endsWith('.patl') || amperes === undefined || amperes <= 0 || set === undefined) continue;
      const terminal = store.reference(set, 'OperationalLimitSet.Terminal');
      const equipment =
        store.reference(set, 'OperationalLimitSet.Equipment') ??
        (terminal === undefined ? undefined : store.reference(terminal, 'Terminal.ConductingEquipment'));
      if (equipment === undefined) continue;
      this.#ratedCurrent.set(equipment, Math.min(amperes, this.#ratedCurrent.get(equipment) ?? amperes));
    }
  }

  #terminalsOf(object: number): { mRID: Mrid; connectivityNode: Mrid }[] | undefined {
    const terminals: { mRID: Mrid; connectivityNode: Mrid }[] = [];
    for (const terminal of this.#terminals.get(object) ?? []) {
      const node = ['Terminal.ConnectivityNode', 'Terminal.TopologicalNode']
        .map((property) => this.#store.reference(terminal, property))
        .find((candidate) => candidate !== undefined && this.#levelOfNode.has(candidate));
      if (node === undefined) return undefined;
      terminals.push({ mRID: this.#mrid(terminal), connectivityNode: this.#mrid(node) });
    }
    return terminals;
  }

  /** @returns the equipment, or why it is left out */
  #equipment(object: number, className: string, containers: ReadonlySet<Mrid>): Equipment | string {
    const store = this.#store;
    const number = (property: string): number | undefined => store.number(object, property);
    if (store.boolean(object, 'Equipment.inService') === false) return 'it is out of service';
    const own = this.#terminals.get(object) ?? [];
    if (own.some((terminal) => store.boolean(terminal, 'ACDCTerminal.connected') === false)) {
      return 'a terminal of it is disconnected';
    }
    const terminals = this.#terminalsOf(object);
    if (!terminals) return 'a terminal has no node in a voltage level (the boundary has none)';
    const held = store.reference(object, 'Equipment.EquipmentContainer');
    const container = held === undefined ? undefined : this.#mrid(held);
    const head = {
      mRID: this.#mrid(object),
      name: this.#name(object),
      ...(container !== undefined && containers.has(container) ? { container } : {}),
    };
    const ofOne = terminals.length === 1 ? (terminals as Terminals & { length: 1 }) : undefined;
    const ofTwo = terminals.length === 2 ? (terminals as Terminals & { length: 2 }) : undefined;
    const count = `it has ${terminals.length} terminals`;
    switch (className) {
      case 'BusbarSection':
        return ofOne ? { class: className, ...head, terminals: ofOne } : count;
      case 'Breaker':
      case 'DisconnectingCircuitBreaker':
      case 'LoadBreakSwitch':
      case 'Disconnector': {
        if (!ofTwo) return count;
        const ratedCurrent = number('Switch.ratedCurrent');
        return {
          class: className === 'DisconnectingCircuitBreaker' ? 'Breaker' : className,
          ...head,
          terminals: ofTwo,
          normalOpen: store.boolean(object, 'Switch.normalOpen') ?? false,
          ...(ratedCurrent === undefined ? {} : { ratedCurrent }),
        };
      }
      case 'ACLineSegment': {
        const [r, x, bch] = ['r', 'x', 'bch'].map((name) => number(`ACLineSegment.${name}`));
        if (!ofTwo) return count;
        if (r === undefined || x === undefined || bch === undefined) return 'r, x or bch is missing';
        const [gch, length] = [number('ACLineSegment.gch'), number('Conductor.length')];
        const ratedCurrent = this.#ratedCurrent.get(object);
        return {
          class: className,
          ...head,
          terminals: ofTwo,
          r,
          x,
          bch,
          ...(gch === undefined ? {} : { gch }),
          ...(length === undefined ? {} : { length }),
          ...(ratedCurrent === undefined ? {} : { ratedCurrent }),
        };
      }
      case 'PowerTransformer':
        return ofTwo ? this.#transformer(object, head, ofTwo) : count;
      case 'EnergyConsumer':
      case 'ConformLoad':
      case 'NonConformLoad':
      case 'StationSupply':
        if (!ofOne) return count;
        return {
          class: 'EnergyConsumer',
          ...head,
          terminals: ofOne,
          p: number('EnergyConsumer.p') ?? number('EnergyConsumer.pfixed') ?? 0,
          q: number('EnergyConsumer.q') ?? number('EnergyConsumer.qfixed') ?? 0,
        };
      case 'ExternalNetworkInjection':
        return ofOne ? { class: className, ...head, terminals: ofOne, voltage: this.#voltage(object) } : count;
      case 'PowerElectronicsConnection':
        return ofOne ? this.#converter(object, head, ofOne) : count;
      default:
        return 'the grid model of the platform has no such class';
    }
  }

  /** kV held at the terminal: the set-point of a voltage control, else nominal. */
  #voltage(object: number): number {
    const store = this.#store;
    const nominal = this.#nominal(object);
    const control = store.reference(object, 'RegulatingCondEq.RegulatingControl');
    if (control === undefined) return nominal;
    const mode = store.text(control, 'RegulatingControl.mode');
    const target = store.number(control, 'RegulatingControl.targetValue');
    if (mode !== 'RegulatingControlModeKind.voltage' || target === undefined) return nominal;
    const multiplier = store.text(control, 'RegulatingControl.targetValueUnitMultiplier');
    const kilovolts = multiplier === 'UnitMultiplier.none' ? target / 1000 : target;
    // A control may regulate a node of another voltage level; its set-point says nothing here.
    return Math.abs(kilovolts / nominal - 1) < 0.25 ? kilovolts : nominal;
  }

  /** kV at the only terminal. */
  #nominal(object: number): number {
    const store = this.#store;
    const [terminal] = this.#terminals.get(object)!;
    const node =
      store.reference(terminal!, 'Terminal.ConnectivityNode') ?? store.reference(terminal!, 'Terminal.TopologicalNode');
    const base = store.reference(this.#levelOfNode.get(node!)!, 'VoltageLevel.BaseVoltage');
    return store.number(base!, 'BaseVoltage.nominalVoltage')!;
  }

  #transformer(
    object: number,
    head: { mRID: Mrid; name: string; container?: Mrid },
    terminals: Terminals & { length: 2 },
  ): Equipment | string {
    const store = this.#store;
    const own = this.#ends.get(object) ?? [];
    if (own.length !== 2) return `it has ${own.length} windings`;
    const ends: Extract<Equipment, { class: 'PowerTransformer' }>['ends'] = [];
    let ratioTapChanger: Extract<Equipment, { class: 'PowerTransformer' }>['ratioTapChanger'];
    for (const [index, end] of own.entries()) {
      const number = (name: string): number | undefined => store.number(end, `PowerTransformerEnd.${name}`);
      const [ratedU, r, x] = [number('ratedU'), number('r'), number('x')];
      const ratedS = number('ratedS') ?? store.number(own[1 - index]!, 'PowerTransformerEnd.ratedS');
      if (ratedU === undefined || r === undefined || x === undefined) return 'ratedU, r or x of an end is missing';
      if (ratedS === undefined) return 'ratedS is missing';
      ends.push({ ratedU, ratedS, r, x, g: number('g') ?? 0, b: number('b') ?? 0 });
      const tap = this.#tapOfEnd.get(end);
      if (tap === undefined) continue;
      if (store.class(tap) !== 'RatioTapChanger') return 'it shifts the phase';
      if (ratioTapChanger) return 'both ends have a tap changer';
      const of = (name: string): number | undefined => store.number(tap, name);
      const [lowStep, highStep] = [of('TapChanger.lowStep'), of('TapChanger.highStep')];
      const [neutralStep, increment] = [of('TapChanger.neutralStep'), of('RatioTapChanger.stepVoltageIncrement')];
      const normalStep = of('TapChanger.normalStep') ?? neutralStep;
      if (lowStep === undefined || highStep === undefined || neutralStep === undefined || normalStep === undefined) {
        return 'the steps of its tap changer are missing';
      }
      if (increment === undefined) return 'the voltage per step is missing';
      if (store.reference(tap, 'RatioTapChanger.RatioTapChangerTable') !== undefined) {
        return 'its tap changer goes by a table';
      }
      const steps = { lowStep, highStep, neutralStep, normalStep };
      ratioTapChanger = { mRID: this.#mrid(tap), end: index, ...steps, stepVoltageIncrement: increment };
    }
    const vectorGroup = store.text(object, 'PowerTransformer.vectorGroup');
    return {
      class: 'PowerTransformer',
      ...head,
      terminals,
      ends,
      ...(ratioTapChanger ? { ratioTapChanger } : {}),
      ...(vectorGroup && vectorGroup.length <= 16 ? { vectorGroup } : {}),
    };
  }

  #converter(
    object: number,
    head: { mRID: Mrid; name: string; container?: Mrid },
    terminals: Terminals & { length: 1 },
  ): Equipment | string {
    const store = this.#store;
    const unit = store.reference(object, 'PowerElectronicsConnection.PowerElectronicsUnit');
    const kind = unit === undefined ? undefined : store.class(unit);
    if (unit === undefined || kind === undefined) return 'it has no unit behind it';
    if (kind !== 'PhotoVoltaicUnit' && kind !== 'PowerElectronicsWindUnit' && kind !== 'BatteryUnit') {
      return `behind it is a ${kind}`;
    }
    const ratedS = store.number(object, 'PowerElectronicsConnection.ratedS');
    const [maxP, minP] = ['maxP', 'minP'].map((name) => store.number(unit, `PowerElectronicsUnit.${name}`));
    if (ratedS === undefined || maxP === undefined) return 'ratedS or maxP is missing';
    const ratedE = store.number(unit, 'BatteryUnit.ratedE');
    return {
      class: 'PowerElectronicsConnection',
      ...head,
      terminals,
      unit: kind,
      ratedS,
      maxP,
      minP: minP ?? (kind === 'BatteryUnit' ? -maxP : 0),
      ...(ratedE === undefined ? {} : { ratedE }),
    };
  }

  /** Diagram objects of what is in the grid, their points in order. */
  #diagram(among: readonly Mrid[]): NonNullable<GridModel['diagram']> {
    const store = this.#store;
    const drawable = new Set(among);
    const points = new Map<number, { order: number; x: number; y: number }[]>();
    for (const point of store.ofClass('DiagramObjectPoint')) {
      const owner = store.reference(point, 'DiagramObjectPoint.DiagramObject');
      const [x, y] = ['xPosition', 'yPosition'].map((name) => store.number(point, `DiagramObjectPoint.${name}`));
      if (owner === undefined || x === undefined || y === undefined) continue;
      const list = points.get(owner) ?? [];
      list.push({ order: store.number(point, 'DiagramObjectPoint.sequenceNumber') ?? 0, x, y });
      points.set(owner, list);
    }
    const seen = new Set<Mrid>();
    const objects: NonNullable<GridModel['diagram']> = [];
    for (const [drawing, list] of points) {
      const shown = store.reference(drawing, 'DiagramObject.IdentifiedObject');
      if (shown === undefined) continue;
      const object = this.#mrid(shown);
      if (!drawable.has(object) || seen.has(object)) continue;
      seen.add(object);
      const sorted = list.sort((a, b) => a.order - b.order).map(({ x, y }) => ({ x, y }));
      objects.push({ object, points: sorted });
    }
    return objects;
  }
}
