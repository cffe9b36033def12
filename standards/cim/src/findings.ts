export { type Finding, Findings, type Severity } from '@enerchain/xml';
