import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { devicesAreThere } from '../../../agent/devices.ts'

test('the agent waits while init still loads drivers, and not where init is done', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'plasm-devices-'))
  t.after(() => rm(directory, { recursive: true }))
  const file = join(directory, 'devices-pending')
  await devicesAreThere(file)
  await writeFile(file, '')
  let there = false
  const waiting = devicesAreThere(file).then(() => {
    there = true
  })
  await sleep(60)
  assert.equal(there, false)
  await rm(file)
  await waiting
})
