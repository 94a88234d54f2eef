// Makes one request per URL through undici's ProxyAgent and prints what came:
// "URL STATUS BODY" or "URL failed MESSAGE". Arguments: undici's directory, the
// proxy, the CA file, the URLs.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const [directory, proxy, ca, ...urls] = process.argv.slice(2);
const { ProxyAgent, request } = createRequire(import.meta.url)(directory);
const dispatcher = new ProxyAgent({ uri: proxy, requestTls: { ca: readFileSync(ca) } });

await Promise.all(urls.map(async (url) => {
  try {
    const { statusCode, body } = await request(url, { dispatcher, headersTimeout: 10_000 });
    console.log(url, statusCode, (await body.text()).trim());
  } catch (error) {
    console.log(url, "failed", error.message.replaceAll("\n", " "));
  }
}));
await dispatcher.close();
