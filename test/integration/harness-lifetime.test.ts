import assert from 'node:assert/strict'
import { readdir, readlink } from 'node:fs/promises'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { namespacesHere } from '../support/in-namespaces.ts'
import { eventually, processesOf, running, startHarness } from '../support/tiny-harness.ts'
import { TINY_KERNEL } from '../support/tiny-kernel.ts'

const here = await namespacesHere()
const skip = 'skip' in here ? here.skip : false

/** How many processes live in a network namespace. */
async function populationOf(namespace: string): Promise<number> {
  const links = (await readdir('/proc'))
    .filter((pid) => /^\d+$/.test(pid))
    .map((pid) => readlink(`/proc/${pid}/ns/net`).catch(() => ''))
  return (await Promise.all(links)).filter((link) => link === namespace).length
}

test('killed without warning, it leaves no process and no namespace', { skip }, async (t) => {
  const harness = await startHarness(t, TINY_KERNEL.hangs)
  const { runDir, outer, events } = harness
  const qemu = await running(harness)
  const before = [...(await processesOf(runDir)).keys()]
  for (const program of ['unshare', 'dnsmasq', 'qemu-system-x86_64']) assert.ok(before.includes(program), `${before}`)
  const namespace = await readlink(`/proc/${qemu}/ns/net`)
  assert.notEqual(namespace, await readlink('/proc/self/ns/net'))
  const told = async () => events.some((event) => event.type === 'pid' && event.pid > 1)
  await eventually('its pid is told', told, 15)
  outer.kill('SIGKILL')
  await eventually('every process is gone', async () => (await processesOf(runDir)).size === 0, 5)
  // A dying process leaves its namespace after its memory, and with the memory its command line goes.
  await eventually('nobody lives in the namespace', async () => (await populationOf(namespace)) === 0, 5)
})

test('asked to stop, it says that it was interrupted and leaves nothing', { skip }, async (t) => {
  const harness = await startHarness(t, TINY_KERNEL.hangs)
  const { runDir, outer, result } = harness
  await running(harness)
  outer.kill('SIGTERM')
  const { ok, error, generations } = await result()
  assert.deepEqual([ok, error?.code, error?.machine, generations], [false, 'interrupted', 'vm1', []])
  assert.equal((await processesOf(runDir)).size, 0)
})

test('a machine that resets fails the run at once, by name', { skip }, async (t) => {
  const { result } = await startHarness(t, TINY_KERNEL.resets)
  const { ok, error } = await result()
  assert.deepEqual([ok, error?.code, error?.step, error?.machine], [false, 'machine-reset', 'firmware', 'vm1'])
})

test('nobody waits for a machine whose QEMU is gone', { skip }, async (t) => {
  const harness = await startHarness(t, TINY_KERNEL.hangs)
  process.kill(await running(harness), 'SIGKILL')
  const { ok, error } = await harness.result()
  assert.deepEqual([ok, error?.code, error?.machine], [false, 'machine-died', 'vm1'])
  assert.match(error?.message ?? '', /SIGKILL/)
})

test('a kept run says how to end it, and when it has ended; its exit code is that of the result', {
  skip,
}, async (t) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const { outer } = await startHarness(t, TINY_KERNEL.resets, { keep: true, program: 'harness-kept-program.ts' })
    let said = ''
    outer.stderr.on('data', (text) => (said += String(text)))
    await eventually('how to look', async () => said.includes('nft list counters'))
    assert.match(said, new RegExp(`^The machines stay up. To end: Ctrl-C here, or: kill -INT ${outer.pid}$`, 'm'))
    assert.match(
      said,
      /console vm1 +\(what it says; Ctrl-\] leaves it\)\nA chain's consoles have no shell\. exec is the way/,
    )
    outer.kill(signal)
    assert.equal((await outer).exitCode, 1)
    assert.equal(said.trimEnd().split('\n').at(-1), `ended by ${signal}; machines stopped`)
  }
})

test('asked to keep the machines, it leaves them up after the result until it is stopped', { skip }, async (t) => {
  const { runDir, outer, events } = await startHarness(t, TINY_KERNEL.resets, { keep: true })
  await eventually('the result', async () => events.some((event) => event.type === 'result'))
  await sleep(200)
  assert.ok((await processesOf(runDir)).has('qemu-system-x86_64'))
  outer.kill('SIGTERM')
  await outer
  assert.equal((await processesOf(runDir)).size, 0)
})
