/** Transformers with their ends and tap changers. CGMES has no place for the vector group. */
import { type ConductingEquipment, type TapChanger, tapChangersOf } from '@enerchain/model';
import type { Places } from './containers.ts';
import type { Said } from './equipment.ts';
import { at, partOf, type Target, type Values } from './target.ts';

type Transformer = Extract<ConductingEquipment, { class: 'PowerTransformer' }>;

export function writeTransformer(target: Target, places: Places, transformer: Transformer): Said {
  const { mRID, name, ends, terminals } = transformer;
  ends.forEach(({ ratedU, ratedS, r, x, g, b }, index) => {
    target.define('EQ', 'PowerTransformerEnd', endOf(transformer, index), `${name} ${index + 1}`, {
      'PowerTransformerEnd.PowerTransformer': at(mRID),
      'TransformerEnd.endNumber': index + 1,
      'TransformerEnd.Terminal': at(terminals[index]!.mRID),
      'TransformerEnd.BaseVoltage': at(places.base(places.nominal(terminals[index]!.connectivityNode))),
      'PowerTransformerEnd.ratedU': ratedU,
      'PowerTransformerEnd.ratedS': ratedS > 0 ? ratedS : undefined,
      'PowerTransformerEnd.r': r,
      'PowerTransformerEnd.x': x,
      'PowerTransformerEnd.g': g,
      'PowerTransformerEnd.b': b,
    });
  });
  for (const changer of tapChangersOf(transformer)) writeChanger(target, transformer, changer);
  return {};
}

const endOf = ({ mRID }: Transformer, index: number): string => partOf(mRID, `end ${index + 1}`);

function writeChanger(target: Target, transformer: Transformer, changer: TapChanger): void {
  const { mRID, end, lowStep, highStep, neutralStep, normalStep, step = normalStep } = changer;
  const { ltcFlag = true, regulatingControl, controlEnabled = false } = changer;
  const kind = changer.class ?? 'RatioTapChanger';
  const name = `${transformer.name} ${end + 1}`;
  target.define('EQ', kind, mRID, name, {
    [kind === 'RatioTapChanger' ? 'RatioTapChanger.TransformerEnd' : 'PhaseTapChanger.TransformerEnd']: at(
      endOf(transformer, end),
    ),
    'TapChanger.lowStep': lowStep,
    'TapChanger.highStep': highStep,
    'TapChanger.neutralStep': neutralStep,
    'TapChanger.normalStep': normalStep,
    'TapChanger.neutralU': transformer.ends[end]!.ratedU,
    'TapChanger.ltcFlag': ltcFlag,
    'TapChanger.TapChangerControl': regulatingControl === undefined ? undefined : at(regulatingControl),
    ...ownValues(changer),
    ...writeTable(target, changer, name),
  });
  target.add('SSH', kind, mRID, { 'TapChanger.step': step, 'TapChanger.controlEnabled': controlEnabled });
}

function ownValues(changer: TapChanger): Values {
  switch (changer.class) {
    case 'PhaseTapChangerLinear':
      return {
        'PhaseTapChangerLinear.stepPhaseShiftIncrement': changer.stepPhaseShiftIncrement,
        'PhaseTapChangerLinear.xMin': changer.xMin ?? 0,
        'PhaseTapChangerLinear.xMax': changer.xMax ?? 0,
      };
    case 'PhaseTapChangerSymmetrical':
    case 'PhaseTapChangerAsymmetrical':
      return {
        'PhaseTapChangerNonLinear.voltageStepIncrement': changer.voltageStepIncrement,
        'PhaseTapChangerNonLinear.xMin': changer.xMin ?? 0,
        'PhaseTapChangerNonLinear.xMax': changer.xMax ?? 0,
        'PhaseTapChangerAsymmetrical.windingConnectionAngle':
          changer.class === 'PhaseTapChangerAsymmetrical' ? changer.windingConnectionAngle : undefined,
      };
    case 'PhaseTapChangerTabular':
      return {};
    default:
      return { 'RatioTapChanger.stepVoltageIncrement': changer.stepVoltageIncrement };
  }
}

/** @returns the reference to the table, where there is one */
function writeTable(target: Target, changer: TapChanger, name: string): Values {
  if (!('table' in changer) || !changer.table) return {};
  const of = changer.class === 'PhaseTapChangerTabular' ? 'PhaseTapChanger' : 'RatioTapChanger';
  const table = partOf(changer.mRID, 'table');
  target.define('EQ', `${of}Table`, table, name, {});
  for (const point of changer.table) {
    target.define('EQ', `${of}TablePoint`, partOf(table, `step ${point.step}`), undefined, {
      [`${of}TablePoint.${of}Table`]: at(table),
      'TapChangerTablePoint.step': point.step,
      'TapChangerTablePoint.ratio': point.ratio,
      'TapChangerTablePoint.r': point.r,
      'TapChangerTablePoint.x': point.x,
      'TapChangerTablePoint.g': point.g,
      'TapChangerTablePoint.b': point.b,
      'PhaseTapChangerTablePoint.angle': 'angle' in point ? point.angle : undefined,
    });
  }
  return {
    [of === 'PhaseTapChanger' ? 'PhaseTapChangerTabular.PhaseTapChangerTable' : 'RatioTapChanger.RatioTapChangerTable']:
      at(table),
  };
}
