// SPDX-License-Identifier: MIT
// The page as it stands behind a reverse proxy: files of one folder, everything else to the adapter, one origin.
//   node serve.mjs FOLDER PORT ADAPTER_PORT
import { createReadStream } from "node:fs";
import { createServer, request } from "node:http";
import { extname, join, normalize } from "node:path";

const [folder, port, adapterPort] = process.argv.slice(2);
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css" };

function proxy(req, res) {
  const upstream = request({ host: "127.0.0.1", port: adapterPort, method: req.method, path: req.url, headers: req.headers },
    (answer) => { res.writeHead(answer.statusCode, answer.headers); answer.pipe(res); });
  upstream.on("error", () => { res.writeHead(502); res.end(); });
  req.pipe(upstream);
}

createServer((req, res) => {
  const path = normalize(decodeURIComponent(new URL(req.url, "http://x").pathname));
  if (path === "/health" || path.startsWith("/api/")) return proxy(req, res);
  const file = createReadStream(join(folder, path === "/" ? "index.html" : path));
  file.on("error", () => { res.writeHead(404); res.end(); });
  file.on("open", () => { res.writeHead(200, { "Content-Type": TYPES[extname(path)] ?? TYPES[".html"] }); file.pipe(res); });
}).listen(Number(port), "127.0.0.1");
