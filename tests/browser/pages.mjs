// Looks at every page that there is: node pages.mjs OUT NAME=FILE…
import { LOOKS, check, common, end, open } from "./browser.mjs";

const [out, ...pages] = process.argv.slice(2);
for (const pair of pages) {
  const [name, path] = pair.split(/=(.*)/s);
  for (const look of LOOKS) await common(out, name, path, look);
}

const file = (name) => pages.find((pair) => pair.startsWith(`${name}=`)).split(/=(.*)/s)[1];

/** What the explorer of a page says of the first operation of a function with a value. */
async function said(name, label, value) {
  const page = await open(file(name));
  const picture = page.locator("#explorer-picture");
  await picture.scrollIntoViewIfNeeded();
  await page.waitForFunction(() => document.getElementById("explorer-picture").dataset.took);
  await page.locator("[data-filter=function]").selectOption({ label });
  await page.locator("[data-search]").fill(value);
  await page.keyboard.press("Enter");
  const words = await page.locator("#explorer-said").innerText();
  await page.context().close();
  return words;
}
const ofRegister = await said("sound", "read", "1"), ofQueue = await said("queue", "dequeue", "2");
check("where an operation fits in is said", /fits in as number \d+ of \d+/.test(ofRegister), ofRegister);
check("and the state after it", /the state is then \S*1/.test(ofRegister), ofRegister);
check("of any object", ofQueue.includes("the state is then [3, 4, 5, 6, 7, 8, 9, 10]"), ofQueue);

{
  const page = await open(file("bank"));
  await page.locator("#totals").scrollIntoViewIfNeeded();
  const plot = page.locator("#totals [data-plot] canvas");
  await plot.waitFor();
  check("the totals of a bank are drawn", await plot.isVisible());
  await page.context().close();
}

{
  // Whoever opens the page sees at once what went wrong, and on which node.
  for (const width of [1280, 400]) {
    const page = await open(file("violated"), { width });
    const claim = page.locator("#story .claim").first(), box = await claim.boundingBox();
    const words = await claim.innerText();
    const isSeen = box.y + box.height < 900;
    check(`the first screen says what is wrong, at ${width}`, isSeen && / on n\d /.test(words), words);
    await page.context().close();
  }
}

{
  // The wrong answer is in the picture on the first screen, however many operations lead to it.
  for (const name of ["violated", "set"]) for (const width of [1280, 400]) {
    const page = await open(file(name), { width });
    const box = await page.locator("#story .operation.wrong[data-tip] rect").first().boundingBox();
    const isSeen = box.y + box.height < 800 && box.x > 0 && box.x + box.width < width;
    check(`${name} at ${width}: the wrong answer is on the first screen`, isSeen, JSON.stringify(box));
    const signs = page.locator("#story .timeline").first().locator(".legend text");
    const boxes = await Promise.all((await signs.all()).map((sign) => sign.boundingBox()));
    const outside = boxes.filter((box) => box.x < 0 || box.x + box.width > width).length;
    check(`${name} at ${width}: all of the legend is in view`, boxes.length > 3 && outside === 0, `${outside} are not`);
    const lane = await page.locator("#story .name.wrong").last().boundingBox();
    check(`${name} at ${width}: so is the name of its lane`, lane.x >= 0 && lane.x + lane.width < width);
    await page.context().close();
  }
  const page = await open(file("set"));
  const story = page.locator("#story");
  check("what only fills the set is folded", await story.locator("svg .name", { hasText: "process 1" })
    .filter({ visible: true }).count() < 5);
  await story.locator("summary").first().click();
  check("and opens", await story.locator("details svg .operation.wrong[data-tip]").first().isVisible());
  await page.context().close();
}
await end();
