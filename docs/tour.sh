#!/bin/sh
# A day's work, lost in every usual way and found again: with ordinary programs where they will do, with avfs where that is
# shorter. It makes a vault of its own in a temporary directory and leaves nothing behind:
#
#     docs/tour.sh              or, in a checkout: make build && docs/tour.sh
#
# Each line that begins with $ is what you would type. test/cli/tour.test.ts runs this, so that it stays true.
set -eu

avfs() { "${AVFS:-$(dirname "$tour")/../scripts/avfs}" "$@"; }
tour=$(readlink -f "$0")
place=$(mktemp -d)
export AVFS_HOME="$place/vaults" XDG_RUNTIME_DIR="$place" XDG_STATE_HOME="$place"
leave() {
  cd /
  avfs unmount "$place/work" >/dev/null 2>&1 || :
  rm -rf --one-file-system "$place"
}
trap leave EXIT

say() { printf '\n# %s\n' "$*"; }
# Shows a command, runs it.
try() {
  printf '$ %s\n' "$*"
  eval "$*"
}
# Ends the tour unless a file holds a text.
expect() { grep -qF -- "$2" "$1" || { echo "the tour is wrong: $1 does not hold '$2'" >&2; exit 1; }; }
# What lives shorter than a second is taken for a temporary file.
pause() { sleep 1.2; }

say 'A vault is one file; mounted, it is a directory.'
mkdir "$AVFS_HOME" "$place/work"
try avfs vault create thesis
try 'avfs mount thesis "$place/work"'
cd "$place/work"

say 'Nine in the morning: two chapters and a picture.'
mkdir chapters
printf 'It was a dark night.\nNobody came.\n' >chapters/one.txt
printf 'The next day it rained.\n' >chapters/two.txt
printf '\211PNG' >figure.png
try 'avfs snapshot create morning'
try 'avfs tag add chapters/one.txt draft'
pause

say 'Work goes on. Every close of a changed file is a version; nobody has to save twice.'
printf 'It was a dark night.\nSomebody came after all.\n' >chapters/one.txt
sed -i 's/rained/snowed/' chapters/two.txt
pause
try 'avfs log chapters/one.txt'
try 'ls -l .avfs/versions/figure.png chapters/.avfs/versions/one.txt'

say 'Lost, the first way: a wrong command empties the chapter.'
try ': >chapters/one.txt'
pause
try 'ls chapters/.avfs/versions/one.txt'
try 'cat chapters/.avfs/versions/one.txt/2.txt'
try 'avfs restore chapters/one.txt -v 2'
expect chapters/one.txt 'Somebody came after all.'

say 'The second way: what did I change since the morning, and was it right?'
try 'avfs diff chapters --snapshot morning'
try 'diff -r .avfs/snapshots/morning/chapters chapters || :'
say 'Chapter two was better before. A restore is a new version: the snow is not lost either.'
try 'avfs restore chapters/two.txt --snapshot morning'
expect chapters/two.txt rained
try 'avfs cat chapters/two.txt -v 2'

say 'The third way: rm -r in the wrong window.'
pause
try 'rm -r chapters figure.png'
try 'ls .avfs/deleted'
try 'avfs undelete chapters'
expect chapters/one.txt 'Somebody came after all.'
say 'Or with cp, for those who like it plain.'
try 'cp -a .avfs/deleted/figure.png .'
say 'The tag came back with the chapter, and so did its history.'
try 'avfs tag find . draft'
try 'avfs log chapters/one.txt -n 3'

say 'The fourth way: it was all fine an hour ago. Any moment will do, nothing was prepared for it.'
pause
now=$(date +%s)
pause
for chapter in chapters/*.txt; do printf 'lorem ipsum\n' >"$chapter"; done
try 'cat .avfs/at/@$now/chapters/one.txt'
try 'avfs restore chapters --at @$now'
expect chapters/one.txt 'Somebody came after all.'

say 'None of this needs the mount.'
cd /
try 'avfs unmount "$place/work"'
try 'avfs log thesis:/chapters/one.txt -n 1'
try 'avfs cat thesis:/chapters/two.txt --snapshot morning'
try 'avfs vault check thesis --deep'

say 'The day is saved.'
