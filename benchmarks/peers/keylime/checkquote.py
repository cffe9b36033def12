"""Checks recorded quotes with keylime's own function, over and over, and says how often a second.

keylime.tpm.tpm_util.checkquote is what keylime's verifier calls for each quote: PEM key, ECDSA signature, nonce, PCR digest.
Reads JSON on stdin: {"seconds": s, "ak": pem, "quotes": [{"nonce", "attest", "signature", "pcrs"} in hex]}.
"""
import json
import logging
import sys
import time

logging.disable(logging.CRITICAL)
from keylime.tpm.tpm_util import checkquote  # noqa: E402

given = json.load(sys.stdin)
key = given["ak"].encode()
quotes = [
    tuple(bytes.fromhex(quote[part]) for part in ("nonce", "signature", "attest", "pcrs")) for quote in given["quotes"]
]
for quote in quotes:
    assert checkquote(key, *quote, "sha256"), "keylime does not accept the quote"
count = 0
cpu = time.process_time()
begin = time.perf_counter()
while (spent := time.perf_counter() - begin) < given["seconds"]:
    checkquote(key, *quotes[count % len(quotes)], "sha256")
    count += 1
json.dump({"count": count, "seconds": spent, "cpuSeconds": time.process_time() - cpu}, sys.stdout)
