import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { copyFile, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { MANIFEST_PAYLOAD_TYPE, parseEnvelope } from '../../service/dsse.ts'
import { makeRoot, putSet, serve, sha256 } from '../support/plasmd.ts'
import { PLASMD } from '../support/plasmd-process.ts'

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

function plasmd(...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [PLASMD, ...args], (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr })
    })
  })
}

async function done(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await plasmd(...args)
  assert.equal(code, 0, `plasmd ${args.join(' ')}: ${stderr}`)
  return stdout.trim()
}

/** A published directory, two keys, and a policy that wants both. */
async function publisher(t: TestContext, threshold = 1) {
  const root = await makeRoot(t)
  const at = (name: string) => join(root, name)
  const dir = join(root, 'site', 'stable', 'x86_64')
  const keys = at('keys-of-people')
  await mkdir(keys)
  await putSet(dir, { kernel: 70_000, initramfs: 5000 })
  await done('manifest', 'generate', dir)
  const [ada, ben] = [await done('keygen', 'ada', '--out', keys), await done('keygen', 'ben', '--out', keys)]
  await mkdir(at('trust/keys'), { recursive: true })
  for (const name of ['ada.pub', 'ben.pub']) await copyFile(join(keys, name), at(`trust/keys/${name}`))
  const policy = at('trust/policy.toml')
  await writeFile(
    policy,
    `allow_unsigned = false\nthreshold = ${threshold}\nkeys = ${JSON.stringify([ada, ben])}\n` +
      'channels = ["stable"]\nminimum_sequence = 1\nbuilt_at = 2026-01-01T00:00:00Z\n',
  )
  const sign = (name: string, where = dir) => plasmd('manifest', 'sign', where, '--key', join(keys, `${name}.key`))
  const verify = async (where = dir) => {
    const { code, stdout } = await plasmd('manifest', 'verify', where, '--policy', policy, '--json')
    return { code, ...JSON.parse(stdout) }
  }
  return { root, site: at('site'), dir, keys, ada, ben, policy, sign, verify }
}

test('keygen: the private key is its owner’s alone, and no key is overwritten', async (t) => {
  const out = await makeRoot(t)
  const id = await done('keygen', 'release', '--out', out)
  assert.match(id, /^sha256:[0-9a-f]{64}$/)
  assert.equal((await stat(join(out, 'release.key'))).mode & 0o777, 0o600)
  const before = await readFile(join(out, 'release.key'))
  const again = await plasmd('keygen', 'release', '--out', out)
  assert.equal(again.code, 1)
  assert.match(again.stderr, /key-exists/)
  assert.deepEqual(await readFile(join(out, 'release.key')), before)
  await rm(join(out, 'release.key'))
  assert.match((await plasmd('keygen', 'release', '--out', out)).stderr, /release\.pub is there/)
  assert.deepEqual(await readdir(out), ['release.pub'], 'no half of a pair is left')
  assert.equal((await plasmd('keygen', '../x', '--out', out)).code, 2)
})

test('two people sign one after the other, and a key counts once', async (t) => {
  const { dir, ada, ben, sign, verify } = await publisher(t, 2)
  const plain = await readFile(join(dir, 'manifest.json'))
  const first = await sign('ada')
  assert.equal(first.code, 0, first.stderr)
  const missing = await verify()
  assert.deepEqual([missing.code, missing.accepted, missing.counted, missing.threshold], [65, false, 1, 2])
  assert.equal(missing.problems[0].code, 'signature-refused')
  const again = await sign('ada')
  assert.equal(again.code, 65)
  assert.match(again.stderr, /already-signed/)
  const second = await sign('ben')
  assert.equal(second.stdout, first.stdout, 'the manifest digest does not depend on who signs')
  const both = await verify()
  assert.deepEqual(
    [both.code, both.accepted, both.signatures.map(({ key }: { key: string }) => key)],
    [0, true, [ada, ben]],
  )
  const envelope = parseEnvelope(await readFile(join(dir, 'manifest.dsse.json')), MANIFEST_PAYLOAD_TYPE)
  assert.equal(sha256(envelope.payload), first.stdout.trim())
  assert.deepEqual(await readFile(join(dir, 'manifest.json')), plain, 'old clients still find it')
})

test('verify tells people which signature counts, which does not, and why', async (t) => {
  const { dir, keys, ada, policy, sign } = await publisher(t)
  const eve = await done('keygen', 'eve', '--out', keys)
  await sign('eve')
  const refused = await plasmd('manifest', 'verify', dir, '--policy', policy)
  assert.equal(refused.code, 65)
  assert.match(refused.stdout, new RegExp(`REFUSED[\\s\\S]*does not count {2}${eve}: no trusted key made it`))
  await sign('ada')
  const accepted = await plasmd('manifest', 'verify', dir, '--policy', policy)
  assert.equal(accepted.code, 0)
  assert.match(accepted.stdout, new RegExp(`accepted[\\s\\S]*counts {10}${ada}: signed by ada.pub`))
})

