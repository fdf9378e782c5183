// Whether an engine can be used here, and what to do where it cannot. Every engine but the default
// needs an optional npm package, or an addon that make builds; neither is installed by default.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * What an engine needs that may be missing: an npm package at a version, or a target of the
 * Makefile.
 */
export type Requirement =
  | { readonly npm: string; readonly version: string }
  | { readonly make: string }
  | undefined

/**
 * `version` is the engine's own. An unavailable engine has a reason, `why`, and the `command` that
 * makes it available.
 */
export type Availability =
  | {
      readonly available: true
      readonly version: string
      readonly why: null
      readonly command: null
    }
  | {
      readonly available: false
      readonly version: null
      readonly why: string
      readonly command: string
    }

/**
 * The package's root: two directories above this one, in a checkout (src/store) and in the npm
 * package (dist/store).
 */
const ROOT = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '')

/** Checks by loading: an addon that exists may still not fit this machine. */
export async function availabilityOf(
  requirement: Requirement,
  version: () => Promise<string>,
): Promise<Availability> {
  try {
    return { available: true, version: await version(), why: null, command: null }
  } catch (error) {
    return {
      available: false,
      version: null,
      why: reason(requirement, error),
      command: commandFor(requirement),
    }
  }
}

function reason(requirement: Requirement, error: unknown): string {
  const { code, message } = error as { code?: unknown; message?: unknown }
  const first = String(message ?? error).split('\n')[0] as string
  const isMissing = code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND'
  if (requirement !== undefined && 'npm' in requirement) {
    if (isMissing) return `the npm package ${requirement.npm} is not installed`
    return `the npm package ${requirement.npm} cannot be loaded: ${first}`
  }
  if (!isMissing) return `its addon cannot be loaded: ${first}`
  return isCheckout()
    ? 'its addon is not built'
    : 'its addon is not built; a checkout of avfs builds and installs it'
}

function commandFor(requirement: Requirement): string {
  if (requirement !== undefined && 'make' in requirement)
    return isCheckout() ? `make -C ${ROOT} ${requirement.make}` : `make ${requirement.make} install`
  const { npm, version } = requirement ?? { npm: 'better-sqlite3', version: 'latest' }
  const production = isCheckout() ? '' : ' --omit=dev'
  return `npm install --prefix ${ROOT} --no-save${production} ${npm}@${version}`
}

/** False in the npm package, which has no Makefile. */
function isCheckout(): boolean {
  return existsSync(join(ROOT, 'Makefile'))
}
