// Building on a mounted vault: make and a C compiler, npm and Node's test runner.

import { existsSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import t from 'tap'
import { mountedVault } from '../support/mount.ts'
import { needProgram, run } from '../support/program.ts'

t.setTimeout(300_000)

t.test('make builds a C project, then only what changed, then nothing', (t) => {
  needProgram('make', 'cc')
  const vault = mountedVault(t)
  const dir = join(vault.dir, 'project')
  mkdirSync(join(dir, 'src'), { recursive: true })
  const parts = Array.from({ length: 10 }, (_, index) => `part${index}`)
  for (const part of parts) {
    writeFileSync(join(dir, `src/${part}.h`), `int ${part}(void);\n`)
    writeFileSync(
      join(dir, `src/${part}.c`),
      `#include "${part}.h"\nint ${part}(void) { return ${part.slice(4)}; }\n`,
    )
  }
  writeFileSync(
    join(dir, 'src/main.c'),
    `#include <stdio.h>\n${parts.map((part) => `#include "${part}.h"`).join('\n')}
int main(void) { printf("%d\\n", ${parts.map((part) => `${part}()`).join(' + ')}); return 0; }\n`,
  )
  writeFileSync(
    join(dir, 'Makefile'),
    `OBJECTS := ${['main', ...parts].map((part) => `src/${part}.o`).join(' ')}
program: $(OBJECTS) libparts.a
\t$(CC) -o $@ src/main.o libparts.a
libparts.a: $(filter-out src/main.o,$(OBJECTS))
\t$(AR) rcs $@ $^
%.o: %.c
\t$(CC) -g -MMD -c -o $@ $<
-include $(OBJECTS:.o=.d)\n`,
  )
  run('make', ['-j2'], { cwd: dir })
  t.equal(run('./program', [], { cwd: dir }), '45')
  t.match(run('make', [], { cwd: dir }), /up to date/)
  const later = new Date(Date.now() + 2000)
  utimesSync(join(dir, 'src/part3.h'), later, later)
  const rebuilt = run('make', ['-n'], { cwd: dir })
  t.match(rebuilt, /part3\.c/)
  t.match(rebuilt, /main\.c/)
  t.notMatch(rebuilt, /part4\.c/)
  t.equal(existsSync(join(dir, 'src/part9.o')), true)
  vault.check()
  t.end()
})

t.test('npm installs a package and runs its tests', (t) => {
  needProgram('npm')
  const vault = mountedVault(t)
  const env = {
    HOME: join(vault.root, 'npm-home'),
    npm_config_cache: join(vault.dir, 'cache'),
    npm_config_update_notifier: 'false',
    PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH}`,
  }
  mkdirSync(env.HOME)
  const library = join(vault.dir, 'library')
  mkdirSync(join(library, 'bin'), { recursive: true })
  writeFileSync(
    join(library, 'package.json'),
    JSON.stringify({
      name: 'library',
      version: '1.0.0',
      type: 'module',
      exports: './index.js',
      bin: { twice: 'bin/twice.js' },
    }),
  )
  writeFileSync(join(library, 'index.js'), 'export const twice = (n) => 2 * n\n')
  writeFileSync(
    join(library, 'bin/twice.js'),
    "#!/usr/bin/env node\nimport { twice } from 'library'\nconsole.log(twice(Number(process.argv[2])))\n",
  )
  run('npm', ['pack', '--silent'], { cwd: library, env })
  const app = join(vault.dir, 'app')
  mkdirSync(app)
  writeFileSync(
    join(app, 'package.json'),
    JSON.stringify({
      name: 'app',
      version: '1.0.0',
      type: 'module',
      scripts: { test: 'node --test' },
    }),
  )
  writeFileSync(
    join(app, 'app.test.js'),
    `import { test } from 'node:test'
import { equal } from 'node:assert'
import { twice } from 'library'
test('twice', () => equal(twice(21), 42))\n`,
  )
  const install = [
    'install',
    '--offline',
    '--no-audit',
    '--no-fund',
    '../library/library-1.0.0.tgz',
  ]
  run('npm', install, { cwd: app, env })
  t.match(run('npm', ['test'], { cwd: app, env }), /pass 1/)
  t.equal(run('node_modules/.bin/twice', ['4'], { cwd: app, env }), '8')
  run('npm', ['ci', '--offline', '--no-audit', '--no-fund'], { cwd: app, env })
  t.match(run('npm', ['test'], { cwd: app, env }), /pass 1/)
  vault.check()
  t.end()
})
