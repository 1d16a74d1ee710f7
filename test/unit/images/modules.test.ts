import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadOrder, parseModulesDep } from '../../../images/modules.ts'

const DEP = `kernel/drivers/virtio/virtio.ko: kernel/drivers/virtio/virtio_ring.ko
kernel/drivers/virtio/virtio_ring.ko:
kernel/drivers/net/virtio_net.ko.xz: kernel/net/net-failover.ko.xz kernel/net/failover.ko kernel/drivers/virtio/virtio.ko kernel/drivers/virtio/virtio_ring.ko
kernel/net/net-failover.ko.xz: kernel/net/failover.ko
kernel/net/failover.ko:
`

test('loads each module after all that it needs, and none twice', () => {
  const order = loadOrder(['virtio', 'virtio_net'], parseModulesDep(DEP), new Set())
  assert.deepEqual(order, [
    'kernel/drivers/virtio/virtio_ring.ko',
    'kernel/drivers/virtio/virtio.ko',
    'kernel/net/failover.ko',
    'kernel/net/net-failover.ko.xz',
    'kernel/drivers/net/virtio_net.ko.xz',
  ])
})

test('leaves out what the kernel has built in, and refuses what it does not have at all', () => {
  assert.deepEqual(loadOrder(['af_packet'], parseModulesDep(DEP), new Set(['af_packet'])), [])
  assert.throws(() => loadOrder(['squashfs'], parseModulesDep(DEP), new Set()), {
    code: 'module-missing',
    facts: { module: 'squashfs' },
  })
})

test('takes a file name with dashes for the module name with underscores', () => {
  assert.deepEqual(loadOrder(['net_failover'], parseModulesDep(DEP), new Set()), [
    'kernel/net/failover.ko',
    'kernel/net/net-failover.ko.xz',
  ])
})
