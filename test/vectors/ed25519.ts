/**
 * Ed25519 test vectors, hex.
 *
 * Source: Project Wycheproof (repository C2SP/wycheproof), testvectors_v1/ed25519_test.json, Apache License 2.0. Numbers 1 to 29,
 * 58 to 82 of its 151, each with the number it has there: known answers, special values of R and S, changed encodings of R
 * and S. The others change one more byte of the same signatures, or cut and pad them, which ed25519.test.ts does by itself.
 */
export interface Ed25519Vector {
  readonly id: number
  readonly key: string
  readonly message: string
  readonly signature: string
  readonly valid: boolean
}

const FIRST = '7d4d0e7f6153a69b6242b522abbee685fda4420f8834b108c3bdae369ef549fa'
const SECOND = 'a12c2beb77265f2aac953b5009349d94155a03ada416aad451319480e983ca4c'

const MESSAGES = [
  '',
  '78',
  '54657374',
  '48656c6c6f',
  '313233343030',
  '000000000000000000000000',
  '61'.repeat(65),
  Buffer.from(Array.from({ length: 65 }, (_, index) => 0x20 + index)).toString('hex'),
  'ff'.repeat(16),
] as const

const BY_FIRST = [
  'd4fbdb52bfa726b44d1786a8c0d171c3e62ca83c9e5bbe63de0bb2483f8fd6cc1429ab72cafc41ab56af02ff8fcc43b99bfe4c7ae940f60f38ebaa9d311c4007',
  'd80737358ede548acb173ef7e0399f83392fe8125b2ce877de7975d8b726ef5b1e76632280ee38afad12125ea44b961bf92f1178c9fa819d020869975bcbe109',
  '7c38e026f29e14aabd059a0f2db8b0cd783040609a8be684db12f82a27774ab07a9155711ecfaf7f99f277bad0c6ae7e39d4eef676573336a5c51eb6f946b30d',
  '1c1ad976cbaae3b31dee07971cf92c928ce2091a85f5899f5e11ecec90fc9f8e93df18c5037ec9b29c07195ad284e63d548cd0a6fe358cc775bd6c1608d2c905',
  '657c1492402ab5ce03e2c3a7f0384d051b9cf3570f1207fc78c1bcc98c281c2bf0cf5b3a289976458a1be6277a5055545253b45b07dcc1abd96c8b989c00f301',
  'd46543bfb892f84ec124dcdfc847034c19363bf3fc2fa89b1267833a14856e52e60736918783f950b6f1dd8d40dc343247cd43ce054c2d68ef974f7ed0f3c60f',
  '879350045543bc14ed2c08939b68c30d22251d83e018cacbaf0c9d7a48db577e80bdf76ce99e5926762bc13b7b3483260a5ef63d07e34b58eb9c14621ac92f00',
  '7bdc3f9919a05f1d5db4a3ada896094f6871c1f37afc75db82ec3147d84d6f237b7e5ecc26b59cfea0c7eaf1052dc427b0f724615be9c3d3e01356c65b9b5109',
  '5dbd7360e55aa38e855d6ad48c34bd35b7871628508906861a7c4776765ed7d1e13d910faabd689ec8618b78295c8ab8f0e19c8b4b43eb8685778499e943ae04',
]
const BY_SECOND = [
  '5056325d2ab440bf30bbf0f7173199aa8b4e6fbc091cf3eb6bc6cf87cd73d992ffc216c85e4ab5b8a0bbc7e9a6e9f8d33b7f6e5ac0ffdc22d9fcaf784af84302',
  '481fafbf4364d7b682475282f517a3ac0538c9a6b6a562e99a3d8e5afb4f90a559b056b9f07af023905753b02d95eb329a35c77f154b79abbcd291615ce42f02',
  '8a9bb4c465a3863abc9fd0dd35d80bb28f7d33d37d74679802d63f82b20da114b8d765a1206b3e9ad7cf2b2d8d778bb8651f1fa992db293c0039eacb6161480f',
  'd839c20abfda1fd429531831c64f813f84b913e9928540310cf060b44c3dbf9457d44a7721fdc0d67724ff81cb450dd39b10cfb65db15dda4b8bf09d26bd3801',
  '9bbb1052dcfa8ad2715c2eb716ae4f1902dea353d42ee09fd4c0b4fcb8b52b5219e2200016e1199d0061891c263e31b0bc3b55673c19610c4e0fa5408004160b',
  'f63b5c0667c7897fc283296416f7f60e84bbde9cbd832e56be463ed9f568069702b17a2f7c341ebf590706a6388ac76ac613c1675ec0f2c7118f2573422a500b',
  '1bc44d7001e6b5b9090fef34b2ca480f9786bbefa7d279353e5881e8dfb91b803ccd46500e270ef0109bfd741037558832120bc2a4f20fbe7b5fb3c3aaf23e08',
  'ea8e22143b02372e76e99aece3ed36aec529768a27e2bb49bdc135d44378061e1f62d1ac518f33ebf37b2ee8cc6dde68a4bd7d4a2f4d6cb77f015f71ca9fc30d',
  '8acd679e1a914fc45d5fa83d3021f0509c805c8d271df54e52f43cfbd00cb6222bf81d58fe1de2de378df67ee9f453786626961fe50a9b05f12b6f0899ebdd0a',
]

