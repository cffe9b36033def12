import type { Finding } from '../findings.ts';
import type { CimModel } from '../model.ts';

/** Where a finding about an object points: to the statement when there is one, else to where it is defined. */
export function place(
  { store, files }: CimModel,
  object: number,
  statement?: number,
): Pick<Finding, 'file' | 'line' | 'object' | 'class' | 'property'> {
  const description = statement === undefined ? store.first(object) : store.description(statement);
  const name = store.class(object);
  return {
    file: files[store.file(description)]!.name,
    line: statement === undefined ? store.line(description) : store.statementLine(statement),
    object: store.key(object),
    ...(name === undefined ? {} : { class: name }),
    ...(statement === undefined ? {} : { property: store.property(statement) }),
  };
}
