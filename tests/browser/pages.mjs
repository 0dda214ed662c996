// Looks at every page that there is: node pages.mjs OUT NAME=FILE…
import { LOOKS, check, common, end, open } from "./browser.mjs";

const [out, ...pages] = process.argv.slice(2);
for (const pair of pages) {
  const [name, path] = pair.split(/=(.*)/s);
  for (const look of LOOKS) await common(out, name, path, look);
}

for (const pair of pages.filter((pair) => pair.startsWith("sound="))) {
  const page = await open(pair.split(/=(.*)/s)[1]);
  const picture = page.locator("#explorer-picture");
  await picture.scrollIntoViewIfNeeded();
  await page.waitForFunction(() => document.getElementById("explorer-picture").dataset.took);
  await page.locator("[data-filter=function]").selectOption({ label: "read" });
  await page.locator("[data-search]").fill("1");
  await page.keyboard.press("Enter");
  const said = await page.locator("#explorer-said").innerText();
  check("where an operation fits in is said", /fits in as number \d+ of \d+/.test(said), said);
  check("and the value after it", /the value is then \S*1/.test(said), said);
  await page.context().close();
}
await end();
