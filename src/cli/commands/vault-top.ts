// `avfs vault top`: what a mounted vault is doing, once a second.

import { setTimeout as sleep } from 'node:timers/promises'
import type { CommandModule } from 'yargs'
import { lockHolder } from '../../control/vaults/lock.ts'
import { existingVault } from '../../control/vaults/vault-names.ts'
import { daemonMetricsText, NoDaemonError } from '../../control/wire/client.ts'
import { ControlError } from '../../control/wire/errors.ts'
import { formatBytes, table, writeBytes } from '../output.ts'
import { type Load, loadBetween, sampleOf } from '../request-rates.ts'
import { type VaultArguments, withVaultName } from './common.ts'

interface TopArguments extends VaultArguments {
  once: boolean
  interval: number
}

const ROWS_MAX = 20
const CLEAR = '\x1b[H\x1b[J'

export const vaultTopCommand: CommandModule<object, TopArguments> = {
  command: 'top <name>',
  describe: 'show what a mounted vault is doing',
  builder: (yargs) =>
    withVaultName(yargs)
      .option('once', { type: 'boolean', default: false, describe: 'look once and end' })
      .option('interval', {
        type: 'number',
        default: 1,
        requiresArg: true,
        describe: 'seconds between two looks',
      })
      .example('$0 vault top myproject', 'until Ctrl-C or unmount')
      .example('$0 vault top myproject --once --json', 'the last second, for programs'),
  handler: async ({ name, once, interval, json }) => {
    const socket = socketOf(name)
    const intervalMs = Math.max(0.1, interval) * 1000
    let before = sampleOf(await daemonMetricsText(socket), performance.now())
    for (;;) {
      await sleep(intervalMs)
      const text = await daemonMetricsText(socket).catch((error: unknown) => {
        // It was unmounted: that is an end, not a failure.
        if (error instanceof NoDaemonError && !once) return undefined
        throw error
      })
      if (text === undefined) return
      const after = sampleOf(text, performance.now())
      await show(loadBetween(before, after), json === true, once, name)
      if (once) return
      before = after
    }
  },
}

function socketOf(name: string): string {
  const { path } = existingVault(name)
  const socket = lockHolder(path)?.socket
  if (typeof socket === 'string') return socket
  throw new ControlError(
    'failed',
    `${name} is not mounted; avfs vault stats tells what it holds`,
    path,
  )
}

function show(load: Load, json: boolean, once: boolean, name: string): Promise<void> | undefined {
  const text = json
    ? JSON.stringify(load)
    : once || process.stdout.isTTY
      ? screen(load, name)
      : line(load)
  const clear = !json && !once && process.stdout.isTTY ? CLEAR : ''
  return writeBytes(Buffer.from(`${clear}${text}\n`))
}

function line(load: Load): string {
  const busiest = load.operations
    .slice(0, 4)
    .map(({ operation, perSecond }) => `${operation} ${Math.round(perSecond)}`)
  return [summary(load), ...busiest].join(', ')
}

function summary(load: Load): string {
  const rate = Math.round(load.requestsPerSecond)
  const written = formatBytes(Math.round(load.receivedBytesPerSecond))
  const read = formatBytes(Math.round(load.sentBytesPerSecond))
  return `${rate} requests/s, in ${written}/s, out ${read}/s`
}

function screen(load: Load, name: string): string {
  const rows = load.operations
    .slice(0, ROWS_MAX)
    .map(({ operation, perSecond, refusalsPerSecond, p50Us, p90Us, p99Us }) => [
      operation,
      ...[perSecond, refusalsPerSecond].map((rate) => rate.toFixed(rate < 10 ? 1 : 0)),
      ...[p50Us, p90Us, p99Us].map(duration),
    ])
  return [
    `${name}: ${summary(load)}`,
    `memory ${formatBytes(load.residentBytes)}, ${load.waiting} replies wait, ${Math.round(load.cacheHits * 100)} % of blocks from memory`,
    '',
    table([['OPERATION', 'A SECOND', 'REFUSED', 'P50', 'P90', 'P99'], ...rows]),
  ].join('\n')
}

/** Only the power of two is known. */
function duration(us: number): string {
  if (us < 1000) return `< ${us} us`
  return us < 1_000_000 ? `< ${(us / 1000).toFixed(1)} ms` : `< ${(us / 1_000_000).toFixed(1)} s`
}
