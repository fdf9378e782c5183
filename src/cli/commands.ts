// The commands by name, each loaded when it is wanted: reading all of them takes longer than most
// of them run.

import type { Argv } from 'yargs'

type Adding = (cli: Argv) => Promise<Argv>

/** A command by the first word of its call, and what adds it to a parser. */
const commands: ReadonlyMap<string, Adding> = new Map<string, Adding>([
  ['vault', async (cli) => cli.command((await import('./commands/vault.ts')).vaultCommand)],
  ['mount', async (cli) => cli.command((await import('./commands/mount.ts')).mountCommand)],
  ['unmount', async (cli) => cli.command((await import('./commands/unmount.ts')).unmountCommand)],
  ['log', async (cli) => cli.command((await import('./commands/log.ts')).logCommand)],
  ['cat', async (cli) => cli.command((await import('./commands/cat.ts')).catCommand)],
  ['diff', async (cli) => cli.command((await import('./commands/diff.ts')).diffCommand)],
  ['grep', async (cli) => cli.command((await import('./commands/grep.ts')).grepCommand)],
  ['find', async (cli) => cli.command((await import('./commands/find.ts')).findCommand)],
  ['restore', async (cli) => cli.command((await import('./commands/restore.ts')).restoreCommand)],
  ['undelete', async (cli) => cli.command((await import('./commands/restore.ts')).undeleteCommand)],
  [
    'snapshot',
    async (cli) => cli.command((await import('./commands/snapshot.ts')).snapshotCommand),
  ],
  ['tag', async (cli) => cli.command((await import('./commands/tag.ts')).tagCommand)],
  ['meta', async (cli) => cli.command((await import('./commands/meta.ts')).metaCommand)],
  ['search', async (cli) => cli.command((await import('./commands/search.ts')).searchCommand)],
  ['prune', async (cli) => cli.command((await import('./commands/prune.ts')).pruneCommand)],
  ['purge', async (cli) => cli.command((await import('./commands/purge.ts')).purgeCommand)],
  ['hold', async (cli) => cli.command((await import('./commands/hold.ts')).holdCommand)],
  ['bench', async (cli) => cli.command((await import('./commands/bench.ts')).benchCommand)],
  [
    'backends',
    async (cli) => cli.command((await import('./commands/backends.ts')).backendsCommand),
  ],
  ['export', async (cli) => cli.command((await import('./commands/export.ts')).exportCommand)],
  ['import', async (cli) => cli.command((await import('./commands/import.ts')).importCommand)],
])

/** Other names of commands, which yargs knows from the commands themselves. */
const aliases: Readonly<Record<string, string>> = { umount: 'unmount' }

/** The command that a word names, if it names one. */
export function commandNamed(word: string): string | undefined {
  const name = aliases[word] ?? word
  return commands.has(name) ? name : undefined
}

/**
 * Adds the commands that these arguments may call: all where the first word is none, which may be
 * the value of an option, a mistake to give advice on, or missing because help is asked for.
 */
export async function addCommands(cli: Argv, args: readonly string[]): Promise<Argv> {
  const words = args.filter((word) => !word.startsWith('-'))
  const named = new Set(words.flatMap((word) => commandNamed(word) ?? []))
  const isClear = words[0] !== undefined && commandNamed(words[0]) !== undefined
  let added = cli
  for (const [name, add] of commands) if (!isClear || named.has(name)) added = await add(added)
  return added
}
