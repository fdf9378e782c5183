// `avfs tag ...`: labels on files and directories, and finding by them.

import type { Argv, CommandModule } from 'yargs'
import { EXIT_ERROR } from '../errors.ts'
import { notice, printResult, table } from '../output.ts'
import { shownText } from '../terminal.ts'
import { ask, type PathArguments, placeOf, vaultOf, withPath } from './path-call.ts'

interface TagArguments extends PathArguments {
  tags: string[]
}

function withTags<T>(yargs: Argv<T>): Argv<T & { tags: string[] }> {
  return yargs.positional('tags', {
    type: 'string',
    array: true,
    demandOption: true,
    describe: 'one or more tags',
  })
}

const add: CommandModule<object, TagArguments> = {
  command: 'add <path> <tags..>',
  describe: 'tag a file or directory',
  builder: (yargs) =>
    withTags(withPath(yargs)).example('$0 tag add ~/myproject/plan.md urgent work', ''),
  handler: (args) => change('tagAdd', args),
}

const remove: CommandModule<object, TagArguments> = {
  command: 'rm <path> <tags..>',
  describe: 'take tags from a file or directory, which stays',
  builder: (yargs) => withTags(withPath(yargs)).example('$0 tag rm ~/myproject/plan.md urgent', ''),
  handler: (args) => change('tagRemove', args),
}

const list: CommandModule<object, PathArguments> = {
  command: 'list <path>',
  describe: 'list the tags of a file or directory; of a vault: all tags',
  builder: (yargs) =>
    withPath(yargs)
      .example('$0 tag list myproject', 'all tags, and how many files carry each')
      .example('$0 tag list ~/myproject/plan.md', ''),
  handler: async ({ path, json }) => {
    const place = await vaultOf(path)
    const { tags } = await ask(place, 'tagList', { path: place.path })
    const rows = tags.map(({ name, files }) => (files === undefined ? [name] : [name, `${files}`]))
    printResult(
      json === true,
      tags,
      place.path === '/' ? table([['tag', 'files'], ...rows]) : rows.join('\n'),
    )
  },
}

const find: CommandModule<object, TagArguments> = {
  command: 'find <path> <tags..>',
  describe: 'list what carries all of these tags, at or below a path',
  builder: (yargs) =>
    withTags(withPath(yargs)).example('$0 tag find myproject urgent work', 'what has both'),
  handler: async ({ path, tags, json }) => {
    const place = await vaultOf(path)
    const found = await ask(place, 'tagFind', { path: place.path, tags })
    const paths = found.paths.map((its) => place.show(its))
    printResult(json === true, paths, paths.map((its) => shownText(its)).join('\n'))
  },
}

async function change(method: 'tagAdd' | 'tagRemove', args: TagArguments): Promise<void> {
  const place = await placeOf(args.path)
  const parameters = { path: place.path, tags: args.tags }
  const { tags, unfit = [] } = await ask(place, method, parameters)
  for (const tag of unfit) {
    process.exitCode = EXIT_ERROR
    notice(`${JSON.stringify(tag)} can be no tag and was left out`)
  }
  const path = place.show(place.path)
  printResult(
    args.json === true,
    { path, tags },
    `${shownText(path)}: ${tags.join(', ') || 'no tags'}`,
  )
}

export const tagCommand: CommandModule = {
  command: 'tag <command>',
  describe: 'tag files, and find them by their tags',
  builder: (yargs) =>
    yargs
      .command(add)
      .command(remove)
      .command(list)
      .command(find)
      .demandCommand(1, 'say what to do with tags; avfs tag --help lists it')
      .example('$0 tag add ~/myproject/plan.md urgent', ''),
  handler: () => undefined,
}
