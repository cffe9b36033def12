/** A large SCD: 100 IEDs of a thousand data objects each, every object described, with data sets, control blocks, inputs and addresses. */

export const IEDS = 100;
const DEVICES = 5;
const NODES = 25;
/** Data objects of a logical node, each with its own type. */
const OBJECTS = ['Mod', 'Beh', 'Pos', 'Amp1', 'Amp2', 'Amp3', 'Ind1', 'Ind2'];
export const DATA_OBJECTS = IEDS * DEVICES * NODES * OBJECTS.length;

const typeOf = (object: string): string => object.replace(/\d$/, '').replace('Beh', 'Mod');

function* ied(number: number): Generator<string> {
  const name = `IED${String(number).padStart(3, '0')}`;
  yield `<IED name="${name}" manufacturer="Example" type="bay controller" configVersion="1.${number}"><Services><DynAssociation/><GetDirectory/><ReportSettings cbName="Conf" datSet="Conf"/></Services>
<AccessPoint name="AP1"><Server><Authentication/>\n`;
  for (let device = 1; device <= DEVICES; device++) {
    yield `<LDevice inst="LD${device}"><LN0 lnClass="LLN0" inst="" lnType="LLN0">\n`;
    for (const [set, fc, objects] of [
      ['Events', 'ST', ['Pos', 'Ind1', 'Ind2']],
      ['Values', 'MX', ['Amp1', 'Amp2', 'Amp3']],
    ] as const) {
      yield `<DataSet name="${set}">`;
      for (let node = 1; node <= NODES; node += 2)
        for (const object of objects)
          yield `<FCDA ldInst="LD${device}" prefix="Q${node}" lnClass="GGIO" lnInst="1" doName="${object}" fc="${fc}"/>\n`;
      yield '</DataSet>\n';
    }
    for (const [set, buffered] of [
      ['Events', true],
      ['Values', false],
    ] as const)
      yield `<ReportControl name="rcb${set}" rptID="${name}LD${device}${set}" datSet="${set}" confRev="1" buffered="${buffered}" bufTime="50"><TrgOps dchg="true" qchg="true" gi="true"/><OptFields seqNum="true" timeStamp="true" reasonCode="true"/><RptEnabled max="4"/></ReportControl>\n`;
    yield `<Inputs>`;
    for (let input = 0; input < 200; input++) {
      const from = 1 + ((number * 7 + input) % IEDS);
      yield `<ExtRef iedName="IED${String(from).padStart(3, '0')}" ldInst="LD${1 + (input % DEVICES)}" prefix="Q${1 + (input % NODES)}" lnClass="GGIO" lnInst="1" doName="Pos" daName="stVal" intAddr="in${input}"/>\n`;
    }
    yield `</Inputs></LN0>\n`;
    for (let node = 1; node <= NODES; node++) {
      yield `<LN prefix="Q${node}" lnClass="GGIO" inst="1" lnType="GGIO">\n`;
      for (const [index, object] of OBJECTS.entries()) {
        const words = `${object} of bay ${node} in device ${device}, drawing ${number}/${device}.${node}${index}`;
        yield `  <DOI name="${object}" desc="${words}">\n    <DAI name="d"><Val>${words}</Val></DAI>\n`;
        if (object.startsWith('Amp'))
          yield `    <SDI name="units"><DAI name="SIUnit"><Val>A</Val></DAI><DAI name="multiplier"><Val>k</Val></DAI></SDI>\n    <DAI name="db" valKind="Set"><Val>${(number * 31 + node * 7) % 5000}</Val></DAI>\n`;
        if (object === 'Pos')
          yield `    <DAI name="ctlModel" valKind="RO"><Val>sbo-with-enhanced-security</Val></DAI>\n    <DAI name="sboTimeout"><Val>30000</Val></DAI>\n`;
        yield '  </DOI>\n';
      }
      yield '</LN>\n';
    }
    yield '</LDevice>\n';
  }
  yield '</Server></AccessPoint></IED>\n';
}

const TEMPLATES = `<DataTypeTemplates>
<LNodeType id="LLN0" lnClass="LLN0"><DO name="Mod" type="Mod"/><DO name="Beh" type="Mod"/></LNodeType>
<LNodeType id="GGIO" lnClass="GGIO">${OBJECTS.map((object) => `<DO name="${object}" type="${typeOf(object)}"/>`).join('')}</LNodeType>
<DOType id="Mod" cdc="ENS"><DA name="stVal" bType="Enum" type="Beh" fc="ST" dchg="true"/><DA name="q" bType="Quality" fc="ST" qchg="true"/><DA name="t" bType="Timestamp" fc="ST"/><DA name="d" bType="VisString255" fc="DC"/></DOType>
<DOType id="Pos" cdc="DPC"><DA name="stVal" bType="Dbpos" fc="ST" dchg="true"/><DA name="q" bType="Quality" fc="ST" qchg="true"/><DA name="t" bType="Timestamp" fc="ST"/><DA name="ctlModel" bType="Enum" type="CtlModel" fc="CF"/><DA name="sboTimeout" bType="INT32U" fc="CF"/><DA name="d" bType="VisString255" fc="DC"/></DOType>
<DOType id="Amp" cdc="MV"><DA name="mag" bType="Struct" type="AnalogueValue" fc="MX" dchg="true"/><DA name="q" bType="Quality" fc="MX" qchg="true"/><DA name="t" bType="Timestamp" fc="MX"/><DA name="units" bType="Struct" type="Unit" fc="CF"/><DA name="db" bType="INT32U" fc="CF"/><DA name="d" bType="VisString255" fc="DC"/></DOType>
<DOType id="Ind" cdc="SPS"><DA name="stVal" bType="BOOLEAN" fc="ST" dchg="true"/><DA name="q" bType="Quality" fc="ST" qchg="true"/><DA name="t" bType="Timestamp" fc="ST"/><DA name="d" bType="VisString255" fc="DC"/></DOType>
<DAType id="AnalogueValue"><BDA name="f" bType="FLOAT32"/></DAType><DAType id="Unit"><BDA name="SIUnit" bType="Enum" type="SIUnit"/><BDA name="multiplier" bType="Enum" type="multiplier"/></DAType>
<EnumType id="Beh"><EnumVal ord="1">on</EnumVal><EnumVal ord="5">off</EnumVal></EnumType><EnumType id="SIUnit"><EnumVal ord="5">A</EnumVal></EnumType><EnumType id="multiplier"><EnumVal ord="3">k</EnumVal></EnumType>
<EnumType id="CtlModel"><EnumVal ord="0">status-only</EnumVal><EnumVal ord="4">sbo-with-enhanced-security</EnumVal></EnumType>
</DataTypeTemplates>`;

export function* substation(): Generator<string> {
  yield '<?xml version="1.0" encoding="UTF-8"?>\n<SCL xmlns="http://www.iec.ch/61850/2003/SCL" version="2007" revision="B" release="4"><Header id="benchmark" version="1"/>\n';
  yield '<Communication><SubNetwork name="station" type="8-MMS">\n';
  for (let number = 1; number <= IEDS; number++)
    yield `<ConnectedAP iedName="IED${String(number).padStart(3, '0')}" apName="AP1"><Address><P type="IP">10.0.${number}.1</P><P type="IP-SUBNET">255.255.0.0</P><P type="OSI-TSEL">0001</P></Address></ConnectedAP>\n`;
  yield '</SubNetwork></Communication>\n';
  for (let number = 1; number <= IEDS; number++) yield* ied(number);
  yield `${TEMPLATES}</SCL>\n`;
}
