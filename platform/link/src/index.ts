/** The protocol between edge, services and centre. README.md states the bytes. */
export * from './batch.ts';
export * from './builder.ts';
export * from './chain.ts';
export * from './content.ts';
export * from './proof.ts';
