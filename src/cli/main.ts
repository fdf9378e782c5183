#!/usr/bin/env node
// The command line: parses arguments with yargs, runs one command of commands/, ends with its exit
// code. No vault logic.

import yargs, { type Argv } from 'yargs'
import { hideBin } from 'yargs/helpers'
import { version } from '../base/version.ts'
import { withoutTerminator } from './arguments.ts'
import { addCommands, commandNamed } from './commands.ts'
import { leaveDeadDirectory } from './dead-directory.ts'
import { EXIT_CHECK_USAGE, EXIT_ERROR, EXIT_OK, EXIT_USAGE, UsageError } from './errors.ts'
import { assertWritten, outliveOutputs, printFailure, ReaderGone } from './output.ts'

const EXIT_CODES = `Exit codes:
  0 done   1 error, or nothing found   2 wrong usage   10 no such vault   11 the vault is in use
  13 no such path, version, snapshot or tag
  grep, as grep(1): 0 found   1 not found   2 and more: an error
  vault check, as fsck(8): 0 sound   1 repaired   4 problems are left   8 it failed itself   16 wrong usage`

const WIDTH = Math.min(100, process.stdout.columns ?? 80)

async function main(args: readonly string[]): Promise<number> {
  // Known before parsing, because wrong usage is also told in JSON.
  const json = args.includes('--json')
  try {
    const cli = withWholeExamples(yargs([...args]))
      .scriptName('avfs')
      .locale('en')
      .usage('$0 COMMAND\n\nA vault is one file (or folder) on disk; mounted, it is a directory.')
    await (await addCommands(cli, args))
      .option('json', { type: 'boolean', global: true, describe: 'print JSON, errors too' })
      .version(version)
      .demandCommand(1, 'say which command; avfs --help lists them')
      .strict()
      .recommendCommands()
      .epilogue(EXIT_CODES)
      .wrap(WIDTH)
      .fail((message: string | null, error: Error | undefined) => {
        throw error ?? new UsageError(clearer(message ?? 'wrong usage'))
      })
      // So that what --help prints is seen to be written, too.
      .exitProcess(false)
      .parseAsync()
    await assertWritten()
    return codeSoFar()
  } catch (error) {
    if (error instanceof ReaderGone) return codeSoFar()
    const code = printFailure(json, error)
    if (code === EXIT_USAGE && !json) process.stderr.write(`avfs: see ${helpCommand(args)}\n`)
    return ownCode(args, code)
  }
}

/**
 * Examples that can be copied: yargs breaks a long command in two beside its explanation, and an
 * option is lost.
 */
function withWholeExamples(cli: Argv): Argv {
  const example = cli.example.bind(cli)
  const add = (command: string, why: string): Argv => {
    const line = `${command}  # ${why}`
    if (why === '') return example(command, '')
    // Two blanks on each side, and 'avfs' for '$0'.
    if (line.length + 6 <= WIDTH) return example(line, '')
    example(`# ${why}`, '')
    return example(command, '')
  }
  return Object.assign(cli, { example: add })
}

function codeSoFar(): number {
  return process.exitCode === undefined ? EXIT_OK : Number(process.exitCode)
}

/** check and grep have exit codes of programs that people know. */
function ownCode(args: readonly string[], code: number): number {
  if (args[0] === 'vault' && args[1] === 'check')
    return code === EXIT_USAGE ? EXIT_CHECK_USAGE : code
  return code === EXIT_ERROR && args[0] === 'grep' ? EXIT_USAGE : code
}

/** yargs speaks of 'non-option arguments'. */
function clearer(message: string): string {
  return message
    .replace(/^Not enough non-option arguments: got \d+, need at least (\d+)$/, 'missing arguments')
    .replace(/^Unknown arguments?: /, 'unknown: ')
}

const families = ['vault', 'snapshot', 'tag', 'meta']

/** The --help that is nearest to what was typed. */
function helpCommand(args: readonly string[]): string {
  const words = args.filter((word) => /^[a-z]+$/.test(word))
  const known = families.includes(words[0] ?? '') ? words.slice(0, 2) : words.slice(0, 1)
  const isCommand = commandNamed(known[0] ?? '') !== undefined
  return ['avfs', ...(isCommand ? known : []), '--help'].join(' ')
}

outliveOutputs()
leaveDeadDirectory()
process.exitCode = await main(withoutTerminator(hideBin(process.argv)))
