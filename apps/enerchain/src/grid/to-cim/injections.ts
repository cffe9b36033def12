/** Loads, machines, converters and equivalents. */
import type { ConductingEquipment } from '@enerchain/model';
import { controlled, type Said } from './equipment.ts';
import { at, partOf, type Target, type Values } from './target.ts';

type OfClass<C extends ConductingEquipment['class']> = Extract<ConductingEquipment, { class: C }>;
type Machine = OfClass<'SynchronousMachine'>;
type Converter = OfClass<'CsConverter' | 'VsConverter'>;
type Injection = OfClass<
  | 'EnergyConsumer'
  | 'EnergySource'
  | 'PowerElectronicsConnection'
  | 'ExternalNetworkInjection'
  | 'SynchronousMachine'
  | 'AsynchronousMachine'
  | 'EquivalentInjection'
  | 'CsConverter'
  | 'VsConverter'
>;

/** MW and Mvar where a source has no limit, which CIM does not know. */
const NO_LIMIT = 1e6;

export function writeInjection(target: Target, item: Injection): Said {
  switch (item.class) {
    case 'EnergyConsumer':
      return {
        eq: { 'EnergyConsumer.LoadResponse': writeResponse(target, item) },
        ssh: { 'EnergyConsumer.p': item.p, 'EnergyConsumer.q': item.q },
      };
    case 'EnergySource':
      return { ssh: { 'EnergySource.activePower': item.p, 'EnergySource.reactivePower': item.q } };
    case 'PowerElectronicsConnection':
      return connection(target, item);
    case 'ExternalNetworkInjection': {
      const { eq, ssh } = controlled(item);
      return {
        eq: {
          ...eq,
          'ExternalNetworkInjection.governorSCD': 0,
          ...bounds('ExternalNetworkInjection', item, NO_LIMIT),
        },
        ssh: {
          ...ssh,
          'ExternalNetworkInjection.p': item.p ?? 0,
          'ExternalNetworkInjection.q': item.q ?? 0,
          // One without a given power is the source of its island.
          'ExternalNetworkInjection.referencePriority': item.referencePriority ?? (item.p === undefined ? 1 : 0),
        },
      };
    }
    case 'SynchronousMachine':
      return machine(target, item);
    case 'AsynchronousMachine':
      return {
        eq: { 'RotatingMachine.ratedS': item.ratedS },
        ssh: {
          'RotatingMachine.p': item.p,
          'RotatingMachine.q': item.q,
          'RegulatingCondEq.controlEnabled': false,
          'AsynchronousMachine.asynchronousMachineType': item.p < 0 ? 'generator' : 'motor',
        },
      };
    case 'EquivalentInjection': {
      const network = partOf(item.mRID, 'network');
      target.define('EQ', 'EquivalentNetwork', network, item.name, {});
      return {
        eq: {
          'EquivalentEquipment.EquivalentNetwork': at(network),
          'EquivalentInjection.regulationCapability': item.regulationStatus ?? false,
          ...bounds('EquivalentInjection', item, undefined),
        },
        ssh: {
          'EquivalentInjection.p': item.p,
          'EquivalentInjection.q': item.q,
          'EquivalentInjection.regulationStatus': item.regulationStatus,
          'EquivalentInjection.regulationTarget': item.regulationTarget,
        },
      };
    }
    case 'CsConverter':
    case 'VsConverter':
      return converter(item);
  }
}

const bounds = (
  name: string,
  { minP, maxP, minQ, maxQ }: { minP?: number; maxP?: number; minQ?: number; maxQ?: number },
  most: number | undefined,
): Values => ({
  [`${name}.minP`]: minP ?? (most === undefined ? undefined : -most),
  [`${name}.maxP`]: maxP ?? most,
  [`${name}.minQ`]: minQ ?? (most === undefined ? undefined : -most),
  [`${name}.maxQ`]: maxQ ?? most,
});

/** @returns the reference to what a load answers to voltage with, where it does */
function writeResponse(target: Target, { mRID, name, loadResponse }: OfClass<'EnergyConsumer'>): string | undefined {
  if (!loadResponse) return undefined;
  const response = partOf(mRID, 'load response');
  const values = Object.entries(loadResponse).map(([key, value]) => [`LoadResponseCharacteristic.${key}`, value]);
  target.define('EQ', 'LoadResponseCharacteristic', response, name, Object.fromEntries(values));
  return at(response);
}

