#!/usr/bin/env python3
"""Checks receipts of CloudEnerChain with nothing of CloudEnerChain: Python's own library and the openssl command.

    verify_receipt.py --anchor anchor.json receipt.cbor [more receipts ...]

Written from platform/provenance/README.md and platform/link/README.md. Prints one JSON line per receipt; exits 0 only
when every link of every receipt holds.
"""
import argparse
import base64
import functools
import hashlib
import json
import re
import struct
import subprocess
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path

TEMP = tempfile.TemporaryDirectory()


class Bad(Exception):
    """A link that does not hold: (link, what)."""


def need(condition, link, what):
    if not condition:
        raise Bad(link, what)


# --- CBOR (RFC 8949), as strict as the format: definite lengths, shortest integers, sorted unique keys -----------------
class Cbor:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        need(self.at + count <= len(self.data), 'receipt', 'CBOR ends early')
        self.at += count
        return self.data[self.at - count:self.at]

    def item(self, depth=0):
        need(depth < 17, 'receipt', 'CBOR is nested too deeply')
        first = self.take(1)[0]
        major, low = first >> 5, first & 31
        if major == 7:
            if low in (20, 21, 22):
                return {20: False, 21: True, 22: None}[low]
            widths = {25: ('>e', 2), 26: ('>f', 4), 27: ('>d', 8)}
            need(low in widths, 'receipt', 'CBOR simple value')
            return struct.unpack(widths[low][0], self.take(widths[low][1]))[0]
        if low < 24:
            argument = low
        else:
            need(low < 28, 'receipt', 'CBOR indefinite length')
            size = 1 << (low - 24)
            argument = int.from_bytes(self.take(size), 'big')
            need(argument >= (24, 0x100, 0x10000, 0x100000000)[low - 24], 'receipt', 'CBOR integer not shortest')
        if major == 0:
            return argument
        if major == 1:
            return -1 - argument
        if major == 2:
            return self.take(argument)
        if major == 3:
            try:
                return self.take(argument).decode('utf-8')
            except UnicodeDecodeError:
                raise Bad('receipt', 'CBOR text is not UTF-8')
        if major == 4:
            need(argument <= len(self.data), 'receipt', 'CBOR array too long')
            return [self.item(depth + 1) for _ in range(argument)]
        if major == 5:
            need(argument <= len(self.data), 'receipt', 'CBOR map too long')
            found, before = {}, None
            for _ in range(argument):
                start = self.at
                key = self.item(depth + 1)
                need(isinstance(key, (int, str)), 'receipt', 'CBOR map key')
                encoded = self.data[start:self.at]
                need(before is None or before < encoded, 'receipt', 'CBOR map keys not sorted')
                before = encoded
                found[key] = self.item(depth + 1)
            return found
        return ('tag', argument, self.item(depth + 1))


def cbor(data):
    reader = Cbor(bytes(data))
    value = reader.item()
    need(reader.at == len(reader.data), 'receipt', 'octets behind the CBOR item')
    return value


def shaped(value, kinds, link, what):
    need(isinstance(value, list) and len(value) == len(kinds), link, what)
    for each, kind in zip(value, kinds):
        need(isinstance(each, kind) and not isinstance(each, bool), link, what)
    return value


# --- openssl ------------------------------------------------------------------------------------------------------------
def openssl(*args, data=None):
    done = subprocess.run(['openssl', *args], input=data, capture_output=True)
    return done.stdout if done.returncode == 0 else None


@functools.lru_cache(None)
def kept(data):
    """A file with these octets, for openssl."""
    path = Path(TEMP.name) / hashlib.sha256(data).hexdigest()
    path.write_bytes(data)
    return str(path)


def der(raw):
    """r‖s as the DER that openssl reads."""
    def integer(half):
        digits = half.lstrip(b'\0') or b'\0'
        if digits[0] & 0x80:
            digits = b'\0' + digits
        return b'\x02' + bytes([len(digits)]) + digits
    body = integer(raw[:32]) + integer(raw[32:])
    return b'\x30' + bytes([len(body)]) + body


