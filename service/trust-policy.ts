import { dirname, join } from 'node:path'
import { TomlDate } from 'smol-toml'
import * as v from 'valibot'
import { PlasmError } from './errors.ts'
import { CHANNEL } from './manifest.ts'
import { readToml } from './toml-file.ts'
import { readTrustedKeys, type TrustedKey } from './trusted-keys.ts'

export const TRUST_POLICY_FILE = '/etc/plasm/trust/policy.toml'
/** Beside the policy: `*.pub`, SPKI in PEM. */
const KEY_DIRECTORY = 'keys'

/** What this image trusts. Baked in: never from the kernel command line, the environment or the network (DESIGN decision 2). */
export interface TrustPolicy {
  /** Takes sets that nobody signed, too. A set that is signed must still be signed well where there are keys. */
  readonly allowUnsigned: boolean
  /** So many different keys must have signed. 0 where there are no keys. */
  readonly threshold: number
  readonly keys: readonly TrustedKey[]
  /** Channels that may be booted; null: any. */
  readonly channels: readonly string[] | null
  /** No set below it is taken, whatever this machine remembers. */
  readonly minimumSequence: number
  /** When the image was made: the clock is never taken to be earlier. Null: not known. */
  readonly builtAt: Date | null
}

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
const time = v.custom<TomlDate>(
  (value) => value instanceof TomlDate && value.isDateTime() && !value.isLocal(),
  'is not a date and time with an offset from UTC',
)
const policySchema = v.strictObject({
  allow_unsigned: v.boolean(),
  threshold: v.optional(v.pipe(v.number(), v.safeInteger())),
  keys: v.optional(v.array(v.pipe(v.string(), v.regex(/^sha256:[0-9a-f]{64}$/, 'is not sha256:<64 hex digits>')))),
  channels: v.optional(v.array(v.pipe(v.string(), v.regex(CHANNEL, 'is not a channel name')))),
  minimum_sequence: v.optional(count),
  built_at: v.optional(time),
})
type PolicyFile = v.InferOutput<typeof policySchema>

/**
 * Reads the image's trust policy and the keys beside it.
 * @throws PlasmError `trust-missing` | `config-invalid` | `trust-policy-invalid`: it cannot hold (facts: `file`, `field`)
 */
export async function readTrustPolicy(file: string = TRUST_POLICY_FILE): Promise<TrustPolicy> {
  const policy = await readToml(file, policySchema)
  if (policy) return holding(file, policy, await readTrustedKeys(join(dirname(file), KEY_DIRECTORY)))
  throw new PlasmError('trust-missing', `there is no ${file}, so nothing is trusted`, {
    facts: { file },
    hint:
      file === TRUST_POLICY_FILE
        ? 'bake one into the image (docs/trust.md); on a host, verify and discover take --policy FILE'
        : 'name a policy that is there (docs/trust.md says what is in one)',
  })
}

/** The policy, if it can hold. A doubtful one is refused whole: what it was meant to say nobody knows. */
function holding(file: string, policy: PolicyFile, found: readonly TrustedKey[]): TrustPolicy {
  const refuse = (field: string, problem: string): never => {
    throw new PlasmError('trust-policy-invalid', `${file}: ${field} ${problem}`, {
      facts: { file, field },
      hint: 'build the image again with a policy and keys that fit together; `plasmd keygen` prints the id of a key',
    })
  }
  const listed = policy.keys ?? []
  const twice = listed.find((id, index) => listed.indexOf(id) !== index)
  if (twice) refuse('keys', `lists ${twice} twice`)
  for (const [index, { id, name }] of found.entries()) {
    const other = found.findIndex((key) => key.id === id)
    if (other !== index) refuse('keys', `has one key under two names, ${found[other]!.name} and ${name}`)
    if (!listed.includes(id)) refuse('keys', `does not list ${id}, which lies there as ${name}`)
  }
  for (const id of listed) {
    if (!found.some((key) => key.id === id)) refuse('keys', `lists ${id}, and no file in ${KEY_DIRECTORY}/ is that key`)
  }
  const { threshold } = policy
  if (threshold !== undefined && threshold < 1) refuse('threshold', `is ${threshold}: nothing would be asked for`)
  if (listed.length > 0) {
    if (threshold === undefined) return refuse('threshold', 'is missing')
    if (threshold > listed.length) refuse('threshold', `is ${threshold}, and there are ${listed.length} keys`)
    if (policy.minimum_sequence === undefined) refuse('minimum_sequence', 'is missing')
    if (policy.built_at === undefined) refuse('built_at', 'is missing')
  } else if (!policy.allow_unsigned) {
    refuse('keys', 'is empty, and unsigned sets are not allowed: nothing could ever be booted')
  }
  if (policy.channels?.length === 0) refuse('channels', 'is empty: nothing could ever be booted')
  return {
    allowUnsigned: policy.allow_unsigned,
    threshold: listed.length === 0 ? 0 : (threshold ?? 0),
    keys: found,
    channels: policy.channels ?? null,
    minimumSequence: policy.minimum_sequence ?? 0,
    builtAt: policy.built_at === undefined ? null : new Date(policy.built_at.getTime()),
  }
}