/** Zero, one, the group's order less one, the order, the field's prime: R runs over all but the third, S over all. */
const ZERO = '00'.repeat(32)
const ONE = `01${'00'.repeat(31)}`
const ORDER_LESS_ONE = 'ecd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010'
const ORDER = 'edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010'
const PRIME = `ed${'ff'.repeat(30)}7f`
const SPECIAL = [ZERO, ONE, ORDER, PRIME].flatMap((r) =>
  [ZERO, ONE, ORDER_LESS_ONE, ORDER, PRIME].map((s) => `${r}${s}`),
)

/** R of number 5 changed, S made to fit the change. */
const CHANGED_R = [
  '657c1492402ab5ce03e2c3a7f0384d051b9cf3570f1207fc78c1bcc98c281c6b8da07efd07a6dafb015ed6a32fe136319a972ffbc341f3a0beae97ccf8136505',
  '657c1492402ab5ce03e2c3a7f0384d051b9cf3570f1207fc78c1bcc98c281cab227aedf259f910f0f3a759a335062665217925d019173b88917eae294f75d40f',
  '0000000000000000000000000000000000000000000000000000000000000000e0b8e7770d51c7a36375d006c5bffd6af43ff54aaf47e4330dc118c71d61ec02',
  'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff463a1908382e7eb7693acef9884f7cf931a215e0791876be22c631a59881fd0e',
  '9a83eb6dbfd54a31fc1d3c580fc7b2fae4630ca8f0edf803873e433673d7e3d40e94254586cb6188c5386c3febed477cb9a6cb29e3979adc4cb27cf5278fb70a',
]

/** S of number 3 plus the order once, twice, four and eight times, plus 2^253, 2^254 and 2^255, plus the prime. */
const CHANGED_S = [
  '67654bce3832c2d76f8f6f5dafc08d9339d4eef676573336a5c51eb6f946b31d',
  '5439412b5395d42f462c67008eba6ca839d4eef676573336a5c51eb6f946b32d',
  '2ee12ce5875bf9dff26556464bae2ad239d4eef676573336a5c51eb6f946b34d',
  'e2300459f1e742404cd934d2c595a6253ad4eef676573336a5c51eb6f946b38d',
  '7a9155711ecfaf7f99f277bad0c6ae7e39d4eef676573336a5c51eb6f946b32d',
  '7a9155711ecfaf7f99f277bad0c6ae7e39d4eef676573336a5c51eb6f946b34d',
  '7a9155711ecfaf7f99f277bad0c6ae7e39d4eef676573336a5c51eb6f946b38d',
  '679155711ecfaf7f99f277bad0c6ae7e39d4eef676573336a5c51eb6f946b38d',
].map((s) => `${BY_FIRST[2]!.slice(0, 64)}${s}`)

const numbered = (from: number, key: string, valid: boolean, pairs: ReadonlyArray<readonly [string, string]>) =>
  pairs.map(([message, signature], index): Ed25519Vector => ({ id: from + index, key, message, signature, valid }))
const all = (message: string, signatures: readonly string[]) => signatures.map((one) => [message, one] as const)

export const ED25519_VECTORS: readonly Ed25519Vector[] = [
  ...numbered(
    1,
    FIRST,
    true,
    BY_FIRST.map((signature, index) => [MESSAGES[index]!, signature] as const),
  ),
  ...numbered(10, FIRST, false, all('3f', SPECIAL)),
  ...numbered(58, FIRST, false, all('313233343030', CHANGED_R)),
  ...numbered(63, FIRST, false, all('54657374', CHANGED_S)),
  ...numbered(
    71,
    SECOND,
    true,
    BY_SECOND.map((signature, index) => [MESSAGES[index]!, signature] as const),
  ),
  ...numbered(80, 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a', true, [
    [
      '',
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
    ],
  ]),
  ...numbered(81, '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c', true, [
    [
      '72',
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    ],
  ]),
  ...numbered(82, 'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025', true, [
    [
      'af82',
      '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
    ],
  ]),
]
