import { closeSync, constants, fstatSync, ftruncateSync, lstatSync, openSync, rmSync } from 'node:fs'
import { PlasmError } from '../service/errors.ts'
import type { ArtifactSink } from './artifact-sink.ts'
import { type CarryPlan, type ClosingFile, closingBytes, planCarry } from './carry-plan.ts'
import { prefixBytesOf } from './image-layout.ts'
import { checkStillThere } from './scratch-safety.ts'
import type { VerifiedManifest } from './verify.ts'
import { writeAt } from './write-at.ts'

export interface ScratchFiles {
  /** The new initrd: prefix, carried set, trailer. */
  readonly initrd: string
  /** A copy of the kernel for kexec, which wants a file; absent when the caller has one already. */
  readonly kernel: string | undefined
}

/**
 * A boot set on its way into a new initrd. Takes verified bytes of any artifact in any order, except that the beginning of
 * the initramfs comes first: it says where everything goes.
 */
export interface SetWriter extends ArtifactSink {
  readonly files: ScratchFiles
  /** Room that the files take now, bytes. */
  heldBytes(): number
  /** Writes what is known last, and the trailer. @returns the new initrd's length @throws PlasmError `scratch-unsafe` */
  finish(files: readonly ClosingFile[]): number
  /** Closes the files and keeps them. */
  close(): void
  /** Closes and deletes the files. */
  discard(): void
}

export interface SetWriterOptions {
  /** Called once the initramfs's beginning has told the sizes; may throw to refuse. */
  readonly onPlan?: (plan: CarryPlan) => void
  /** Roles that the initrd does not carry. */
  readonly leftOut?: ReadonlySet<string>
}

/** A file of an earlier try is removed first: one that somebody else may hold open is not written to. */
const FLAGS = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW

export function createSetWriter(
  verified: VerifiedManifest,
  files: ScratchFiles,
  options: SetWriterOptions = {},
): SetWriter {
  const initrd = open(files.initrd)
  const kernel = files.kernel === undefined ? undefined : open(files.kernel)
  let plan: CarryPlan | undefined

  const begin = (head: Buffer): CarryPlan => {
    const { initramfs } = verified.manifest.artifacts
    const made = planCarry(prefixBytesOf(head, initramfs.size_bytes), verified, options.leftOut)
    options.onPlan?.(made)
    // A provider whose initramfs was not verified to its end may have made an earlier plan: none of it may stay.
    ftruncateSync(initrd.fd, 0)
    for (const { offset, bytes } of made.fixed) writeAt(initrd, bytes, offset)
    return made
  }
  const planned = (): CarryPlan => {
    if (plan) return plan
    throw new Error('the beginning of the initramfs must be written first')
  }
  let isOpen = true
  const close = () => {
    if (!isOpen) return
    isOpen = false
    closeSync(initrd.fd)
    if (kernel) closeSync(kernel.fd)
  }
  return {
    verified,
    leftOut: options.leftOut,
    files,
    kept: new Map(),
    heldBytes: () => allocated(initrd.fd) + (kernel ? allocated(kernel.fd) : 0),
    write(role, offset, bytes) {
      if (role === 'initramfs' && offset === 0) plan = begin(bytes)
      const { artifactOffset, prefixBytes } = planned()
      writeAt(initrd, bytes, artifactOffset.get(role)! + offset)
      if (role === 'initramfs' && offset < prefixBytes) {
        writeAt(initrd, bytes.subarray(0, prefixBytes - offset), offset)
      }
      if (role === 'kernel' && kernel) writeAt(kernel, bytes, offset)
    },
    finish(files) {
      const closing = closingBytes(files)
      const { closingOffset } = planned()
      writeAt(initrd, closing, closingOffset)
      checkStillThere(initrd)
      if (kernel) checkStillThere(kernel)
      return closingOffset + closing.length
    },
    close,
    discard() {
      close()
      deleteScratch(files)
    },
  }
}

/** Frees what the scratch files hold; on a tmpfs that is memory. */
export function deleteScratch(files: ScratchFiles): void {
  for (const path of [files.initrd, files.kernel]) if (path !== undefined) rmSync(path, { force: true })
}

/** st_blocks counts 512 bytes each, whatever the filesystem's own blocks are. */
const allocated = (fd: number) => fstatSync(fd).blocks * 512

function open(path: string): { fd: number; path: string } {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found && !found.isFile())
    throw new PlasmError('not-a-file', `${path} is not a regular file`, { facts: { file: path } })
  if (found) rmSync(path)
  return { fd: openSync(path, FLAGS, 0o600), path }
}
