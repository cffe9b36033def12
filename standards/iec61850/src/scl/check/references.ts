/** Rules between IEDs: what logical nodes take from others, and who is told (IEC 61850-6 § 9.3.8, 9.3.13). */
import { find, type IedModel } from '../model.ts';
import type { ExtRef } from '../schema/ied.ts';
import type { Tell } from './check.ts';

export function checkReferences(models: ReadonlyMap<string, IedModel>, tell: Tell): void {
  for (const model of models.values()) {
    for (const device of model.devices) {
      for (const { name, ln } of device.nodes) {
        const where = `${device.name}/${name}`;
        for (const extRef of ln.inputs?.extRefs ?? []) checkExtRef(where, extRef, model, models, tell);
        for (const { name: block, rptEnabled } of ln.reportControls) {
          for (const { iedName, line } of rptEnabled?.clientLns ?? []) {
            if (models.has(iedName) || iedName === '') continue;
            tell(
              'warning',
              'reference',
              `${block} of ${where} is kept for the client ${iedName}, which is not in the file`,
              line,
            );
          }
        }
        for (const { name: block, iedNames } of [...ln.gseControls, ...ln.sampledValueControls]) {
          for (const { text, line } of iedNames) {
            if (!models.has(text))
              tell('warning', 'reference', `${block} of ${where} is for ${text}, which is not in the file`, line);
          }
        }
      }
    }
  }
}

function checkExtRef(
  where: string,
  ref: ExtRef,
  own: IedModel,
  models: ReadonlyMap<string, IedModel>,
  tell: Tell,
): void {
  const { iedName, ldInst, prefix, lnClass, lnInst, doName, daName, line } = ref;
  // Not bound yet: later binding (edition 2.1) leaves the source open.
  if (iedName === undefined || iedName === '') return;
  const source = iedName === '@' ? own : models.get(iedName);
  const what = `an input of ${where}`;
  if (!source) {
    tell('error', 'reference', `${what} comes from ${iedName}, which is not in the file`, line);
    return;
  }
  const node = source.devices
    .find(({ inst }) => inst === ldInst)
    ?.nodes.find(({ ln }) => ln.prefix === prefix && ln.lnClass === (lnClass ?? 'LLN0') && ln.inst === lnInst);
  const from = `${source.ied.name}${ldInst ?? ''}/${prefix}${lnClass ?? ''}${lnInst}`;
  if (!node) tell('error', 'reference', `${what} comes from ${from}, which is not there`, line);
  else if (doName !== undefined && node.type) {
    const names = [...doName.split('.'), ...(daName ?? '').split('.')].filter((name) => name !== '');
    if (!find(node.type, names))
      tell('error', 'reference', `${what} comes from ${from}.${names.join('.')}, which is not there`, line);
  }
  if (ref.srcCBName) checkSource(what, ref, source, tell);
}

function checkSource(what: string, ref: ExtRef, source: IedModel, tell: Tell): void {
  const ldInst = ref.srcLDInst ?? ref.ldInst;
  const lnClass = ref.srcLNClass ?? 'LLN0';
  const node = source.devices
    .find(({ inst }) => inst === ldInst)
    ?.nodes.find(({ ln }) => ln.prefix === ref.srcPrefix && ln.lnClass === lnClass && ln.inst === ref.srcLNInst);
  const blocks = node ? [...node.ln.reportControls, ...node.ln.gseControls, ...node.ln.sampledValueControls] : [];
  const block = blocks.find(({ name }) => name === ref.srcCBName);
  if (!block) {
    tell(
      'error',
      'reference',
      `${what} names the control block ${ref.srcCBName} of ${source.ied.name}, which is not there`,
      ref.line,
    );
    return;
  }
  const members = node!.ln.dataSets.find(({ name }) => name === block.datSet)?.fcdas ?? [];
  const sent = members.some(
    (fcda) =>
      fcda.ldInst === ref.ldInst &&
      fcda.prefix === ref.prefix &&
      fcda.lnClass === (ref.lnClass ?? '') &&
      fcda.lnInst === ref.lnInst &&
      (ref.doName === undefined || fcda.doName === ref.doName) &&
      (fcda.daName === '' ||
        ref.daName === undefined ||
        fcda.daName === ref.daName ||
        ref.daName.startsWith(`${fcda.daName}.`)),
  );
  if (!sent && ref.doName !== undefined) {
    tell(
      'error',
      'reference',
      `${what}: ${ref.doName} is not in what ${block.name} of ${source.ied.name} sends`,
      ref.line,
    );
  }
}
