/** An IEC 61850 device and its SCL for the tests of the connector: in the same process, over TCP. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkScl, Iec61850Server, type Iec61850ServerOptions, type IedModel, readScl } from '@enerchain/iec61850';
import type { Data } from '@enerchain/mms';
import { systemClock } from '@enerchain/model';
import { Iec61850Connector, type Iec61850Wiring } from '../src/connectors/iec61850/connector.ts';
import { openSite } from '../src/site/load-site.ts';
import type { EndpointSite } from '../src/site/site.ts';
import { FakeIntake, type Taken } from './fake-intake.ts';
import { silent } from './helpers.ts';

export const SCD = `<SCL xmlns="http://www.iec.ch/61850/2003/SCL" version="2007" revision="B" release="4"><Header id="h"/>
<Communication><SubNetwork name="W1"><ConnectedAP iedName="BCU1" apName="AP1"><Address><P type="IP">127.0.0.1</P></Address></ConnectedAP></SubNetwork></Communication>
<IED name="BCU1"><AccessPoint name="AP1"><Server><Authentication/><LDevice inst="CTRL">
<LN0 lnClass="LLN0" inst="" lnType="LLN0">
  <DataSet name="Events"><FCDA ldInst="CTRL" lnClass="XCBR" lnInst="1" doName="Pos" fc="ST"/><FCDA ldInst="CTRL" lnClass="GGIO" lnInst="1" doName="Alm1" daName="stVal" fc="ST"/><FCDA ldInst="CTRL" lnClass="GGIO" lnInst="1" doName="Alm1" daName="q" fc="ST"/></DataSet>
  <DataSet name="Values"><FCDA ldInst="CTRL" lnClass="MMXU" lnInst="1" doName="TotW" fc="MX"/><FCDA ldInst="CTRL" lnClass="MMXU" lnInst="1" doName="A" fc="MX"/></DataSet>
  <ReportControl name="events" datSet="Events" confRev="1" buffered="true" indexed="true"><TrgOps dchg="true" qchg="true" gi="true"/><OptFields seqNum="true"/><RptEnabled max="2"/></ReportControl>
  <ReportControl name="values" datSet="Values" confRev="1" indexed="true"><TrgOps dchg="true" qchg="true" gi="true"/><OptFields seqNum="true"/><RptEnabled max="2"/></ReportControl>
</LN0>
<LN lnClass="XCBR" inst="1" lnType="XCBR"/><LN lnClass="CSWI" inst="1" lnType="CSWI" desc="Feeder 1"/><LN lnClass="GGIO" inst="1" lnType="GGIO"/><LN lnClass="MMXU" inst="1" lnType="MMXU"/>
</LDevice></Server></AccessPoint></IED>
<DataTypeTemplates>
<LNodeType id="LLN0" lnClass="LLN0"/><LNodeType id="XCBR" lnClass="XCBR"><DO name="Pos" type="DPS"/></LNodeType>
<LNodeType id="CSWI" lnClass="CSWI"><DO name="Pos" type="DPC"/></LNodeType><LNodeType id="GGIO" lnClass="GGIO"><DO name="Alm1" type="SPS"/></LNodeType>
<LNodeType id="MMXU" lnClass="MMXU"><DO name="TotW" type="MV"/><DO name="A" type="WYE"/></LNodeType>
<DOType id="SPS" cdc="SPS"><DA name="stVal" bType="BOOLEAN" fc="ST" dchg="true"/><DA name="q" bType="Quality" fc="ST" qchg="true"/><DA name="t" bType="Timestamp" fc="ST"/></DOType>
<DOType id="DPS" cdc="DPS"><DA name="stVal" bType="Dbpos" fc="ST" dchg="true"/><DA name="q" bType="Quality" fc="ST" qchg="true"/><DA name="t" bType="Timestamp" fc="ST"/></DOType>
<DOType id="DPC" cdc="DPC"><DA name="stVal" bType="Dbpos" fc="ST" dchg="true"/><DA name="q" bType="Quality" fc="ST" qchg="true"/><DA name="t" bType="Timestamp" fc="ST"/><DA name="ctlModel" bType="Enum" type="M" fc="CF"><Val>sbo-with-enhanced-security</Val></DA><DA name="SBOw" bType="Struct" type="Oper" fc="CO"/><DA name="Oper" bType="Struct" type="Oper" fc="CO"/><DA name="Cancel" bType="Struct" type="Cancel" fc="CO"/></DOType>
<DOType id="MV" cdc="MV"><DA name="mag" bType="Struct" type="AV" fc="MX" dchg="true"/><DA name="q" bType="Quality" fc="MX" qchg="true"/><DA name="t" bType="Timestamp" fc="MX"/></DOType>
<DOType id="WYE" cdc="WYE"><SDO name="phsA" type="CMV"/><SDO name="phsB" type="CMV"/></DOType>
<DOType id="CMV" cdc="CMV"><DA name="cVal" bType="Struct" type="Vector" fc="MX" dchg="true"/><DA name="q" bType="Quality" fc="MX" qchg="true"/><DA name="t" bType="Timestamp" fc="MX"/></DOType>
<DAType id="AV"><BDA name="f" bType="FLOAT32"/></DAType><DAType id="Vector"><BDA name="mag" bType="Struct" type="AV"/><BDA name="ang" bType="Struct" type="AV"/></DAType>
<DAType id="Origin"><BDA name="orCat" bType="INT8"/><BDA name="orIdent" bType="Octet64"/></DAType>
<DAType id="Oper"><BDA name="ctlVal" bType="BOOLEAN"/><BDA name="origin" bType="Struct" type="Origin"/><BDA name="ctlNum" bType="INT8U"/><BDA name="T" bType="Timestamp"/><BDA name="Test" bType="BOOLEAN"/><BDA name="Check" bType="Check"/></DAType>
<DAType id="Cancel"><BDA name="ctlVal" bType="BOOLEAN"/><BDA name="origin" bType="Struct" type="Origin"/><BDA name="ctlNum" bType="INT8U"/><BDA name="T" bType="Timestamp"/><BDA name="Test" bType="BOOLEAN"/></DAType>
<EnumType id="M"><EnumVal ord="4">sbo-with-enhanced-security</EnumVal></EnumType>
</DataTypeTemplates></SCL>`;

export const modelOf = (scd: string): IedModel => checkScl(readScl(scd).scl!).models.get('BCU1')!;

export const dbpos = (code: number): Data => ({
  kind: 'bitString',
  value: { length: 2, bytes: Uint8Array.of(code << 6) },
});
export const q = (...octets: number[]): Data => ({
  kind: 'bitString',
  value: { length: 13, bytes: Uint8Array.of(...octets) },
});
export const float = (value: number): Data => ({ kind: 'float', value });
export const bool = (value: boolean): Data => ({ kind: 'boolean', value });
/** @param quality octet of the time quality */
export const t = (seconds: number, quality = 0x0a): Data => ({
  kind: 'utcTime',
  value: { seconds, fraction: 0, quality },
});

