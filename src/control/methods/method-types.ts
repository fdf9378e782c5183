// What can be asked of an open vault, as types: what each method is given, what it hands over before its result, and the result. The
// table of methods fulfils them (methods.ts), and callers are held to them (call.ts). What comes off the wire is checked all the
// same (parameters.ts). Types only: who calls loads nothing with them.
//
// Paths, names and globs are byte strings. Times are those that the host's clock showed, in microseconds since 1970.

import type { SearchStatus } from '../../search/searcher.ts'
import type { Fragment } from '../../search/snippet.ts'
import type { SnapshotRow } from '../../store/collections.ts'
import type { CheckReport } from '../../vault/check/check.ts'
import type { Effect } from '../../vault/core/effect.ts'
import type { VaultInfo, VaultStats } from '../../vault/core/facts.ts'
import type { LineageState } from '../../vault/core/lineage.ts'
import type { When } from '../../vault/core/when.ts'
import type { Figures } from '../../vault/figures.ts'
import type { HistoryEvent } from '../../vault/history/changes.ts'
import type { RestoreReport } from '../../vault/history/restore-run.ts'
import type { NameVersion } from '../../vault/history/versions.ts'
import type { HoldRow } from '../../vault/prune/holds.ts'
import type { PruneReport } from '../../vault/prune/prune.ts'
import type { PrunedVersion } from '../../vault/prune/prune-inode.ts'
import type { PurgedVersion, PurgeReport } from '../../vault/prune/purge.ts'
import type { Survey } from '../../vault/transfer/copy-rows.ts'
import type { ExportReport } from '../../vault/transfer/export.ts'
import type { ImportReport } from '../../vault/transfer/import-run.ts'

/** P: its parameters. R: its result. I: its items; most methods have none. */
interface Types<P, R, I = never> {
  readonly parameters: P
  readonly result: R
  readonly item: I
}

/** Every method, by its name. What each does stands in the file of its family. */
interface MethodTypes {
  readonly info: Types<Nothing, VaultInfo>
  readonly stats: Types<Nothing, Stats>
  readonly check: Types<Check, CheckReport>
  readonly compact: Types<Nothing, Compacted>
  readonly sync: Types<Nothing, Synced>

  readonly log: Types<Log, Logged, NameVersion | HistoryEvent>
  readonly cat: Types<AtState, Content>
  readonly restore: Types<Restore, BroughtBack, PathEffect>
  readonly undelete: Types<Undelete, BroughtBack, PathEffect>
  readonly compare: Types<Compare, Compared, Difference>
  readonly find: Types<Find, Nothing, FoundEntries>
  readonly contents: Types<Contents, Nothing, Stretches>

  readonly snapshotCreate: Types<Named, SnapshotMoment>
  readonly snapshotDelete: Types<Named, Named>
  readonly snapshotRename: Types<Rename, Renamed>
  readonly snapshotList: Types<Nothing, { readonly snapshots: readonly SnapshotRow[] }>
  readonly tagAdd: Types<Tags, TagsLeft>
  readonly tagRemove: Types<Tags, TagsLeft>
  readonly tagList: Types<AtPath, { readonly tags: readonly TagUse[] }>
  readonly tagFind: Types<Tags, { readonly paths: readonly string[] }>
  readonly metaList: Types<AtPath, { readonly values: Values }>
  readonly metaSet: Types<SetValues, { readonly values: Values }>
  readonly metaFind: Types<FindValues, Nothing, PathValues>

  readonly configShow: Types<Nothing, Settings>
  readonly configSet: Types<{ readonly changes: Settings }, Settings>
  readonly prune: Types<Prune, Pruned, PrunedVersion>
  readonly purge: Types<Purge, Purged, PurgedVersion>
  readonly holdAdd: Types<Named, HoldRow>
  readonly holdRelease: Types<Named, Named>
  readonly holdList: Types<Nothing, { readonly holds: readonly HoldRow[] }>

