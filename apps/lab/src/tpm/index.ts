/** TPMs for the machines of the lab. */
export { type BootProfile, bootEvents, CHANGED_FIRMWARE, goldenRegisters, LAB_BOOT } from './boot-log.ts';
export { findSwtpm, type SwtpmTools } from './swtpm-tools.ts';
export { type LabTpm, type TpmEvent, TpmFleet, type TpmFleetOptions } from './tpm-fleet.ts';
