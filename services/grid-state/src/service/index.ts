/** The running service, apart from the calculations: whoever only calculates needs no link, no keys and no store. */
export { LiveGrid, type Solution } from './live-grid.ts';
export { type GridStateHandle, type GridStateOptions, runGridState } from './run.ts';
