import type { CimModel } from '../model.ts';
import { checkContainment } from './containment.ts';
import { checkEquipment } from './equipment.ts';
import { checkExchange } from './exchange.ts';
import { checkIslands } from './islands.ts';
import { checkVocabulary } from './vocabulary.ts';

/** Every rule of this package, on a model as it was read; what they find is added to its findings. */
export function checkModel(model: CimModel): void {
  checkExchange(model);
  checkVocabulary(model);
  checkContainment(model);
  checkEquipment(model);
  checkIslands(model);
}
