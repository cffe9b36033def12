/** Types of variables as a device has them, asked for once a logical node and constraint and kept for the association. */
import type { FunctionalConstraint } from '@enerchain/iec61850';
import { MmsRefusal, type TypeSpecification } from '@enerchain/mms';
import { EnerchainError } from '@enerchain/model';

type AskType = (reference: string, fc: FunctionalConstraint) => Promise<TypeSpecification>;

export class DeviceTypes {
  readonly #ask: AskType;
  readonly #nodes = new Map<string, Promise<TypeSpecification | undefined>>();

  constructor(ask: AskType) {
    this.#ask = ask;
  }

  /**
   * Of a data object or attribute: `BCU1CTRL/QA1XCBR1.Pos`.
   * @throws EnerchainError `edge.iec61850.model` (peer) when the device has no such thing; what `ask` throws
   */
  async of(reference: string, fc: FunctionalConstraint): Promise<TypeSpecification> {
    const slash = reference.indexOf('/');
    const [node, ...names] = reference.slice(slash + 1).split('.');
    const whole = await this.#node(`${reference.slice(0, slash)}/${node}`, fc);
    // A device that does not tell the whole may tell the part.
    if (!whole) return this.#ask(reference, fc).catch((error) => Promise.reject(missing(error, reference, fc)));
    let type: TypeSpecification | undefined = whole;
    for (const step of names) {
      // An element of an array: `phsAHar(3)`.
      const [name, element] = step.split('(');
      type =
        type?.kind === 'structure'
          ? type.value.components.find((component) => component.name === name)?.type
          : undefined;
      if (element !== undefined) type = type?.kind === 'array' ? type.value.element : undefined;
    }
    if (!type) throw notThere(reference, fc);
    return type;
  }

  #node(node: string, fc: FunctionalConstraint): Promise<TypeSpecification | undefined> {
    const key = `${node} ${fc}`;
    let asked = this.#nodes.get(key);
    if (!asked) {
      asked = this.#ask(node, fc).catch((error) => {
        if (error instanceof MmsRefusal) return undefined;
        this.#nodes.delete(key);
        throw error;
      });
      this.#nodes.set(key, asked);
    }
    return asked;
  }
}

const notThere = (reference: string, fc: FunctionalConstraint): EnerchainError =>
  new EnerchainError('peer', 'edge.iec61850.model', `the device has no ${reference} [${fc}]; its SCL has`);

const missing = (error: unknown, reference: string, fc: FunctionalConstraint): unknown =>
  error instanceof MmsRefusal ? notThere(reference, fc) : error;
