/** The endpoints of a site while the edge runs: what each is heard with, what speaks with it, and how it does. */
import { dirname, resolve } from 'node:path';
import { type Clock, describeError, type EndpointReport } from '@enerchain/model';
import type { Logger } from 'pino';
import type { Connector } from './connector.ts';
import { EndpointIntake } from './intake.ts';
import type { Outbox } from './outbox/outbox.ts';
import type { OpenGap, StateChange } from './outbox/records.ts';
import type { RepeatMemory } from './outbox/repeat-memory.ts';
import { PROTOCOLS } from './protocols.ts';
import type { EndpointSite, Site } from './site/site.ts';
import { enabledOf, idOf, pointsBySlot } from './site/slots.ts';

export interface EndpointsOptions {
  readonly site: Site;
  readonly dataDir: string;
  readonly outbox: Outbox;
  /** Gaps that end with the next interrogation, by endpoint. */
  readonly openGaps: ReadonlyMap<string, OpenGap>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The state of an endpoint has changed. */
  onChange(): void;
}

export class Endpoints {
  /** By id of the endpoint; those that could be started. */
  readonly connectors = new Map<string, Connector>();
  readonly #options: EndpointsOptions;
  readonly #intakes = new Map<string, EndpointIntake>();
  /** Why an endpoint could not be started. */
  readonly #failed = new Map<string, string>();

  constructor(options: EndpointsOptions) {
    this.#options = options;
    const { site, outbox, openGaps, clock, logger, onChange } = options;
    const points = pointsBySlot(site);
    for (const id of enabledOf(site).map(idOf)) {
      const openGap = openGaps.get(id);
      const told = logger.child({ endpoint: id });
      this.#intakes.set(
        id,
        new EndpointIntake({ endpoint: id, outbox, clock, logger: told, points, openGap, onChange }),
      );
    }
  }

  /** What each endpoint said lately. */
  get memories(): ReadonlyMap<string, RepeatMemory> {
    return new Map([...this.#intakes].map(([id, { memory }]) => [id, memory]));
  }

  /** One endpoint that cannot be started is no reason to leave the others unheard. */
  async start(): Promise<void> {
    for (const endpoint of enabledOf(this.#options.site)) {
      try {
        await this.#start(endpoint);
      } catch (error) {
        this.#cannotStart(idOf(endpoint), describeError(error));
      }
    }
  }

  async #start(endpoint: EndpointSite): Promise<void> {
    const { site, dataDir, clock, logger } = this.#options;
    const id = idOf(endpoint);
    const connector = await PROTOCOLS[endpoint.endpoint.protocol]!.create(endpoint, {
      intake: this.#intakes.get(id)!,
      clock,
      logger: logger.child({ endpoint: id }),
      folder: dirname(resolve(site.file)),
      data: dataDir,
      source: site.source,
    });
    connector.start();
    this.connectors.set(id, connector);
  }

  #cannotStart(id: string, error: string): void {
    const { outbox, clock, logger } = this.#options;
    this.#failed.set(id, error);
    logger.error({ endpoint: id, error }, 'the endpoint cannot be started');
    const at = String(clock.now());
    void outbox.writeSourceEvents([{ kind: 'configuration', at, endpoint: id, detail: error.slice(0, 1000) }]);
  }

  /** Ends the connections in an orderly way. */
  async stop(): Promise<void> {
    await Promise.allSettled([...this.connectors.values()].map((connector) => connector.stop()));
  }

  /** What has to be kept of them when the edge ends. */
  stopped(): StateChange[] {
    return [...this.#intakes.values()].flatMap((intake) => intake.stopped());
  }

  report(): EndpointReport[] {
    return this.#options.site.endpoints.map((endpoint) => this.#reportOf(endpoint));
  }

  #reportOf(endpoint: EndpointSite): EndpointReport {
    const id = idOf(endpoint);
    const { protocol } = endpoint.endpoint;
    const intake = this.#intakes.get(id);
    if (!intake) return { id, protocol, state: 'disabled', counters: {} };
    const health = this.connectors.get(id)?.health();
    if (!health) {
      const detail = this.#failed.get(id) ?? 'not started yet';
      return { id, protocol, state: 'down', detail: detail.slice(0, 1000), counters: { ...intake.counters } };
    }
    return {
      id,
      protocol,
      state: health.state,
      since: String(health.since),
      ...(health.detail === undefined ? {} : { detail: health.detail.slice(0, 1000) }),
      counters: { ...health.counters, ...intake.counters },
    };
  }
}
