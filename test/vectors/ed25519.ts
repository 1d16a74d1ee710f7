/**
 * Ed25519 test vectors, hex.
 *
 * Source: Project Wycheproof (repository C2SP/wycheproof), testvectors_v1/ed25519_test.json, Apache License 2.0. Numbers 1 to 82
 * and 95 to 108 of its 151, each with the number it has there: every one about special values, cut and padded signatures, and
 * changed encodings of R and S. What is not here (83 to 94, 109 to 151) is more known answers by other keys.
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

const THIRD_R = BY_FIRST[2]!.slice(0, 64)
const THIRD_S = BY_FIRST[2]!.slice(64)

/** Number 3, and signatures that have a zero byte, cut and padded: message and signature. */
const WRONG_LENGTH: ReadonlyArray<readonly [string, string]> = [
  ...['', THIRD_R, BY_FIRST[2]!.slice(0, 124), `${BY_FIRST[2]}2020`, `${BY_FIRST[2]}${FIRST}`].map(third),
  ...[`00${BY_FIRST[2]}`, `${THIRD_R}00${THIRD_S}`, `${BY_FIRST[2]}00`].map(third),
  [
    '546573743137',
    '93de3ca252426c95f735cb9edd92e83321ac62372d5aa5b379786bae111ab6b17251330e8f9a7c30d6993137c596007d7b001409287535ac4804e662bc58a3',
  ],
  [
    '54657374313236',
    'dffed33a7f420b62bb1731cfd03be805affd18a281ec02b1067ba6e9d20826569e742347df59c88ae96db1f1969fb189b0ec34381d85633e1889da48d95e0e',
  ],
  [
    '546573743530',
    '6e170c719577c25e0e1e8b8aa7a6346f8b109f37385cc2e85dc3b4c0f46a9c6bcafd67f52324c5dbaf40a1b673fb29c4a56052d2d6999d0838a8337bccb502',
  ],
  [
    '54657374333437',
    'b0928b46e99fbbad3f5cb502d2cd309d94a7e86cfd4d84b1fcf4cea18075a9c36993c0582dba1e9e519fae5a8654f454201ae0c3cb397c37b8f4f8eef18400',
  ],
]

function third(signature: string): readonly [string, string] {
  return ['54657374', signature]
}

/** R of number 5 with this bit flipped, and S made to fit the change. */
const FLIPPED_R = (
  [
    [0, '1d125e5538f38afbcc1c84e489521083041d24bc6240767029da063271a1ff0c'],
    [1, 'c108ca4b87a49c9ed2cf383aecad8f54a962b2899da891e12004d7993a627e01'],
    [2, '9ce23fc6213ed5b87912e9bbf92f5e2c780eae26d15c50a112d1e97d2ea33c06'],
    [7, 'bb3eb51cd98dddb235a5f46f2bded6af184a58d09cce928bda43f41d69118a03'],
    [8, 'cd237dda9a116501f67a5705a854b9adc304f34720803a91b324f2c13e0f5a09'],
    [16, '6b167bbdc0d881cc04d28905552c1876f3709851abc5007376940cc8a435c300'],
    [31, '7fd2ac7da14afffcceeb13f2a0d6b887941cb1a5eb57a52f3cb131a16cce7b0e'],
    [32, '7373ba13ebbef99cd2a8ead55ce735c987d85a35320925a8e871702dc7c5c40d'],
    [63, 'd35bd331c03f0855504ca1cab87b83c36a028425a3cf007ede4f4254c261cb00'],
    [64, 'cb35101f73cf467deac8c1a03b6c3dc35af544132734b7e57ab20c89b2e4750d'],
    [97, 'b58d2e8878290bff8d3355fdd4ea381924ee578752354eb6dee678ab4011c301'],
    [127, 'b978c866187ffb1cc7b29a0b4045aefc08768df65717194ff0c6e63f4dea0d02'],
    [240, '0576ecf8eaf675f00f3dfbe19f75b83b7607a6c96414f6821af920a2498d0305'],
    [247, 'e5241a345c7b5428054c74b7c382fa10d4a5f1e8f8b79a71d3fdea2254f1ff0e'],
    [248, '63950c85cd6dc96364e768de50ff7732b538f8a0b1615d799190ab600849230e'],
    [253, '543bd3da0a56a8c9c152f59c9fec12f31fa66434d48b817b30d90cb4efa8b501'],
    [254, '8da07efd07a6dafb015ed6a32fe136319a972ffbc341f3a0beae97ccf8136505'],
    [255, '227aedf259f910f0f3a759a335062665217925d019173b88917eae294f75d40f'],
  ] as const
).map(([bit, s]) => {
  const r = Buffer.from(BY_FIRST[4]!.slice(0, 64), 'hex')
  r[bit >> 3]! ^= 1 << (bit & 7)
  return `${r.toString('hex')}${s}`
})

