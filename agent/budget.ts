import { PlasmError } from '../service/errors.ts'
import { artifactsOf, type Manifest, setBytes } from '../service/manifest.ts'
import type { HandoverKind, MemoryBudget } from './boot-record.ts'
import { leftOut } from './left-out.ts'
import type { Memory } from './memory.ts'

const MIB = 1024 * 1024

/** What the agent itself, kexec and the kernel's page tables take while the set is loaded, MiB. */
const AGENT_MIB = 48
/** The unpacked base in the next kernel's root (busybox, modules, init), MiB. */
const BASE_MIB = 16
/** Agent and plasmd together while they serve, MiB. */
const SERVING_MIB = 100
/**
 * What a node of the DHT takes beside them, MiB: libp2p's code 27, the node 10 more (measured: 58 MiB of plasmd became 83 to 95). In the fetch
 * stage nothing is added for it: it was loaded to discover, so what is available then is what it has left. The client is stopped before
 * anything is fetched; its code stays in memory.
 */
const DHT_MIB = 40
/** The next kernel itself and its early allocations, MiB. */
const NEXT_KERNEL_MIB = 64
/** Prefix of an initramfs built here, before its layout is known: ~3 MB. */
const PREFIX_ESTIMATE_BYTES = 4 * MIB

/** The sizes that a boot needs, bytes. */
export interface BootSizes {
  /** Prefix of the new initrd. */
  readonly prefixBytes: number
  /** What of the set is in memory on both sides of kexec: nothing of it where it lies on the data disk. */
  readonly setBytes: number
  readonly kernelBytes: number
  /** What is fetched into memory after kexec. */
  readonly laterBytes?: number
  /** Whether the next system takes part in the DHT (mode internet). */
  readonly dht?: boolean
}

/** @param prefixBytes absent before the initramfs's layout is known; then a longer one than the estimate is counted once it is */
export function sizesFor(manifest: Manifest, handover: HandoverKind, prefixBytes?: number): BootSizes {
  const { kernel, initramfs } = manifest.artifacts
  const laterBytes = artifactsOf(manifest)
    .filter(({ role }) => leftOut(handover).has(role))
    .reduce((sum, { size_bytes }) => sum + size_bytes, 0)
  return {
    prefixBytes: prefixBytes ?? Math.min(PREFIX_ESTIMATE_BYTES, initramfs.size_bytes),
    setBytes: handover === 'disk' ? 0 : setBytes(manifest) - laterBytes,
    kernelBytes: kernel.size_bytes,
    laterBytes,
  }
}

/** @param scratchFreeBytes room on the filesystem of the scratch files */
export function budgetOf(sizes: BootSizes, memory: Memory, scratchFreeBytes: number): MemoryBudget {
  const initrdMiB = mebibytes(sizes.prefixBytes + sizes.setBytes)
  const kernelMiB = mebibytes(sizes.kernelBytes)
  return {
    totalMiB: memory.totalMiB,
    availableMiB: memory.availableMiB,
    needMiB: 2 * initrdMiB + 2 * kernelMiB + AGENT_MIB,
    rootfsFreeMiB: Math.floor(scratchFreeBytes / MIB),
    initrdMiB,
    kernelMiB,
  }
}

/**
 * Counts whether a boot set fits (DESIGN decision 5).
 *
 * - now: the new initrd and the kernel twice, as files on a tmpfs and as kexec's own copy, then (the files given up, see
 *   give-up-files.ts) as kexec's and the kernel's copy; and the agent;
 * - after kexec, while the initrd is unpacked: the initrd and what it becomes; and the root tmpfs (half of RAM, kernel:
 *   Documentation/filesystems/ramfs-rootfs-initramfs.rst) must hold the base and the carried set, since what does not fit is
 *   lost silently;
 * - with `refetch` (init gives the root more than half of RAM then): what is fetched later beside all that and the agent;
 * - with the DHT: the agent that runs a node of it beside the set.
 *
 * @throws PlasmError `memory-too-small` | `scratch-too-small` (facts: the budget)
 */
export function checkBudget(sizes: BootSizes, memory: Memory, scratchFreeBytes: number): MemoryBudget {
  const budget = budgetOf(sizes, memory, scratchFreeBytes)
  const { initrdMiB, kernelMiB } = budget
  const carriedMiB = mebibytes(sizes.setBytes)
  const unpackingMiB = initrdMiB + BASE_MIB + carriedMiB + NEXT_KERNEL_MIB
  const takenNowMiB = memory.totalMiB - memory.availableMiB
  const laterMiB = mebibytes(sizes.laterBytes ?? 0)
  const servingMiB = SERVING_MIB + (sizes.dht ? DHT_MIB : 0)
  const runningMiB = laterMiB === 0 && !sizes.dht ? 0 : BASE_MIB + carriedMiB + laterMiB + NEXT_KERNEL_MIB + servingMiB
  const wantedMiB = Math.max(takenNowMiB + budget.needMiB, 2 * (BASE_MIB + carriedMiB), unpackingMiB, runningMiB)
  if (budget.needMiB > budget.availableMiB) {
    throw tooSmall(
      budget,
      wantedMiB,
      `loading this set takes ${budget.needMiB} MiB, and ${budget.availableMiB} MiB are available`,
    )
  }
  const rootMiB = Math.floor(memory.totalMiB / 2)
  if (BASE_MIB + carriedMiB > rootMiB) {
    throw tooSmall(
      budget,
      wantedMiB,
      `the next root holds ${rootMiB} MiB (half of RAM), and ${BASE_MIB + carriedMiB} MiB go there`,
    )
  }
  if (unpackingMiB > memory.totalMiB) {
    throw tooSmall(budget, wantedMiB, `unpacking after kexec takes ${unpackingMiB} MiB of ${memory.totalMiB} MiB`)
  }
  if (runningMiB > memory.totalMiB) {
    throw tooSmall(
      budget,
      wantedMiB,
      `running with the whole set in memory takes ${runningMiB} MiB of ${memory.totalMiB} MiB`,
    )
  }
  if (initrdMiB + kernelMiB > budget.rootfsFreeMiB) {
    throw new PlasmError(
      'scratch-too-small',
      `the new initrd and kernel take ${initrdMiB + kernelMiB} MiB, and ${budget.rootfsFreeMiB} MiB are free for them`,
      { facts: { ...budget }, hint: 'give the machine more memory, or mount /run with a larger size' },
    )
  }
  return budget
}

const mebibytes = (bytes: number) => Math.ceil(bytes / MIB)

/** @param wantedMiB of RAM with which all of this would fit */
function tooSmall(budget: MemoryBudget, wantedMiB: number, why: string): PlasmError {
  return new PlasmError('memory-too-small', `too little memory: ${why}`, {
    facts: { ...budget, wantedMiB },
    hint: `give the machine at least ${wantedMiB} MiB of memory, or a data disk (docs/concept.md), or publish a smaller boot set`,
  })
}