export class Iec61850Station {
  readonly folder = mkdtempSync(join(tmpdir(), 'edge-61850-'));
  intake = new FakeIntake();
  server!: Iec61850Server;
  readonly #connectors: Iec61850Connector[] = [];

  /** @param scd what the gateway is given */
  constructor(scd: string = SCD) {
    this.write(scd);
  }

  write(scd: string): void {
    writeFileSync(join(this.folder, 'station.scd'), scd);
  }

  /** @param scd what the device really is */
  async serve(options: Iec61850ServerOptions = {}, scd: string = SCD): Promise<number> {
    this.server = new Iec61850Server(modelOf(scd), { port: 0, ...options });
    return (await this.server.listen()).port;
  }

  site(port: number, extra = ''): EndpointSite {
    const file = join(this.folder, 'site.yaml');
    writeFileSync(
      file,
      `source: gw\nsite: { id: s }\nendpoints:\n  - id: bcu1\n    protocol: iec61850\n    scl: station.scd\n    port: ${port}\n${extra}`,
    );
    return openSite(file).site.endpoints[0]!;
  }

  /** Starts a connector with an intake of its own, whose disk is quick unless `auto` is false. */
  connect(endpoint: EndpointSite, wiring: Iec61850Wiring = {}, auto = true): Iec61850Connector {
    this.intake = new FakeIntake();
    this.intake.auto = auto;
    const { intake, folder } = this;
    const host = { intake, clock: systemClock, logger: silent, folder, data: folder, source: 'gw' };
    const connector = new Iec61850Connector(endpoint, host, wiring);
    this.#connectors.push(connector);
    connector.start();
    return connector;
  }

  async until(condition: () => boolean, what: string): Promise<void> {
    const end = performance.now() + 60_000;
    while (!condition()) {
      if (performance.now() > end) {
        const { log, events } = this.intake;
        throw new Error(`${what} did not come: ${JSON.stringify(log)} ${JSON.stringify(events)}`);
      }
      await new Promise((wake) => setTimeout(wake, 5));
    }
  }

  synchronized(): Promise<void> {
    return this.until(() => this.intake.log.includes('synchronized'), 'the state');
  }

  seen(name: string): Taken[] {
    return this.intake.taken.filter((taken) => taken.name === name);
  }

  eventsOf(code: string): string[] {
    return this.intake.events.filter((event) => event.code === code).map(({ detail }) => detail ?? '');
  }

  async close(): Promise<void> {
    for (const connector of this.#connectors.splice(0)) await connector.stop();
    await this.server?.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
