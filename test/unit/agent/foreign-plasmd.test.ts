import assert from 'node:assert/strict'
import { chmod, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { AgentConfig } from '../../../agent/config.ts'
import { isForeign } from '../../../agent/foreign-plasmd.ts'
import { plasmdArguments } from '../../../agent/plasmd-service.ts'

test('plasmd is ours where its name leads to this executable, and foreign where it leads to another', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'plasm-foreign-'))
  t.after(() => rm(directory, { recursive: true }))
  const program = join(directory, 'plasmd')
  assert.equal(await isForeign('plasmd', directory), false, 'not there: starting it says so')
  await symlink(process.execPath, program)
  assert.equal(await isForeign('plasmd', `/nonexistent:${directory}`), false)
  assert.equal(await isForeign(program, ''), false)
  await rm(program)
  await writeFile(program, '#!/bin/sh\n')
  assert.equal(await isForeign('plasmd', directory), false, 'what cannot be run is not what is started')
  await chmod(program, 0o755)
  assert.equal(await isForeign('plasmd', `/nonexistent:${directory}`), true)
})

/** INTEROP.md: CLI of plasmd. */
const KNOWN = ['--artifacts', '--channel', '--arch', '--port', '--bind', '--no-dht', '--no-mdns']

test('plasmd is given no option that INTEROP does not list', () => {
  const config = { storeRoot: '/store', channel: 'stable', arch: 'x86_64', port: 8080 } as AgentConfig
  const options = plasmdArguments({ config, foreignPlasmd: true }).filter((word) => word.startsWith('-'))
  assert.deepEqual(
    options.filter((option) => !KNOWN.includes(option)),
    [],
  )
  assert.ok(options.includes('--no-mdns') && options.includes('--no-dht'), 'the agent advertises')
})
