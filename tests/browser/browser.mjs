// What all tests in the browser share: pages with all that went wrong on them, and what must hold of every page.
import { createRequire } from "node:module";
import { mkdirSync, readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
export const LIMIT_MS = 20000;
let passed = 0, failed = 0;

export const check = (what, holds, detail = "") => {
  holds ? passed++ : failed++;
  console.log(`${holds ? "ok    " : "FAILED"} ${what}${detail ? `: ${detail}` : ""}`);
};

/** Checks what is shown by the next frames: asks again until it holds or time is up. */
export async function shows(what, holds, detail = async () => "") {
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

export const address = (place) => place.startsWith("http://") ? place : pathToFileURL(place).href;

/** Opens a page, a file or an address, and notes all errors on it and all that it asks for. */
export async function open(place, { width = 1280, scheme = "light" } = {}) {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: scheme });
  const page = await context.newPage();
  page.setDefaultTimeout(LIMIT_MS);
  page.wrong = [];
  page.asked = [];
  page.on("console", (message) => message.type() === "error" && page.wrong.push(message.text()));
  page.on("pageerror", (error) => page.wrong.push(String(error)));
  page.on("dialog", (dialog) => { page.wrong.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on("request", (request) => page.asked.push(request.url()));
  await page.goto(address(place));
  return page;
}

/** What must hold of every page: no error, no request elsewhere, nothing sticks out, nothing that bars anyone. */
export async function common(out, name, place, { width, scheme, media = "screen" }) {
  mkdirSync(out, { recursive: true });
  const page = await open(place, { width, scheme });
  const label = `${name} at ${width}, ${media === "print" ? "printed" : scheme}`;
  await page.evaluate(async () => {
    for (let y = 0; y < document.body.scrollHeight; y += 600) {
      scrollTo(0, y);
      await new Promise(requestAnimationFrame);
    }
    scrollTo(0, 0);
  });
  if (await page.locator("#latency").count()) await page.locator("#latency canvas, #latency .uplot").first().waitFor();
  const picture = page.locator("#explorer-picture");
  if (await picture.count()) await shows(`${label}: the explorer is drawn`, () => picture.getAttribute("data-took"));
  if (media !== "screen") await page.emulateMedia({ media, colorScheme: scheme });
  await page.screenshot({
    path: `${out}/${name}-${width}-${media === "print" ? "print" : scheme}.png`, fullPage: true,
  });
  check(`${label}: no error`, page.wrong.length === 0, page.wrong.join("; "));
  const own = (url) => url.startsWith("data:") || url === address(place).split("#")[0]
    || place.startsWith("http://") && url.startsWith(`${new URL(place).origin}/-/events`);
  const elsewhere = page.asked.filter((url) => !own(url));
  check(`${label}: nothing else is asked for`, elsewhere.length === 0, elsewhere.join(" "));
  const sideways = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  check(`${label}: nothing sticks out`, sideways <= 0, `${sideways} px`);
  if (media === "screen") await accessible(page, label);
  await page.context().close();
}

async function accessible(page, label) {
  // The page's own policy forbids scripts from elsewhere: the tester's is evaluated by the browser's debugger.
  await page.evaluate(axe);
  const found = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  const serious = found.violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  const told = serious.map(({ id, nodes: [first, ...others] }) =>
    `${id} (${1 + others.length}): ${first.html.slice(0, 160)} ${first.failureSummary}`);
  check(`${label}: accessible`, serious.length === 0, told.join("; "));
}

/** Every width, colour scheme and medium in which a page is looked at. */
export const LOOKS = [
  ...[1280, 400].flatMap((width) => ["light", "dark"].map((scheme) => ({ width, scheme }))),
  { width: 1280, scheme: "light", media: "print" },
];

export async function end() {
  await browser.close();
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed ? 1 : 0);
}
