// The method that destroys content for good: it removes the given content from the history and the
// index, makes the engine rewrite its files, and then searches their bytes for it.

import { setTimeout as sleep } from 'node:timers/promises'
import { removeIndexFolder } from '../../search/index-place.ts'
import { retryUntilLoaded } from '../../store/retry.ts'
import { StoreError } from '../../store/store.ts'
import { sealForSnapshot } from '../../vault/content/seal.ts'
import { slicesOf } from '../../vault/core/time-slices.ts'
import { findPath, namesOf } from '../../vault/history/paths.ts'
import { removeDurably } from '../../vault/history/restore.ts'
import { notePurged, type PurgedVersion, type PurgeReport } from '../../vault/prune/purge.ts'
import { dropLabels, isPurging, notePurging } from '../../vault/prune/purge-labels.ts'
import { whoseBytes } from '../../vault/prune/whose-bytes.ts'
import { announcer } from '../../vault/tree/announce.ts'
import { findEntry } from '../../vault/tree/directory.ts'
import type { Vault } from '../../vault/vault.ts'
import { toText } from '../wire/byte-strings.ts'
import { ControlError } from '../wire/errors.ts'
import type { Call, Given, Methods } from './method.ts'
import type { Proof, Purged } from './method-types.ts'
import { flagOf, pathOf } from './parameters.ts'
import { isDryRun } from './refusal.ts'
import { findTraces, type Trace } from './traces.ts'

/** Content passed in is held in memory. */
const CONTENT_BYTES_MAX = 64 * 1024 * 1024
/** Shorter content occurs in too many files. */
const CONTENT_BYTES_MIN = 8
/**
 * How long to wait for the kernel to forget deleted files, and for an engine to remove old files.
 */
const WAIT_MS = 5000
const POLL_MS = 50

export const purgeMethods = {
  /**
   * {path} or the content in the body, {force?, current?, dryRun?}: items are PurgedVersion.
   * `finished`: nothing was left to purge, and an interrupted purge was completed. `proof`: how
   * many bytes of files were searched for how many samples, where one was found that no remaining
   * data explain, and what explains others.
   */
  purge: { readOnly: false, alsoReadOnly: true, run: purgeContent },
} satisfies Partial<Methods>

async function purgeContent(
  vault: Vault,
  parameters: Given<'purge'>,
  call: Call<PurgedVersion>,
): Promise<Purged> {
  const dryRun = isDryRun(vault, parameters)
  const { core } = vault
  const content = await contentOf(call)
  const path = content === undefined ? pathOf(parameters, 'path') : '/'
  if (content === undefined && path === '/')
    throw new ControlError('name', 'this is all of the vault: avfs vault delete removes that')
  const of = content === undefined ? { path } : { content }
  const force = flagOf(parameters, 'force')
  const current = flagOf(parameters, 'current')
  if (!vault.readOnly) await retryUntilLoaded(() => sealForSnapshot(core))
  await vault.sync()
  const look = (isDry: boolean): Promise<PurgeReport> =>
    vault.purge({
      ...{ of, force, dryRun: isDry, current: isDry && current },
      onVersion: isDry === dryRun ? (version) => tell(vault, call, version) : () => undefined,
      onProgress: call.report,
    })
  let removed: string[] = []
  const samples: Uint8Array[] = []
  if (dryRun || current) {
    const plan = await look(true)
    if (dryRun || plan.refused) return resultOf(vault, plan, [], null, false)
    samples.push(...plan.needles)
    removed = await removeCurrent(vault, content === undefined ? [path] : plan.living, plan, call)
  }
  const report = await look(false)
  if (report.refused) return resultOf(vault, report, removed, null, false)
  const isEmpty = report.states + report.versions + report.names + report.rows === 0
  const wasCut = await retryUntilLoaded(() => isPurging(core))
  if (isEmpty && !wasCut) throw nothingOf(path, content, await isThere(vault, path))
  // Files deleted where history is not recorded have no past, only rows to be swept.
  if (removed.length > 0) await vault.prune({ rules: {}, tighten: true })
  await dropLabels(core, slicesOf(core))
  await forgetInIndex(vault, call)
  await vault.compact({ anew: true })
  const proof = await prove(vault, [...samples, ...report.needles], call)
  if (proof.traces.length === 0) {
    notePurged(core)
    await vault.sync()
  }
  return resultOf(vault, report, removed, proof, isEmpty && removed.length === 0)
}

