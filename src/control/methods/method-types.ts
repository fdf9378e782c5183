// Types of the methods of an open vault: parameters, result, and the items sent before the result.
// The table of methods implements them (methods.ts), callers are checked against them (call.ts).
// Input from other processes is still validated (parameters.ts). Only types: importing them loads
// nothing.
//
// Paths, names and globs are byte strings. Times are those that the host's clock showed, in
// microseconds since 1970.

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

/** P: parameters. R: result. I: items; most methods have none. */
interface Types<P, R, I = never> {
  readonly parameters: P
  readonly result: R
  readonly item: I
}

/** Every method by name. What each does is documented in the file of its family. */
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

/** The requested state: at most one of these; none means the newest complete state. */
export interface Wanted {
  readonly version?: number
  readonly when?: When
  readonly snapshot?: string
}

interface AtState extends AtPath {
  readonly state?: Wanted | undefined
}

/** What happens to a path, which is shown as text, not as bytes. */
export interface PathEffect {
  readonly effect: Effect
  readonly path: string
}

/** What could not be done; the path is shown as text, not as bytes. */
export interface PathProblem {
  readonly path: string
  readonly message: string
}

/** Number of paths for each effect of a dry run. */
export type Planned = { readonly dryRun: true } & Readonly<Record<Effect, number>>

interface Check {
  readonly deep?: boolean
}

/** The figures that are known at once, including the engine's, and those that need a walk. */
export type Stats = Figures & VaultStats & { readonly search: SearchStatus }

/** `blocks`: unused ones that were removed. Not `compacted` if requests would have had to wait. */
export interface Compacted {
  readonly bytesBefore: number
  readonly bytesAfter: number
  readonly blocks: number
  readonly compacted: boolean
}

/** `lost`: the message about a vault that is no longer in its place. */
interface Synced {
  readonly lost?: string
}

/** `limit`: 0 for no limit. */
interface Log extends AtPath {
  readonly limit: number
  readonly all?: boolean
}

/** `kind` tells the type of items. `clock`: where the host's clock was set in between. */
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

/** `path` was restored to its state at `moment`, or with dryRun would be. */
export type BroughtBack = { readonly path: string; readonly moment: number } & (
  | (Readonly<RestoreReport> & { readonly version: number | null })
  | Planned
)

interface Compare extends AtPath {
  readonly before?: Wanted | undefined
  readonly after?: Wanted | undefined
}

/** The compared versions, if requested by number. */
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
 * A path that differs: '' for the compared path itself, else a byte string relative to it. `text`:
 * the bytes of both sides follow, `before` first. Without `text`, the content is equal or `binary`.
 */
export interface Difference {
  readonly path: string
  readonly before: Side | null
  readonly after: Side | null
  readonly text: boolean
  readonly binary: boolean
}

/** Both bounds are exclusive. */
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

/** `path` is a byte string relative to the requested path, '' for itself; `mtime` is in seconds. */
export interface FoundEntry {
  readonly path: string
  readonly mode: number
  readonly size: number
  readonly mtime: number
  /** Values of the requested keys, without user.; byte strings. */
  readonly values?: Values
}

interface FoundEntries {
  readonly entries: readonly FoundEntry[]
}

interface Contents extends AtState {
  readonly include?: readonly string[] | undefined
  readonly exclude?: readonly string[] | undefined
}

/**
 * A part of a file. Its bytes follow the item that lists it, in order. `problem`: the file ends
 * early.
 */
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

/** The present tags of the file. `unfit`: invalid tags, if others were added. */
interface TagsLeft {
  readonly tags: readonly string[]
  readonly unfit?: readonly string[]
}

/** `files`, for the root only: the number of files with the tag. */
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

/** `finished`: nothing was left to purge, and an interrupted purge was completed. */
export type Purged = Omit<PurgeReport, 'needles'> & {
  readonly finished: boolean
  readonly removed: readonly string[]
  readonly proof: Proof | null
}

/**
 * Numbers of bytes searched and of samples. `traces`: occurrences that no remaining data explain;
 * `elsewhere`: what explains others.
 */
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

/** `basename`: the name of a file that is imported into an existing directory. */
interface Import extends AtPath {
  readonly basename: string
  readonly dryRun?: boolean
}

export type Imported = Readonly<ImportReport> & { readonly problems: number } & Partial<Planned>

/** `over`: the state of the vault that the copy to be replaced was made from. */
interface Backup {
  readonly over?: LineageState | undefined
}

/**
 * The state that was sent, of which vault. `wall`: what the host's clock showed at `moment`.
 * `purged` is '' if nothing was ever purged.
 */
export interface BackupState {
  readonly id: string
  readonly moment: number
  readonly wall: number
  readonly purged: string
  readonly survey: Survey
  /** False if the vault's history does not include the copy's state: nothing was sent then. */
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

/** Like FoundVersion of results.ts, with null for undefined. */
interface FoundItemVersion {
  readonly number: number | null
  readonly moment: number
  readonly until: number | null
  readonly size: number
}

/** `path` is from the root; versions are oldest first; fragments are of the newest one. */
export interface FoundItem {
  readonly path: string
  readonly ino: number
  readonly score: number
  readonly deleted: boolean
  readonly mode: number
  readonly versions: readonly FoundItemVersion[]
  readonly fragments: readonly Fragment[]
}
