import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { isKept, keepEnglishOnly } from '../../../images/small-icu.ts'

test('English and what all languages need stay, other languages go', () => {
  const kept = [
    'root.res',
    'en.res',
    'zone/en_US.res',
    'zone/pool.res',
    'zoneinfo64.res',
    'uts46.nrm',
    'coll/ucadata.icu',
  ]
  const gone = [
    'de.res',
    'zone/de_AT.res',
    'coll/de_.res',
    'brkitr/root.res',
    'translit/en.res',
    'ibm-37.cnv',
    'unames.icu',
  ]
  assert.deepEqual(kept.filter(isKept), kept)
  assert.deepEqual(gone.filter(isKept), [])
})

test('a program without ICU data is named and left as it was', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'plasm-icu-'))
  t.after(() => rm(dir, { recursive: true }))
  const program = join(dir, 'node')
  await writeFile(program, 'no data here, though \xda\x27 is in it')
  await assert.rejects(keepEnglishOnly(program, dir), { code: 'icu-data-missing', facts: { file: program } })
  assert.match(await readFile(program, 'utf8'), /^no data here/)
})
