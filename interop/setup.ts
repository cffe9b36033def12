import type { TestProject } from 'vitest/node';
import { installC104, installIec104Crate, type PeerOrReason } from './peers.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The 104 peers, installed or with the reason why not. */
    readonly iec104Peers: { readonly c104: PeerOrReason; readonly crate: PeerOrReason };
  }
}

/** Installs the peers once, before any test and outside the test workers: the first time takes minutes. */
export default function setup(project: TestProject): void {
  const iec104Peers = { c104: installC104(), crate: installIec104Crate() };
  for (const result of Object.values(iec104Peers))
    if ('missing' in result) console.log(`not installed: ${result.missing}`);
  project.provide('iec104Peers', iec104Peers);
}
