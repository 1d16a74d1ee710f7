import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isServable, rolesOf } from '../../../service/artifact-names.ts'

const roles = (...names: string[]) => Object.fromEntries(rolesOf(names).files)

test('finds roles by the names that the family uses', () => {
  assert.deepEqual(roles('vmlinuz-6.1.0-amd64', 'initrd.img-6.1.0', 'rootfs.squashfs', 'dtb-board_v2', 'README'), {
    kernel: 'vmlinuz-6.1.0-amd64',
    initramfs: 'initrd.img-6.1.0',
    rootfs: 'rootfs.squashfs',
    'dtb-board_v2': 'dtb-board_v2',
  })
  assert.deepEqual(roles('Image', 'initramfs.cpio.zst'), { kernel: 'Image', initramfs: 'initramfs.cpio.zst' })
})

test('leaves out what only looks like an artifact', () => {
  assert.deepEqual(
    roles('vmlinuz', 'vmlinuz.sig', 'vmlinuz.old', 'initrd.part', '.initrd', 'Image.gz', 'manifest.json'),
    {
      kernel: 'vmlinuz',
    },
  )
})

test('prefers the plain name, and does not guess between others', () => {
  assert.deepEqual(roles('kernel', 'vmlinuz', 'vmlinuz-6.1'), { kernel: 'kernel' })
  const { files, ambiguous } = rolesOf(['vmlinuz-6.2', 'vmlinuz-6.1', 'initramfs'])
  assert.deepEqual([...files], [['initramfs', 'initramfs']])
  assert.deepEqual([...ambiguous], [['kernel', ['vmlinuz-6.1', 'vmlinuz-6.2']]])
})

test('hidden and unfinished names are never served', () => {
  for (const name of ['.provider.json', '..', '.', '', 'a/b', 'a\0b', 'k.PART', 'k.incoming', 'k~', 'k.crdownload']) {
    assert.equal(isServable(name), false, name)
  }
  for (const name of ['kernel', 'manifest.dsse.json', 'partial', 'a b']) assert.equal(isServable(name), true, name)
})
