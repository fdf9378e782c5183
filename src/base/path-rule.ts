// Rules about paths, followed a name at a time from the root down: a tree costs each of its names
// once, however deep it is. Pure.

/**
 * `S` is what is known behind a directory. Values that are alike should be one: they are kept for
 * many directories.
 */
export interface PathRule<S> {
  readonly top: S
  enter(at: S, name: string): S
  means(at: S): boolean
}

type Step = 'in' | 'out' | PathTree
interface PathTree extends Map<string, Step> {}

/** Means some paths, each given as its names from the root down, and all that is below them. */
export function withinRule(paths: readonly (readonly string[])[]): PathRule<Step> {
  let top: Step = new Map()
  for (const names of paths) {
    let at: Step = top
    for (const [index, name] of names.entries()) {
      const next: Step = at.get(name) ?? new Map()
      if (next === 'in' || next === 'out') break
      at.set(name, index === names.length - 1 ? 'in' : next)
      at = next
    }
    if (names.length === 0) top = 'in'
    if (top === 'in') break
  }
  return {
    top,
    enter: (at, name) => (at === 'in' || at === 'out' ? at : (at.get(name) ?? 'out')),
    means: (at) => at === 'in',
  }
}

/** A rule about text for names that are byte strings. */
export function overBytes<S>(rule: PathRule<S>): PathRule<S> {
  return {
    ...rule,
    enter: (at, name) => rule.enter(at, Buffer.from(name, 'latin1').toString('utf8')),
  }
}

/** Means what both rules mean. */
export function bothRules<A, B>(a: PathRule<A>, b: PathRule<B>): PathRule<readonly [A, B]> {
  return {
    top: [a.top, b.top],
    enter(at, name) {
      const next: readonly [A, B] = [a.enter(at[0], name), b.enter(at[1], name)]
      return next[0] === at[0] && next[1] === at[1] ? at : next
    },
    means: ([its, other]) => a.means(its) && b.means(other),
  }
}

/**
 * What a rule says to each that walkTree comes by, of which all directories must be asked about, in
 * their order.
 */
export function alongWalk<S>(
  rule: PathRule<S>,
): (walked: { readonly depth: number; readonly name: string }) => boolean {
  const way = [rule.top]
  return ({ depth, name }) => {
    if (depth === 0) return rule.means(rule.top)
    const at = rule.enter(way[depth - 1] as S, name)
    way.length = depth
    way.push(at)
    return rule.means(at)
  }
}