  readonly export: Types<Export, Exported, PathProblem>
  readonly import: Types<Import, Imported, PathProblem | PathEffect>
  readonly backup: Types<Backup, BackupState>
  readonly search: Types<Search, { readonly complete: boolean }, FoundItem>
  readonly searchStatus: Types<Nothing, SearchStatus>
  readonly searchRebuild: Types<Nothing, SearchStatus>
}

export type MethodName = keyof MethodTypes
export type ParametersOf<N extends MethodName> = MethodTypes[N]['parameters']
export type ResultOf<N extends MethodName> = MethodTypes[N]['result']
export type ItemOf<N extends MethodName> = MethodTypes[N]['item']

type Nothing = Readonly<Record<string, never>>

interface AtPath {
  readonly path: string
}

interface Named {
  readonly name: string
}

/** Which state is meant: one of these at most; none stands for the newest complete one. */
export interface Wanted {
  readonly version?: number
  readonly when?: When
  readonly snapshot?: string
}

interface AtState extends AtPath {
  readonly state?: Wanted | undefined
}

/** What becomes of a path; shown as text, not as bytes. */
export interface PathEffect {
  readonly effect: Effect
  readonly path: string
}

/** What could not be done; the path is shown as text, not as bytes. */
export interface PathProblem {
  readonly path: string
  readonly message: string
}

/** How many paths each effect has, where nothing was changed. */
export type Planned = { readonly dryRun: true } & Readonly<Record<Effect, number>>

interface Check {
  readonly deep?: boolean
}

/** What `stats` answers: the figures that cost nothing, the engine's own among them, and those that need a walk. */
export type Stats = Figures & VaultStats & { readonly search: SearchStatus }

/** `blocks` nobody used any more; not `compacted` where requests would have to wait. */
export interface Compacted {
  readonly bytesBefore: number
  readonly bytesAfter: number
  readonly blocks: number
  readonly compacted: boolean
}

/** `lost`: what is to be told of a vault that is not where it was any more. */
interface Synced {
  readonly lost?: string
}

/** `limit`: 0 for all. */
interface Log extends AtPath {
  readonly limit: number
  readonly all?: boolean
}

/** Items are versions of a file or events of a directory. `clock`: where the host's clock was set meanwhile. */
interface Logged {
  readonly kind: 'file' | 'directory'
  readonly clock: readonly string[]
}

interface Content {
  readonly size: number
  readonly moment: number
}

interface Restore extends AtState {
  readonly to?: string | undefined
  readonly removeNewer?: boolean
  readonly dryRun?: boolean
}

interface Undelete extends AtPath {
  readonly dryRun?: boolean
}

/** `path` is as it was at `moment`, or would be. */
export type BroughtBack = { readonly path: string; readonly moment: number } & (
  | (Readonly<RestoreReport> & { readonly version: number | null })
  | Planned
)

interface Compare extends AtPath {
  readonly before?: Wanted | undefined
  readonly after?: Wanted | undefined
}

/** The versions that were compared, where they were asked for by number. */
interface Compared {
  readonly before: number | null
  readonly after: number | null
}

/** One side of a difference. `mtime` is in seconds. */
export interface Side {
  readonly mode: number
  readonly size: number
  readonly mtime: number
}

/**
 * A path that differs: '' for the compared path itself, else a byte string below it. `text`: the bytes of both sides follow, first
 * those of `before`. Without `text` the content is the same, or no text (`binary`).
 */
export interface Difference {
  readonly path: string
  readonly before: Side | null
  readonly after: Side | null
  readonly text: boolean
  readonly binary: boolean
}

/** Both ends excluded. */
export interface Range {
  readonly above?: number
  readonly below?: number
}

interface Find extends AtState {
  readonly names?: readonly string[] | undefined
  readonly paths?: readonly string[] | undefined
  readonly types?: readonly number[] | undefined
  readonly size?: Range | undefined
  readonly mtime?: Range | undefined
  readonly tags?: readonly string[] | undefined
  readonly keys?: readonly string[] | undefined
}

/** What find tells of each: `path` is a byte string below that which was asked for, '' for itself; `mtime` in seconds. */
export interface FoundEntry {
  readonly path: string
  readonly mode: number
  readonly size: number
  readonly mtime: number
  /** Of the keys that were asked for, without user.; byte strings. */
  readonly values?: Values
}

