// Frames of one site, which share storage and locks like tabs, share a session of a real server. It throws on any
// unexpected result.
import { createSupport } from '@supportbackend/support';

const rounds = 5;

export default async function run(baseUrl, email) {
  const password = 'a long and rare password';
  const anonymous = createSupport({ baseUrl });
  await anonymous.signUp({ email, password });
  const tabs = [await open(baseUrl), await open(baseUrl), await open(baseUrl)];
  const [first] = tabs;
  const tokens = await anonymous.logIn({ email, password });
  await first.session.update(() => tokens);

  for (let round = 1; round <= rounds; round++) {
    // The access token expires, and all frames notice at the same time.
    await first.session.update((stored) => ({ ...stored, access_token: 'ended' }));
    const accounts = await Promise.all(tabs.flatMap(({ support }) => [support.getMe(), support.getMe()]));
    same(accounts.every((account) => account.email === email), true);
    same(tabs.reduce((sum, { refreshes }) => sum + refreshes, 0), round);
  }
  await first.support.logOut();
  await first.session.update(() => undefined);
  same(await Promise.all(tabs.map(({ support }) => support.getMe().catch((error) => error.code))).then(String),
    'unauthenticated,unauthenticated,unauthenticated');
  return 'logged out';
}

async function open(baseUrl) {
  const frame = document.createElement('iframe');
  const opened = new Promise((resolve) => (window.opened = resolve));
  frame.src = '/tab.html';
  document.body.append(frame);
  await opened;
  frame.contentWindow.connect(baseUrl);
  return frame.contentWindow;
}

function same(got, want) {
  if (got !== want) {
    throw new Error(`want ${want}, got ${got}`);
  }
}
