import type { Asdu } from '../codec/asdu.ts';
import { COT } from '../spec/causes.ts';
import type { AsduContent } from './handlers.ts';
import { confirm, mirror } from './replies.ts';

/** A long answer that a connection pulls, one ASDU at a time, as its window opens. */
export interface ReplyJob {
  readonly request: Asdu;
  /** The next ASDU; undefined at the end. */
  next(): Asdu | undefined | Promise<Asdu | undefined>;
  /** Ends the job early: `next` answers undefined from now on. */
  cancel(): void;
}

export interface InterrogationJobOptions {
  readonly request: Asdu;
  readonly commonAddress: number;
  /** Cause of the information: 20 to 36 for interrogations, 37 to 41 for counters. */
  readonly cause: number;
  readonly contents: Iterable<AsduContent> | AsyncIterable<AsduContent>;
  /** Most objects of a type that fit into one ASDU. */
  readonly objectsPerAsdu: (typeId: number, sequence: boolean) => number;
  readonly onError: (error: unknown, request: Asdu) => void;
}

const isAsync = (contents: object): contents is AsyncIterable<AsduContent> => Symbol.asyncIterator in contents;

/** ACTCON, the information, ACTTERM (IEC 60870-5-101, 6.6 and 6.9). A process image that throws ends in a negative ACTTERM. */
export class InterrogationJob implements ReplyJob {
  readonly request: Asdu;
  readonly #options: InterrogationJobOptions;
  readonly #iterator: Iterator<AsduContent> | AsyncIterator<AsduContent>;
  #state: 'confirm' | 'information' | 'ended' = 'confirm';
  #content: AsduContent | undefined;
  #from = 0;

  constructor(options: InterrogationJobOptions) {
    this.request = options.request;
    this.#options = options;
    const { contents } = options;
    this.#iterator = isAsync(contents) ? contents[Symbol.asyncIterator]() : contents[Symbol.iterator]();
  }

  next(): Asdu | undefined | Promise<Asdu | undefined> {
    if (this.#state === 'ended') return undefined;
    if (this.#state === 'confirm') {
      this.#state = 'information';
      return confirm(this.request, false, this.#options.commonAddress);
    }
    if (this.#content !== undefined) return this.#slice(this.#content);
    try {
      const step = this.#iterator.next();
      if (!(step instanceof Promise)) return this.#accept(step);
      return step.then(
        (result) => this.#accept(result),
        (error: unknown) => this.#failed(error),
      );
    } catch (error) {
      return this.#failed(error);
    }
  }

  cancel(): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    // The image's own `finally` may fail; the job has ended all the same.
    void Promise.resolve(this.#iterator.return?.()).catch((error) => this.#options.onError(error, this.request));
  }

  #accept(result: IteratorResult<AsduContent>): Asdu | undefined | Promise<Asdu | undefined> {
    if (this.#state === 'ended') return undefined;
    if (result.done) {
      this.#state = 'ended';
      return mirror(this.request, COT.activationTermination, false, this.#options.commonAddress);
    }
    // An empty content would be an ASDU without objects, which the wire cannot carry.
    if (result.value.objects.length === 0) return this.next();
    return this.#slice(result.value);
  }

  #slice(content: AsduContent): Asdu {
    const sequence = content.sequence ?? false;
    const most = this.#options.objectsPerAsdu(content.typeId, sequence);
    const to = Math.min(content.objects.length, this.#from + most);
    const objects =
      this.#from === 0 && to === content.objects.length ? content.objects : content.objects.slice(this.#from, to);
    this.#content = to < content.objects.length ? content : undefined;
    this.#from = this.#content === undefined ? 0 : to;
    return {
      typeId: content.typeId,
      sequence,
      cause: this.#options.cause,
      negative: false,
      test: this.request.test,
      originator: this.request.originator,
      commonAddress: this.#options.commonAddress,
      objects,
    };
  }

  #failed(error: unknown): Asdu {
    this.#state = 'ended';
    this.#options.onError(error, this.request);
    return mirror(this.request, COT.activationTermination, true, this.#options.commonAddress);
  }
}