function tell({ core }: Vault, call: Call<PurgedVersion>, version: PurgedVersion): void {
  void call.send({ item: { ...version, moment: core.moments.wallOf(version.moment) } })
}

async function contentOf({ body }: Pick<Call, 'body'>): Promise<Uint8Array | undefined> {
  if (body === undefined) return undefined
  const parts: Uint8Array[] = []
  let length = 0
  for await (const piece of body) {
    parts.push(Uint8Array.from(piece))
    length += piece.length
    if (length > CONTENT_BYTES_MAX)
      throw new ControlError('failed', 'the content is too long to be looked for: purge its path')
  }
  if (length < CONTENT_BYTES_MIN)
    throw new ControlError(
      'failed',
      `a content of fewer than ${CONTENT_BYTES_MIN} bytes is in too many files: purge its path`,
    )
  return Buffer.concat(parts)
}

function resultOf(
  { core }: Vault,
  { needles: _, shared, ...report }: PurgeReport,
  removed: readonly string[],
  proof: Proof | null,
  finished: boolean,
): Purged {
  const shown = shared.map(({ path, moment }) => ({
    path,
    moment: moment === null ? null : core.moments.wallOf(moment),
  }))
  return { ...report, shared: shown, removed, proof, finished }
}

async function isThere(vault: Vault, path: string): Promise<boolean> {
  return await retryUntilLoaded(() => findPath(vault.core, path) !== undefined)
}

function nothingOf(path: string, content: Uint8Array | undefined, there: boolean): ControlError {
  if (content !== undefined) return new ControlError('absent', 'no file holds or held this content')
  const shown = toText(path)
  const message = there
    ? `${shown} has no past; what is there now is deleted, too, with --current`
    : `nothing is known of ${shown}`
  return new ControlError('absent', message, shown)
}

/** Deletes these paths, and waits until the kernel has forgotten the inodes. */
async function removeCurrent(
  { core }: Vault,
  paths: readonly string[],
  { tags }: PurgeReport,
  { kernel }: Pick<Call, 'kernel'>,
): Promise<string[]> {
  const announced = announcer(core, kernel)
  const removed: string[] = []
  for (const path of paths) {
    const row = await retryUntilLoaded(() => {
      const names = namesOf(path)
      const name = names.pop() ?? ''
      const parent = findPath(core, `/${names.join('/')}`)
      return parent && findEntry(core, parent.ino, name)
    })
    if (row === undefined) continue
    notePurging(core, tags)
    await removeDurably(core, row, announced)
    removed.push(path)
  }
  await announced.sent()
  const end = performance.now() + WAIT_MS
  while (core.orphans.size > 0 && performance.now() < end) await sleep(POLL_MS)
  return removed
}

/** An index that cannot be opened is deleted: it can be rebuilt. */
async function forgetInIndex(vault: Vault, { searcher }: Pick<Call, 'searcher'>): Promise<void> {
  try {
    await searcher().compact()
  } catch (error) {
    if (!(error instanceof StoreError) || error.kind !== 'unavailable') throw error
    if (vault.core.overlay.store.auxiliary === undefined) removeIndexFolder(vault)
  }
}

async function prove(
  vault: Vault,
  samples: readonly Uint8Array[],
  { report }: Pick<Call, 'report'>,
): Promise<Proof> {
  const explained = new Map<Uint8Array, string>()
  const end = performance.now() + WAIT_MS
  for (;;) {
    const unexplained = samples.filter((sample) => !explained.has(sample))
    const { bytes, traces } = await findTraces(vault.path, unexplained, (done) => report(done, 0))
    const found = traces.map(({ sample }) => sample)
    if (found.length > 0) {
      const whose = await whoseBytes(vault.core, found, slicesOf(vault.core))
      for (const [sample, path] of whose) explained.set(sample, path)
    }
    const left = traces.filter(({ sample }) => !explained.has(sample))
    // Engines remove the files that they have rewritten with some delay.
    if (left.length > 0 && performance.now() < end) await sleep(POLL_MS * 10)
    else
      return {
        bytes,
        samples: samples.length - explained.size,
        traces: left.map(({ file, offset }: Trace) => ({ file, offset })),
        elsewhere: [...new Set(explained.values())].sort(),
      }
  }
}
