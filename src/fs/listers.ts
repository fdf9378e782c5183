// Whether a process that lists directories wants the attributes of what it finds, as ls -l and du
// do and find(1) does not. Attributes that come with the names save a LOOKUP each, and cost several
// times a name. The kernel does not say; so of every few names one comes without, and who wants
// attributes asks for that one. Knows nothing of inodes.

/** One name in so many comes without attributes. */
const SAMPLE_EVERY = 64
/** So many of those in a row that nobody asks for: the process wants none. */
const UNASKED_MAX = 4
/** So many names that it asks for though they are no samples: it does want them. */
const ASKED_MIN = 4
/** Processes that are remembered, the newest. */
const LISTERS_MAX = 64
/** Names that are remembered of one directory. */
const SAMPLES_MAX = 1024

interface Lister {
  /** The directory that it has opened last. */
  directory: number
  wants: boolean
  /** It has asked for attributes. */
  isProved: boolean
  /** Names given since the last sample. */
  names: number
  /** Names of the directory that came without attributes, though it wants them. */
  readonly samples: Set<string>
  unasked: number
  asked: number
}

export class Listers {
  readonly #listers = new Map<number, Lister>()

  /** A process opens a directory: it has asked for what it wanted of the one before. */
  begin(pid: number, directory: number): void {
    const lister = this.#listers.get(pid) ?? newLister()
    this.#listers.delete(pid)
    this.#listers.set(pid, lister)
    if (this.#listers.size > LISTERS_MAX)
      for (const oldest of this.#listers.keys()) {
        this.#listers.delete(oldest)
        break
      }
    lister.unasked += lister.samples.size
    if (lister.unasked >= UNASKED_MAX) {
      lister.wants = false
      lister.isProved = false
    }
    lister.samples.clear()
    lister.directory = directory
  }

  /** Whether a process is known to want attributes, rather than supposed to. */
  isProved(pid: number): boolean {
    return this.#listers.get(pid)?.isProved === true
  }

  /** Whether a name of a directory that a process lists is to come with its attributes. */
  wants(pid: number, directory: number, name: string): boolean {
    const lister = this.#listers.get(pid)
    if (lister === undefined || lister.directory !== directory) return true
    if (!lister.wants) return false
    if (++lister.names < SAMPLE_EVERY || lister.samples.size >= SAMPLES_MAX) return true
    lister.names = 0
    lister.samples.add(name)
    return false
  }

  /** A process looks a name up. */
  asked(pid: number, directory: number, name: string): void {
    const lister = this.#listers.get(pid)
    if (lister === undefined || lister.directory !== directory) return
    const isSample = lister.samples.delete(name)
    if (!isSample && (lister.isProved || ++lister.asked < ASKED_MIN)) return
    lister.wants = true
    lister.isProved = true
    lister.asked = 0
    lister.unasked = 0
  }
}

function newLister(): Lister {
  const counts = { names: 0, unasked: 0, asked: 0 }
  return { directory: 0, wants: true, isProved: false, samples: new Set(), ...counts }
}
