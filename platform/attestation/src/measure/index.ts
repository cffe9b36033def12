export * from './digest.ts';
export * from './hook.ts';
export * from './installation.ts';
export * from './list.ts';
export * from './measurer.ts';
