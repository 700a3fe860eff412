// A support chat. The address says where and whose: #<server>,<ticket>,<token>.
import { useChat } from '@ai-sdk/react';
import { DefaultChatTransport } from 'ai';
import { useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';

const [server, ticket, token] = location.hash.slice(1).split(',');
const headers = { Authorization: `Bearer ${token}` };
const api = `${server}/ui/v7/chat`;
const transport = new DefaultChatTransport({ api, headers });

// The server's history is the truth: it is what the page shows at first, and whenever an answer has ended.
const history = async () => (await fetch(`${server}/ui/chat/${ticket}/messages`, { headers })).json();

function Chat({ messages: stored }) {
  const [draft, setDraft] = useState('');
  const [notice, setNotice] = useState('');
  const { messages, setMessages, sendMessage, resumeStream, stop, status } = useChat({
    id: ticket,
    messages: stored,
    transport,
    onData: ({ data }) => setNotice(data.code === 'superseded' ? 'Our staff took over.' : data.detail),
  });
  const writing = status === 'submitted' || status === 'streaming';
  // First the answer that is being written, if one is; until that is known, nothing is sent.
  const [resumed, setResumed] = useState(false);
  useEffect(() => void resumeStream().then(() => setResumed(true)), []);
  // An answer may have ended between the request for the history and the one to resume, and staff may have written.
  useEffect(() => {
    let current = resumed && !writing;
    if (current) history().then((fresh) => current && setMessages(fresh));
    return () => (current = false); // Something was sent meanwhile.
  }, [resumed, writing]);
  const send = (event) => {
    event.preventDefault();
    sendMessage({ text: draft });
    setDraft('');
    setNotice('');
  };
  // Hanging up does not stop the answer: the server is told.
  const cancel = async () => {
    await fetch(`${server}/ui/chat/${ticket}/stop`, { method: 'POST', headers });
    await stop();
  };
  return (
    <>
      {messages.map(({ id, role, metadata, parts }) => (
        <p key={id} className={metadata?.author ?? role}>
          {parts.map((part) => (part.type === 'text' ? part.text : ''))}
        </p>
      ))}
      <p role="status">{writing ? 'Writing …' : notice}</p>
      <form onSubmit={send}>
        <input value={draft} onChange={(event) => setDraft(event.target.value)} aria-label="Message" />
        {writing ? (
          <button type="button" onClick={cancel}>Stop</button>
        ) : (
          <button disabled={!resumed || !draft.trim()}>Send</button>
        )}
      </form>
    </>
  );
}

createRoot(document.getElementById('chat')).render(<Chat messages={await history()} />);
