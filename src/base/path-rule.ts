// Rules that select paths, evaluated name by name from the root down, so that a walk evaluates each
// name of a tree only once, however deep it is. Pure.

/**
 * `S` is the state of a rule below a directory. Equal states should be one object: they are kept
 * for many directories.
 */
export interface PathRule<S> {
  readonly top: S
  enter(at: S, name: string): S
  means(at: S): boolean
}

type Step = 'in' | 'out' | PathTree
interface PathTree extends Map<string, Step> {}

/** Selects some paths, each given as its names from the root down, and everything below them. */
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

/** Adapts a rule about text to names that are byte strings. */
export function overBytes<S>(rule: PathRule<S>): PathRule<S> {
  return {
    ...rule,
    enter: (at, name) => rule.enter(at, Buffer.from(name, 'latin1').toString('utf8')),
  }
}

/** Selects what both rules select. */
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
 * Evaluates a rule on the items of walkTree, which must be passed in order, including all
 * directories.
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