function connection(target: Target, item: OfClass<'PowerElectronicsConnection'>): Said {
  const { eq, ssh } = controlled(item);
  const of = 'PowerElectronicsConnection';
  const unit = partOf(item.mRID, 'unit');
  // Nobody knows of which kind it is: CIM has no class for that.
  const known = item.unit !== 'PowerElectronicsUnit';
  if (known) {
    const battery = item.unit === 'BatteryUnit';
    target.define('EQ', item.unit, unit, item.name, {
      'PowerElectronicsUnit.minP': item.minP,
      'PowerElectronicsUnit.maxP': item.maxP,
      'BatteryUnit.ratedE': battery ? (item.ratedE ?? 0) : undefined,
    });
    target.add('SSH', battery ? item.unit : 'Equipment', unit, {
      'Equipment.inService': item.inService ?? true,
      'BatteryUnit.batteryState': battery ? stateOf(item.p ?? 0) : undefined,
      'BatteryUnit.storedE': battery ? (item.ratedE ?? 0) / 2 : undefined,
    });
  }
  return {
    eq: {
      ...eq,
      [`${of}.PowerElectronicsUnit`]: known ? at(unit) : undefined,
      [`${of}.ratedS`]: item.ratedS,
      [`${of}.minQ`]: item.minQ,
      [`${of}.maxQ`]: item.maxQ,
    },
    ssh: { ...ssh, [`${of}.p`]: item.p ?? 0, [`${of}.q`]: item.q ?? 0 },
  };
}

/** @param p MW drawn */
const stateOf = (p: number): string => (p > 0 ? 'charging' : p < 0 ? 'discharging' : 'waiting');

function machine(target: Target, item: Machine): Said {
  const { mRID, name, operatingMode = item.p > 0 ? 'motor' : 'generator' } = item;
  const { eq, ssh } = controlled(item);
  return {
    eq: {
      ...eq,
      'RotatingMachine.ratedS': item.ratedS,
      'RotatingMachine.ratedU': item.ratedU,
      'RotatingMachine.GeneratingUnit': writeUnit(target, item),
      'SynchronousMachine.type': operatingMode,
      'SynchronousMachine.minQ': item.minQ,
      'SynchronousMachine.maxQ': item.maxQ,
      'SynchronousMachine.qPercent': item.qPercent,
      'SynchronousMachine.InitialReactiveCapabilityCurve': writeCurve(target, mRID, name, item.reactiveCapabilityCurve),
    },
    ssh: {
      ...ssh,
      'RotatingMachine.p': item.p,
      'RotatingMachine.q': item.q,
      'SynchronousMachine.operatingMode': operatingMode,
      'SynchronousMachine.referencePriority': item.referencePriority ?? 0,
    },
  };
}

/** The generating unit, where something is known of one. */
function writeUnit(target: Target, item: Machine): string | undefined {
  const { unit, minP, maxP, normalPF } = item;
  if (unit === undefined && minP === undefined && maxP === undefined && normalPF === undefined) return undefined;
  const mRID = partOf(item.mRID, 'generating unit');
  const kind = unit ?? 'GeneratingUnit';
  target.define('EQ', kind, mRID, item.name, {
    'GeneratingUnit.minOperatingP': minP ?? -NO_LIMIT,
    'GeneratingUnit.maxOperatingP': maxP ?? NO_LIMIT,
    'WindGeneratingUnit.windGenUnitType': kind === 'WindGeneratingUnit' ? 'onshore' : undefined,
  });
  target.add('SSH', kind, mRID, {
    'Equipment.inService': item.inService ?? true,
    'GeneratingUnit.normalPF': normalPF ?? 0,
  });
  return at(mRID);
}

function writeCurve(
  target: Target,
  owner: string,
  name: string,
  points: Machine['reactiveCapabilityCurve'],
): string | undefined {
  if (!points) return undefined;
  const curve = partOf(owner, 'reactive capability curve');
  target.define('EQ', 'ReactiveCapabilityCurve', curve, name, {
    'Curve.curveStyle': 'straightLineYValues',
    'Curve.xUnit': 'W',
    'Curve.y1Unit': 'VAr',
    'Curve.y2Unit': 'VAr',
  });
  points.forEach(({ p, minQ, maxQ }, index) => {
    target.define('EQ', 'CurveData', partOf(curve, `point ${index + 1}`), undefined, {
      'CurveData.Curve': at(curve),
      'CurveData.xvalue': p,
      'CurveData.y1value': minQ,
      'CurveData.y2value': maxQ,
    });
  });
  return at(curve);
}

/** The AC side; the grid model knows no other. */
function converter(item: Converter): Said {
  const { p, q, ratedS, targetUpcc } = item;
  const voltage = item.class === 'VsConverter' && targetUpcc !== undefined;
  return {
    eq: { 'ACDCConverter.baseS': ratedS },
    ssh: {
      'ACDCConverter.p': p,
      'ACDCConverter.q': q,
      'ACDCConverter.targetPpcc': p,
      ...(item.class === 'VsConverter'
        ? {
            'VsConverter.pPccControl': 'pPcc',
            'VsConverter.qPccControl': voltage ? 'voltagePcc' : 'reactivePcc',
            'VsConverter.targetUpcc': voltage ? targetUpcc : undefined,
            'VsConverter.targetQpcc': voltage ? undefined : q,
          }
        : { 'CsConverter.operatingMode': p > 0 ? 'rectifier' : 'inverter', 'CsConverter.pPccControl': 'activePower' }),
    },
  };
}
