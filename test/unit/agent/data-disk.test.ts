import assert from 'node:assert/strict'
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { execa } from 'execa'
import { findDataDisk } from '../../../agent/data-disk.ts'

const PLACE = '/var/lib/plasm'
const line = (device: string, more: { root?: string; place?: string; type?: string; options?: string; own?: string }) =>
  `61 23 254:0 ${more.root ?? '/'} ${more.place ?? PLACE} ${more.options ?? 'rw,noatime'} shared:5 - ${more.type ?? 'ext4'} ${device} ${more.own ?? 'rw,errors=remount-ro'}\n`

async function ext4(t: TestContext, label: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'plasm-ext4-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  const image = join(directory, 'image')
  await writeFile(image, '')
  await truncate(image, 8 * 1024 * 1024)
  const env = { PATH: `${process.env.PATH}:/usr/sbin:/sbin` }
  await execa('mke2fs', ['-q', '-t', 'ext4', '-L', label, image], { env, stdin: 'ignore' })
  return image
}

test('the data disk is the ext4 filesystem on its place, with the label that it has', async (t) => {
  const device = await ext4(t, 'PLASM-DATA')
  const root = line('tmpfs', { place: '/', type: 'tmpfs' })
  assert.deepEqual(findDataDisk(root + line(device, {})), {
    device,
    mountPoint: PLACE,
    readOnly: false,
    label: 'PLASM-DATA',
  })
  assert.equal(findDataDisk(root + line(await ext4(t, 'other'), {}))?.label, 'other')
  assert.equal(findDataDisk(root + line('/dev/nothing', {}))?.label, null)
})

test('a filesystem that the kernel made read-only is read-only, though its mount is not', () => {
  assert.equal(findDataDisk(line('/dev/nothing', { own: 'ro' }))?.readOnly, true)
  assert.equal(findDataDisk(line('/dev/nothing', { options: 'ro' }))?.readOnly, true)
})

const others: Readonly<Record<string, string>> = {
  'nothing is mounted there': line('/dev/vda', { place: '/var/lib' }),
  'a directory of some filesystem is bound there': line('/dev/vda', { root: '/data' }),
  'a tmpfs lies over it': line('/dev/vda', {}) + line('tmpfs', { type: 'tmpfs' }),
}
for (const [what, mountinfo] of Object.entries(others)) {
  test(`there is no data disk where ${what}`, () => assert.equal(findDataDisk(mountinfo), undefined))
}
