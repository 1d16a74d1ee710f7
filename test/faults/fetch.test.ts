import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type BootMachine, makeMachine } from '../support/boot-machine.ts'
import { makeSet, type TestSet } from '../support/boot-set.ts'
import { answer, type Misbehave, startProvider, type TestProvider } from '../support/provider.ts'
import { startBoot } from '../support/start-boot.ts'

const CHUNK = 65536
const total = (set: TestSet) => Object.values(set.files).reduce((sum, bytes) => sum + bytes.length, 0)
/** Booted machines are tried before origins, which makes the order certain. */
const FIRST = { status: { machine: 'first', generation: 1 } }

async function loadedWhole(machine: BootMachine, set: TestSet): Promise<void> {
  const { initrd, kernel } = await machine.loaded()
  assert.deepEqual(kernel, set.files.vmlinuz)
  for (const [name, bytes] of Object.entries(set.files)) assert.ok(initrd.includes(bytes), `${name} is carried whole`)
}

/** Boots with a provider that misbehaves and one that does not; the second must bring the machine up. */
async function bootPastA(
  t: Parameters<typeof startBoot>[0],
  set: TestSet,
  misbehave: Misbehave,
): Promise<{ machine: BootMachine; bad: TestProvider; good: TestProvider }> {
  const bad = await startProvider(set, { ...FIRST, misbehave })
  const good = await startProvider(set)
  const machine = await makeMachine(`phase.provider=${bad.url},${good.url}`)
  await startBoot(t, machine, [bad, good]).event(({ type }) => type === 'kexec')
  await loadedWhole(machine, set)
  return { machine, bad, good }
}

test('a flipped byte in a chunk rejects its provider, and the next one goes on from there', async (t) => {
  const set = makeSet()
  const { machine, bad, good } = await bootPastA(t, set, ({ file, from, bytes, response, seen }) => {
    if (file !== 'initramfs.img') return false
    const damaged = Buffer.from(bytes)
    damaged[2 * CHUNK + 5]! ^= 1
    answer(response, damaged, from, seen)
    return true
  })
  assert.deepEqual(machine.failures(), [{ step: 'fetch', code: 'chunk-digest-mismatch', provider: bad.url }])
  const failed = machine.events.find((event) => event.type === 'step-failed')
  assert.equal(failed?.type === 'step-failed' && failed.error.facts.chunk, 2)
  assert.equal(good.seen[0]?.from, 2 * CHUNK, 'two chunks were verified and are not fetched again')
  assert.equal(good.artifactBytes(), total(set) - 2 * CHUNK)
})

test('a flipped byte in a set without chunks is found at the end, and nothing of it is kept', async (t) => {
  const set = makeSet({ chunkBytes: null })
  const { machine, bad, good } = await bootPastA(t, set, ({ file, from, bytes, response, seen }) => {
    if (file !== 'initramfs.img') return false
    const damaged = Buffer.from(bytes)
    damaged[1000]! ^= 1
    answer(response, damaged, from, seen)
    return true
  })
  assert.deepEqual(machine.failures(), [{ step: 'fetch', code: 'artifact-digest-mismatch', provider: bad.url }])
  assert.equal(good.artifactBytes(), total(set))
})

test('a connection that breaks is resumed with a range from the last verified chunk', async (t) => {
  const set = makeSet()
  const only = await startProvider(set, {
    misbehave({ file, from, bytes, response, seen, count }) {
      if (file !== 'initramfs.img' || count > 1) return false
      response.writeHead(200, { 'content-length': bytes.length })
      response.write(bytes.subarray(from, 3 * CHUNK + 10), () => response.destroy())
      seen.sent += 3 * CHUNK + 10
      return true
    },
  })
  const machine = await makeMachine(`phase.provider=${only.url}`)
  await startBoot(t, machine, [only]).event(({ type }) => type === 'kexec')
  await loadedWhole(machine, set)
  assert.deepEqual(machine.failures(), [])
  assert.deepEqual(
    only.seen.slice(0, 2).map(({ from }) => from),
    [0, 3 * CHUNK],
  )
  assert.equal(only.artifactBytes(), total(set) + 10)
})

test('a set without chunks resumes where it broke', async (t) => {
  const set = makeSet({ chunkBytes: null })
  const only = await startProvider(set, {
    misbehave({ file, from, bytes, response, count }) {
      if (file !== 'initramfs.img' || count > 1) return false
      response.writeHead(200, { 'content-length': bytes.length })
      response.write(bytes.subarray(from, 100_000), () => response.destroy())
      return true
    },
  })
  const machine = await makeMachine(`phase.provider=${only.url}`)
  await startBoot(t, machine, [only]).event(({ type }) => type === 'kexec')
  await loadedWhole(machine, set)
  assert.equal(only.seen[1]?.from, 100_000)
})