test('verify and show read directories, documents and URLs, of plasmd too', async (t) => {
  const { site, dir, sign, verify } = await publisher(t)
  const unsigned = await verify()
  assert.deepEqual([unsigned.code, unsigned.form, unsigned.problems[0].code], [65, 'plain', 'unsigned-refused'])
  const digest = (await sign('ada')).stdout.trim()
  const { url } = await serve(t, site)
  for (const where of [
    dir,
    join(dir, 'manifest.dsse.json'),
    `${url}/stable/x86_64`,
    `${url}/stable/x86_64/manifest.dsse.json`,
  ]) {
    const { code, manifestDigest } = await verify(where)
    assert.deepEqual([code, manifestDigest], [0, digest], where)
    const shown = JSON.parse(await done('manifest', 'show', where, '--json'))
    assert.deepEqual([shown.form, shown.manifestDigest, shown.signatures.length], ['signed', digest, 1], where)
  }
  assert.match(await done('manifest', 'show', dir), /nothing of this is verified[\s\S]*kernel {5}kernel, 70000 bytes/)
  const [served] = JSON.parse(await done('provider', 'list', '--addr', url, '--json'))
  assert.equal(served.manifest_digest, digest)
})

test('plasmd makes manifest.json of an envelope that lies alone', async (t) => {
  const { site, dir, sign } = await publisher(t)
  const plain = await readFile(join(dir, 'manifest.json'))
  await sign('ada')
  await rm(join(dir, 'manifest.json'))
  const { url } = await serve(t, site)
  const answer = await fetch(`${url}/stable/x86_64/manifest.json`)
  assert.deepEqual(Buffer.from(await answer.arrayBuffer()), plain)
})

test('a new manifest drops the envelope of the old one; the same manifest keeps it', async (t) => {
  const { dir, sign } = await publisher(t)
  const created = ['--created-at', '2026-01-01T00:00:00Z', '--sequence', '4']
  await done('manifest', 'generate', dir, ...created)
  await sign('ada')
  await done('manifest', 'generate', dir, ...created)
  assert.ok((await readdir(dir)).includes('manifest.dsse.json'))
  const { stderr } = await plasmd('manifest', 'generate', dir)
  assert.match(stderr, /removed .*manifest\.dsse\.json/)
  assert.equal((await readdir(dir)).includes('manifest.dsse.json'), false)
})

test('what cannot be signed or verified says why by code and exit code', async (t) => {
  const { root, dir, keys, policy, sign } = await publisher(t)
  await sign('ada')
  const other = join(root, 'other')
  await mkdir(other)
  await copyFile(join(dir, 'manifest.dsse.json'), join(other, 'manifest.dsse.json'))
  await writeFile(
    join(other, 'manifest.json'),
    (await readFile(join(dir, 'manifest.json'), 'utf8')).replace('0.1.0', '0.2.0'),
  )
  const absurd = join(root, 'absurd.json')
  await writeFile(
    absurd,
    (await readFile(join(dir, 'manifest.json'), 'utf8')).replace(/"sequence":\d+/, '"sequence":9007199254740991'),
  )
  const wrong: ReadonlyArray<[args: readonly string[], exit: number, code: string]> = [
    [['sign', dir, '--key', join(keys, 'ada.pub')], 78, 'key-invalid'],
    [['sign', dir, '--key', join(keys, 'nobody.key')], 78, 'key-invalid'],
    [['sign', join(root, 'nowhere'), '--key', join(keys, 'ada.key')], 65, 'manifest-missing'],
    [['sign', other, '--key', join(keys, 'ben.key')], 65, 'envelope-differs'],
    [['sign', absurd, '--key', join(keys, 'ben.key')], 65, 'sequence-absurd'],
    [['verify', dir, '--policy', join(root, 'no.toml')], 78, 'trust-missing'],
    [['verify', join(root, 'nowhere'), '--policy', policy], 65, 'manifest-missing'],
    [['verify', 'http://127.0.0.1:1/stable/x86_64', '--policy', policy], 69, 'provider-unreachable'],
    [['show', join(root, 'nowhere')], 65, 'manifest-missing'],
  ]
  for (const [args, exit, code] of wrong) {
    const ended = await plasmd('manifest', ...args)
    assert.equal(ended.code, exit, `${args.join(' ')}: ${ended.stderr}`)
    assert.match(ended.stderr, new RegExp(`\\[${code}\\]`))
  }
})
