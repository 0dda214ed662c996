// Looks at what schism serve shows: node serve.mjs OUT ADDRESS NAME PROCESS; NAME is the run under way, which goes on
// until its PROCESS is interrupted here, however long the looks take.
import { LOOKS, check, common, end, open, shows } from "./browser.mjs";

const [out, address, name, run] = process.argv.slice(2);
const live = await open(`${address}-/live/${name}`);
await shows("the live page counts operations", async () => /[1-9]/.test(await live.locator("#invoked").innerText()),
  () => live.locator("#invoked").innerText());
await shows("it draws what ended each second", async () => await live.locator("#rate rect").count() > 3);
for (const look of LOOKS) await common(out, "live", `${address}-/live/${name}`, look);
const list = await open(address);
check("the list names the run under way", (await list.locator("#runs").innerText()).includes(name));
for (const look of LOOKS) {
  await common(out, "list", address, look);
  await common(out, "folder", `${address}${name}/`, look);
}
process.kill(Number(run), "SIGINT");
await shows("the live page becomes the report", () => live.url().endsWith("/report.html"), () => live.url());
check("no error on the way", live.wrong.length === 0, live.wrong.join("; "));
await shows("the list shows the verdict without being asked",
  async () => /linearizable/.test(await list.locator("#runs tbody tr").first().innerText()),
  () => list.locator("#runs tbody tr").first().innerText());
await end();