test('a 200 to a range request starts again at the first byte', async (t) => {
  const set = makeSet()
  const only = await startProvider(set, {
    misbehave({ file, bytes, response, count }) {
      if (file !== 'initramfs.img') return false
      response.writeHead(200, { 'content-length': bytes.length })
      if (count > 1) response.end(bytes)
      else response.write(bytes.subarray(0, CHUNK + 1), () => response.destroy())
      return true
    },
  })
  const machine = await makeMachine(`phase.provider=${only.url}`)
  await startBoot(t, machine, [only]).event(({ type }) => type === 'kexec')
  await loadedWhole(machine, set)
  assert.deepEqual(machine.failures(), [])
})

const rejections: ReadonlyArray<{ name: string; code: string; misbehave: Misbehave }> = [
  {
    name: 'a wrong Content-Length',
    code: 'wrong-length',
    misbehave({ bytes, response }) {
      response.writeHead(200, { 'content-length': bytes.length - 1 }).end(bytes.subarray(1))
      return true
    },
  },
  {
    name: 'an endless body',
    code: 'body-too-long',
    misbehave({ bytes, response }) {
      response.writeHead(200)
      const more = () => response.write(bytes) && setImmediate(more)
      response.on('drain', more)
      more()
      return true
    },
  },
  {
    name: 'a body that ends short, again and again',
    code: 'body-too-short',
    misbehave({ response }) {
      response.writeHead(200).end('short')
      return true
    },
  },
  {
    name: 'a body that stalls',
    code: 'transfer-broken',
    misbehave({ bytes, response }) {
      response.writeHead(200, { 'content-length': bytes.length }).write('x')
      return true
    },
  },
  {
    name: 'a redirect',
    code: 'http-status',
    misbehave({ response }) {
      response.writeHead(302, { location: 'http://127.0.0.1:9/' }).end()
      return true
    },
  },
  {
    name: 'a range of something else',
    code: 'wrong-length',
    misbehave({ from, bytes, response, count }) {
      if (count === 1) {
        response.writeHead(200, { 'content-length': bytes.length })
        response.write(bytes.subarray(0, CHUNK + 1), () => response.destroy())
      } else {
        const headers = { 'content-range': `bytes 0-${bytes.length - 1}/${bytes.length}` }
        response.writeHead(206, headers).end(bytes.subarray(from))
      }
      return true
    },
  },
]

for (const { name, code, misbehave } of rejections) {
  test(`${name} rejects its provider, and the next one finishes`, async (t) => {
    const { machine, bad } = await bootPastA(t, makeSet(), misbehave)
    assert.deepEqual(machine.failures(), [{ step: 'fetch', code, provider: bad.url }])
  })
}

test('a provider killed in the middle is followed by the next, which sends only what is missing', async (t) => {
  const set = makeSet({ agentBytes: 900_000 })
  const { machine, bad, good } = await bootPastA(t, set, ({ bytes, response, kill }) => {
    response.writeHead(200, { 'content-length': bytes.length })
    response.write(bytes.subarray(0, 5 * CHUNK + 77), () => setTimeout(kill, 20))
    return true
  })
  assert.deepEqual(machine.failures(), [{ step: 'fetch', code: 'transfer-broken', provider: bad.url }])
  assert.equal(good.seen[0]?.from, 5 * CHUNK)
  assert.equal(good.artifactBytes(), total(set) - 5 * CHUNK)
})

test('sets are never mixed: a provider of another set starts from nothing', async (t) => {
  const newer = makeSet({ sequence: 2 })
  const older = makeSet({ sequence: 1 })
  const bad = await startProvider(newer, {
    misbehave({ file, bytes, response }) {
      if (file !== 'vmlinuz') return false
      response.writeHead(200, { 'content-length': bytes.length + 1 }).end()
      return true
    },
  })
  const good = await startProvider(older)
  const machine = await makeMachine(`phase.provider=${good.url},${bad.url}`)
  await startBoot(t, machine, [bad, good]).event(({ type }) => type === 'kexec')
  await loadedWhole(machine, older)
  const { initrd } = await machine.loaded()
  assert.equal(initrd.includes(newer.files['initramfs.img']!.subarray(-CHUNK)), false)
  assert.deepEqual(machine.failures(), [{ step: 'fetch', code: 'wrong-length', provider: bad.url }])
  assert.equal(good.artifactBytes(), total(older))
})

test('a provider that comes late is found by a later attempt', async (t) => {
  const set = makeSet()
  const once = await startProvider(set)
  const port = new URL(once.url).port
  await once.close()
  const machine = await makeMachine(`phase.provider=${once.url}`)
  const boot = startBoot(t, machine)
  await boot.event(({ type }) => type === 'step-failed')
  assert.deepEqual(machine.failures(), [{ step: 'discover', code: 'no-provider', provider: undefined }])
  const provider = await startProvider(set, { port: Number(port) })
  t.after(() => provider.close())
  await boot.event(({ type }) => type === 'kexec')
  await loadedWhole(machine, set)
})
