// Stands in, in the executable, for node:http, which no startup snapshot can hold (it has handles of its process). It is loaded once
// something of it is used; while undici is loaded it only wants to know a number and a class.
const { isBuildingSnapshot } = require('node:v8').startupSnapshot

const http = () => process.getBuiltinModule('node:http')

module.exports = {
  get maxHeaderSize() {
    return isBuildingSnapshot() ? 16 * 1024 : http().maxHeaderSize
  },
  get STATUS_CODES() {
    return http().STATUS_CODES
  },
  IncomingMessage: { [Symbol.hasInstance]: (value) => value instanceof http().IncomingMessage },
  createServer: (...given) => http().createServer(...given),
}
