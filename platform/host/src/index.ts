/** What a process needs of the machine it runs on. */
export * from './folder-lock.ts';
