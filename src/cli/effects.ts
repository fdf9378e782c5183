// What a command would do to each path (--dry-run), or has left as it was: sent by the vault, shown
// as lines or in the result.

import type { Argv } from 'yargs'
import type { PathEffect } from '../control/methods/method-types.ts'
import type { Place } from '../control/vaults/place.ts'
import type { Effect } from '../vault/core/effect.ts'
import { printLine } from './output.ts'
import { shownText } from './terminal.ts'

export interface DryRunArguments {
  json?: boolean | undefined
  'dry-run': boolean
}

/** Adds --dry-run. */
export function withDryRun<T>(yargs: Argv<T>): Argv<T & { 'dry-run': boolean }> {
  return yargs.option('dry-run', {
    type: 'boolean',
    alias: 'n',
    default: false,
    describe: 'say what would be done to each path, and change nothing',
  })
}

export interface Effects {
  readonly take: (its: PathEffect) => void
  /** For the result as JSON: {effects: [{effect, path}]}. */
  readonly shown: object
}

const words: Readonly<Record<Effect, readonly [would: string, done: string]>> = {
  created: ['would create', 'created'],
  replaced: ['would replace', 'replaced'],
  changed: ['would change', 'changed'],
  removed: ['would remove', 'removed'],
  kept: ['would keep', 'kept'],
}

const EFFECTS = ['created', 'replaced', 'changed', 'removed', 'kept'] as const

/** Hears of effects; for people a line is written for each as it comes. */
export function effectsHeard({ json, 'dry-run': dryRun }: DryRunArguments, place: Place): Effects {
  const effects: object[] = []
  return {
    take(its) {
      const path = place.show(Buffer.from(its.path).toString('latin1'))
      if (json === true) effects.push({ effect: its.effect, path })
      else printLine(`${words[its.effect][dryRun ? 0 : 1]}  ${shownText(path)}`)
    },
    get shown() {
      return dryRun || effects.length > 0 ? { effects } : {}
    },
  }
}

/** The counts of a dry run for people: '2 created, 1 removed'. */
export function effectParts(counts: Partial<Record<Effect, number>>): string[] {
  const parts = EFFECTS.flatMap((effect) => (counts[effect] ? [`${counts[effect]} ${effect}`] : []))
  return parts.length > 0 ? parts : ['nothing to do']
}
