// The package as its users have it: what it exports, its types' names, and the example of its README.

'use strict'

const assert = require('node:assert')
const { execFileSync } = require('node:child_process')
const { mkdtempSync, readFileSync, rmSync, writeFileSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const { test } = require('node:test')
const { Worker } = require('node:worker_threads')

const root = join(__dirname, '..')
const { open, TantivyIndex, VERSION } = require(root)

function temporaryFolder(t) {
  const folder = mkdtempSync(join(tmpdir(), 'tantivy-node-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

function batch(parts) {
  const none = { texts: [], files: [], versions: [], pieces: [], stretches: [] }
  return { ...none, removedTexts: [], removedFiles: [], removedVersions: [], watermark: 1, ...parts }
}

function text(id, parts) {
  return { id, hash: new Uint8Array(32).fill(id), body: { parts, whole: '' } }
}

const word = (word) => ({ kind: 'phrase', field: 'body', words: [word], prefix: false })

test('the version is that of the crate', () => {
  const crates = readFileSync(join(root, 'Cargo.lock'), 'utf8')
  assert.ok(crates.includes(`name = "tantivy"\nversion = "${VERSION}"`))
})

test('the example of the README prints what it says', (t) => {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  const [, code] = /```js\n(.*?)```/s.exec(readme)
  const [, printed] = /It prints\n\n {4}(.*)\n/.exec(readme)
  const folder = temporaryFolder(t)
  const file = join(folder, 'example.js')
  writeFileSync(file, code.replace("'tantivy-node'", JSON.stringify(root)))
  assert.equal(execFileSync(process.execPath, [file], { cwd: folder, encoding: 'utf8' }), `${printed}\n`)
})

test('every method has a type, and every type a method', () => {
  const types = readFileSync(join(root, 'index.d.ts'), 'utf8')
  const [, body] = /export class TantivyIndex \{\n(.*?)\n\}/s.exec(types)
  const typed = [...body.matchAll(/^ {2}(\w+)\(/gm)].map(([, name]) => name)
  const methods = Object.getOwnPropertyNames(TantivyIndex.prototype)
  assert.deepEqual([...typed, 'constructor'].sort(), methods.sort())
})

test('errors have a kind, and mistakes of the caller are TypeErrors', async (t) => {
  const path = join(temporaryFolder(t), 'index')
  await assert.rejects(open(path), { kind: 'io', message: /there is no index/ })
  const index = await open(path, { create: true })
  await assert.rejects(open(path), { kind: 'busy' })
  assert.throws(() => index.query({ kind: 'other' }, 1, 0), TypeError)
  assert.throws(() => index.apply({}), /texts/)
  await index.close()
  assert.throws(() => index.status(), { kind: 'closed' })
  assert.throws(() => index.close(), { kind: 'closed' })
})

test('an index in a worker ends with it, and can be opened again', async (t) => {
  const path = join(temporaryFolder(t), 'index')
  const code = `
    const { open } = require(${JSON.stringify(root)})
    const { parentPort } = require('node:worker_threads')
    open(${JSON.stringify(path)}, { create: true }).then(async (index) => {
      await index.apply(${JSON.stringify(batch({ watermark: 5 }))})
      await index.flush()
      parentPort.postMessage('flushed')
      for (let i = 6; ; i++) await index.apply({ ...${JSON.stringify(batch({}))}, watermark: i })
    })`
  const worker = new Worker(code, { eval: true })
  await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
  await worker.terminate()
  // Its thread may still end a batch.
  const deadline = Date.now() + 10_000
  let index
  while (index === undefined) {
    index = await open(path).catch((error) => {
      if (error.kind !== 'busy' || Date.now() > deadline) throw error
    })
  }
  assert.equal(index.status().watermark, 5)
  await index.apply(batch({ texts: [text(1, 'a b')] }))
  assert.deepEqual(index.query(word('b'), 10, 0).map(({ id }) => id), [1])
  await index.close()
})

test('a process may end in the middle of batches', (t) => {
  const path = join(temporaryFolder(t), 'index')
  const code = `
    const { open } = require(${JSON.stringify(root)})
    open(${JSON.stringify(path)}, { create: true }).then((index) => {
      for (let i = 1; i < 20; i++) index.apply({ ...${JSON.stringify(batch({}))}, watermark: i })
      index.optimize()
      setTimeout(() => process.exit(7), 20)
    })`
  for (let i = 0; i < 5; i++) {
    const ended = () => execFileSync(process.execPath, ['-e', code], { stdio: 'ignore' })
    assert.throws(ended, { status: 7, signal: null })
  }
})
