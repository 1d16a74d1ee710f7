import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { chmod, mkdir, open, readdir, readFile, statfs } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type AgentEvent, type Report, SIGNATURE_HEADER } from '../../agent/events.ts'
import { hostArch } from '../../service/arch.ts'
import { storePaths } from '../../service/store-layout.ts'
import { makeSet } from '../support/boot-set.ts'
import { lives, makeServeMachine, putIntoInbox, type ServeMachine, until } from '../support/serve-machine.ts'
import { makeKey, writePolicy } from '../support/trust.ts'

/** What a loaded machine must not take for hung keeps its 12 s. */
const QUICK = { backoffFirst: 100, backoffLast: 400 }

async function machine(t: TestContext, given?: Parameters<typeof makeServeMachine>[0]): Promise<ServeMachine> {
  const made = await makeServeMachine(given)
  t.after(() => made.remove())
  return made
}

const types = (events: readonly AgentEvent[]) =>
  events.map(({ type }) => type).filter((type) => !type.startsWith('step-'))

async function readyTimes(at: ServeMachine, times: number): Promise<void> {
  await until(
    `${times} times ready`,
    async () => (await at.events()).filter(({ type }) => type === 'ready').length >= times,
  )
}

async function plasmdPid(at: ServeMachine): Promise<number> {
  return until('the pid of plasmd', async () => {
    const { plasmd } = await at.status()
    return plasmd?.state === 'running' ? plasmd.pid! : undefined
  })
}

test('a killed plasmd comes back: withdrawn meanwhile, then ready and advertised again', async (t) => {
  const at = await machine(t)
  await at.handOver(makeSet())
  at.start({ supervision: QUICK })
  await readyTimes(at, 1)
  process.kill(await plasmdPid(at), 'SIGKILL')
  await readyTimes(at, 2)
  assert.deepEqual(types(await at.events()), ['stage-started', 'ready', 'not-ready', 'ready'])
  const { reason } = await at.event('not-ready')
  assert.match(reason, /^plasmd ended \(killed by SIGKILL\); (the agent starts it again|another one is starting)$/)
  const [first, second, third] = await at.advertisements()
  assert.deepEqual(
    [first, second, third].map((line) => line?.split(' ', 1)[0]),
    ['advertised', 'goodbye', 'advertised'],
  )
  const { plasmd } = await until('one restart in the status', async () => {
    const status = await at.status()
    return status.plasmd?.restarts === 1 ? status : undefined
  })
  assert.equal(plasmd?.lastExit, 'killed by SIGKILL')
})

test('a stopped plasmd is hung: it is killed and replaced', async (t) => {
  const at = await machine(t)
  await at.handOver(makeSet())
  at.start({ supervision: { ...QUICK, hungAfter: 3000 } })
  await readyTimes(at, 1)
  const stopped = await plasmdPid(at)
  process.kill(stopped, 'SIGSTOP')
  await readyTimes(at, 2)
  assert.equal(await lives(stopped), false)
  assert.notEqual(await plasmdPid(at), stopped)
})

test('a taken port is explained, and plasmd is up once the port is free', async (t) => {
  const at = await machine(t)
  await at.handOver(makeSet())
  const squatter = createServer((_request, response) => response.end('{}')).listen(at.port, '127.0.0.1')
  await once(squatter, 'listening')
  at.start({ supervision: QUICK })
  const failed = await at.event('step-failed')
  assert.deepEqual([failed.step, failed.error.code, failed.error.facts.port], ['provider', 'port-in-use', at.port])
  await until('the reason in the status', async () => (await at.status()).notReadyBecause?.includes('[port-in-use]'))
  squatter.closeAllConnections()
  squatter.close()
  await at.event('ready')
})

