#!/usr/bin/env bash
# A FUSE server in writeback mode that answers a WRITE with EDQUOT: close(2) says EIO, fsync(2) says EDQUOT.
#
# What: Linux (seen with 6.18), FUSE with FUSE_WRITEBACK_CACHE; the server is a few lines of github.com/hanwen/go-fuse/v2 v2.12.1.
# Seen: write(2) succeeds, as the bytes go to the page cache. When they are written back the server refuses them with EDQUOT. close(2)
#       then fails with EIO ("Input/output error"); fsync(2) of another descriptor fails with EDQUOT ("Disk quota exceeded").
#       With ENOSPC in place of EDQUOT both say ENOSPC.
# One would have guessed: that the errno of the server reaches whoever closes the file, as it does without writeback, and as it
#       does for fsync. NFS and ext4 users know "Disk quota exceeded" from close.
# Why it matters here: cp, editors and shells hear of a used-up quota at close alone. avfs takes a WRITE over quota without an error,
#       remembers it, and answers FLUSH and FSYNC with EDQUOT itself (src/fs/quota.ts; test/mount/quota.test.ts).
# Source: fuse_flush asks filemap_check_errors (fs/fuse/file.c), which knows the mapping's flags AS_EIO and AS_ENOSPC alone
#       (mapping_set_error in include/linux/pagemap.h); fsync asks errseq_check_and_advance, which keeps the errno.
#
# Needs go, /dev/fuse and root. Exits 1 if it is no longer so.
set -euo pipefail
folder=$(mktemp -d)
server=
trap 'umount -l "$folder/mnt" 2>/dev/null || true; [ -z "$server" ] || kill "$server" 2>/dev/null || true; chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
cd "$folder"
mkdir mnt
cat >main.go <<'GO'
package main

import (
	"context"
	"log"
	"os"
	"strconv"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

var refusal syscall.Errno

type file struct{ fs.Inode }

func (f *file) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	return nil, 0, 0
}
func (f *file) Write(ctx context.Context, h fs.FileHandle, data []byte, off int64) (uint32, syscall.Errno) {
	return 0, refusal
}
func (f *file) Flush(ctx context.Context, h fs.FileHandle) syscall.Errno { return 0 }
func (f *file) Fsync(ctx context.Context, h fs.FileHandle, flags uint32) syscall.Errno { return 0 }
func (f *file) Setattr(ctx context.Context, h fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	return 0
}
func (f *file) Getattr(ctx context.Context, h fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Mode = 0644
	return 0
}

type root struct{ fs.Inode }

func (r *root) OnAdd(ctx context.Context) {
	for _, name := range []string{"closed", "synced"} {
		r.AddChild(name, r.NewPersistentInode(ctx, &file{}, fs.StableAttr{Mode: syscall.S_IFREG}), false)
	}
}

func main() {
	number, _ := strconv.Atoi(os.Args[2])
	refusal = syscall.Errno(number)
	options := &fs.Options{}
	options.DirectMount = true
	options.ExtraCapabilities = fuse.CAP_WRITEBACK_CACHE
	server, err := fs.Mount(os.Args[1], &root{}, options)
	if err != nil {
		log.Fatal(err)
	}
	server.Wait()
}
GO
cat >ask.py <<'PY'
import errno, os, sys
def told(name, how):
    descriptor = os.open(os.path.join(sys.argv[1], name), os.O_WRONLY)
    os.write(descriptor, b"x" * 4096)
    try:
        how(descriptor)
    except OSError as error:
        return errno.errorcode[error.errno]
    return "no error"
print("close", told("closed", os.close), "fsync", told("synced", os.fsync))
PY
go mod init finding >/dev/null 2>&1
go get github.com/hanwen/go-fuse/v2/fs@v2.12.1 github.com/hanwen/go-fuse/v2/fuse@v2.12.1 >/dev/null 2>&1
go build -o server .
answer() { # errno
  ./server mnt "$1" &
  server=$!
  for _ in $(seq 100); do [ -e mnt/closed ] && break; sleep 0.1; done
  python3 ask.py mnt
  umount mnt
  wait "$server" || true
  server=
}
quota=$(answer 122)
space=$(answer 28)
echo "EDQUOT: $quota"
echo "ENOSPC: $space"
[ "$quota" = 'close EIO fsync EDQUOT' ] && [ "$space" = 'close ENOSPC fsync ENOSPC' ]
