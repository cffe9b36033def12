/**
 * What a process needs of the machine it runs on: a data folder that is its own. `lockFolder` takes it by a lock of the
 * operating system, which ends with the process however that ends; a folder that is taken is an `EnerchainError`
 * `host.folder.in-use` (fault caller) that names who holds it.
 */
export * from './folder-lock.ts';