for (const name of ['vmlinuz', 'initramfs.img']) {
  test(`a corrupted ${name} is never served as ready`, async (t) => {
    const at = await machine(t)
    const set = makeSet()
    const bytes = Buffer.from(set.files[name]!)
    bytes[bytes.length - 2]! ^= 1
    await at.handOver({ ...set, files: { ...set.files, [name]: bytes } })
    at.start()
    const failed = await at.event('step-failed')
    assert.deepEqual([failed.step, failed.error.code], ['self-check', 'self-check-mismatch'])
    assert.equal(failed.error.facts.where, 'disk')
    assert.equal(failed.error.facts.artifact, name === 'vmlinuz' ? 'kernel' : 'initramfs')
    await at.event('not-ready')
    assert.equal((await fetch(`${at.url}/stable/${hostArch()}/${name}`)).status, 404, 'it is out of service')
    assert.deepEqual(await at.advertisements(), [])
    assert.equal((await readdir(storePaths(at.store).sets)).length, 1, 'and kept for whoever asks what went wrong')

    await putIntoInbox(at, makeSet())
    await at.event('ready')
  })
}

test('a stored file that changes while it is served takes readiness away', async (t) => {
  const at = await machine(t)
  await at.handOver(makeSet())
  at.start({ recheckEvery: 300 })
  await readyTimes(at, 1)
  const file = await open(join(storePaths(at.store).link('stable', hostArch()), 'vmlinuz'), 'r+')
  await file.write('changed', 1000)
  await file.close()
  const failed = await at.event('step-failed')
  assert.deepEqual([failed.step, failed.error.code], ['watch', 'self-check-mismatch'])
  await at.event('not-ready')
  assert.equal((await fetch(`${at.url}/stable/${hostArch()}/vmlinuz`)).status, 404, 'it is out of service at once')
  assert.match((await at.advertisements()).at(-1)!, /^goodbye/)
  assert.equal((await at.status()).ready, false)
})

test('a handover that was cut short is refused and stays as it came', async (t) => {
  const at = await machine(t)
  const set = makeSet()
  await at.handOver({ ...set, files: { ...set.files, 'rootfs.sqfs': Buffer.alloc(3) } })
  at.start()
  const failed = await at.event('step-failed')
  assert.deepEqual([failed.step, failed.error.code], ['adopt', 'handover-incomplete'])
  assert.deepEqual(failed.error.facts, { artifact: 'rootfs', expected: 9, found: 3 })
  assert.deepEqual((await readdir(storePaths(at.store).handover)).sort(), [
    'boot-record.json',
    'initramfs',
    'kernel',
    'manifest.json',
    'rootfs',
  ])
})

test('an unsigned set is refused where the image wants signatures', async (t) => {
  const at = await machine(t)
  await writePolicy(join(at.directory, 'policy.toml'), [makeKey()])
  await at.handOver(makeSet())
  at.start()
  const failed = await at.event('step-failed')
  assert.deepEqual([failed.step, failed.error.code], ['adopt', 'unsigned-refused'])
})

test('an inbox that others may write to is refused', async (t) => {
  const at = await machine(t)
  await at.handOver(makeSet({ sequence: 1 }))
  at.start()
  await readyTimes(at, 1)
  await mkdir(at.inbox, { mode: 0o777 })
  await chmod(at.inbox, 0o777)
  const refused = await at.event('step-failed', ({ step }) => step === 'watch')
  assert.equal(refused.error.code, 'inbox-unsafe')
  assert.equal((await at.status()).ready, true)
})

/** Moves the store onto a small tmpfs, in a mount namespace that ends with the agent. Arguments: store, scratch, MiB. */
const SMALL_STORE = `mkdir "$2" && mount -t tmpfs -o size=$3m small "$2" && cp -a "$1/." "$2" && mount --bind "$2" "$1" &&
shift 3 && exec "$@"`

async function smallStore(t: TestContext, mib: number) {
  const at = await machine(t)
  await at.handOver(makeSet({ sequence: 1 }))
  const script = ['unshare', '-m', 'sh', '-c', SMALL_STORE, 'sh', at.store, join(at.directory, 'small'), String(mib)]
  const agent = at.start({ through: script })
  await readyTimes(at, 1)
  // The store as the agent sees it.
  const store = join('/proc', String(agent.process.pid), 'root', at.store)
  return { at, agent, store }
}

