// Takes a picture of the top of a page: node picture.mjs FILE.html OUT.png
import { end, open } from "./browser.mjs";

const [file, out] = process.argv.slice(2);
const page = await open(file, { width: 1000 });
await page.screenshot({ path: out, clip: { x: 0, y: 0, width: 1000, height: 760 } });
await page.context().close();
await end();
