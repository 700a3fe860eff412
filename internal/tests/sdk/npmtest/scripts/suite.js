// Plays the fixtures of the shared suite (see internal/tests/sdk/README.md), and returns their transcripts.
import { answerOf, createSupport, Failed, NetworkError, Problem, ProtocolError, Ready } from '@supportbackend/support';

// The fixture's name replaces the "*" of the site, because a browser opens few connections per host.
export default async function run(server, site = server) {
  const fixtures = await (await fetch(`${server}/fixtures`)).json();
  return Promise.all(fixtures.map((fixture) => play(fixture, site.replace('*', fixture.name))));
}

async function play(fixture, server) {
  const begun = await fetch(`${server}/fixtures/${fixture.name}/runs`, { method: 'POST' });
  const { base_url, report_url } = await begun.json();
  const tokens = [];
  const support = createSupport({
    baseUrl: base_url,
    token: fixture.client.token ?? '',
    refreshToken: fixture.client.refresh_token,
    keepTokens: (next) => tokens.push(next),
    retries: fixture.client.retries,
  });
  const calls = Array.from({ length: fixture.call.parallel ?? 1 }, () => call(support, fixture.call));
  const transcripts = await Promise.all(calls);
  const { faults } = await (await fetch(report_url)).json();
  return { name: fixture.name, faults, transcripts, tokens };
}

async function call(support, { method, id, params, body, headers }) {
  const args = [id, params, body].filter((argument) => argument !== undefined);
  const transcript = [];
  try {
    const result = method === 'answerOf' ? answerOf(support.streamAIResponse(id)) : support[method](...args, ...(headers ? [{ headers }] : []));
    if (method.startsWith('stream')) {
      for await (const { id: _, ...event } of result) {
        transcript.push({ event });
      }
    } else if (Symbol.asyncIterator in result) {
      for await (const item of result) {
        transcript.push({ item });
      }
    } else {
      transcript.push({ value: (await result) ?? null });
    }
  } catch (error) {
    transcript.push({ error: describe(error) });
  }
  return transcript;
}

// Returns an error in the form of transcripts.
function describe(error) {
  if (error instanceof Problem) {
    const { status, code, requestId, retryAfter, errors } = error;
    return {
      type: 'problem',
      status,
      code,
      request_id: requestId,
      ...(retryAfter > 0 && { retry_after: retryAfter }),
      ...(errors.length > 0 && { errors }),
    };
  }
  if (error instanceof Failed) {
    return { type: 'failed', ai_response_id: error.aiResponseId, code: error.code, retryable: error.retryable };
  }
  if (error instanceof Ready) {
    return { type: 'ready', ai_response_id: error.aiResponseId, content: error.content };
  }
  if (error instanceof ProtocolError) {
    return { type: 'protocol' };
  }
  return { type: error instanceof NetworkError ? 'network' : String(error.stack) };
}
