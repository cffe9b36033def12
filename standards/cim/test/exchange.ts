/** Small exchanges written by the tests, and what reading them finds. */
import { checkModel } from '../src/check/check.ts';
import { type CimModel, readModel } from '../src/model.ts';

export const PROFILES = {
  EQ: 'http://iec.ch/TC57/ns/CIM/CoreEquipment-EU/3.0',
  SSH: 'http://iec.ch/TC57/ns/CIM/SteadyStateHypothesis-EU/3.0',
  TP: 'http://iec.ch/TC57/ns/CIM/Topology-EU/3.0',
  SV: 'http://iec.ch/TC57/ns/CIM/StateVariables-EU/3.0',
} as const;

const NAMESPACES =
  'xmlns:cim="http://iec.ch/TC57/CIM100#" xmlns:md="http://iec.ch/TC57/61970-552/ModelDescription/1#" ' +
  'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:dm="http://iec.ch/TC57/61970-552/DifferenceModel/1#"';

export const document = (body: string): string =>
  `<?xml version="1.0" encoding="utf-8"?>\n<rdf:RDF ${NAMESPACES}>\n${body}\n</rdf:RDF>\n`;

export function full(profile: keyof typeof PROFILES, body: string, id: string = profile): string {
  return document(
    `<md:FullModel rdf:about="urn:uuid:${id}"><md:Model.profile>${PROFILES[profile]}</md:Model.profile></md:FullModel>\n${body}`,
  );
}

export async function read(files: Readonly<Record<string, string | Buffer>>): Promise<CimModel> {
  const sources = Object.entries(files).map(([name, text]) => ({
    name,
    open: async function* () {
      yield Buffer.from(text as string);
    },
  }));
  const model = await readModel(sources);
  checkModel(model);
  return model;
}

/** `code file:line object` of every finding. */
export const told = ({ findings }: CimModel): string[] =>
  findings.list.map(({ code, file, line, object }) => `${code} ${file ?? '-'}:${line ?? '-'} ${object ?? '-'}`);

/** Two buses, a line, a machine and a load: nothing is wrong with it. */
export const node = (id: string): string =>
  `<cim:ConnectivityNode rdf:ID="_${id}"><cim:IdentifiedObject.name>${id}</cim:IdentifiedObject.name>
   <cim:ConnectivityNode.ConnectivityNodeContainer rdf:resource="#_vl"/></cim:ConnectivityNode>`;
export const terminal = (equipment: string, number: number, at: string): string =>
  `<cim:Terminal rdf:ID="_${equipment}-t${number}"><cim:IdentifiedObject.name>${equipment}${number}</cim:IdentifiedObject.name>
   <cim:ACDCTerminal.sequenceNumber>${number}</cim:ACDCTerminal.sequenceNumber>
   <cim:Terminal.ConductingEquipment rdf:resource="#_${equipment}"/><cim:Terminal.ConnectivityNode rdf:resource="#_${at}"/></cim:Terminal>`;
export const named = (name: string): string => `<cim:IdentifiedObject.name>${name}</cim:IdentifiedObject.name>`;
export const CONTAINERS = `
<cim:GeographicalRegion rdf:ID="_region">${named('region')}</cim:GeographicalRegion>
<cim:SubGeographicalRegion rdf:ID="_sub">${named('sub')}<cim:SubGeographicalRegion.Region rdf:resource="#_region"/></cim:SubGeographicalRegion>
<cim:BaseVoltage rdf:ID="_bv">${named('110 kV')}<cim:BaseVoltage.nominalVoltage>110</cim:BaseVoltage.nominalVoltage></cim:BaseVoltage>
<cim:Substation rdf:ID="_station">${named('station')}<cim:Substation.Region rdf:resource="#_sub"/></cim:Substation>
<cim:VoltageLevel rdf:ID="_vl">${named('vl')}<cim:VoltageLevel.Substation rdf:resource="#_station"/><cim:VoltageLevel.BaseVoltage rdf:resource="#_bv"/></cim:VoltageLevel>
${node('n1')}${node('n2')}`;
export const line = (r = '1', x = '10', length = '20'): string =>
  `<cim:ACLineSegment rdf:ID="_line">${named('line')}<cim:ConductingEquipment.BaseVoltage rdf:resource="#_bv"/>
<cim:Conductor.length>${length}</cim:Conductor.length><cim:ACLineSegment.r>${r}</cim:ACLineSegment.r>
<cim:ACLineSegment.x>${x}</cim:ACLineSegment.x><cim:ACLineSegment.bch>0</cim:ACLineSegment.bch></cim:ACLineSegment>
${terminal('line', 1, 'n1')}${terminal('line', 2, 'n2')}`;
export const LOAD = `<cim:EnergyConsumer rdf:ID="_load">${named('load')}<cim:Equipment.EquipmentContainer rdf:resource="#_vl"/></cim:EnergyConsumer>
${terminal('load', 1, 'n2')}`;
export const FEED = `<cim:ExternalNetworkInjection rdf:ID="_feed">${named('feed')}<cim:Equipment.EquipmentContainer rdf:resource="#_vl"/>
<cim:ExternalNetworkInjection.governorSCD>0</cim:ExternalNetworkInjection.governorSCD>
<cim:ExternalNetworkInjection.maxP>100</cim:ExternalNetworkInjection.maxP><cim:ExternalNetworkInjection.minP>-100</cim:ExternalNetworkInjection.minP>
<cim:ExternalNetworkInjection.maxQ>100</cim:ExternalNetworkInjection.maxQ><cim:ExternalNetworkInjection.minQ>-100</cim:ExternalNetworkInjection.minQ></cim:ExternalNetworkInjection>
${terminal('feed', 1, 'n1')}`;
export const SSH = full('SSH', '');
