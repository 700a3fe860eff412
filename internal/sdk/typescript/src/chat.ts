/**
 * Returns the parts of a message that are still valid, for chats of the AI SDK 5 and 6. When an answer starts over, `POST
 * /ui/chat` sends a part `data-attempt`, which retracts the parts before it. With the AI SDK 7, use `POST /ui/v7/chat`
 * instead, which needs no such filter.
 */
export function standingParts<Part extends { type: string }>(parts: readonly Part[]): Part[] {
  return parts.slice(parts.map(({ type }) => type).lastIndexOf('data-attempt') + 1);
}
