/** What an exchange must have to be one: profiles, and the models that others depend on (IEC 61970-600-1). */
import type { CimModel } from '../model.ts';

export function checkExchange({ files, findings, letters }: CimModel): void {
  const headers = files.flatMap(({ header }) => (header ? [header] : []));
  const models = new Map<string, string>();
  for (const { id, file } of headers) {
    const other = models.get(id);
    if (other !== undefined) {
      const text = `the model ${id} has come already, in ${other}`;
      findings.add({ severity: 'error', code: 'cim.model-twice', text, file, object: id });
    }
    models.set(id, file);
  }
  for (const { dependentOn, file } of headers) {
    for (const id of dependentOn) {
      if (models.has(id)) continue;
      const text = `the model ${id} this one depends on is not among the files`;
      findings.add({ severity: 'warning', code: 'cim.dependency', text, file, object: id });
    }
  }
  for (const { name, letters: own } of files) {
    if (own !== 'Y') continue;
    const text = 'dynamics (DY) is kept and not checked';
    findings.add({ severity: 'note', code: 'cim.dynamics', text, file: name });
  }
  if (headers.length === 0) return;
  const missing = (letter: string, severity: 'error' | 'warning', text: string): void => {
    if (!letters.includes(letter)) findings.add({ severity, code: 'cim.profile-missing', text });
  };
  missing('E', 'error', 'there is no equipment (EQ): without it nothing says what there is');
  missing(
    'H',
    'warning',
    'there is no steady state hypothesis (SSH): switches stand as is normal, no machine has a set-point',
  );
}
