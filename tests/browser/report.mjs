// Opens reports in a real browser: node report.mjs OUT violated.html large.html hostile.html campaign.html cycle.html
import { createRequire } from "node:module";
import { mkdirSync, readFileSync, statSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { resolve } from "node:path";
import { chromium } from "playwright-core";

const [out, violated, large, hostile, campaign, cycle] = process.argv.slice(2).map((path) => resolve(path));
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const LIMIT_MS = 20000;
const MOST_BYTES = 6e6;
const MOST_FRAME_MS = 16;
mkdirSync(out, { recursive: true });
let passed = 0, failed = 0;
const check = (what, holds, detail = "") => {
  holds ? passed++ : failed++;
  console.log(`${holds ? "ok    " : "FAILED"} ${what}${detail ? `: ${detail}` : ""}`);
};

/** Checks what is shown by the next frames: asks again until it holds or time is up. */
async function shows(what, holds, detail = async () => "") {
  const end = Date.now() + LIMIT_MS;
  while (!(await holds()) && Date.now() < end) await new Promise((next) => setTimeout(next, 20));
  check(what, await holds(), await detail());
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
  ],
});

async function open(path, { width = 1280, scheme = "light" } = {}) {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: scheme });
  const page = await context.newPage();
  page.setDefaultTimeout(LIMIT_MS);
  page.wrong = [];
  page.asked = [];
  page.on("console", (message) => message.type() === "error" && page.wrong.push(message.text()));
  page.on("pageerror", (error) => page.wrong.push(String(error)));
  page.on("dialog", (dialog) => { page.wrong.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on("request", (request) => page.asked.push(request.url()));
  await page.goto(pathToFileURL(path).href);
  return page;
}

async function common(name, path, options) {
  const page = await open(path, options);
  const label = `${name} at ${options.width}, ${options.scheme}`;
  await page.evaluate(async () => {
    for (let y = 0; y < document.body.scrollHeight; y += 600) {
      scrollTo(0, y);
      await new Promise(requestAnimationFrame);
    }
    scrollTo(0, 0);
  });
  if (await page.locator("#latency").count()) await page.locator("#latency canvas, #latency .uplot").first().waitFor();
  await page.screenshot({ path: `${out}/${name}-${options.width}-${options.scheme}.png`, fullPage: true });
  check(`${label}: no error`, page.wrong.length === 0, page.wrong.join("; "));
  const elsewhere = page.asked.filter((url) => !url.startsWith("data:") && url !== pathToFileURL(path).href);
  check(`${label}: nothing is loaded`, elsewhere.length === 0, elsewhere.join(" "));
  const sideways = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  check(`${label}: nothing sticks out`, sideways <= 0, `${sideways} px`);
  // The page's own policy forbids scripts from elsewhere: the tester's is evaluated by the browser's debugger.
  await page.evaluate(axe);
  const found = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  const serious = found.violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  const told = serious.map(({ id, nodes: [first, ...others] }) =>
    `${id} (${1 + others.length}): ${first.html.slice(0, 160)} ${first.failureSummary}`);
  check(`${label}: accessible`, serious.length === 0, told.join("; "));
  await page.context().close();
}

for (const [name, path] of [["violated", violated], ["campaign", campaign], ["cycle", cycle]]) {
  for (const width of [1280, 400]) for (const scheme of ["light", "dark"]) await common(name, path, { width, scheme });
}

{
  const page = await open(violated);
  check("the verdict is there", (await page.locator("h1").innerText()).includes("not linearizable"));
  const wrong = page.locator("#story .operation.wrong[data-tip]").first();
  await wrong.scrollIntoViewIfNeeded();
  const lane = page.locator(".timeline .name.wrong").first();
  check("the stale read's lane is visible", await wrong.locator("rect").isVisible() && await lane.isVisible());
  await wrong.locator("rect").hover({ force: true });
  const tip = page.locator("#tip");
  const says = async (what) => await tip.isVisible() && what.test(await tip.innerText());
  await shows("hovering tells of it", () => says(/process \d+ on n\d/), () => tip.innerText());
  await page.keyboard.press("Escape");
  await shows("Escape takes the tip away", () => tip.isHidden());
  await wrong.focus();
  await shows("focus tells of it too", () => tip.isVisible());
  await page.keyboard.press("Escape");
  const lost = page.locator("#messages .message.lost").first();
  await lost.scrollIntoViewIfNeeded();
  await lost.locator(".hit").hover({ force: true });
  await shows("a lost message is told of", () => says(/n\d to n\d: .* never/), () => tip.innerText());
  const clocks = page.locator("#clocks [data-plot] canvas");
  await page.locator("#clocks").scrollIntoViewIfNeeded();
  await clocks.waitFor();
  check("the skewed clock is drawn", await clocks.isVisible());
  const picture = page.locator("#explorer-picture");
  await picture.scrollIntoViewIfNeeded();
  await page.waitForFunction(() => document.getElementById("explorer-picture").dataset.scale);
  const scale = async () => {
    await page.evaluate(() => new Promise(requestAnimationFrame)); // What was asked for before is drawn by then.
    return Number(await picture.getAttribute("data-scale"));
  };
  await page.getByRole("button", { name: "Evidence" }).click();
  const near = await scale();
  await page.getByRole("button", { name: "Whole run" }).click();
  const whole = await scale();
  check("zooming out to the whole run", whole > near, `${near} to ${whole} µs a pixel`);
  await picture.focus();
  await page.keyboard.press("+");
  check("zooming in by a key", await scale() < whole);
  const before = await scale();
  await picture.hover();
  await page.mouse.wheel(0, -300);
  await shows("zooming in by the wheel", async () => await scale() < before, () => scale());
  await page.getByRole("button", { name: "Evidence" }).click();
  await picture.focus();
  await page.keyboard.press("n");
  const said = await page.locator("#explorer-said").innerText();
  check("the keyboard walks through the evidence", /process \d+/.test(said));
  check("it says what came before and after", /over before it began, \d+ overlap/.test(said), said);
  await page.waitForURL(/#.*op=\d+/);
  const again = await page.context().newPage();
  await again.goto(page.url());
  const kept = again.locator("#explorer-said");
  await again.waitForFunction(() => document.getElementById("explorer-said").textContent);
  check("the address keeps what was picked", await kept.innerText() === said, await kept.innerText());
  await again.close();
  await page.keyboard.press("Escape");
  check("Escape lets go", await page.locator("#explorer-said").innerText() === "");
  await page.locator("[data-filter=function]").selectOption({ label: "read" });
  const count = page.locator("#explorer-count");
  check("a filter says how much is left", /^\d+ of \d+ operations$/.test(await count.innerText()));
  await page.locator("[data-filter=function]").selectOption("");
  await page.locator("[data-search]").fill("1");
  await page.keyboard.press("Enter");
  check("the search finds a value", /1/.test(await page.locator("#explorer-said").innerText()));
  await page.locator("[data-search]").fill("");
  for (const by of ["process", "key"]) await page.locator("[data-lanes]").selectOption(by);
  check("no error on the way", page.wrong.length === 0, page.wrong.join("; "));
  await page.context().close();
}

{
  const page = await open(large);
  await page.waitForFunction(() => performance.getEntriesByName("first-contentful-paint").length > 0);
  const paint = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0].startTime);
  check("300,000 operations: first paint under a second", paint < 1000, `${paint.toFixed(0)} ms`);
  const { size } = statSync(large);
  check("300,000 operations: under 6 MB", size < MOST_BYTES, `${(size / 1e6).toFixed(1)} MB`);
  const picture = page.locator("#explorer-picture");
  await picture.scrollIntoViewIfNeeded();
  await page.waitForFunction(() => document.getElementById("explorer-picture").dataset.took);
  await page.getByRole("button", { name: "Whole run" }).click();
  await page.getByRole("button", { name: "Zoom in" }).click();
  // The shortest of many: the others say how busy the machine is.
  const box = await picture.boundingBox();
  let took = Infinity;
  await page.mouse.move(box.x + 800, box.y + 60);
  await page.mouse.down();
  for (let step = 1; step <= 20; step++) {
    await page.mouse.move(box.x + 800 - 20 * step, box.y + 60);
    await page.evaluate(() => new Promise(requestAnimationFrame));
    took = Math.min(took, Number(await picture.getAttribute("data-took")));
  }
  await page.mouse.up();
  check("300,000 operations: a frame in time while dragging", took < MOST_FRAME_MS, `${took.toFixed(1)} ms`);
  await page.locator("#latency").scrollIntoViewIfNeeded();
  await page.locator("#latency .uplot").waitFor();
  check("300,000 operations: no error", page.wrong.length === 0, page.wrong.join("; "));
  await page.screenshot({ path: `${out}/large.png`, fullPage: true });
  await page.context().close();
}