@functools.lru_cache(None)
def signed_by(key_pem, data, signature):
    return openssl('dgst', '-sha256', '-verify', kept(key_pem), '-signature', kept(signature), data=data) is not None


@functools.lru_cache(None)
def spki_of(pem):
    return openssl('pkey', '-pubin', '-outform', 'DER', data=pem)


def key_id(pem):
    return hashlib.sha256(spki_of(pem)).digest()[:4]


@functools.lru_cache(None)
def certificate(data):
    """(name, role, key PEM, not before, not after) of a DER certificate, or None."""
    path = kept(data)
    again = openssl('x509', '-inform', 'DER', '-in', path, '-outform', 'DER')
    text = openssl('x509', '-inform', 'DER', '-in', path, '-noout', '-ext', 'subjectAltName')
    dates = openssl('x509', '-inform', 'DER', '-in', path, '-noout', '-dates', '-dateopt', 'iso_8601')
    key = openssl('x509', '-inform', 'DER', '-in', path, '-noout', '-pubkey')
    if again != data or not text or not dates or not key:
        return None
    usage = openssl('x509', '-inform', 'DER', '-in', path, '-noout', '-ext', 'extendedKeyUsage') or b''
    if b'urn:enerchain:use:tls' in text or b'2.23.133.8.3' in usage:
        return None  # a key for connections, or for evidence alone
    holder = re.search(rb'URI:urn:enerchain:([a-z]+):([A-Za-z0-9_.-]+)', text)
    times = re.findall(rb'=(\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ)', dates)
    if not holder or len(times) != 2:
        return None
    moments = [int(datetime.strptime(t.decode(), '%Y-%m-%d %H:%M:%SZ').replace(tzinfo=timezone.utc).timestamp()) * 10**9
               for t in times]
    return holder[2].decode(), holder[1].decode(), key, moments[0], moments[1]


@functools.lru_cache(None)
def leads_to(data, authorities, seconds):
    pem = openssl('x509', '-inform', 'DER', '-in', kept(data))
    return pem is not None and openssl(
        'verify', '-attime', str(seconds), '-check_ss_sig', '-CAfile', kept(authorities), kept(pem)) is not None


# --- hashes -------------------------------------------------------------------------------------------------------------
def sha(*parts):
    return hashlib.sha256(b''.join(parts)).digest()


def root_of(leaf, index, size, path):
    """RFC 9162 § 2.1.3.2."""
    if not 0 <= index < size:
        return None
    fn, sn, root = index, size - 1, leaf
    for sibling in path:
        if sn == 0 or len(sibling) != 32:
            return None
        if fn & 1 or fn == sn:
            root = sha(b'\x01', sibling, root)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            root = sha(b'\x01', root, sibling)
        fn, sn = fn >> 1, sn >> 1
    return root if sn == 0 else None


# --- signed notes -------------------------------------------------------------------------------------------------------
def base64_strict(text, link):
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise Bad(link, 'base64')
    need(base64.b64encode(data).decode() == text, link, 'base64 has another spelling')
    return data


def checkpoint_of(note, anchor):
    text, separator, lines = note.partition('\n\n')
    need(separator and lines.endswith('\n'), 'log', 'the checkpoint is no note')
    text += '\n'
    parts = re.fullmatch(r'([^\n]+)\n(0|[1-9]\d{0,14})\n([^\n]+)\ntime (0|[1-9]\d{0,18})\n', text)
    need(parts, 'log', 'the checkpoint has not four lines')
    origin, size, root = parts[1], int(parts[2]), base64_strict(parts[3], 'log')
    need(origin == anchor['origin'] and len(root) == 32, 'log', 'the checkpoint is that of another log')
    signatures = []
    for line in lines[:-1].split('\n'):
        found = re.fullmatch(r'— ([A-Za-z0-9][A-Za-z0-9_./-]{0,99}) (\S+)', line)
        need(found, 'log', 'a signature line is malformed')
        signatures.append((found[1], base64_strict(found[2], 'log')))
    name, blob = signatures[0]
    key = anchor['logKey'].encode()
    need(name == origin and blob[:4] == key_id(key), 'log', 'the first signature is not that of the log')
    need(signed_by(key, text.encode(), blob[4:]), 'log', 'the signature of the log does not fit')
    return text, size, root, signatures[1:]


