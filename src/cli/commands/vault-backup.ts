// `avfs vault backup`: a copy of a vault as it is at one moment, mounted or not, beside what is
// written meanwhile. `avfs vault restore`: a vault from a backup. Both are a copy that asks for
// what it lacks.

import type { CommandModule } from 'yargs'
import { callVault } from '../../control/call.ts'
import { stoppable } from '../../control/host/stopping.ts'
import {
  type Ask,
  type BackupReport,
  type BackupStep,
  backUp,
  backupPlace,
} from '../../control/offline/backup.ts'
import { lockHolder } from '../../control/vaults/lock.ts'
import { existingVault, makeVaultsDirectory, newVault } from '../../control/vaults/vault-names.ts'
import { writtenBackAt } from '../../control/vaults/write-back.ts'
import { ControlError } from '../../control/wire/errors.ts'
import { persistentBackends } from '../../store/open.ts'
import { timeText } from '../../vault/core/when.ts'
import { formatBytes, notice, printResult, progressBar } from '../output.ts'
import { type CommonArguments, type VaultArguments, withVaultName } from './common.ts'

interface BackupArguments extends VaultArguments {
  dest: string
  incremental: boolean
}

interface RestoreArguments extends CommonArguments {
  backup: string
  name: string
  backend: string | undefined
}

export const vaultBackupCommand: CommandModule<object, BackupArguments> = {
  command: 'backup <name> <dest>',
  describe: 'copy a vault as it is now, mounted or not, and prove the copy',
  builder: (yargs) =>
    withVaultName(yargs)
      .positional('dest', {
        type: 'string',
        demandOption: true,
        describe: 'the backup, which is a vault; its ending may name another engine; or a folder',
      })
      .option('incremental', {
        type: 'boolean',
        alias: 'i',
        default: false,
        describe: 'bring the backup that is there up by what is new',
      })
      .example('$0 vault backup myproject /media/disk/myproject', 'the whole of it')
      .example('$0 vault backup myproject /media/disk/myproject --incremental', 'what is new'),
  handler: async ({ name, dest, incremental, json }) => {
    const source = existingVault(name)
    const path = backupPlace(dest, source)
    const mountPoint = lockHolder(source.path)?.mountPoint
    if (mountPoint) await writtenBackAt(mountPoint)
    const report = await copy(source.path, path, incremental, false)
    printResult(json === true, report, textOf(report))
  },
}

export const vaultRestoreCommand: CommandModule<object, RestoreArguments> = {
  command: 'restore <backup> <name>',
  describe: 'make a vault from a backup of one',
  builder: (yargs) =>
    yargs
      .positional('backup', {
        type: 'string',
        demandOption: true,
        describe: 'what avfs vault backup made; any vault will do',
      })
      .positional('name', {
        type: 'string',
        demandOption: true,
        describe: 'name of the vault to be; with a slash, path of its file',
      })
      .option('backend', {
        type: 'string',
        choices: persistentBackends.map(({ name }) => name),
        describe: 'the engine that is to store it, instead of that of the backup',
      })
      .example('$0 vault restore /media/disk/myproject.avfs myproject', ''),
  handler: async ({ backup, name, backend, json }) => {
    const source = existingVault(backup.includes('/') ? backup : `./${backup}`)
    const place = newVault(name, backend ?? source.backend)
    makeVaultsDirectory(name, place)
    const report = await copy(source.path, place.path, false, true)
    printResult(json === true, report, `${textOf(report)}\nmount it with: avfs mount ${name} DIR`)
  },
}

async function copy(
  source: string,
  path: string,
  incremental: boolean,
  plain: boolean,
): Promise<BackupReport> {
  if (source === path) throw new ControlError('exists', `${path} is the vault itself`, path)
  // What is in a vault may have any mode; the copy is its owner's alone.
  process.umask(0o077)
  const { id } = await callVault(source, 'info', {}, () => undefined)
  const bars = stepBars()
  const ask: Ask = (receive, have, report, over) =>
    callVault(source, 'backup', { over }, report, receive, (send) => sendAll(have, send))
  try {
    return await stoppable('the same command goes on with what is left', ({ assertGoing }) =>
      backUp(path, {
        ...{ id, incremental, plain, ask, notice },
        onProgress: (step, bytes) => {
          assertGoing()
          bars.report(step, bytes)
        },
      }),
    )
  } finally {
    bars.finish()
  }
}

const PIECE_BYTES = 1024 * 1024

async function sendAll(
  bytes: Uint8Array,
  send: (piece: Uint8Array) => Promise<void>,
): Promise<void> {
  for (let offset = 0; offset < bytes.length; offset += PIECE_BYTES)
    await send(bytes.subarray(offset, offset + PIECE_BYTES))
}

/** One bar after the other. */
function stepBars(): { report: (step: BackupStep, bytes: number) => void; finish(): void } {
  let current: BackupStep | undefined
  let bar = progressBar('')
  return {
    report(step, bytes) {
      if (step !== current) {
        bar.finish()
        bar = progressBar(step)
        current = step
      }
      bar.report(bytes, 0, ` bytes`)
    },
    finish: () => bar.finish(),
  }
}

function textOf({ path, moment, rows, bytes, written, incremental }: BackupReport): string {
  const what = incremental ? `${formatBytes(written.bytes)} were new, ` : ''
  return [
    `${path}: all up to ${timeText(moment)}, ${what}proved`,
    `${rows} rows, ${formatBytes(bytes)}`,
  ].join('\n')
}
