/** The grid model, part by part. */
export * from './branches.ts';
export { Terminal } from './common.ts';
export * from './containers.ts';
export * from './control.ts';
export { type AtPath, equipmentAt } from './equipment-path.ts';
export * from './grid-model.ts';
export { ModelHeader as GridModelHeader } from './header.ts';
export * from './injections.ts';
export * from './limits.ts';
export { fitOf, isSwitch, measurementTypeOf, type Quantity, quantityOf, wordsOf } from './quantity.ts';
export * from './shunts.ts';
export * from './switches.ts';
export * from './tap-position.ts';
export * from './transformer.ts';
