// node test/support/reads-program.cjs BUNDLE
//
// Loads the bundle as the build of the startup snapshot does, and prints what it reads of the process meanwhile: environment variables,
// and arguments, one a line.
const fs = require('node:fs')
const { startupSnapshot } = require('node:v8')
const { Script } = require('node:vm')

const bundle = new Script(`(require) => {${fs.readFileSync(process.argv[2], 'utf8')}}`).runInThisContext()
const read = new Set()
process.env = new Proxy(process.env, {
  get(variables, name) {
    read.add(`env ${String(name)}`)
    return variables[name]
  },
})
for (const name of ['pid', 'ppid', 'title', 'execPath', 'argv']) {
  const value = process[name]
  Object.defineProperty(process, name, { get: () => read.add(name) && value, set() {}, configurable: true })
}
for (const name of ['readFileSync', 'existsSync', 'statSync', 'readdirSync', 'realpathSync']) {
  const call = fs[name]
  fs[name] = (path, ...more) => read.add(`file ${path}`) && call(path, ...more)
}
startupSnapshot.isBuildingSnapshot = () => true
startupSnapshot.addSerializeCallback = () => {}
startupSnapshot.setDeserializeMainFunction = () => console.log([...read].join('\n'))
bundle(process.getBuiltinModule)
