/** Object identifiers of the Cryptographic Message Syntax. */
export const CMS_OID = {
  // Content types: RFC 5652 § 4, 5.1, 6.1; RFC 5083 § 2.1
  data: '1.2.840.113549.1.7.1',
  signedData: '1.2.840.113549.1.7.2',
  envelopedData: '1.2.840.113549.1.7.3',
  authEnvelopedData: '1.2.840.113549.1.9.16.1.23',
  // Attributes: RFC 5652 § 11
  contentType: '1.2.840.113549.1.9.3',
  messageDigest: '1.2.840.113549.1.9.4',
  signingTime: '1.2.840.113549.1.9.5',
  // Digests: RFC 5754 § 2
  sha256: '2.16.840.1.101.3.4.2.1',
  sha384: '2.16.840.1.101.3.4.2.2',
  sha512: '2.16.840.1.101.3.4.2.3',
  // Key agreement: RFC 5753 § 7.1.4 (standard DH, one ephemeral key)
  stdDhSha256Kdf: '1.3.132.1.11.1',
  stdDhSha384Kdf: '1.3.132.1.11.2',
  stdDhSha512Kdf: '1.3.132.1.11.3',
  // The same computation under the names of BSI TR-03111 (ECKA-EG, X9.63 KDF)
  eckaEgSha256: '0.4.0.127.0.7.1.1.5.1.1.3',
  eckaEgSha384: '0.4.0.127.0.7.1.1.5.1.1.4',
  eckaEgSha512: '0.4.0.127.0.7.1.1.5.1.1.5',
  // Key wrap: RFC 3565 § 2.3.2
  aes128Wrap: '2.16.840.1.101.3.4.1.5',
  aes192Wrap: '2.16.840.1.101.3.4.1.25',
  aes256Wrap: '2.16.840.1.101.3.4.1.45',
  // Content encryption: RFC 3565 § 4.1, RFC 5084 § 3.2
  aes128Cbc: '2.16.840.1.101.3.4.1.2',
  aes192Cbc: '2.16.840.1.101.3.4.1.22',
  aes256Cbc: '2.16.840.1.101.3.4.1.42',
  aes128Gcm: '2.16.840.1.101.3.4.1.6',
  aes192Gcm: '2.16.840.1.101.3.4.1.26',
  aes256Gcm: '2.16.840.1.101.3.4.1.46',
} as const;