{
  const page = await open(cycle);
  const edge = page.locator("#story .cycle .edge").first();
  await edge.scrollIntoViewIfNeeded();
  await edge.focus();
  check("an edge of the cycle says why", /so T1 must come before T2/.test(await page.locator("#tip").innerText()));
  await page.context().close();
}

{
  const page = await open(violated, { width: 400 });
  const seen = await page.evaluate(() => {
    const wrong = document.querySelector("#story .operation.wrong[data-tip] rect").getBoundingClientRect();
    const frame = document.querySelector("#story .wide").getBoundingClientRect();
    return wrong.right > frame.left && wrong.left < frame.right;
  });
  check("on a narrow screen the wrong answer is in view", seen);
  await page.emulateMedia({ media: "print" });
  await page.locator("#latency .uplot").waitFor({ state: "attached" });
  await page.screenshot({ path: `${out}/violated-print.png`, fullPage: true });
  await page.context().close();
}

{
  const page = await open(hostile);
  await page.locator("#latency").scrollIntoViewIfNeeded();
  await page.locator("#latency .uplot").waitFor();
  await page.locator("#explorer-picture").hover();
  const hacked = await page.evaluate(() => window.hacked);
  check("hostile values: nothing runs", page.wrong.length === 0 && !hacked, page.wrong.join("; "));
  check("hostile values: nothing is injected", await page.locator("img, iframe, b.hostile").count() === 0);
  await page.screenshot({ path: `${out}/hostile.png` });
  await page.context().close();
}

await browser.close();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
