// The example page in a browser: ask, reload during an answer, open a second tab, stop, and let staff take over.
import { chromium } from 'playwright-core';
import { agent, assert, call, customer, history, newTicket, page as site, release, requests, script, servers, test, word } from './desk.mjs';

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
test.after(() => browser.close());

async function open(context, ticket, server = servers[0]) {
  const tab = await context.newPage();
  tab.on('pageerror', (error) => assert.fail(error));
  await tab.goto(`${site}/#${server},${ticket},${customer}`);
  await tab.getByLabel('Message').waitFor();
  return tab;
}

async function ask(tab, text) {
  await tab.getByLabel('Message').fill(text);
  await tab.getByRole('button', { name: 'Send' }).click();
}

const shows = (tab, author, text) => tab.locator(`p.${author}`).filter({ hasText: new RegExp(`^${text}$`) }).waitFor({ timeout: 10_000 });
const count = (tab) => tab.locator('#chat > p:not([role])').count();

test('the example page', async (t) => {
  const context = await browser.newContext({ viewport: { width: 390, height: 844 } });
  const ticket = await newTicket();

  await t.test('ask, reload in the middle, and read in a second tab', async () => {
    const question = word();
    await script(question, ['Half an ', 'answer.'], { gates: [{ name: question, after: 1 }] });
    const tab = await open(context, ticket);
    await shows(tab, 'customer', 'I was charged twice.');
    await ask(tab, question);
    await shows(tab, 'ai', 'Half an ');
    await tab.reload();
    await shows(tab, 'ai', 'Half an ');
    const second = await open(context, ticket, servers[1]);
    await shows(second, 'ai', 'Half an ');
    await release(question);
    for (const each of [tab, second]) {
      await shows(each, 'ai', 'Half an answer\\.');
      await each.getByRole('button', { name: 'Send' }).waitFor();
      assert.equal(await count(each), 3);
    }
    assert.deepEqual(await requests(question), ['completed']);
    await tab.reload();
    await shows(tab, 'ai', 'Half an answer\\.');
    assert.equal(await count(tab), 3);
  });

  await t.test('stop', async () => {
    const question = word();
    await script(question, ['Half an ', 'answer.'], { gates: [{ name: question, after: 1 }] });
    const tab = await open(context, ticket);
    await ask(tab, question);
    await shows(tab, 'ai', 'Half an ');
    await tab.getByRole('button', { name: 'Stop' }).click();
    await tab.getByRole('button', { name: 'Send' }).waitFor();
    await tab.getByText('Half an ', { exact: true }).waitFor({ state: 'detached' });
    assert.equal(await count(tab), 4, 'the question stays');
    assert.equal((await history(ticket)).length, 4);
  });

  await t.test('staff take over', async () => {
    const question = word();
    await script(question, ['Half an ', 'answer.'], { gates: [{ name: question, after: 1 }] });
    const tab = await open(context, ticket);
    await ask(tab, question);
    await shows(tab, 'ai', 'Half an ');
    await call('POST', `/tickets/${ticket}/messages`, { token: agent, body: { content: 'I have refunded it.' } });
    await shows(tab, 'agent', 'I have refunded it\\.');
    await tab.getByText('Our staff took over.').waitFor();
    assert.equal(await tab.getByText('Half an ', { exact: true }).count(), 0);
    if (process.env.SCREENSHOT) await tab.screenshot({ path: process.env.SCREENSHOT });
  });
});