# --- the receipt --------------------------------------------------------------------------------------------------------
class Verification:
    def __init__(self, data, anchor):
        self.anchor, self.used = anchor, set()
        self.authorities = ''.join(anchor['authorities']).encode()
        format_, about, note, value, site, certificates, attestation, neighbours = shaped(
            cbor(data), (str, list, str, bytes, list, list, list, list), 'receipt', 'not a receipt')
        need(format_ == 'enerchain-receipt/1', 'receipt', 'another format')
        point, time, index = shaped(about, (bytes, int, int), 'receipt', 'about')
        self.certificates = {}
        for each in certificates:
            need(isinstance(each, bytes) and certificate(each), 'gateway', 'a certificate cannot be read')
            need(leads_to(each, self.authorities, certificate(each)[3] // 10**9), 'gateway', 'a certificate leads nowhere')
            need(sha(each) not in self.certificates, 'receipt', 'a certificate is there twice')
            self.certificates[sha(each)] = each
        self.text, self.size, self.root, self.cosignatures = checkpoint_of(note, anchor)
        self.value(value, point, time, index)
        self.device([self.entry(each, 'device') for each in site], point)
        self.software([self.result(each, 'software') for each in attestation])
        for _, result, _, _ in [self.result(each, 'neighbours') for each in neighbours]:
            need(result['node'] == self.source and good(result), 'neighbours', 'a neighbour found otherwise')
        self.witnesses()
        need(self.used == set(self.certificates), 'receipt', 'a certificate is there for nothing')

    def signer(self, kid, link):
        need(kid in self.certificates, link, 'the certificate of a signer is missing')
        self.used.add(kid)
        return certificate(self.certificates[kid])

    def valid_at(self, kid, time, link):
        _, _, _, begins, ends = certificate(self.certificates[kid])
        need(begins <= time <= ends, link, 'signed when the certificate was not valid')
        need(leads_to(self.certificates[kid], self.authorities, time // 10**9), link, 'the path was not valid then')
        for each in self.anchor['revoked']:
            revoked = datetime.fromisoformat(each['at'].replace('Z', '+00:00')).timestamp()
            need(each['fingerprint'] != kid.hex() or time < int(revoked * 10**9), link, 'signed after a revocation')

    def cose(self, data, typ, link):
        """COSE_Sign1 (RFC 9052 § 4.4). Returns (payload, kid, name, role)."""
        tag = cbor(data)
        need(isinstance(tag, tuple) and tag[1] == 18, link, 'no COSE_Sign1')
        protected, unprotected, payload, signature = shaped(tag[2], (bytes, dict, bytes, bytes), link, 'COSE_Sign1')
        header = cbor(protected)
        need(isinstance(header, dict) and header.get(1) == -7 and header.get(16) == typ and not unprotected, link, 'COSE header')
        kid = header.get(4)
        name, role, key, _, _ = self.signer(kid, link)
        def head(major, n):
            for size, low in ((1, 24), (2, 25), (4, 26)):
                if n < 24:
                    return bytes([major << 5 | n])
                if n < 1 << 8 * size:
                    return bytes([major << 5 | low]) + n.to_bytes(size, 'big')
        signed = b'\x84\x6aSignature1' + head(2, len(protected)) + protected + b'\x40' + head(2, len(payload)) + payload
        need(len(signature) == 64 and signed_by(key, signed, der(signature)), link, 'a signature does not fit')
        return payload, kid, name, role

    def entry(self, data, link):
        index, path, signed, covering, column_index, salt, column_path, column = shaped(
            cbor(data), (int, list, bytes, list, int, bytes, list, bytes), 'receipt', 'entry')
        need(root_of(sha(b'\0', signed), index, self.size, path) == self.root, 'log', f'not record {index} of the log')
        chain = [signed, *covering]
        headers = []
        for at, each in enumerate(chain):
            bare = each[:1] and each[0] >> 5 == 5
            need(bool(bare) == (at < len(chain) - 1), 'signature', 'what is signed and what is covered')
            payload = each if bare else None
            if payload is None:
                payload, kid, name, role = self.cose(each, 'enerchain-batch', 'signature')
            header = cbor(payload)
            need(isinstance(header, dict) and header.get(0) == 1, 'signature', 'batch header')
            if headers:
                before, before_bytes = headers[-1]
                follows = (header[1], header[2], header[3], header[4]) == (before[1], before[2], before[3] + 1, sha(before_bytes))
                need(follows, 'signature', 'the headers are no chain')
            headers.append((header, payload))
        header = headers[0][0]
        need(name == header[1] and role in ('edge', 'service', 'centre'), 'signature', 'signed in another name')
        leaf = sha(b'\0', salt, column)
        need(len(salt) == 16 and root_of(leaf, column_index, header[8], column_path) == header[9], 'signature', 'the column is not in the batch')
        return {'index': index, 'header': header, 'column': column, 'signed': signed, 'kid': kid, 'role': role}

    def value(self, data, point, time, index):
        entry = self.entry(data, 'signature')
        header = entry['header']
        need(header[5] == 0, 'signature', 'no observations')
        mrid, source_times, receive_times, values, quality, _, _ = shaped(
            cbor(entry['column']), (bytes, list, list, (list, tuple), (int, tuple), (int, tuple), (int, tuple)), 'signature', 'column')
        count = len(numbers(values))
        need(mrid == point and 0 <= index < count and times(source_times, count, header[6])[index] == time, 'receipt', 'about something else')
        self.source, self.role, self.record = header[1], entry['role'], entry['index']
        self.received = times(receive_times, count, header[6])[index]
        self.shown = numbers(values)[index]
        self.valid_at(entry['kid'], self.received, 'gateway')
        reads = header.get(11, [])
        need(not reads or reads[-1][1] < entry['index'], 'device', 'it has read what came later')

    def device(self, entries, point):
        need(entries, 'device', 'nothing is said of the device')
        mrid = '-'.join(re.fullmatch('(.{8})(.{4})(.{4})(.{4})(.{12})', point.hex()).groups())
        bindings, endpoints, named = [], {}, False
        for entry in entries:
            need(entry['header'][5] == 4 and entry['header'][1] == self.source and entry['signed'] == entries[0]['signed']
                 and entry['index'] < self.record, 'device', 'not one document of the source before the value')
            part = cbor(entry['column'])
            need(isinstance(part, dict), 'device', 'site column')
            for each in [part['endpoint']] if 'endpoint' in part else part.get('endpoints', []):
                endpoints[each['id']] = each
            if any(each['mRID'] == mrid for each in part.get('points', [])):
                named = True
                bindings = [each for each in part['bindings'] if each['point'] == mrid]
        need(named, 'device', 'the point is not in the document')
        need(all(each['endpoint'] in endpoints for each in bindings), 'device', 'a device is not described')
        self.plain = any(endpoints[each['endpoint']].get('securityProfile') != 'tls' for each in bindings)

    def result(self, data, link):
        entry = self.entry(data, link)
        need(entry['header'][5] == 7, link, 'no result of attestation')
        record = cbor(entry['column'])
        payload, kid, name, _ = self.cose(record['result'], 'enerchain-result', link)
        claims = cbor(payload)
        (node, appraisal), = claims[266].items()
        result = {
            'node': node, 'verifier': claims[1], 'status': appraisal[1000], 'reasons': appraisal[-70002],
            'tier': appraisal[-70001], 'boot': appraisal[-70004], 'sequence': claims[-70005],
            'good since': claims.get(-70009, [0, None])[1],
            'issued': claims[-70006], 'until': claims[-70007],
        }
        need(name == claims[1] == record['verifier'] and node == record['node'], link, 'a result names others')
        need(record['evidence'] == appraisal[-70003], link, 'a result names other evidence')
        need(entry['role'] == 'centre' or entry['header'][1] == name, link, 'a result on the chain of somebody else')
        return entry['index'], result, kid, entry['kid']

    def software(self, results):
        if not results:
            need(self.role == 'service', 'software', 'nothing is known of the software')
            return
        for _, result, kid, logged_by in results:
            need(result['node'] == self.source, 'software', 'a result about another node')
            self.valid_at(kid, result['issued'], 'software')
            self.valid_at(logged_by, result['issued'], 'software')
        (first_index, first, _, _), (last_index, last, _, _) = results[0], results[-1]
        need(first['issued'] <= self.received and first_index <= self.record, 'software', 'no result before the value')
        for (index, one, _, _), (following, two, _, _) in zip(results, results[1:]):
            need(one['verifier'] == two['verifier'] and one['sequence'] < two['sequence'] and index < following,
                 'software', 'the results are not in order')
            need(good(one) or two['good since'] is None or two['good since'] > one['sequence'],
                 'software', 'a result says that there was nothing bad, against one before it')
        need(all(good(result) or result['status'] == 0 for _, result, _, _ in results), 'software', 'found not in order')
        need(good(first), 'software', 'nothing before the value')
        telling = [(index, result) for index, result, _, _ in results if good(result)]
        last_index, last = telling[-1]
        need(last is not first and last_index >= self.record and last['issued'] >= self.received, 'software', 'provisional')
        need(all(result['boot'] == first['boot'] for _, result, _, _ in results), 'software', 'started anew')

    def witnesses(self):
        keys = {each['name']: each['key'].encode() for each in self.anchor['witnesses']}
        counted, seen = 0, set()
        for name, blob in self.cosignatures:
            need(len(blob) > 12 and name not in seen, 'witnesses', 'a cosignature is malformed or there twice')
            seen.add(name)
            time = int.from_bytes(blob[4:12], 'big')
            key, own = keys.get(name), None
            for kid, data in self.certificates.items():
                holder, _, public, _, _ = certificate(data)
                if holder == name and key_id(public) == blob[:4]:
                    own = own or (kid, public)
            if own:
                self.used.add(own[0])
            if key is not None and key_id(key) != blob[:4]:
                key = None
            if key is None and own:
                key = own[1]
                self.valid_at(own[0], time, 'witnesses')
            elif key is not None:
                counted += 1
            signed = f'enerchain-cosignature/1\ntime {time}\n{self.text}'.encode()
            need(key and blob[:4] == key_id(key) and signed_by(key, signed, blob[12:]), 'witnesses', f'the cosignature of {name}')
        need(counted >= self.anchor['quorum'], 'witnesses', 'too few witnesses')


def good(result):
    return not result['reasons'] and result['status'] in (2, 32)


def typed(value, formats, link='signature'):
    need(isinstance(value, tuple) and value[0] == 'tag' and value[1] in formats, link, 'typed array')
    code, width = formats[value[1]]
    need(isinstance(value[2], bytes) and len(value[2]) % width == 0, link, 'typed array')
    return [each for each, in struct.iter_unpack('<' + code, value[2])]


def numbers(values):
    return values if isinstance(values, list) else typed(values, {85: ('f', 4), 86: ('d', 8)})


def times(series, count, base):
    unit, deltas = shaped(series, (int, (int, tuple)), 'signature', 'times')
    need(unit in (0, 3, 6), 'signature', 'unit of time')
    found = [deltas] * count if isinstance(deltas, int) else typed(deltas, {77: ('h', 2), 78: ('i', 4), 79: ('q', 8)})
    need(len(found) == count, 'signature', 'number of times')
    return [(base + each * 10**unit + 2**63) % 2**64 - 2**63 for each in found]


def verify(data, anchor):
    try:
        found = Verification(data, anchor)
    except Bad as bad:
        return {'ok': False, 'link': bad.args[0], 'text': bad.args[1]}
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, struct.error) as error:
        return {'ok': False, 'link': 'receipt', 'text': f'malformed: {error!r}'}
    return {'ok': True, 'source': found.source, 'value': found.shown, 'record': found.record, 'plain': found.plain}


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument('--anchor', required=True)
    arguments.add_argument('receipts', nargs='+')
    given = arguments.parse_args()
    anchor = json.loads(Path(given.anchor).read_text())
    holds = True
    for name in given.receipts:
        verdict = verify(Path(name).read_bytes(), anchor)
        holds = holds and verdict['ok']
        print(json.dumps({'file': name, **verdict}))
    return 0 if holds else 1


if __name__ == '__main__':
    sys.exit(main())
