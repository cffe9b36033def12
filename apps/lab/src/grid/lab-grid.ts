/**
 * The benchmark network as a grid with real stations: a primary substation with 110 kV busbar, two transformer bays and
 * a sectioned 20 kV busbar with coupler; secondary stations with a load-break switch in each ring cable and a breaker
 * before each load and plant. Beside the model stands what a station engineer would know: which bay holds what, and
 * which RTU watches it.
 */
import type { ConductingEquipment, GridModel, Mrid, SwitchEquipment } from '@enerchain/model';
import {
  DER,
  type DerUnit,
  LINE_TYPES,
  LINES,
  LOADS,
  PV_GROWTH,
  SOURCE,
  STATION_NAMES,
  TRANSFORMER,
} from './cigre-mv.ts';
import { GridBuilder, labMrid } from './grid-builder.ts';

type OfClass<C extends ConductingEquipment['class']> = Extract<ConductingEquipment, { class: C }>;
type Switch = SwitchEquipment;
type EarthingSwitch = OfClass<'GroundDisconnector'>;
type Transformer = OfClass<'PowerTransformer'>;
type Consumer = OfClass<'EnergyConsumer'>;
type Converter = OfClass<'PowerElectronicsConnection'>;

/** A bay as its RTU knows it. */
export interface LabBay {
  /** Short designation, for example `J01`. */
  readonly code: string;
  readonly name: string;
  readonly kind: 'incomer' | 'transformerHigh' | 'transformerLow' | 'coupler' | 'feeder' | 'ring' | 'load' | 'plant';
  readonly nominalVoltage: number;
  /** First the one that carries the bay's name, then disconnectors. */
  readonly switches: readonly Switch[];
  /** Behind the breaker, where a bay unit can move it. */
  readonly earthing?: EarthingSwitch;
  /** Where the current transformers are; absent where none are. */
  readonly terminal?: Mrid;
  readonly equipment?: Mrid;
  /** A: what the bay may carry for good. */
  readonly ratedCurrent?: number;
  readonly transformer?: Transformer;
  readonly converter?: Converter;
}

/** A remote terminal unit and what it watches. */
export interface LabStation {
  /** `rtu-08`; also the id of its endpoint and of its ledger. */
  readonly rtu: string;
  readonly name: string;
  readonly commonAddress: number;
  readonly edge: EdgeName;
  readonly busbar: {
    readonly node: Mrid;
    readonly equipment: Mrid;
    readonly terminal: Mrid;
    readonly nominalVoltage: number;
  };
  readonly bays: readonly LabBay[];
}

export const EDGES = {
  'edge-nord': 'Primary substation and northern feeder',
  'edge-sued': 'Southern ring',
  'edge-west': 'Western ring and overhead feeder',
} as const;
export type EdgeName = keyof typeof EDGES;

export interface LabGrid {
  readonly model: GridModel;
  readonly stations: readonly LabStation[];
}

const MODEL_VERSION = 2;
const EDGE_OF_NODE: Readonly<Record<number, EdgeName>> = {
  2: 'edge-nord',
  3: 'edge-nord',
  4: 'edge-sued',
  5: 'edge-sued',
  6: 'edge-sued',
  7: 'edge-sued',
  8: 'edge-sued',
  9: 'edge-west',
  10: 'edge-west',
  11: 'edge-west',
  13: 'edge-west',
  14: 'edge-west',
};
const UNIT_NAMES: Record<DerUnit, string> = {
  PhotoVoltaicUnit: 'PV plant',
  PowerElectronicsWindUnit: 'Wind farm',
  BatteryUnit: 'Battery',
};
const two = (node: number): string => String(node).padStart(2, '0');
export const stationLabel = (node: number): string => `${two(node)} ${STATION_NAMES[node]}`;

