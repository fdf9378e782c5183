// Parsing of what /proc says about mounts.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import {
  isBelow,
  isDeadMount,
  mountAt,
  mounts,
  mountUsers,
  parseMountInfo,
} from '../../src/control/host/mount-table.ts'

t.test('mountinfo lines are parsed with optional fields and escapes', async (t) => {
  const text = [
    '22 1 0:21 / /proc rw,nosuid shared:5 master:1 - proc proc rw',
    '90 22 0:60 /sub\\040dir /mnt/a\\040b rw,nosuid,nodev - fuse.avfs my\\134project rw,user_id=1000,group_id=0',
    'nonsense',
    '',
  ].join('\n')
  t.same(parseMountInfo(text), [
    {
      device: '0:21',
      root: '/',
      mountPoint: '/proc',
      type: 'proc',
      source: 'proc',
      userId: undefined,
    },
    {
      device: '0:60',
      root: '/sub dir',
      mountPoint: '/mnt/a b',
      type: 'fuse.avfs',
      source: 'my\\project',
      userId: 1000,
    },
  ])
})

t.test('the mounts of this machine are found', async (t) => {
  t.ok(mounts().length > 0)
  t.equal(mountAt('/proc')?.type, 'proc')
  t.equal(mountAt(realpathSync(t.testdir())), undefined)
})

t.test('a living directory is no dead mount', async (t) => {
  t.notOk(await isDeadMount(t.testdir()))
  t.notOk(await isDeadMount('/does/not/exist'))
})

t.test('a process is found by its working directory', async (t) => {
  const directory = realpathSync(t.testdir())
  mkdirSync(join(directory, 'below'))
  const child = spawn('sleep', ['60'], { cwd: join(directory, 'below') })
  await once(child, 'spawn')
  t.match(mountUsers(directory), [{ pid: child.pid, path: join(directory, 'below') }])
  child.kill()
})

t.test('below means below, not beginning with the same letters', async (t) => {
  t.ok(isBelow('/a/b', '/a'))
  t.ok(isBelow('/a', '/a'))
  t.ok(isBelow('/a', '/'))
  t.notOk(isBelow('/ab', '/a'))
})
