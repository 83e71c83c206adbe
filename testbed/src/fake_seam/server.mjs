// Starts the published fake of the Seam API on a random port of 127.0.0.1, and a second port that calls the functions of
// its database: POST {"function": "addDevice", "parameters": [{…}]}. It adds nothing to the API itself.
// The first argument is the folder of the package.
import http from "node:http";
import net from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

// The fake listens on every interface; nobody but this machine shall reach it.
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (port, ...rest) {
  return listen.call(this, { port, host: "127.0.0.1" }, ...rest.filter((it) => typeof it === "function"));
};

const { createFake } = await import(pathToFileURL(join(process.argv[2], "dist/index.js")).href);
const fake = await createFake();
await fake.seed();
const { server } = await fake.startServer({ port: 0 });

const control = http.createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  try {
    const { function: name, parameters } = JSON.parse(Buffer.concat(chunks).toString());
    const result = name === "state" ? fake.database.getState() : fake.database[name](...parameters);
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ result: result ?? null }));
  } catch (error) {
    response.writeHead(400, { "content-type": "text/plain" });
    response.end(String(error));
  }
});
control.listen(0);
control.on("listening", () => {
  console.log(`ready api=${server.address().port} control=${control.address().port}`);
});

process.on("SIGTERM", () => process.exit(0));
