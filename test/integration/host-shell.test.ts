import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import type { Executed } from '../../host-harness/guest-exec.ts'
import { openHostShell } from '../support/host-shell.ts'
import { namespacesHere } from '../support/in-namespaces.ts'

const here = await namespacesHere()
const namespaces = 'skip' in here ? [] : here.args
const MEGABYTE = 1 << 20

for (const shell of [['sh'], ['busybox', 'sh']]) {
  const missing = spawnSync(shell[0]!, [...shell.slice(1), '-c', ':']).error
  const skip = 'skip' in here ? here.skip : missing ? `no ${shell[0]} here` : false

  test(`init/host-shell in ${shell.join(' ')}: exit codes, both streams, and a megabyte of any bytes`, {
    skip,
  }, async (t) => {
    const { exec } = openHostShell(t, shell, namespaces)
    for (const [command, exit, stdout, stderr] of [
      ['echo out; echo err >&2; exit 3', 3, 'out\n', 'err\n'],
      ['kill -KILL $$', 137, '', undefined],
      [['printf', '%s|', "it's", 'a b'], 0, "it's|a b|", ''],
      [['/nowhere'], 127, '', undefined],
    ] as const) {
      const ran = await exec(command)
      assert.deepEqual([ran.exit, ran.stdout.toString()], [exit, stdout], String(command))
      if (stderr !== undefined) assert.equal(ran.stderr.toString(), stderr)
    }
    const long = await exec(`yes $(printf '\\377\\001x') | head -c ${MEGABYTE}; head -c 70000 /dev/zero >&2`)
    assert.equal(long.stdout.length, MEGABYTE)
    assert.ok(long.stdout.subarray(0, 4).equals(Buffer.from([0xff, 1, 0x78, 0x0a])))
    assert.ok(long.stderr.equals(Buffer.alloc(70_000)))
  })

  test(`init/host-shell in ${shell.join(' ')}: what follows is ended in time, and what it had said is told`, {
    skip,
  }, async (t) => {
    const { exec } = openHostShell(t, shell, namespaces)
    const said: Executed[] = []
    const script = 'echo first; echo oh >&2; exec sleep 54321'
    const follows = exec(['/bin/sh', '-c', script], { timeoutMs: 1000, lastWords: (ended) => said.push(ended) })
    await assert.rejects(follows, { code: 'exec-timeout' })
    assert.deepEqual(
      said.map(({ stdout, stderr }) => [stdout.toString(), stderr.toString().split('\n')[0]]),
      [['first\n', 'oh']],
    )
    const left = await exec(`grep -lz ^54321 /proc/[0-9]*/cmdline`)
    assert.equal(left.stdout.toString(), '')
  })
}
