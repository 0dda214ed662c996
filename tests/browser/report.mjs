// Opens reports in a real browser, and uses them: node report.mjs OUT violated.html large.html hostile.html cycle.html
import { mkdirSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { check, end, open, shows } from "./browser.mjs";

const [out, violated, large, hostile, cycle] = process.argv.slice(2).map((path) => resolve(path));
const MOST_BYTES = 6e6;
const MOST_FRAME_MS = 16;
mkdirSync(out, { recursive: true });

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
  const deposition = page.getByRole("heading", { name: /^When n\d was deposed$/ });
  check("the messages at the deposition have a view of their own", await deposition.count() === 1);
  const story = page.locator("#story .wide").first(), width = () => story.evaluate((it) => it.scrollWidth);
  const plain = await width();
  await page.locator("#story").getByRole("button", { name: "Magnify the picture" }).first().click();
  check("a picture can be magnified", await width() > plain, `${plain} to ${await width()} px`);
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
  await page.locator("[data-lanes]").selectOption("key");
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

await end();
