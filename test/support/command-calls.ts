// A call of every command of avfs, on a small vault called `testvault`. A command that is in the
// help and not here fails the tests that go through all of them.

import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TestVault } from './mount.ts'

export interface CommandCall {
  readonly args: readonly string[]
  /** Changes neither the vault nor anything of the host. */
  readonly readsOnly?: true
  /** Makes no sense unless the vault is mounted. */
  readonly needsMount?: true
  /** Makes sense only for a vault that is not. */
  readonly needsFile?: true
}

const FILES = 60
/** Those that are deleted again. */
const EXTRAS = ['extra0', 'extra1', 'extra2']

/**
 * What makes the vault: files with words, versions, a deletion, labels, an archive of it on the
 * host, and an empty vault beside it.
 */
export async function fillForCommands(vault: TestVault): Promise<void> {
  const { root, name } = vault
  const from = join(root, 'from')
  const must = (...args: readonly string[]): void => {
    const { status, stderr } = vault.avfs(args)
    if (status !== 0) throw new Error(`avfs ${args.join(' ')}: ${stderr}`)
  }
  writeTree(from, 'one')
  must('import', from, `${name}:/d`)
  must('snapshot', 'create', 'before', name)
  writeTree(from, 'two', ...EXTRAS)
  must('import', from, `${name}:/d`)
  await sleep(1100)
  must('restore', `${name}:/d`, '--snapshot', 'before', '--delete')
  must('tag', 'add', `${name}:/d/f0`, 'red')
  must('meta', 'set', `${name}:/d/f0`, 'author=ada')
  must('hold', `${name}:/d/f1`)
  must('export', `${name}:/d`, join(root, 'd.tar'), '-r', '--format', 'tar')
  must('vault', 'create', join(root, `empty${vault.backend.suffix}`))
}

function writeTree(folder: string, text: string, ...more: readonly string[]): void {
  mkdirSync(folder, { recursive: true })
  const names = Array.from({ length: FILES }, (_, index) => `f${index}`)
  for (const name of [...names, ...more])
    writeFileSync(join(folder, name), `${text} ${name}\n`.repeat(20))
}

/**
 * The calls by the words of their commands; `turn` differs from call to call, for what may be made
 * once.
 */
export function commandCalls(
  vault: TestVault,
  turn: number,
): Readonly<Record<string, CommandCall>> {
  const { root, name, backend } = vault
  const at = (path: string): string => `${name}:${path}`
  // Of a vault of its own, which only this call knows.
  const own = (use: string): string => {
    const path = join(root, `${use}${turn}${backend.suffix}`)
    cpSync(join(root, `empty${backend.suffix}`), path, { recursive: true })
    return path
  }
  const point = (): string => {
    mkdirSync(join(root, `point${turn}`), { recursive: true })
    return join(root, `point${turn}`)
  }
  return {
    'vault create': { args: [join(root, `made${turn}${backend.suffix}`)] },
    'vault list': { args: [], readsOnly: true },
    'vault info': { args: [name], readsOnly: true },
    'vault stats': { args: [name], readsOnly: true },
    'vault top': { args: [name, '--once', '--interval', '0.1'], readsOnly: true, needsMount: true },
    'vault config': { args: [name], readsOnly: true },
    'vault check': { args: [name, '--deep'], readsOnly: true },
    'vault compact': { args: [name] },
    get 'vault migrate'() {
      return {
        args: [own('migrated'), '--to', 'sqlite', '--output', join(root, `copy${turn}.avfs`)],
      }
    },
    'vault backup': { args: [name, join(root, `backup${turn}${backend.suffix}`)] },
    'vault restore': {
      args: [join(root, `empty${backend.suffix}`), join(root, `restored${turn}${backend.suffix}`)],
    },
    get 'vault delete'() {
      return { args: [own('deleted'), '--yes'] }
    },
    get mount() {
      return { args: [own('mounted'), point()] }
    },
    unmount: { args: [join(root, 'nothing here')] },
    log: { args: [at('/d/f0')], readsOnly: true },
    cat: { args: [at('/d/f0')], readsOnly: true },
    diff: { args: [at('/d'), '--snapshot', 'before'], readsOnly: true },
    grep: { args: ['f', at('/d')], readsOnly: true },
    find: { args: [at('/d')], readsOnly: true },
    restore: {
      args: [at('/d'), '--snapshot', 'before', '--to', at(`/restored${turn}`)],
    },
    undelete: { args: [at(`/d/${EXTRAS[turn % EXTRAS.length]}`)] },
    'snapshot create': { args: [`taken${turn}`, name] },
    'snapshot list': { args: [name], readsOnly: true },
    'snapshot rename': { args: [`taken${turn}`, `renamed${turn}`, name] },
    'snapshot delete': { args: [`renamed${turn}`, name] },
    'tag add': { args: [at('/d/f2'), `tag${turn}`] },
    'tag rm': { args: [at('/d/f2'), `tag${turn}`] },
    'tag list': { args: [at('/d/f0')], readsOnly: true },
    'tag find': { args: [name, 'red'], readsOnly: true },
    'meta set': { args: [at('/d/f2'), `turn=${turn}`] },
    'meta get': { args: [at('/d/f0'), 'author'], readsOnly: true },
    'meta list': { args: [at('/d/f0')], readsOnly: true },
    'meta find': { args: [name, 'author=ada'], readsOnly: true },
    search: { args: ['f1', name], readsOnly: true },
    prune: { args: [name, '--keep', '1', '--explain'] },
    purge: { args: [at(`/d/f${turn % FILES}`), '--force', '--yes'] },
    hold: { args: [at(`/d/f${turn % FILES}`)] },
    // To measure takes minutes.
    bench: { args: [root, '--rounds', '0'], readsOnly: true },
    backends: { args: [], readsOnly: true },
    export: { args: [at('/d'), '-', '-r', '--format', 'tar'], readsOnly: true },
    import: { args: [join(root, 'from'), at(`/imported${turn}`)] },
  }
}

/** Every command that the help names, by its words. */
export function commandsOfHelp(vault: TestVault): string[] {
  const below = (words: readonly string[]): string[] => {
    const { stdout } = vault.avfs([...words, '--help'])
    const line = new RegExp(`^  avfs ${[...words, '(\\w+)'].join(' ')} ?(<command>)?.*  `, 'gm')
    const [commands = ''] = stdout.split(/^(?:Positionals|Options|Examples):/m)
    return [...commands.matchAll(line)].flatMap(([, word = '', family]) =>
      family === undefined ? [[...words, word].join(' ')] : below([...words, word]),
    )
  }
  return below([])
}
