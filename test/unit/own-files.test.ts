// What belongs to this user alone on a host with others: folders, the paths that lead to them, and
// files by a fixed name.

import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { groupHasOthers, homeOfUser } from '../../src/base/accounts.ts'
import {
  assertOwnFolder,
  isOwnFolder,
  openNamed,
  openOwn,
  readOwn,
  StrangerError,
} from '../../src/base/own-files.ts'
import { temporaryFolder } from '../support/mount.ts'
import { run } from '../support/program.ts'
import { A, B, folderOf, sharedFolder } from '../support/users.ts'

const { O_APPEND, O_CREAT, O_RDONLY, O_WRONLY } = constants

t.test('a folder is own when nobody else can write it, or put another in its place', (t) => {
  const root = temporaryFolder(t)
  const own = join(root, 'own')
  mkdirSync(own, { mode: 0o755 })
  t.ok(isOwnFolder(own))
  chmodSync(own, 0o777)
  t.throws(() => assertOwnFolder(own), /that nobody else can write: chmod go-w/)
  chmodSync(own, 0o1777)
  t.notOk(isOwnFolder(own), 'not with the sticky bit either')
  chmodSync(own, 0o775)
  t.ok(isOwnFolder(own), 'a group that root has alone')
  chownSync(own, 0, A)
  t.notOk(isOwnFolder(own), 'a group that may have others')

  const shared = sharedFolder(root)
  mkdirSync(join(shared, 'mine'))
  t.ok(isOwnFolder(join(shared, 'mine')), 'in a folder as /tmp')
  folderOf(A, join(shared, 'his'))
  t.throws(() => assertOwnFolder(join(shared, 'his')), `user ${A}`)
  t.doesNotThrow(() => assertOwnFolder(join(shared, 'his'), A), 'of whom it is asked')
  mkdirSync(join(shared, 'his/mine'))
  t.throws(() => assertOwnFolder(join(shared, 'his/mine')), /on the way/)
  const open = join(root, 'open')
  mkdirSync(join(open, 'mine'), { recursive: true })
  chmodSync(open, 0o777)
  t.throws(() => assertOwnFolder(join(open, 'mine')), /can be written by other users/)
  t.end()
})

t.test('a link on the way counts by who made it and where it leads', (t) => {
  const root = temporaryFolder(t)
  const shared = sharedFolder(root)
  mkdirSync(join(root, 'own'))
  symlinkSync(join(root, 'own'), join(shared, 'mine'))
  t.ok(isOwnFolder(join(shared, 'mine')))
  run('ln', ['-s', join(root, 'own'), join(shared, 'his')])
  run('chown', ['-h', `${B}:${B}`, join(shared, 'his')])
  t.throws(() => assertOwnFolder(join(shared, 'his')), `belongs to user ${B}`)
  symlinkSync('../own/../shared/his', join(root, 'own/chain'))
  t.notOk(isOwnFolder(join(root, 'own/chain')))
  mkdirSync(join(shared, 'own'))
  symlinkSync('shared/own/..', join(root, 'up'))
  t.notOk(isOwnFolder(join(root, 'up')), 'what counts is the folder above')
  symlinkSync('ring', join(root, 'ring'))
  t.throws(() => assertOwnFolder(join(root, 'ring')), /too many links/)
  t.throws(() => assertOwnFolder(join(root, 'none')), { code: 'ENOENT' })
  t.end()
})

t.test('what is opened by a fixed name is an own regular file', (t) => {
  const root = temporaryFolder(t)
  const shared = sharedFolder(root)
  const victim = join(root, 'victim')
  writeFileSync(victim, 'precious')
  const flags = O_WRONLY | O_APPEND | O_CREAT
  const refused = (t: Test, name: string, why: RegExp): void => {
    const path = join(shared, name)
    t.throws(() => closeSync(openOwn(path, flags)), why, `${name} to write`)
    t.throws(() => readOwn(path, 100), why, `${name} to read`)
  }
  symlinkSync(victim, join(shared, 'link'))
  symlinkSync(join(root, 'nothing'), join(shared, 'dangling'))
  linkSync(victim, join(shared, 'hard'))
  run('mkfifo', [join(shared, 'fifo')])
  writeFileSync(join(shared, 'his'), 'x')
  chownSync(join(shared, 'his'), B, B)
  chmodSync(join(shared, 'his'), 0o666)
  refused(t, 'link', /is a link/)
  refused(t, 'dangling', /is a link/)
  refused(t, 'hard', /has another name elsewhere/)
  refused(t, 'fifo', /is no regular file/)
  t.throws(() => readOwn(join(shared, 'his'), 100), `belongs to user ${B}`)
  // The kernel itself may refuse this one (fs.protected_regular).
  t.throws(() => openOwn(join(shared, 'his'), flags))
  t.throws(() => openNamed(join(root, 'shared'), O_RDONLY), StrangerError, 'a folder')
  t.equal(readFileSync(victim, 'utf8'), 'precious')
  t.throws(() => lstatSync(join(root, 'nothing')), { code: 'ENOENT' })

  closeSync(openOwn(join(shared, 'mine'), flags))
  t.equal(lstatSync(join(shared, 'mine')).mode & 0o777, 0o600)
  t.equal(readOwn(join(shared, 'mine'), 0), '')
  t.equal(readOwn(join(shared, 'none'), 100), undefined)
  t.throws(() => readOwn(victim, 3), /too long/)
  t.end()
})

t.test('root may read what a user has in his own folder, and nobody else put there', (t) => {
  const root = temporaryFolder(t)
  const his = folderOf(A, join(root, 'his'))
  for (const [name, uid] of [['a', A] as const, ['b', B] as const]) {
    writeFileSync(join(his, name), name)
    chownSync(join(his, name), uid, uid)
  }
  t.equal(readOwn(join(his, 'a'), 10), 'a')
  t.throws(() => readOwn(join(his, 'b'), 10), `belongs to user ${B}`)
  t.end()
})

t.test('groups and homes are those of the files of the host', (t) => {
  t.equal(groupHasOthers(0, 'root'), false)
  t.equal(groupHasOthers(0, 'somebody'), true, 'root is in it')
  t.equal(groupHasOthers(A, 'root'), true, 'one that is not there')
  t.equal(homeOfUser(0), '/root')
  t.equal(homeOfUser(A), undefined)
  t.end()
})
