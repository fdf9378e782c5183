// File names as byte strings: where they have to be cut.

/** The beginning of a name, at most `room` bytes, cut between characters of UTF-8. */
export function cutName(name: string, room: number): string {
  return name.length <= room ? name : name.slice(0, room).replace(/[\xc0-\xff][\x80-\xbf]*$/, '')
}
