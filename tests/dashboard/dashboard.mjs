// SPDX-License-Identifier: MIT
// The dashboard in headless Chromium against a running adapter and daemon: what a person sees and does.
//   PAGE=http://… CROSS=http://… ADAPTER=http://… KEY=… HOLD=command RELEASE=command node dashboard.mjs
import { execSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const { PAGE, CROSS, ADAPTER, KEY, HOLD, RELEASE, SHOTS } = process.env;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const WAIT = { timeout: 30000 };
let passed = 0, failed = 0;

async function check(name, body) {
  try {
    await body();
    passed++;
  } catch (error) {
    failed++;
    console.log(`not ok - ${name}\n#   ${String(error.message).split("\n").slice(0, 6).join("\n#   ")}`);
  }
}
const must = (condition, message) => { if (!condition) throw new Error(message); };

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});

async function open(url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, ...options });
  const page = await context.newPage();
  page.errors = [];
  page.on("pageerror", (error) => page.errors.push(error.message));
  page.on("console", (m) => { if (m.type() === "error" && !/status of (401|404|409|503)/.test(m.text())) page.errors.push(m.text()); });
  await page.goto(url);
  return page;
}

async function connect(page, key, base = "") {
  const dialog = page.locator("#settings");
  if (!(await dialog.evaluate((d) => d.open))) await page.getByRole("button", { name: "Connection" }).click();
  await dialog.getByLabel("API key").fill(key);
  if (base) await dialog.getByLabel("Adapter").fill(base);
  await dialog.getByRole("button", { name: "Connect" }).click();
}

async function accessible(page, where) {
  await page.evaluate(axe); // past the page's Content-Security-Policy, which refuses inline scripts
  const found = await page.evaluate(() => window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] }));
  must(found.violations.length === 0,
    `${where}: ${found.violations.map((v) => `${v.id} (${v.nodes.map((n) => n.target).join(" ")})`).join("; ")}`);
}
const shot = async (page, name) => { if (SHOTS) { mkdirSync(SHOTS, { recursive: true }); await page.screenshot({ path: `${SHOTS}/${name}.png`, fullPage: true }); } };

const page = await open(PAGE);

await check("without a key it asks for one, and health is shown all the same", async () => {
  await page.locator("#settings[open]").waitFor(WAIT);
  await page.locator('#state[data-state="healthy"]').waitFor(WAIT);
});
await check("a wrong key is refused with the adapter's sentence, and asked for again", async () => {
  await connect(page, "not-the-key");
  await page.locator("#settings[open]").waitFor(WAIT);
  must((await page.locator("#notice").textContent()).length > 10, "no notice");
});
await check("with the key it is connected, before any job", async () => {
  await connect(page, KEY);
  await page.getByText("No job has run yet").waitFor(WAIT);
  await page.locator("#notice").waitFor({ state: "hidden", ...WAIT });
  must((await page.locator("#svc-database").textContent()) === "up", "database is not up");
});
await check("a sync started here ends here, and its universes appear", async () => {
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await page.getByText(/^Completed in .* membership changes$/).waitFor(WAIT);
  await page.locator("#universes tbody th", { hasText: /^top_50$/ }).waitFor(WAIT);
  await page.locator("#jobs .status.completed").first().waitFor(WAIT);
  must((await page.locator("#plot svg .bar.completed").count()) === 1, "the job is not plotted");
});
await check("the members of a universe are those of the statistics", async () => {
  const row = page.locator("#universes tbody tr", { has: page.locator("th", { hasText: /^top_50$/ }) });
  must((await row.locator("td.num").textContent()) === "50", "top_50 has not 50");
});
await check("the filter and the order of universes", async () => {
  await page.getByLabel("Find").fill("top_5");
  must((await page.locator("#universes tbody tr").count()) === 2, "not top_50 and top_500");
  await page.getByRole("button", { name: "Members" }).click();
  await page.getByRole("button", { name: "Members" }).click();
  must((await page.locator('#universes th[aria-sort="descending"]').count()) === 1, "not said to be descending");
  must((await page.locator("#universes tbody th").first().textContent()) === "top_500", "top_500 is not first");
  await page.getByLabel("Find").fill("no such universe");
  await page.getByText("None has this in its name").waitFor(WAIT);
  await page.getByLabel("Find").fill("");
});
await check("a job's details open from the table and close again", async () => {
  await page.locator("#jobs [data-open]").first().click();
  await page.locator("#job[open]").waitFor(WAIT);
  await page.getByText("Universes whose members changed").waitFor(WAIT);
  await accessible(page, "details");
  await page.getByRole("button", { name: "Close" }).click();
});
await check("a running job shows its progress, and its cancel button ends it", async () => {
  execSync(HOLD, { stdio: "ignore" });
  await page.getByLabel("Mode").selectOption("themes");
  await page.getByRole("checkbox", { name: /^Force/ }).check();
  await page.getByRole("button", { name: "Start", exact: true }).click();
  const row = page.locator("#active li");
  await row.getByText(/%/).waitFor(WAIT);
  must((await row.locator("progress").getAttribute("value")) !== null, "the bar has no value");
  await page.locator("#state", { hasText: "a sync is running" }).waitFor(WAIT);
  await shot(page, "running");
  await row.getByRole("button", { name: /^Cancel/ }).click();
  await page.getByText(/^Failed: cancelled/).waitFor(WAIT);
  execSync(RELEASE, { stdio: "ignore" });
  await page.locator("#jobs .status.failed").waitFor(WAIT);
});
await check("a dry run says what would change and changes nothing", async () => {
  await page.getByLabel("Mode").selectOption("full");
  await page.getByRole("checkbox", { name: /^Dry run/ }).check();
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await page.getByText(/^Dry run: .* membership changes would be made$/).waitFor(WAIT);
  await page.locator("#jobs tbody tr").nth(2).waitFor(WAIT);
});
await check("nothing from the server becomes markup", async () => {
  must((await page.locator("#jobs tbody script, #universes tbody img").count()) === 0, "markup");
  must((await page.evaluate(() => window.injected)) === undefined, "a script ran");
});
for (const scheme of ["light", "dark"])
  await check(`WCAG 2.2 AA by axe-core, ${scheme}`, async () => {
    await page.emulateMedia({ colorScheme: scheme });
    await shot(page, scheme);
    await accessible(page, scheme);
  });
