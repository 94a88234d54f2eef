// Prints what a URL brings, with node's own http and https. Arguments: the URL,
// and the proxy if there is one: an absolute URL is asked of it, or a tunnel.
import http from "node:http";
import https from "node:https";

const [url, proxy] = process.argv.slice(2);
const target = new URL(url);

const fail = (error) => { console.error(String(error)); process.exitCode = 1; };
const print = (response) => {
  if (response.statusCode !== 200) process.exitCode = 1;
  response.pipe(process.stdout);
};
const get = (module, options) => module.get(options, print).on("error", fail);

if (!proxy) {
  get(target.protocol === "https:" ? https : http, target);
} else if (target.protocol === "http:") {
  const { hostname, port } = new URL(proxy);
  get(http, { hostname, port, path: url, headers: { Host: target.host } });
} else {
  const { hostname, port } = new URL(proxy);
  const tunnel = http.request({ hostname, port, method: "CONNECT", path: `${target.hostname}:443`, headers: { Host: `${target.hostname}:443` } });
  tunnel.on("connect", (response, socket) => {
    if (response.statusCode !== 200) {
      fail(`CONNECT: ${response.statusCode}`);
      socket.destroy();
      return;
    }
    get(https, { host: target.hostname, path: target.pathname, socket, agent: false });
  }).on("error", fail).end();
}
