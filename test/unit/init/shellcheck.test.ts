import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
/** No shell. */
const NOT_SCRIPTS = new Set(['inittab'])

async function scripts(): Promise<readonly string[]> {
  const entries = await readdir(join(ROOT, 'init'), { withFileTypes: true, recursive: true })
  const found = entries.filter((entry) => entry.isFile() && !NOT_SCRIPTS.has(entry.name))
  return [
    'setup.sh',
    'images/as-root.sh',
    ...found.map(({ parentPath, name }) => join(parentPath, name).slice(ROOT.length)),
  ].sort()
}

test('shellcheck has nothing to say about any script that a machine runs, nor about those of the set-up', async () => {
  const files = await scripts()
  assert.ok(files.includes('init/init') && files.includes('init/init.d/plasm-agent'), files.join(' '))
  const { all, exitCode } = await execa('shellcheck', ['-x', ...files], { cwd: ROOT, reject: false, all: true })
  assert.equal(exitCode, 0, all)
})