export function buildLabGrid(): LabGrid {
  const builder = new GridBuilder('CIGRE MV', MODEL_VERSION);
  const primary = new PrimarySubstation(builder);
  const secondary = Object.keys(STATION_NAMES).map((key) => new SecondaryStation(builder, Number(key)));
  const stationAt = (node: number): { lineBay(other: number, open: boolean, ratedCurrent: number): LineEnd } =>
    node === 1 || node === 12 ? primary : secondary.find((station) => station.node === node)!;

  for (const { from, to, length, type, open } of LINES) {
    const { r, x, c, ratedCurrent } = LINE_TYPES[type];
    const ends = [
      stationAt(from).lineBay(to, open?.at === from, ratedCurrent),
      stationAt(to).lineBay(from, open?.at === to, ratedCurrent),
    ];
    const line = builder.add<OfClass<'ACLineSegment'>>(
      `line ${two(from)}-${two(to)}`,
      ends.map((end) => end.node),
      {
        class: 'ACLineSegment',
        name: `Line ${from}-${to}${open ? ` (${open.name})` : ''}`,
        r: r * length,
        x: x * length,
        bch: 2 * Math.PI * 50 * c * 1e-9 * length,
        length,
        ratedCurrent,
      },
    );
    ends.forEach((end, index) => {
      end.connect(line.terminals[index]!.mRID, line.mRID);
    });
  }
  const stations = [...primary.stations(), ...secondary.map((station) => station.station())];
  return { model: builder.model, stations };
}

/** One end of a line: the node it starts from, and the bay that is told what hangs there. */
interface LineEnd {
  readonly node: Mrid;
  connect(terminal: Mrid, equipment: Mrid): void;
}

type Draft = { -readonly [K in keyof LabBay]: LabBay[K] };

function lineEnd(node: Mrid, bay: Draft): LineEnd {
  return {
    node,
    connect: (terminal, equipment) => {
      bay.terminal = terminal;
      bay.equipment = equipment;
    },
  };
}

/** What the stations have in common: bays with a switch between the busbar and a node of their own. */
class Busbar {
  readonly path: string;
  readonly level: Mrid;
  readonly node: Mrid;
  readonly section: OfClass<'BusbarSection'>;
  readonly nominalVoltage: number;
  readonly bays: Draft[] = [];
  readonly #builder: GridBuilder;

  constructor(builder: GridBuilder, path: string, name: string, level: Mrid, nominalVoltage: number) {
    this.#builder = builder;
    this.path = path;
    this.level = level;
    this.nominalVoltage = nominalVoltage;
    this.node = builder.node(`${path}/busbar`, level);
    this.section = builder.add<OfClass<'BusbarSection'>>(`${path}/busbar`, [this.node], {
      class: 'BusbarSection',
      name,
      container: level,
    });
  }

