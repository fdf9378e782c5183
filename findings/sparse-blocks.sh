#!/usr/bin/env bash
# GNU tar reads each stretch of a sparse file from a block of its own; others read them one behind the other.
#
# What: GNU tar 1.34 and libarchive's bsdtar 3.6.2 (Debian 12), an archive with a sparse file in GNU's pax format 1.0 whose stretches
#       of data are no multiples of 512 bytes.
# Seen: bsdtar makes the file; GNU tar makes another one and ends with 0.
# One would have guessed: one file. The manual says how the map is padded, and nothing of padding within the data ("Storing Sparse
#       Files", PAX Format, Version 1.0); the stored size of the member, which is the sum of the stretches, has no room for any.
# Why it matters here: a file system may know its holes to the byte (avfs does), and not every program that reads them back is GNU tar. Only stretches that
#       begin and end with blocks mean the same to all (src/archive/tar-sink.ts).
# Source: sparse_extract_region in GNU tar's src/sparse.c takes whole blocks; gnu_sparse_10_read in libarchive does not.
#
# Needs tar, bsdtar (Debian: libarchive-tools) and python3. Exits 1 if it is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 - <<'PY'
import tarfile
stretches = [(0, b'first'), (1000, b'second'), (3000, b'third')]
text = f'{len(stretches)}\n' + ''.join(f'{at}\n{len(data)}\n' for at, data in stretches)
stored = text.encode().ljust(512, b'\0') + b''.join(data for _, data in stretches)
member = tarfile.TarInfo('GNUSparseFile.0/file')
member.size = len(stored)
member.pax_headers = {'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.name': 'file', 'GNU.sparse.realsize': '3005'}
import io
with tarfile.open('a.tar', 'w', format=tarfile.PAX_FORMAT) as archive:
    archive.addfile(member, io.BytesIO(stored))
whole = bytearray(3005)
for at, data in stretches:
    whole[at:at + len(data)] = data
open('file', 'wb').write(whole)
PY
mkdir gnu bsd
status=0
tar -C gnu -xf a.tar || status=$?
bsdtar -C bsd -xf a.tar
cmp -s file bsd/file && echo 'bsdtar: the file'
cmp -s file gnu/file && { echo 'GNU tar: the file, too'; exit 1; }
echo "GNU tar: another file, exit code $status:"
tr -d '\0' <gnu/file
echo
