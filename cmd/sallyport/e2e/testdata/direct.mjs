// Makes one request per URL with node's own client and prints what came:
// "URL STATUS BODY" or "URL failed MESSAGE". Arguments: the CA file, the URLs.
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";

const [ca, ...urls] = process.argv.slice(2);
const authority = readFileSync(ca);

const get = (url) => new Promise((resolve) => {
  const options = { ca: authority, timeout: 10_000 };
  const request = (url.startsWith("https") ? https : http).get(url, options, (response) => {
    let body = "";
    response.on("data", (part) => { body += part; });
    response.on("end", () => resolve(`${response.statusCode} ${body.trim()}`));
  });
  request.on("timeout", () => request.destroy(new Error("timeout")));
  request.on("error", (error) => resolve(`failed ${error.message.replaceAll("\n", " ")}`));
});

await Promise.all(urls.map(async (url) => console.log(url, await get(url))));