  /** A bay with its switch towards the busbar. @returns the node behind the switch, and the bay to be completed */
  bay(
    code: string,
    name: string,
    kind: LabBay['kind'],
    switchClass: Switch['class'],
    options: { open?: boolean; ratedCurrent?: number; disconnector?: boolean; earthing?: boolean; onto?: Mrid } = {},
  ): { node: Mrid; bay: Draft; container: Mrid } {
    const path = `${this.path}/${code}`;
    const container = this.#builder.bay(path, `${code} ${name}`, this.level);
    const rated = options.ratedCurrent === undefined ? {} : { ratedCurrent: options.ratedCurrent };
    const switches: Switch[] = [];
    let from = this.node;
    if (options.disconnector) {
      const between = this.#builder.node(`${path}/disconnector side`, this.level);
      switches.push(
        this.#builder.add<Switch>(`${path}/Q1`, [from, between], {
          class: 'Disconnector',
          name: `${code} Q1`,
          container,
          normalOpen: false,
        }),
      );
      from = between;
    }
    const node = options.onto ?? this.#builder.node(`${path}/out`, this.level);
    switches.unshift(
      this.#builder.add<Switch>(`${path}/Q0`, [from, node], {
        class: switchClass,
        name: `${code} Q0`,
        container,
        normalOpen: options.open ?? false,
        ...rated,
      }),
    );
    const earthing = options.earthing
      ? {
          earthing: this.#builder.add<EarthingSwitch>(`${path}/Q8`, [node], {
            class: 'GroundDisconnector',
            name: `${code} Q8`,
            container,
            normalOpen: true,
          }),
        }
      : {};
    const bay: Draft = { code, name, kind, nominalVoltage: this.nominalVoltage, switches, ...earthing, ...rated };
    this.bays.push(bay);
    return { node, bay, container };
  }

  load(code: string, node: number, index: number, earthing = false): void {
    const { kind, s, cosPhi } = LOADS.filter((load) => load.node === node)[index]!;
    const name = kind === 'residential' ? 'Residential' : 'Commercial and industrial';
    const {
      node: out,
      bay,
      container,
    } = this.bay(code, name, 'load', 'Breaker', {
      ratedCurrent: Math.ceil((s * 1250) / (Math.sqrt(3) * this.nominalVoltage) / 10) * 10,
      earthing,
    });
    const consumer = this.#builder.add<Consumer>(`${this.path}/${code}/consumer`, [out], {
      class: 'EnergyConsumer',
      name: `${name} ${node}`,
      container,
      p: s * cosPhi,
      q: s * Math.sqrt(1 - cosPhi * cosPhi),
      customerKind: kind,
    });
    bay.terminal = consumer.terminals[0]!.mRID;
    bay.equipment = consumer.mRID;
  }

  plant(code: string, node: number, index: number): void {
    const { unit, p: published } = DER.filter((der) => der.node === node)[index]!;
    const p = unit === 'PhotoVoltaicUnit' ? published * PV_GROWTH : published;
    const {
      node: out,
      bay,
      container,
    } = this.bay(code, UNIT_NAMES[unit], 'plant', 'Breaker', {
      ratedCurrent: Math.ceil((p * 1250) / (Math.sqrt(3) * this.nominalVoltage) / 10) * 10,
    });
    const converter = this.#builder.add<Converter>(`${this.path}/${code}/converter`, [out], {
      class: 'PowerElectronicsConnection',
      name: `${UNIT_NAMES[unit]} ${node}`,
      container,
      unit,
      ratedS: p * 1.1,
      maxP: p,
      minP: unit === 'BatteryUnit' ? -p : 0,
      ...(unit === 'BatteryUnit' ? { ratedE: p * 2 } : {}),
    });
    bay.terminal = converter.terminals[0]!.mRID;
    bay.equipment = converter.mRID;
    bay.converter = converter;
  }

  /** The RTU's view of this busbar. */
  station(rtu: string, name: string, commonAddress: number, edge: EdgeName): LabStation {
    return {
      rtu,
      name,
      commonAddress,
      edge,
      busbar: {
        node: this.node,
        equipment: this.section.mRID,
        terminal: this.section.terminals[0]!.mRID,
        nominalVoltage: this.nominalVoltage,
      },
      bays: this.bays,
    };
  }
}

/** 110 kV busbar with incomer and two transformer bays; 20 kV sections A (benchmark node 1) and B (node 12). */
class PrimarySubstation {
  readonly #high: Busbar;
  readonly #sections: readonly [Busbar, Busbar];

