// `avfs mount`: checks what can be checked without the vault, then starts a daemon, or becomes one
// with --foreground.

import { readdirSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { ArgumentsCamelCase, CommandModule } from 'yargs'
import { isBelow, isDeadMount, mountAt } from '../../control/host/mount-table.ts'
import { assertWritablePlace } from '../../control/methods/refusal.ts'
import { isServing, LockedError, lockHolder } from '../../control/vaults/lock.ts'
import { logPath, mountPointPath, socketPath } from '../../control/vaults/paths.ts'
import { assertAnswering } from '../../control/vaults/place.ts'
import { existingVault } from '../../control/vaults/vault-names.ts'
import { absoluteBytes, toBytes } from '../../control/wire/byte-strings.ts'
import { ControlError, systemCode } from '../../control/wire/errors.ts'
import type { DaemonConfig } from '../../control/wire/protocol.ts'
import { CACHE_MB_DEFAULT, mountSettings } from '../mount-options.ts'
import { notice, printResult } from '../output.ts'
import { startDaemon } from '../start-daemon.ts'
import { type VaultArguments, withVaultName } from './common.ts'

interface MountCommandArguments extends VaultArguments {
  dir: string
  foreground: boolean
  'read-only': boolean | undefined
  'allow-other': boolean | undefined
  'cache-mb': number | undefined
  'commit-ms': number | undefined
  trace: boolean | undefined
  option: string[] | undefined
  'log-file': string | undefined
}

export const mountCommand: CommandModule<object, MountCommandArguments> = {
  command: 'mount <name> <dir>',
  describe: 'mount a vault on a directory',
  builder: (yargs) =>
    withVaultName(yargs)
      .positional('dir', { type: 'string', demandOption: true, describe: 'an existing directory' })
      .option('foreground', {
        type: 'boolean',
        alias: 'f',
        default: false,
        describe: 'stay in the foreground, log to standard error',
      })
      .option('read-only', { type: 'boolean', describe: 'allow no change' })
      .option('allow-other', {
        type: 'boolean',
        describe: 'let other users in (unless root: needs user_allow_other in /etc/fuse.conf)',
      })
      .option('cache-mb', {
        type: 'number',
        describe: `memory for caches in MiB [default: ${CACHE_MB_DEFAULT}]`,
      })
      .option('commit-ms', {
        type: 'number',
        describe:
          "a change without fsync is durable after at most this [default: the vault's setting]",
      })
      .option('trace', { type: 'boolean', describe: 'log each request of the kernel' })
      .option('option', {
        type: 'string',
        array: true,
        // One value each, so that -o before NAME does not swallow it.
        nargs: 1,
        alias: 'o',
        describe: 'mount options, a comma list: those of mount(8), cache_mb=, commit_ms=, ...',
      })
      .option('log-file', { type: 'string', describe: 'where the daemon writes its log' })
      .example('$0 mount myproject ~/myproject', 'mounts the vault myproject')
      .example('$0 mount myproject /mnt/p -o ro,noexec', 'to look only'),
  handler: mount,
}

async function mount(args: ArgumentsCamelCase<MountCommandArguments>): Promise<void> {
  const settings = mountSettings(args, process.getuid?.() === 0)
  const vault = existingVault(args.name)
  if (!settings.readOnly) assertWritablePlace(vault.path)
  await assertAnswering(absoluteBytes(toBytes(args.dir)))
  const mountPoint = mountPointPath(args.dir)
  refuseHeldVault(vault.path)
  refuseOwnFiles(mountPoint, vault.path)
  await checkMountPoint(mountPoint, args.dir)
  const config: DaemonConfig = {
    name: vault.name,
    vaultPath: vault.path,
    mountPoint,
    socket: socketPath(mountPoint),
    settings,
  }
  if (args.foreground) {
    // Loaded only here: the daemon brings the whole file system with it.
    const { runDaemon } = await import('../../daemon/daemon.ts')
    // The terminal is closed: as Ctrl-C, and not as kill.
    process.once('SIGHUP', () => process.kill(process.pid, 'SIGTERM'))
    process.exitCode = await runDaemon(config, {
      tell(message) {
        if ('notice' in message) notice(message.notice)
      },
      isWaiting: () => true,
    })
    return
  }
  const log = args.logFile ?? logPath(vault.name)
  const pid = await startDaemon(config, log)
  printResult(
    args.json === true,
    { name: vault.name, path: vault.path, mountPoint, pid, log },
    `${vault.name} is mounted at ${mountPoint}\nunmount it with: avfs unmount ${args.dir}`,
  )
}

/** The daemon takes the lock itself; this only says no before it is started. */
function refuseHeldVault(vaultPath: string): void {
  const holder = lockHolder(vaultPath)
  if (holder !== undefined && isServing(holder)) throw new LockedError(vaultPath, holder)
}

/** A daemon that needs itself to read its own files would wait for itself for ever. */
function refuseOwnFiles(mountPoint: string, vaultPath: string): void {
  const files = { 'the vault itself': vaultPath, 'avfs itself': fileURLToPath(import.meta.url) }
  for (const [what, path] of Object.entries(files)) {
    if (isBelow(path, mountPoint)) {
      throw new ControlError('failed', `${mountPoint} contains ${what} (${path})`, mountPoint)
    }
  }
}

async function checkMountPoint(mountPoint: string, given: string): Promise<void> {
  const mounted = mountAt(mountPoint)
  // The daemon clears a dead mount once it holds the lock.
  if (await isDeadMount(mountPoint)) return
  if (mounted?.type.startsWith('fuse.avfs') === true) {
    throw new ControlError('busy', `${mounted.source} is mounted at ${mountPoint}`, mountPoint)
  }
  try {
    if (!statSync(mountPoint).isDirectory()) {
      throw new ControlError('failed', `${given} is not a directory`, mountPoint)
    }
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error
    throw new ControlError('failed', `${given} does not exist: make it with mkdir`, mountPoint)
  }
  if (!isEmpty(mountPoint)) notice(`${given} is not empty: what is in it is hidden until unmounted`)
}

function isEmpty(directory: string): boolean {
  try {
    return readdirSync(directory).length === 0
  } catch {
    // Not ours to list; the mount decides.
    return true
  }
}
