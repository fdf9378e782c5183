#!/usr/bin/env bash
# sled does not open where an earlier opening was killed while it wrote its snapshot.
#
# What: sled 0.34.7 (crates.io). When sled opens a database whose log grew, it writes a snapshot of its page table to
#       snap.NNNN.generating, syncs it, and renames it to snap.NNNN.
# Seen: the code that looks for snapshots leaves out names that end in .in___motion, which sled does not use, and takes the last of all others
#       that begin with snap. So a .generating that a kill or a power cut left is taken for the newest snapshot, and as it is not whole, each later
#       opening fails: "Read corrupted data at file offset None". The log and the snapshot before it are whole; once the file is removed, all is there.
# One would have guessed: that a file which is written under another name until it is whole is ignored until then, as that is the point of the name.
# Why it matters here: kill -9 and power cuts must leave a vault that opens. avfs removes such files before sled looks (native/sled/src/power.rs,
#       test/store/sled-power.test.ts); found by cutting the power at random moments (test/crash/power-cut.test.ts).
# Source: write_snapshot in sled's src/pagecache/snapshot.rs, get_snapshot_files in its src/config.rs.
#
# Needs cargo and a C compiler. Exits 1 if it is no longer so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat >Cargo.toml <<'TOML'
[package]
name = "begun"
version = "0.0.0"
edition = "2021"

[dependencies]
sled = "=0.34.7"
TOML
cat >src/main.rs <<'RS'
fn main() {
    match sled::open("db") {
        Err(error) => println!("not opened: {error}"),
        Ok(db) if std::env::args().nth(1).is_some() => drop(db.insert("key", "value").unwrap()),
        Ok(db) => println!("opened, key is there: {}", db.contains_key("key").unwrap()),
    }
}
RS
cargo build --quiet
./target/debug/begun put
before=$(./target/debug/begun)
snapshot=$(basename db/snap.*)
# What a kill between open(2) and write(2) leaves.
: >"db/$snapshot.generating"
begun=$(./target/debug/begun 2>/dev/null)
rm "db/$snapshot.generating"
after=$(./target/debug/begun)
printf 'before:                 %s\nwith %s.generating: %s\nwithout it again:       %s\n' "$before" "$snapshot" "$begun" "$after"
[[ $before == opened* && $begun == "not opened: Read corrupted data"* && $after == "$before" ]]