await check("on a phone nothing sticks out, and targets are large enough", async () => {
  await page.setViewportSize({ width: 360, height: 740 });
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  must(width <= 360, `the page is ${width} wide`);
  await shot(page, "phone");
  await accessible(page, "phone");
  await page.setViewportSize({ width: 1200, height: 900 });
});
await check("by keyboard alone: the key dialog, the form and a job are reached", async () => {
  await page.evaluate(() => document.activeElement.blur());
  await page.reload();
  await page.locator("#jobs [data-open]").first().waitFor(WAIT);
  await page.keyboard.press("Tab");
  must((await page.evaluate(() => document.activeElement.className)) === "skip", "the first stop is not the skip link");
  await page.locator("#jobs [data-open]").first().focus();
  await page.keyboard.press("Enter");
  await page.locator("#job[open]").waitFor(WAIT);
  await page.keyboard.press("Escape");
  await page.locator("#job[open]").waitFor({ state: "detached", ...WAIT }).catch(() => {});
  must(!(await page.locator("#job").evaluate((d) => d.open)), "Escape does not close");
});
await check("no error in the console so far", async () => must(page.errors.length === 0, page.errors.join("; ")));
await check("an adapter that goes away is said so, and comes back by itself", async () => {
  await page.route("**/health", (route) => route.abort());
  await page.locator("#state", { hasText: "No answer" }).waitFor(WAIT);
  await shot(page, "away");
  await page.unroute("**/health");
  await page.locator('#state[data-state="healthy"]').waitFor(WAIT);
  await page.locator("#notice").waitFor({ state: "hidden", ...WAIT });
});
await check("a full backlog is told with the adapter's sentence", async () => {
  await page.route("**/trigger", (route) => route.fulfill({ status: 429, headers: { "Retry-After": "1" }, contentType: "application/json",
    body: JSON.stringify({ success: false, error: "backlog_full", message: "Too many commands wait." }) }));
  await page.getByRole("button", { name: "Start", exact: true }).click();
  await page.locator("#notice", { hasText: "Too many commands wait." }).waitFor(WAIT);
  await page.unroute("**/trigger");
});
if (CROSS)
  await check("from another origin, by CORS", async () => {
    const other = await open(CROSS);
    await connect(other, KEY, ADAPTER);
    await other.locator('#state[data-state="healthy"]').waitFor(WAIT);
    await other.locator("#universes tbody th", { hasText: /^top_50$/ }).waitFor(WAIT);
    await other.getByLabel("Mode").selectOption("themes");
    await other.getByRole("checkbox", { name: /^Force/ }).check();
    await other.getByRole("button", { name: "Start", exact: true }).click();
    await other.getByText(/^Completed in/).waitFor(WAIT);
  });

await browser.close();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
