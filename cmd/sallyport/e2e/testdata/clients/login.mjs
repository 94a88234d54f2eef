// Prints what a URL brings through a proxy that wants a login, with node's own http and https: it
// asks without a login first, reads the challenge, and asks again. Arguments: the URL, the proxy,
// and user:password if there is one.
import http from "node:http";
import https from "node:https";

const [url, proxy, login] = process.argv.slice(2);
const target = new URL(url);
const { hostname, port } = new URL(proxy);

const fail = (error) => { console.error(String(error)); process.exitCode = 1; };
const print = (response) => {
  if (response.statusCode !== 200) process.exitCode = 1;
  response.pipe(process.stdout);
};
// challenged returns the login's field, or nothing if there is no login.
const challenged = (response) => {
  const challenge = response.headers["proxy-authenticate"];
  console.error(`${response.statusCode} ${challenge}`);
  if (response.statusCode !== 407 || !login || !/^Basic realm="[^"]+", charset="UTF-8"$/.test(challenge)) return;
  return { "Proxy-Authorization": `Basic ${Buffer.from(login).toString("base64")}` };
};

const ask = (more) => {
  if (target.protocol === "http:") {
    http.get({ hostname, port, path: url, headers: { Host: target.host, ...more } }, (response) => {
      const again = !more && response.statusCode === 407 && challenged(response);
      if (again) response.resume().on("end", () => ask(again));
      else print(response);
    }).on("error", fail);
    return;
  }
  const authority = `${target.hostname}:443`;
  http.request({ hostname, port, method: "CONNECT", path: authority, headers: { Host: authority, ...more } }).on("connect", (response, socket) => {
    if (response.statusCode === 200) {
      https.get({ host: target.hostname, path: target.pathname, socket, agent: false }, print).on("error", fail);
      return;
    }
    socket.destroy();
    const again = !more && challenged(response);
    if (again) ask(again);
    else fail(`CONNECT: ${response.statusCode}`);
  }).on("error", fail).end();
};
ask();
