/** Rules of the Communication section (IEC 61850-6 § 9.4): addresses that lead somewhere, and to one place only. */
import type { IedModel } from '../model.ts';
import type { ConnectedAp } from '../schema/communication.ts';
import type { Scl } from '../schema/scl.ts';
import { type Tell, unique } from './check.ts';

/** One part of an address: 'IP', 'MAC-Address', 'APPID' … @returns undefined when it is not given or empty */
export function addressPart(address: ConnectedAp['address'], type: string): string | undefined {
  const text = address?.ps.find((p) => p.type === type)?.text;
  return text === '' ? undefined : text;
}

export function checkCommunication(scl: Scl, models: ReadonlyMap<string, IedModel>, tell: Tell): void {
  const subNetworks = unique(
    scl.communication?.subNetworks ?? [],
    ({ name }) => name,
    'Communication',
    'subnetwork',
    tell,
  );
  const taken = new Map<string, string>();
  const once = (key: string, what: string, line: number): void => {
    const before = taken.get(key);
    if (before !== undefined) tell('error', 'address', `${what} has the ${key}, which ${before} has already`, line);
    else taken.set(key, what);
  };
  const addressed = new Set<string>();
  for (const { name: network, connectedAps } of subNetworks) {
    unique(
      connectedAps,
      ({ iedName, apName }) => `${iedName} ${apName}`,
      `subnetwork ${network}`,
      'connection of',
      tell,
    );
    for (const ap of connectedAps) {
      const model = models.get(ap.iedName);
      const at = `${ap.iedName}/${ap.apName}`;
      if (!model) tell('error', 'reference', `subnetwork ${network} connects ${at}, but there is no such IED`, ap.line);
      else if (!model.ied.accessPoints.some(({ name }) => name === ap.apName)) {
        tell('error', 'reference', `subnetwork ${network} connects ${at}, but there is no such access point`, ap.line);
      }
      const ip = addressPart(ap.address, 'IP');
      if (ip !== undefined && ip !== '0.0.0.0') once(`IP address ${ip} in subnetwork ${network}`, at, ap.line);
      for (const [kind, blocks] of [
        ['GSE', ap.gses],
        ['SMV', ap.smvs],
      ] as const) {
        for (const block of blocks) {
          const what = `${kind} ${block.cbName} of ${at}`;
          addressed.add(`${kind} ${ap.iedName} ${block.ldInst} ${block.cbName}`);
          const mac = addressPart(block.address, 'MAC-Address');
          const appId = addressPart(block.address, 'APPID');
          if (mac === undefined || appId === undefined) {
            tell('error', 'address', `${what} has no ${mac === undefined ? 'MAC address' : 'APPID'}`, block.line);
          } else if (!/^([0-9A-F]{2}-){5}[0-9A-F]{2}$/i.test(mac) || !/^[0-9A-F]{1,4}$/i.test(appId)) {
            tell('error', 'address', `${what}: ${mac} with APPID ${appId} is no address`, block.line);
          } else
            once(
              `address ${mac.toUpperCase()} with APPID ${appId.toUpperCase()} in subnetwork ${network}`,
              what,
              block.line,
            );
          const ln0 = model?.devices.find(({ inst }) => inst === block.ldInst)?.lDevice.ln0;
          const controls = kind === 'GSE' ? ln0?.gseControls : ln0?.sampledValueControls;
          if (model && !controls?.some(({ name }) => name === block.cbName)) {
            tell('error', 'reference', `${what} is for a control block that is not there`, block.line);
          }
        }
      }
    }
  }
  if (!scl.communication) return;
  for (const { ied, devices } of models.values()) {
    for (const { inst, name, lDevice } of devices) {
      const missing = (kind: 'GSE' | 'SMV', block: { readonly name: string; readonly line: number }): void => {
        if (addressed.has(`${kind} ${ied.name} ${inst} ${block.name}`)) return;
        tell(
          'warning',
          'address',
          `${block.name} of ${name}/LLN0 has no address in Communication: nobody will hear it`,
          block.line,
        );
      };
      for (const block of lDevice.ln0?.gseControls ?? []) missing('GSE', block);
      for (const block of lDevice.ln0?.sampledValueControls ?? []) missing('SMV', block);
    }
  }
}
