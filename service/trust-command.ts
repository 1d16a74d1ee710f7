import { join, resolve } from 'node:path'
import { MANIFEST_PAYLOAD_TYPE, parseEnvelope } from './dsse.ts'
import { EXIT } from './errors.ts'
import { judgeManifest } from './judge-manifest.ts'
import { makeKeyFiles, readPrivateKey } from './key-file.ts'
import { artifactsOf, type Manifest, parseManifest, parsePayload, sha256Of } from './manifest.ts'
import { readManifestSource } from './manifest-source.ts'
import { writeManifestFile } from './publish.ts'
import { signManifest } from './sign-manifest.ts'
import { readTrustPolicy } from './trust-policy.ts'

const print = (line: string) => void process.stdout.write(`${line}\n`)

/** `plasmd keygen NAME`: prints the key's id, which a policy lists. */
export async function keygenCommand(name: string, { out }: { readonly out: string }): Promise<number> {
  const { id, privateFile, publicFile } = await makeKeyFiles(resolve(out), name)
  process.stderr.write(`wrote ${privateFile} (keep it secret) and ${publicFile} (for images)\n`)
  print(id)
  return EXIT.ok
}

/** `plasmd manifest sign DIR|FILE --key FILE`: prints the manifest digest. */
export async function signCommand(where: string, { key }: { readonly key: string }): Promise<number> {
  const { bytes, directory, name, envelope } = await signManifest(where, await readPrivateKey(key))
  await writeManifestFile(directory, bytes, name)
  const count = envelope.signatures.length
  process.stderr.write(`wrote ${join(directory, name)}, ${count === 1 ? '1 signature' : `${count} signatures`}\n`)
  print(sha256Of(envelope.payload))
  return EXIT.ok
}

/** `plasmd manifest verify WHERE`: exit 0 where a machine with this policy would boot it, else 65. */
export async function verifyCommand(
  where: string,
  { policy: file, json }: { readonly policy?: string; readonly json: boolean },
): Promise<number> {
  const policy = await readTrustPolicy(file)
  const source = await readManifestSource(where)
  const { manifest, digest, signatures, problems } = judgeManifest(source, policy)
  const accepted = problems.length === 0
  const counted = signatures.filter(({ counts }) => counts).length
  if (json) {
    const { threshold } = policy
    const about = { from: source.from, form: source.form, manifestDigest: digest, ...placeOf(manifest) }
    print(JSON.stringify({ accepted, ...about, threshold, counted, signatures, problems }))
  } else {
    print(`${source.from}: ${accepted ? 'accepted' : 'REFUSED'}`)
    if (manifest) print(`  ${summary(manifest)}\n  ${digest}`)
    for (const { key, keyid, counts, why } of signatures) {
      print(`  ${counts ? 'counts        ' : 'does not count'}  ${key ?? keyid ?? 'unnamed key'}: ${why}`)
    }
    if (policy.threshold > 0) print(`  ${counted} of ${policy.threshold} signatures that the policy wants`)
    for (const { code, message } of problems) print(`  ${message} [${code}]`)
  }
  return accepted ? EXIT.ok : EXIT.badData
}

/** `plasmd manifest show WHERE`: what a manifest says of itself. Nothing of it is verified. */
export async function showCommand(where: string, { json }: { readonly json: boolean }): Promise<number> {
  const { bytes, from, form } = await readManifestSource(where)
  const envelope = form === 'signed' ? parseEnvelope(bytes, MANIFEST_PAYLOAD_TYPE) : undefined
  const manifest = envelope ? parsePayload(envelope.payload) : parseManifest(bytes)
  const manifestDigest = sha256Of(envelope?.payload ?? bytes)
  const signatures = envelope?.signatures.map(({ keyid }) => keyid) ?? []
  if (json) {
    print(JSON.stringify({ from, form, manifestDigest, manifest, signatures }))
    return EXIT.ok
  }
  print(`${from}: ${form}, nothing of this is verified`)
  print(`  ${summary(manifest)}\n  ${manifestDigest}`)
  print(`  made ${manifest.created_at}, expires ${manifest.expires_at}`)
  for (const { role, filename, size_bytes, hash } of artifactsOf(manifest)) {
    print(`  ${role.padEnd(9)}  ${filename}, ${size_bytes} bytes, ${hash}`)
  }
  for (const keyid of signatures) print(`  signed, it says, by ${keyid ?? 'an unnamed key'}`)
  return EXIT.ok
}

function placeOf(manifest: Manifest | null) {
  if (!manifest) return { channel: null, arch: null, version: null, sequence: null }
  const { channel, arch, version, sequence } = manifest
  return { channel, arch, version, sequence }
}

function summary({ channel, arch, version, sequence }: Manifest): string {
  return `${channel}/${arch}, version ${version}, sequence ${sequence}`
}