interface FoundEntries {
  readonly entries: readonly FoundEntry[]
}

interface Contents extends AtState {
  readonly include?: readonly string[] | undefined
  readonly exclude?: readonly string[] | undefined
}

/** A stretch of a file; its bytes follow the item in which it stands, in order. A `problem` ends a file early. */
export interface Stretch {
  readonly path: string
  readonly bytes: number
  readonly isLast: boolean
  readonly problem?: string
}

export interface Stretches {
  readonly stretches: readonly Stretch[]
}

interface SnapshotMoment extends Named {
  readonly moment: number
}

interface Rename extends Named {
  readonly newName: string
}

interface Renamed extends Named {
  readonly oldName: string
}

interface Tags extends AtPath {
  readonly tags: readonly string[]
}

/** The tags of a file now. `unfit` are those that can be no tags, beside others that were added. */
interface TagsLeft {
  readonly tags: readonly string[]
  readonly unfit?: readonly string[]
}

/** Of the root: with the number of what carries it. */
interface TagUse extends Named {
  readonly files?: number
}

/** Extended attributes of a file, without user.; keys and values are byte strings. */
export type Values = Readonly<Record<string, string>>

interface SetValues extends AtPath {
  readonly values: Readonly<Record<string, string | null>>
}

interface FindValues extends AtPath {
  readonly keys: readonly string[]
}

interface PathValues extends AtPath {
  readonly values: Values
}

type Settings = Readonly<Record<string, string>>

interface Prune {
  readonly path?: string
  readonly glob?: string
  readonly keep?: number
  readonly olderThan?: string
  readonly dryRun?: boolean
  readonly explain?: boolean
}

export type Pruned = PruneReport & { readonly keptEverything: boolean }

interface Purge {
  readonly path?: string
  readonly force?: boolean
  readonly current?: boolean
  readonly dryRun?: boolean
}

/** `finished`: nothing of it was left, and a purge that was cut short is ended. */
export type Purged = Omit<PurgeReport, 'needles'> & {
  readonly finished: boolean
  readonly removed: readonly string[]
  readonly proof: Proof | null
}

/** So many bytes of files were searched for so many samples; where one was found that nothing which stays explains, and what does. */
export interface Proof {
  readonly bytes: number
  readonly samples: number
  readonly traces: readonly { readonly file: string; readonly offset: number }[]
  readonly elsewhere: readonly string[]
}

interface Export extends AtState {
  readonly recursive?: boolean
  readonly history?: boolean
}

type Exported = Readonly<ExportReport> & { readonly moment: number; readonly problems: number }

/** `basename`: what a file is called that goes into an existing directory. */
interface Import extends AtPath {
  readonly basename: string
  readonly dryRun?: boolean
}

export type Imported = Readonly<ImportReport> & { readonly problems: number } & Partial<Planned>

/** `over`: where the copy comes from that is to give way. */
interface Backup {
  readonly over?: LineageState | undefined
}

/** Which state of which vault was sent, and what the host's clock showed then (`wall`); `purged` is '' where nothing was ever purged. */
export interface BackupState {
  readonly id: string
  readonly moment: number
  readonly wall: number
  readonly purged: string
  readonly survey: Survey
  /** False where the vault does not come from the state of the copy: nothing was sent then. */
  readonly isHeld: boolean
}

interface Search extends AtPath {
  readonly query: string
  readonly limit: number
  readonly glob?: string
  readonly tag?: string
  readonly since?: When
  readonly allVersions?: boolean
}

/** As FoundVersion of results.ts; null stands for what is undefined there. */
interface FoundItemVersion {
  readonly number: number | null
  readonly moment: number
  readonly until: number | null
  readonly size: number
}

/** What search tells of each: `path` is from the root; versions are oldest first, fragments of the last of them. */
export interface FoundItem {
  readonly path: string
  readonly ino: number
  readonly score: number
  readonly deleted: boolean
  readonly mode: number
  readonly versions: readonly FoundItemVersion[]
  readonly fragments: readonly Fragment[]
}
