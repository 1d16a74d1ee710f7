/**
 * What crosses kexec, and where (DESIGN decision 4 and 5). The new initrd is
 *
 *     the published initramfs's prefix | newc segment: .handover/* | TRAILER
 *
 * and the kernel unpacks it straight onto the store's own filesystem, so that adopting is a rename.
 * Paths are relative to the root of the filesystem (cpio names have no leading slash).
 */
export const HANDOVER_DIR = 'var/lib/plasm/boot-artifacts/.handover'

/**
 * Fixed names inside the handover directory. An artifact lies under its role name (`kernel`, `initramfs`, …); the manifest
 * lies there as the document that was verified, as `manifest.dsse.json` or `manifest.json`.
 */
export const HANDOVER = {
  record: 'boot-record.json',
  /** Ed25519 seed of this machine, 32 bytes. */
  nodeKey: 'node-key',
  /** Boot receipts, own one first; absent where the provider gave none. */
  lineage: 'lineage.json',
} as const

/**
 * First segment of every initramfs built here: a newc archive whose only file is this one, so that a client knows from
 * the first bytes of the download where the prefix ends and where agent.sqfs lies. Content: shell-readable lines
 *
 *     PLASM_PREFIX_BYTES=<length of the prefix: everything before the agent segment; a multiple of 4>
 *     PLASM_AGENT_OFFSET=<offset of agent.sqfs in the initramfs; a multiple of 4096>
 *     PLASM_AGENT_BYTES=<its length>
 *
 * in a file of exactly {@link LAYOUT_BYTES} bytes (padded with newlines) right after its 110-byte header and its name.
 * An initramfs without it is some other project's: its whole length counts as prefix.
 */
export const LAYOUT_FILE = 'etc/plasm/image-layout'
export const LAYOUT_BYTES = 256

/** In the agent segment: the squashfs with the executable and its libraries, at the root of the initramfs. */
export const AGENT_SQFS = 'agent.sqfs'

/** What init finds after a handover: kernel parameters the agent adds for the kexeced kernel. */
export const STAGE_PARAMETER = 'plasm.stage'
export const BOOT_PARAMETER = 'plasm.boot'
