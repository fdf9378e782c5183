#!/usr/bin/env bash
# LevelDB acknowledges a synced write whose log file has no durable name yet.
#
# What: classic-level 3.0.0 (LevelDB 1.20 inside), `put` and `batch` with { sync: true }.
# Seen: when a log is full, LevelDB opens the next one (NNNNNN.log), appends to it, calls fdatasync(2) on it, and says that the write is done.
#       It calls fsync(2) on its folder only when it writes a MANIFEST, which another thread does later, for another reason. Until then the name of
#       the new log is in the hands of the file system.
# One would have guessed: that `sync: true` means durable, name and all, as SQLite and RocksDB do it: they fsync the folder of a new log.
#       fsync(2) says: "Calling fsync() does not necessarily ensure that the entry in the directory containing the file has also reached
#       disk. For that an explicit fsync() on a file descriptor for the directory is also needed."
# Why it matters here: fsync in a mounted vault promises that its data outlive a power cut. On a disk that keeps to the letter of fsync(2), up to
#       a whole log (4 MiB by default) of acknowledged commits was gone. ext4, XFS and btrfs write the name of a new file
#       along with its fsync, which hides it. avfs therefore syncs the folder itself after a write that found it changed
#       (src/store/leveldb/folder-names.ts; test/crash/power-cut.test.ts).
# Source: WritableFile::Sync and SyncDirIfManifest in LevelDB's util/env_posix.cc; fsync(2).
#
# Needs npm, Node 18 or newer and strace (Debian: strace). Exits 1 if it is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{ "private": true, "type": "module" }' >package.json
npm install --silent --no-audit --no-fund --ignore-scripts classic-level@3.0.0
cat >fill.js <<'JS'
import { ClassicLevel } from 'classic-level'
const db = new ClassicLevel('db', { writeBufferSize: 64 * 1024 })
await db.open()
for (let i = 0; i < 400; i++) await db.put(String(i), 'x'.repeat(4000), { sync: true })
await db.close()
JS
strace -f -y -e trace=openat,fsync,fdatasync -o trace node fill.js
awk '
  /fsync\([0-9]+<[^>]*\/db>/ { named = 1 }
  /\.log", .*O_CREAT/ { logs++; named = 0; counted = 0 }
  /fdatasync\([0-9]+<[^>]*\.log>.*= 0/ && !counted { counted = 1; if (!named) early++ }
  END {
    printf "%d logs begun; in %d of them a write was acknowledged before the folder was synced\n", logs, early
    exit early > 0 ? 0 : 1
  }' trace
