// Walks from an inode up to the root end there, however deep it lies; rows that are damaged may lead in a circle instead.

/**
 * A check for one walk, to be told of each inode on it: true when the walk goes in a circle, at the latest when it has been around
 * three times (Brent's algorithm, which keeps one number and not all of them).
 */
export function circleCheck(): (ino: number) => boolean {
  let mark = -1
  let steps = 0
  let next = 1
  return (ino) => {
    if (ino === mark) return true
    if (++steps === next) {
      mark = ino
      next *= 2
    }
    return false
  }
}
