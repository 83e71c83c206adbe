// Signs with the library named by the first argument. One JSON object a line: secret, id, timestamp, body; gives the header's
// value. It knows nothing of how a signature is made.
const { Webhook } = require(process.argv[2])
const lines = require('node:readline').createInterface({ input: process.stdin })
lines.on('line', (line) => {
  const { secret, id, timestamp, body } = JSON.parse(line)
  console.log(new Webhook(secret).sign(id, new Date(timestamp * 1000), body))
})
