import assert from 'node:assert/strict'
import { test } from 'node:test'
import { guestCommandLine, type QemuSpec, qemuArgs } from '../../../host-harness/qemu-args.ts'

const SPEC: QemuSpec = {
  name: 'vm1',
  arch: 'x86_64',
  accel: 'tcg',
  memoryMiB: 512,
  kernel: '/media/kernel',
  initramfs: '/media/initramfs',
  commandLine: 'console=ttyS0 quiet',
  network: { tap: 'tap1', mac: '52:54:00:77:00:01' },
}
const CONSOLE = '/run/a,b/vm1.console'
/** The word after an option. */
const after = (args: readonly string[], option: string) => args[args.indexOf(option) + 1]

test('what differs between architectures and accelerators comes from the table', () => {
  const table = [
    ['x86_64', 'tcg', 'q35', 'qemu64', 'tcg,thread=multi'],
    ['x86_64', 'kvm', 'q35', 'host', 'kvm'],
    ['arm64', 'tcg', 'virt', 'cortex-a72', 'tcg,thread=multi'],
    ['arm64', 'kvm', 'virt,gic-version=host', 'host', 'kvm'],
  ] as const
  for (const [arch, accel, machine, cpu, accelerator] of table) {
    const args = qemuArgs({ ...SPEC, arch, accel }, CONSOLE)
    assert.deepEqual(
      [after(args, '-machine'), after(args, '-cpu'), after(args, '-accel')],
      [machine, cpu, accelerator],
      `${arch} ${accel}`,
    )
  }
})

test('the machine starts stopped and may reset, so that no event is missed and a reset is seen', () => {
  const args = qemuArgs(SPEC, CONSOLE)
  assert.ok(args.includes('-S'))
  assert.ok(!args.includes('-no-reboot'))
})

test('what is given reaches QEMU as whole words', () => {
  const args = qemuArgs(SPEC, CONSOLE)
  assert.equal(after(args, '-append'), 'console=ttyS0 quiet')
  assert.equal(after(args, '-initrd'), '/media/initramfs')
  assert.equal(after(args, '-m'), '512')
  assert.match(args.join(' '), /tap,id=net,ifname=tap1,script=no,downscript=no/)
  assert.match(args.join(' '), /virtio-net-pci,netdev=net,mac=52:54:00:77:00:01,romfile=/)
})

test('each machine has a port for commands, on a socket that it inherits', () => {
  const text = qemuArgs(SPEC, CONSOLE).join(' ')
  assert.match(
    text,
    /socket,id=exec,fd=4 -device virtio-serial-pci -device virtserialport,chardev=exec,name=org\.plasm\.exec/,
  )
})

test('without initramfs and network there is neither', () => {
  const { initramfs: _, network: __, ...bare } = SPEC
  const text = qemuArgs(bare, CONSOLE).join(' ')
  assert.doesNotMatch(text, /-initrd|-netdev/)
})

test('a guest is told its run, its token and where to report, and no provider', () => {
  const given = {
    channel: 'stable',
    runId: 'run-1',
    token: 'abc',
    reportUrl: 'http://192.168.77.1:1/report',
    discovery: ['phase.mode=local'],
  }
  const words = guestCommandLine({ ...given, arch: 'arm64', accel: 'tcg' }).split(' ')
  for (const word of ['console=ttyAMA0', 'phase.mode=local', 'plasm.run=run-1', 'plasm.token=abc', 'panic=-1']) {
    assert.ok(words.includes(word), word)
  }
  assert.ok(!words.some((word) => word.startsWith('phase.provider')))
  assert.ok(words.includes('mitigations=off'))
  const onHardware = guestCommandLine({ ...given, arch: 'arm64', accel: 'kvm' }).split(' ')
  assert.deepEqual(
    onHardware,
    words.filter((word) => word !== 'mitigations=off'),
    'the kernel of a machine that does speculate is left to choose',
  )
})

test('disks are virtio, in their order, and may be read-only', () => {
  const disks = [
    { file: '/run/a,b', readOnly: false },
    { file: '/run/tools', readOnly: true },
  ]
  const words = qemuArgs({ ...SPEC, disks }, CONSOLE).join(' ')
  assert.match(
    words,
    /-drive file=\/run\/a,,b,format=raw,if=none,id=disk0,cache=writeback,readonly=off -device virtio-blk-pci,drive=disk0/,
  )
  assert.match(words, /-drive file=\/run\/tools,\S+id=disk1,\S+readonly=on -device virtio-blk-pci,drive=disk1$/)
})
