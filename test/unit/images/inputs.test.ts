import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { readInputs, writeInputs } from '../../../images/inputs.ts'

let dir: string
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'inputs-'))
})
after(() => rm(dir, { recursive: true, force: true }))

const inputs = {
  version: 1,
  arch: 'arm64',
  debian: [{ name: 'busybox-static', version: '1:1.35.0-4', sha256: 'a'.repeat(64) }],
  npm: [],
} as const

test('reads what it wrote', async () => {
  await writeInputs(join(dir, 'inputs.json'), inputs)
  assert.deepEqual(await readInputs(join(dir, 'inputs.json'), 'arm64'), inputs)
})

test('bad inputs name the file and the field', async () => {
  const file = join(dir, 'bad.json')
  const cases: [string, RegExp][] = [
    ['{', /JSON/],
    [JSON.stringify({ ...inputs, debian: [{ name: 'x', version: '1', sha256: 'short' }] }), /debian\.0\.sha256/],
    [JSON.stringify({ ...inputs, arch: 'x86_64' }), /is for x86_64, not arm64/],
  ]
  for (const [content, message] of cases) {
    await writeFile(file, content)
    await assert.rejects(readInputs(file, 'arm64'), { code: 'inputs-invalid', message, facts: { file } })
  }
})