async function assertNothingLost(at: ServeMachine, store: string): Promise<void> {
  assert.equal((await at.status()).ready, true)
  assert.equal((await readdir(storePaths(store).sets)).length, 1, 'no half set is left')
  assert.equal((await fetch(`${at.url}/stable/${hostArch()}/vmlinuz`)).status, 200)
}

const root = process.getuid?.() === 0 ? {} : { skip: 'mounting a tmpfs needs root' }

test('a store without room for an inbox set refuses it and loses nothing', root, async (t) => {
  const { at, store } = await smallStore(t, 6)
  await putIntoInbox(at, makeSet({ sequence: 2, kernelBytes: 4 * 1024 * 1024 }))
  const refused = await at.event('step-failed', ({ step }) => step === 'watch')
  assert.equal(refused.error.code, 'store-full')
  assert.ok((refused.error.facts.needBytes as number) > 4 * 1024 * 1024)
  await assertNothingLost(at, store)
})

test('a store that fills up while a set is copied loses nothing', root, async (t) => {
  const { at, agent, store } = await smallStore(t, 64)
  const { files, ffree } = await statfs(store)
  // Inodes for the directory and the first artifact: the second finds none.
  const limit = `remount,nr_inodes=${files - ffree + 2}`
  execFileSync('nsenter', ['-t', String(agent.process.pid), '-m', '-r', 'mount', '-o', limit, at.store])
  await putIntoInbox(at, makeSet({ sequence: 2 }))
  const refused = await at.event('step-failed', ({ step }) => step === 'watch')
  assert.equal(refused.error.code, 'store-full')
  await assertNothingLost(at, store)
})

interface Harness {
  readonly url: string
  readonly reports: Report[]
  /** Signatures that were not right. */
  readonly forged: number
  close(): void
}

/** @param drops how many of the first requests are cut off without an answer, after they were read */
async function harness(port: number, token: string, drops = 0): Promise<Harness> {
  const reports: Report[] = []
  let forged = 0
  let left = drops
  const server = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray())
    const expected = `sha256=${createHmac('sha256', token).update(body).digest('hex')}`
    if (request.headers[SIGNATURE_HEADER] !== expected) forged++
    if (left-- > 0) return void request.socket.destroy()
    reports.push(JSON.parse(body.toString('utf8')) as Report)
    response.end()
  }).listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/report`,
    reports,
    get forged() {
      return forged
    },
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}

test('an unreachable harness costs a log line; what happened meanwhile arrives in order once it is there', async (t) => {
  const gone = await harness(0, 'secret')
  gone.close()
  const port = Number(new URL(gone.url).port)
  const at = await machine(t, {
    cmdline: `plasm.stage=serve plasm.run=run-1 plasm.token=secret plasm.report=${gone.url}`,
  })
  await at.handOver(makeSet())
  at.start()
  await readyTimes(at, 1)
  const complaints = async () => {
    const log = await readFile(join(at.runDirectory, 'agent.log'), 'utf8')
    return log.match(/reports do not reach/g)?.length
  }
  await until('the log line', complaints)
  assert.equal(JSON.stringify(await at.status()).includes('secret'), false)

  const flaky = await harness(port, 'secret', 2)
  t.after(() => flaky.close())
  const events = () => flaky.reports.flatMap((report) => report.events.map(({ event }) => event))
  await until('the report of readiness', async () => events().some(({ type }) => type === 'ready'))
  assert.equal(await complaints(), 1)
  assert.equal(flaky.forged, 0)
  assert.deepEqual(
    flaky.reports.map(({ seq }) => seq),
    flaky.reports.map((_, index) => index),
  )
  assert.equal(events()[0]?.type, 'stage-started')
  assert.equal(new Set(flaky.reports.map(({ runId, bootId }) => `${runId} ${bootId}`)).size, 1)
  await until('the delivery in the status', async () => (await at.status()).lastReport?.delivered)
})
