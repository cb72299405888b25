# Verifies or signs every .eml file of a directory with dkimpy.
# dkimpy.py verify DIR; dkimpy.py sign DIR DOMAIN SELECTOR KEYFILE ALGORITHM HEADERCANON BODYCANON
# It prints a line NAME, tab, result; signing writes NAME.signed.
import json
import os
import sys

import dkim

what, folder = sys.argv[1:3]
records = {}
if what == "verify":
    with open(os.path.join(folder, "records.json")) as f:
        records = json.load(f)


def txt(name, timeout=5):
    text = records.get(name.decode().rstrip(".").lower())
    return None if text is None else text.encode()


def sign(path, message):
    domain, selector, keyfile, algorithm, header, body = sys.argv[3:9]
    with open(keyfile, "rb") as f:
        key = f.read()
    field = dkim.sign(message, selector.encode(), domain.encode(), key,
                      signature_algorithm=algorithm.encode(),
                      canonicalize=(header.encode(), body.encode()))
    with open(path + ".signed", "wb") as f:
        f.write(field + message)
    return "signed"


def verify(message):
    return "pass" if dkim.DKIM(message).verify(dnsfunc=txt) else "fail"


for name in sorted(os.listdir(folder)):
    if not name.endswith(".eml"):
        continue
    path = os.path.join(folder, name)
    with open(path, "rb") as f:
        message = f.read()
    try:
        result = sign(path, message) if what == "sign" else verify(message)
    except Exception as e:
        result = "error " + repr(e)
    print(name + "\t" + result)