/** The same with an R of zero, with one that is no point, and with every bit flipped. */
const OTHER_R = [
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
].map((s) => `${THIRD_R}${s}`)

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
  ...numbered(30, FIRST, false, WRONG_LENGTH),
  ...numbered(42, FIRST, false, all('313233343030', [...FLIPPED_R, ...OTHER_R])),
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
  ...numbered(95, '32ad026f693d0d2afe7f4388d91c4c964426fcb9e3665c3ebd8650009b815c8e', true, [
    [
      '7dcfe60f881e1285676f35b68a1b2dbcdd7be6f719a288ababc28d36e3a42ac3010a1ca54b32760e74',
      '7f8663cf98cbd39d5ff553f00bcf3d0d520605794f8866ce75714d77cc51e66c91818b657d7b0dae430a68353506edc4a714c345f5ddb5c8b958ba3d035f7a01',
    ],
  ]),
  ...numbered(96, 'cfda5b899e35764c5229e59295fe1222b7ddce176643697c29e46ecbba10cf10', true, [
    [
      'a020a4381dc9141f47ee508871ab7a8b5a3648727c4281ae9932376f23a8e1bcda0626b7129197d864178631ec89c4332dbb18',
      '1e41a24fe732bd7cab14c2a2f5134ee8c87fcbd2e987e60957ed9239e5c32404d56977e1b4282871896cb10625a1937468e4dc266e16a9c1b8e9891177eca802',
    ],
  ]),
  ...numbered(97, '32ad026f693d0d2afe7f4388d91c4c964426fcb9e3665c3ebd8650009b815c8e', true, [
    [
      '58e456064dff471109def4ca27fa8310a1df32739655b624f27e6418d34b7f007173f3faa5',
      '6aab49e5c0bc309b783378ee03ffda282f0185cdf94c847701ff307a6ee8d0865411c44e0a8206f6a5f606107451940c2593af790ce1860f4c14ab25b2deae08',
    ],
  ]),
  ...numbered(98, '529919c9c780985a841c42ba6c180ff2d67a276ccfbe281080e47ab71a758f56', true, [
    [
      'e1cbf2d86827825613fb7a85811d',
      '01abfa4d6bbc726b196928ec84fd03f0c953a4fa2b228249562ff1442a4f63a7150b064f3712b51c2af768d2c2711a71aabf8d186833e941a0301b82f0502905',
    ],
  ]),
  ...numbered(99, 'cfda5b899e35764c5229e59295fe1222b7ddce176643697c29e46ecbba10cf10', true, [
    [
      'a25176b3afea318b2ec11ddacb10caf7179c0b3f8eabbfa2895581138d3c1e0e',
      '2a833aadecd9f28235cb5896bf3781521dc71f28af2e91dbe1735a61dce3e31ac15ca24b3fc47817a59d386bbbb2ce60a6adc0a2703bb2bdea8f70f91051f706',
    ],
  ]),
  ...numbered(100, '32ad026f693d0d2afe7f4388d91c4c964426fcb9e3665c3ebd8650009b815c8e', true, [
    [
      'a1',
      '1a74ed2cbdc7d8f3827014e8e6ecf8fd2698ac8f86833acccdd400df710fe0d6b0543c9cfa00d52bf024ab7ce0d91981944097233ec134d5c7abbd44bfd32d0d',
    ],
  ]),
  ...numbered(101, '2252b3d57c74cbf8bc460dc2e082847926bc022f09ab6ae95756362bfd1167c1', true, [
    [
      '975ef941710071a9e1e6325a0c860becd7c695b5117c3107b686e330e5',
      'af0fd9dda7e03e12313410d8d8844ebb6fe6b7f65141f22d7bcba5695a25414a9e54326fb44d59fb14707899a8aae70857b23d4080d7ab2c396ef3a36d45ce02',
    ],
  ]),
  ...numbered(102, 'c0a773110f975de3732355bb7ec7f0c41c091c0252966070205516693b992a4a', true, [
    [
      '',
      '0280427e713378f49d478df6373c6cac847b622b567daa2376c839e7ac10e22c380ab0fa8617c9dcfe76c4d9db5459b21dc1413726e46cc8f387d359e344f407',
    ],
  ]),
  ...numbered(103, 'cfda5b899e35764c5229e59295fe1222b7ddce176643697c29e46ecbba10cf10', true, [
    [
      'a9e6d94870a67a9fe1cf13b1e6f9150cdd407bf6480ec841ea586ae3935e9787163cf419c1',
      'c97e3190f83bae7729ba473ad46b420b8aad735f0808ea42c0f898ccfe6addd4fd9d9fa3355d5e67ee21ab7e1f805cd07f1fce980e307f4d7ad36cc924eef00c',
    ],
  ]),
  ...numbered(104, '32ad026f693d0d2afe7f4388d91c4c964426fcb9e3665c3ebd8650009b815c8e', true, [
    [
      '11cb1eafa4c42a8402c4193c4696f7b2e6d4585e4b42dcf1a8b67a80b2da80bc9d4b649fb2f35eaf1f56c426fd0b',
      '14ceb2eaf4688d995d482f44852d71ad878cd7c77b41e60b0065fd01a59b054ee74759224187dbde9e59a763a70277c960892ef89fba997aba2576b2c54ba608',
    ],
  ]),
  ...numbered(105, 'c9c946cbc5544ac74eef491f07c5881c16faf7ec31ce4aa91bb60ae7b4539051', true, [
    [
      '27d465bc632743522aefa23c',
      'c2656951e2a0285585a51ff0eda7e9a23c2dfd2ffa273aee7808f4604e8f9a8c8ea49e9fce4eb2d8d75d36b7238fe6fc13b6c5d9427dd58f8c6615d033c0bd0f',
    ],
  ]),
  ...numbered(106, 'c29ec1894e06d27b4e40486b4fa5063d66a746c7f9c323b12203c03b72b8b78a', true, [
    [
      '5ffa',
      '931e5152fcef078c22cc5d6a3a65f06e396289f6f5f2d1efa6340254a53526ef5dc6874eeddf35c3f50991c53cd02bf06313e37d93ee1f7022128ffa3b8f300b',
    ],
  ]),
  ...numbered(107, '529919c9c780985a841c42ba6c180ff2d67a276ccfbe281080e47ab71a758f56', true, [
    [
      '25',
      'e4ae21f7a8f4b3b325c161a8c6e53e2edd7005b9c2f8a2e3b0ac4ba94aa80be6f2ee22ac8d4a96b9a3eb73a825e7bb5aff4a3393bf5b4a38119e9c9b1b041106',
    ],
  ]),
  ...numbered(108, '2252b3d57c74cbf8bc460dc2e082847926bc022f09ab6ae95756362bfd1167c1', true, [
    [
      '80fdd6218f29c8c8f6bd820945f9b0854e3a8824',
      'e097e0bd0370bff5bde359175a11b728ee9639095d5df8eda496395565616edfe079977f7d4dc8c75d6113a83d6a55e6e1676408c0967a2906339b43337dcb01',
    ],
  ]),
]
