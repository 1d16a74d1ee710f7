import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { oomKills } from '../../../agent/oom-kills.ts'

test("the kernel's count of processes killed for want of memory is read", async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'plasm-oom-'))
  t.after(() => rm(dir, { recursive: true, force: true }))
  const file = join(dir, 'vmstat')
  await writeFile(file, 'drop_slab 4\noom_kill 3\nnuma_hit 17\n')
  assert.equal(oomKills(file), 3)
  await writeFile(file, 'drop_slab 4\n')
  assert.equal(oomKills(file), 0, 'a kernel that does not count')
  assert.equal(oomKills(join(dir, 'none')), 0)
  assert.ok(Number.isSafeInteger(oomKills()))
})
