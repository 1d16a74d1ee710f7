import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { execa } from 'execa'
import { packZstdCpio } from '../../../images/cpio.ts'
import { composeInitramfs, insertSegment, readLayout } from '../../../images/segments.ts'

let dir: string
const squashfs = randomBytes(10_001)

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'segments-'))
  await mkdir(join(dir, 'base/etc'), { recursive: true })
  await writeFile(join(dir, 'base/etc/name'), 'base\n')
  await packZstdCpio(join(dir, 'base'), join(dir, 'base.zst'), 3)
  await mkdir(join(dir, 'release/etc/plasm'), { recursive: true })
  await writeFile(join(dir, 'release/etc/plasm/release'), 'nonce\n')
  await packZstdCpio(join(dir, 'release'), join(dir, 'release.zst'), 3)
  await writeFile(join(dir, 'agent.sqfs'), squashfs)
})
after(() => rm(dir, { recursive: true, force: true }))

/** What the kernel would unpack from the archives in the prefix. */
async function prefixFiles(initramfs: string, prefixBytes: number): Promise<string[]> {
  const bytes = (await readFile(initramfs)).subarray(0, prefixBytes)
  const names: string[] = []
  let rest = bytes
  while (rest.length > 0) {
    const compressed = rest.readUInt32LE(0) === 0xfd2fb528
    const next = rest.indexOf(Buffer.from('28b52ffd', 'hex'), 4)
    const end = next === -1 ? rest.length : next
    const archive = compressed
      ? Buffer.from(
          (await execa('zstd', ['-dcq'], { input: rest.subarray(0, end), encoding: 'buffer', reject: false })).stdout,
        )
      : rest.subarray(0, end)
    names.push(...(await execa('cpio', ['-it', '--quiet'], { input: archive })).stdout.split('\n'))
    rest = rest.subarray(end)
  }
  return names
}

test('the layout names where the prefix ends and where the squashfs lies, aligned for a loop device', async () => {
  const file = join(dir, 'initramfs')
  const layout = await composeInitramfs(file, [join(dir, 'base.zst')], join(dir, 'agent.sqfs'))
  assert.deepEqual(await readLayout(file), layout)
  assert.equal(layout.agentOffset % 4096, 0)
  assert.equal(layout.prefixBytes % 4, 0)
  const bytes = await readFile(file)
  assert.deepEqual(bytes.subarray(layout.agentOffset, layout.agentOffset + layout.agentBytes), squashfs)
  assert.deepEqual(await prefixFiles(file, layout.prefixBytes), [
    'etc',
    'etc/plasm',
    'etc/plasm/image-layout',
    'etc',
    'etc/name',
  ])
})

test('a release is one more segment in the prefix, and nothing else changes', async () => {
  const built = join(dir, 'initramfs')
  const file = join(dir, 'published')
  const layout = await insertSegment(built, join(dir, 'release.zst'), file)
  assert.deepEqual(await readLayout(file), layout)
  const bytes = await readFile(file)
  assert.deepEqual(bytes.subarray(layout.agentOffset, layout.agentOffset + layout.agentBytes), squashfs)
  assert.ok((await prefixFiles(file, layout.prefixBytes)).includes('etc/plasm/release'))
  const [old, now] = [await readLayout(built), layout]
  assert.deepEqual(
    bytes.subarray(now.agentOffset + now.agentBytes),
    (await readFile(built)).subarray(old.agentOffset + old.agentBytes),
  )
})

test("refuses a file that is not one of this project's", async () => {
  await assert.rejects(readLayout(join(dir, 'base.zst')), { code: 'image-layout-missing' })
})

test('the same directory gives the same bytes, whatever its times', async () => {
  await execa('touch', [join(dir, 'base/etc/name')])
  await packZstdCpio(join(dir, 'base'), join(dir, 'again.zst'), 3)
  assert.deepEqual(await readFile(join(dir, 'again.zst')), await readFile(join(dir, 'base.zst')))
})
