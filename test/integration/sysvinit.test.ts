import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inInitRoot } from '../support/in-init-root.ts'
import { namespacesHere } from '../support/in-namespaces.ts'
import { packageTrees } from '../support/package-trees.ts'
import { UNDER_INIT, underInitSteps } from '../support/under-init.ts'

const here = await namespacesHere()
const skip = 'skip' in here ? here.skip : false
const namespaces = 'args' in here ? here.args : []

/** sysvinit, with the two ways to start the agent. */
const SYSVINIT = (line: string) => ({
  program: '/sbin/init',
  inittab: (script: string) => `id:2:initdefault:\n${line}\nsc:2:once:${script}\n`,
})
const BY_RC = 'rc:2:wait:/etc/init.d/plasm-agent start'
const BY_INITTAB = 'pa:2:respawn:/etc/init.d/plasm-agent run'

for (const line of [BY_RC, BY_INITTAB]) {
  test(`sysvinit with ${line}`, { skip }, async () => {
    const trees = await packageTrees('sysvinit', ['sysvinit-core'])
    const { steps, said } = await inInitRoot(UNDER_INIT, { shell: 'sh', namespaces, trees, init: SYSVINIT(line) })
    assert.deepEqual(steps, underInitSteps(line === BY_RC), said)
  })
}
