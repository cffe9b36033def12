/** Name constraints (RFC 5280 § 4.2.1.10, § 6.1.3 (b) and (c)): whether a CA may speak for the names in a certificate. */
import type { Certificate } from './certificate.ts';
import type { NameConstraints, Subtree } from './extension.ts';
import type { GeneralName } from './general-name.ts';
import { ipToBytes } from './general-name.ts';
import { encodeName, inSubtree } from './name.ts';
import { OID } from './oid.ts';

/** What a name is compared as: its form and the value that counts. */
type Claim =
  | { readonly kind: 'dns' | 'email' | 'uri'; readonly value: string }
  | { readonly kind: 'ip'; readonly address: Uint8Array }
  | { readonly kind: 'directory'; readonly value: Uint8Array }
  | { readonly kind: 'other'; readonly tag: number };

/** @returns why a name of the certificate lies outside, `undefined` when none does */
export function outsideOf(constraints: NameConstraints, certificate: Certificate): string | undefined {
  for (const claim of claimsOf(certificate)) {
    const form = constraints.permitted.filter((tree) => sameForm(tree, claim));
    if (form.length > 0 && !form.some((tree) => covers(tree, claim)))
      return `names ${show(claim)}, which is not permitted`;
    if (constraints.excluded.some((tree) => sameForm(tree, claim) && (claim.kind === 'other' || covers(tree, claim)))) {
      return `names ${show(claim)}, which is excluded`;
    }
  }
  return undefined;
}

/** Subject and alternative names; an e-mail address of the subject counts when there are no alternative names. */
function claimsOf({ subject, subjectDer, extensions }: Certificate): Claim[] {
  const claims: Claim[] = subject.length > 0 ? [{ kind: 'directory', value: subjectDer }] : [];
  const names = extensions.subjectAltName;
  if (!names) {
    const addresses = subject.filter(({ type }) => type === OID.emailAddress);
    return [...claims, ...addresses.map(({ value }): Claim => ({ kind: 'email', value }))];
  }
  return [...claims, ...names.map(claimOf)];
}

function claimOf(name: GeneralName): Claim {
  switch (name.kind) {
    case 'ip':
      return { kind: 'ip', address: ipToBytes(name.value) };
    case 'directory':
      return { kind: 'directory', value: encodeName(name.value) };
    case 'other':
      return { kind: 'other', tag: name.tag & 0x1f };
    default:
      return name;
  }
}

const sameForm = (tree: Subtree, claim: Claim): boolean =>
  tree.kind === claim.kind && (tree.kind !== 'other' || (claim.kind === 'other' && tree.tag === claim.tag));

function covers(tree: Subtree, claim: Claim): boolean {
  if (tree.kind === 'ip' && claim.kind === 'ip') {
    const { address, mask } = tree;
    return (
      claim.address.length === address.length &&
      address.every((octet, i) => ((octet ^ claim.address[i]!) & mask[i]!) === 0)
    );
  }
  if (tree.kind === 'directory' && claim.kind === 'directory') return inSubtree(claim.value, tree.value);
  if (tree.kind === 'dns' && claim.kind === 'dns') return isDomain(claim.value, tree.value, true);
  if (tree.kind === 'uri' && claim.kind === 'uri') {
    const host = hostOf(claim.value);
    return host !== undefined && isDomain(host, tree.value, false);
  }
  if (tree.kind === 'email' && claim.kind === 'email') {
    if (tree.value.includes('@')) return tree.value.toLowerCase() === claim.value.toLowerCase();
    return isDomain(claim.value.slice(claim.value.lastIndexOf('@') + 1), tree.value, false);
  }
  // A form that is not looked into is covered by nothing.
  return false;
}

/** @param below whether a base without a leading dot stands for the hosts below it too: so for DNS names, not for the others */
function isDomain(host: string, base: string, below: boolean): boolean {
  const [name, tree] = [host.toLowerCase(), base.toLowerCase()];
  if (tree === '') return true;
  if (tree.startsWith('.')) return name.endsWith(tree) && name.length > tree.length;
  return name === tree || (below && name.endsWith(`.${tree}`));
}

/** A URI without a host (`urn:…`) has none and so lies in no subtree. */
function hostOf(uri: string): string | undefined {
  const authority = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(uri)?.[1];
  const host = authority?.replace(/^.*@/, '').replace(/:\d*$/, '');
  return host && !host.startsWith('[') ? host : undefined;
}

function show(claim: Claim): string {
  switch (claim.kind) {
    case 'ip':
      return `the address ${claim.address.join('.')}`;
    case 'directory':
      return 'a directory name';
    case 'other':
      return `a name of form [${claim.tag}]`;
    default:
      return `'${claim.value}'`;
  }
}
