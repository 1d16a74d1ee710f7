import type { Arch } from '../service/arch.ts'

export type Accelerator = 'tcg' | 'kvm' | 'hvf'

/** What differs between architectures when a machine is started. Architecture is data: no branch in the code asks for it. */
interface MachineArch {
  readonly program: string
  readonly console: string
  readonly machine: Readonly<Record<'emulated' | 'hardware', string>>
  readonly emulatedCpu: string
}

export const MACHINE_ARCHES: Readonly<Record<Arch, MachineArch>> = {
  x86_64: {
    program: 'qemu-system-x86_64',
    console: 'ttyS0',
    machine: { emulated: 'q35', hardware: 'q35' },
    // QEMU's plainest. What `max` offers beyond it is slower when emulated: SHA-256 by AVX2 runs at a fifth of the speed of
    // plain integers, and `rep movsb` (ERMS) copies byte by byte, which kernels use for pages where it is offered.
    emulatedCpu: 'qemu64',
  },
  arm64: {
    program: 'qemu-system-aarch64',
    console: 'ttyAMA0',
    // Hardware offers the guest only the interrupt controller it has itself.
    machine: { emulated: 'virt', hardware: 'virt,gic-version=host' },
    emulatedCpu: 'cortex-a72',
  },
}

/** Agent and plasmd start side by side, and a network card's work goes on beside a digest's. */
const PROCESSORS = 2

/** File descriptors of the child that QEMU's sockets are inherited on: no socket file, whose path may be 107 bytes at most. */
export const QMP_FD = 3
export const EXEC_FD = 4

/** Name of the virtio-serial port that the guest's init/host-shell looks for. */
const EXEC_PORT = 'org.plasm.exec'

export interface QemuSpec {
  readonly name: string
  readonly arch: Arch
  readonly accel: Accelerator
  readonly memoryMiB: number
  readonly kernel: string
  /** Absent for the accelerator's trial, which ends at the kernel's first words. */
  readonly initramfs?: string
  readonly commandLine: string
  readonly network?: { readonly tap: string; readonly mac: string }
  /** Raw images, seen by the guest as /dev/vda, /dev/vdb and so on. */
  readonly disks?: ReadonlyArray<{ readonly file: string; readonly readOnly: boolean }>
}

/**
 * QEMU's arguments. The machine starts stopped (`-S`), so that whoever listens on QMP misses no event, and reboots when its
 * guest resets it (no `-no-reboot`), so that a reset is seen as the event RESET and not taken for a clean end.
 * @param consolePath of the console's named pipes (console-pipes.ts)
 */
export function qemuArgs(spec: QemuSpec, consolePath: string): string[] {
  const { machine, emulatedCpu } = MACHINE_ARCHES[spec.arch]
  const emulated = spec.accel === 'tcg'
  return [
    ...['-name', spec.name, '-nodefaults', '-no-user-config', '-display', 'none', '-S'],
    ...['-machine', emulated ? machine.emulated : machine.hardware],
    ...['-accel', emulated ? 'tcg,thread=multi' : spec.accel, '-cpu', emulated ? emulatedCpu : 'host'],
    ...['-smp', String(PROCESSORS), '-m', String(spec.memoryMiB)],
    ...['-kernel', spec.kernel, ...(spec.initramfs ? ['-initrd', spec.initramfs] : []), '-append', spec.commandLine],
    ...['-chardev', `pipe,id=console,path=${inOption(consolePath)}`, '-serial', 'chardev:console'],
    ...['-chardev', `socket,id=qmp,fd=${QMP_FD}`, '-mon', 'chardev=qmp,mode=control'],
    ...['-chardev', `socket,id=exec,fd=${EXEC_FD}`, '-device', 'virtio-serial-pci'],
    ...['-device', `virtserialport,chardev=exec,name=${EXEC_PORT}`],
    ...['-device', 'virtio-rng-pci'],
    ...(spec.network ? networkArgs(spec.network) : []),
    ...(spec.disks ?? []).flatMap(diskArgs),
  ]
}

/** A comma separates options, and two are one. */
const inOption = (file: string) => file.replaceAll(',', ',,')

/**
 * What the guest has written to a disk outlives QEMU, in the host's page cache; what it holds in its own is gone with it, as
 * after a power cut.
 */
function diskArgs({ file, readOnly }: { file: string; readOnly: boolean }, index: number): string[] {
  return [
    ...[
      '-drive',
      `file=${inOption(file)},format=raw,if=none,id=disk${index},cache=writeback,readonly=${readOnly ? 'on' : 'off'}`,
    ],
    ...['-device', `virtio-blk-pci,drive=disk${index}`],
  ]
}

/** `romfile=`: without PXE firmware, which QEMU would otherwise load and the guest run. */
function networkArgs({ tap, mac }: { tap: string; mac: string }): string[] {
  return [
    ...['-netdev', `tap,id=net,ifname=${tap},script=no,downscript=no`],
    ...['-device', `virtio-net-pci,netdev=net,mac=${mac},romfile=`],
  ]
}

export interface GuestParameters {
  readonly arch: Arch
  readonly accel: Accelerator
  readonly channel: string
  readonly runId: string
  readonly token: string
  readonly reportUrl: string
  /** How it is to find its provider ({@link discoveryWords}). */
  readonly discovery: readonly string[]
  /** Further words of the command line, for tests. */
  readonly more?: readonly string[]
}

/**
 * The kernel command line of a machine's first boot; the agent hands it on across kexec. `loglevel=6` shows the kernel's
 * banner and command line (both KERN_NOTICE), `panic=-1` turns a panic into a reset, which is seen at once;
 * `cryptomgr.notests` leaves out self-tests of ciphers, 0.4 s of each emulated boot. An emulated processor does not speculate, and
 * the kernel's measures against those that do cost it a sixth of a boot.
 */
export function guestCommandLine(given: GuestParameters): string {
  const { arch, accel, channel, runId, token, reportUrl, discovery, more = [] } = given
  return [
    `console=${MACHINE_ARCHES[arch].console}`,
    'loglevel=6',
    'panic=-1',
    'cryptomgr.notests',
    ...(accel === 'tcg' ? ['mitigations=off'] : []),
    ...discovery,
    `phase.channel=${channel}`,
    `plasm.run=${runId}`,
    `plasm.token=${token}`,
    `plasm.report=${reportUrl}`,
    ...more,
  ].join(' ')
}