  constructor(builder: GridBuilder) {
    const substation = builder.substation('primary', 'Brunnfeld substation');
    const level110 = builder.voltageLevel('primary/110', 'Brunnfeld 110 kV', substation, 110);
    const level20 = builder.voltageLevel('primary/20', 'Brunnfeld 20 kV', substation, 20);
    this.#high = new Busbar(builder, 'primary/110', '110 kV busbar', level110, 110);
    const incomer = this.#high.bay('E01', '110 kV grid', 'incomer', 'Breaker', {
      disconnector: true,
      ratedCurrent: 600,
    });
    const source = builder.add<OfClass<'ExternalNetworkInjection'>>('primary/source', [incomer.node], {
      class: 'ExternalNetworkInjection',
      name: '110 kV grid',
      container: incomer.container,
      voltage: 110 * SOURCE.voltage,
      maxS: SOURCE.maxS,
    });
    incomer.bay.terminal = source.terminals[0]!.mRID;
    incomer.bay.equipment = source.mRID;

    this.#sections = [
      new Busbar(builder, 'primary/20/A', '20 kV section A', level20, 20),
      new Busbar(builder, 'primary/20/B', '20 kV section B', level20, 20),
    ];
    const zBase = TRANSFORMER.ratedHigh ** 2 / TRANSFORMER.ratedS;
    const vkx = Math.sqrt(TRANSFORMER.vk ** 2 - TRANSFORMER.vkr ** 2);
    const current = (kV: number): number => Math.round((TRANSFORMER.ratedS * 1000) / (Math.sqrt(3) * kV));
    this.#sections.forEach((section, index) => {
      const name = `Transformer T${index + 1}`;
      const high = this.#high.bay(`E0${index + 2}`, `T${index + 1}`, 'transformerHigh', 'Breaker', {
        disconnector: true,
        earthing: index === 1,
        ratedCurrent: current(110),
      });
      const low = section.bay(`J${index}0`, `T${index + 1}`, 'transformerLow', 'Breaker', {
        ratedCurrent: current(20),
      });
      const transformer = builder.add<Transformer>(`primary/T${index + 1}`, [high.node, low.node], {
        class: 'PowerTransformer',
        name,
        container: substation,
        ends: [
          {
            ratedU: TRANSFORMER.ratedHigh,
            ratedS: TRANSFORMER.ratedS,
            r: (TRANSFORMER.vkr / 100) * zBase,
            x: (vkx / 100) * zBase,
            g: 0,
            b: 0,
          },
          { ratedU: TRANSFORMER.ratedLow, ratedS: TRANSFORMER.ratedS, r: 0, x: 0, g: 0, b: 0 },
        ],
        ratioTapChanger: {
          mRID: labMrid(`primary/T${index + 1}/tap changer`),
          end: 0,
          lowStep: -9,
          highStep: 9,
          neutralStep: 0,
          normalStep: 0,
          stepVoltageIncrement: 1.67,
        },
        vectorGroup: TRANSFORMER.vectorGroup,
      });
      for (const [end, { bay }] of [high, low].entries()) {
        bay.terminal = transformer.terminals[end]!.mRID;
        bay.equipment = transformer.mRID;
        bay.transformer = transformer;
      }
      const node = index === 0 ? 1 : 12;
      section.load(`J${index}2`, node, 0, index === 1);
      section.load(`J${index}3`, node, 1);
    });
    this.#sections[0].bay('J09', 'Bus coupler', 'coupler', 'Breaker', {
      open: true,
      ratedCurrent: 1250,
      onto: this.#sections[1].node,
    });
  }

  lineBay(other: number, open: boolean, ratedCurrent: number): LineEnd {
    const index = other === 2 ? 0 : 1;
    const feeder = this.#sections[index]!.bay(
      `J${index}1`,
      `Feeder ${index + 1} to ${stationLabel(other)}`,
      'feeder',
      'Breaker',
      { open, ratedCurrent, earthing: index === 1 },
    );
    return lineEnd(feeder.node, feeder.bay);
  }

  stations(): LabStation[] {
    return [
      this.#high.station('rtu-01-110', 'Brunnfeld 110 kV', 1, 'edge-nord'),
      this.#sections[0].station('rtu-01-a', 'Brunnfeld 20 kV A', 2, 'edge-nord'),
      this.#sections[1].station('rtu-01-b', 'Brunnfeld 20 kV B', 3, 'edge-nord'),
    ];
  }
}

class SecondaryStation {
  readonly node: number;
  readonly #busbar: Busbar;
  #lines = 0;

  constructor(builder: GridBuilder, node: number) {
    this.node = node;
    const substation = builder.substation(two(node), stationLabel(node));
    const level = builder.voltageLevel(`${two(node)}/20`, `${stationLabel(node)} 20 kV`, substation, 20);
    this.#busbar = new Busbar(builder, two(node), `${stationLabel(node)} busbar`, level, 20);
    LOADS.filter((load) => load.node === node).forEach((_, index) => {
      this.#busbar.load(`L${index + 1}`, node, index);
    });
    DER.filter((der) => der.node === node).forEach((_, index) => {
      this.#busbar.plant(`G${index + 1}`, node, index);
    });
  }

  lineBay(other: number, open: boolean, ratedCurrent: number): LineEnd {
    const name = other === 1 || other === 12 ? 'Brunnfeld' : stationLabel(other);
    const { node, bay } = this.#busbar.bay(`R${++this.#lines}`, `Ring to ${name}`, 'ring', 'LoadBreakSwitch', {
      open,
      ratedCurrent,
    });
    return lineEnd(node, bay);
  }

  station(): LabStation {
    return this.#busbar.station(
      `rtu-${two(this.node)}`,
      stationLabel(this.node),
      100 + this.node,
      EDGE_OF_NODE[this.node]!,
    );
  }
}
