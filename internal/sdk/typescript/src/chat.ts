/**
 * The parts of a message that stand, for chats of the AI SDK 5 and 6: when an answer starts over, `POST /ui/chat` sends a part
 * `data-attempt`, and what stands before it was taken back. The AI SDK 7 does this by itself with `POST /ui/v7/chat`.
 */
export function standingParts<Part extends { type: string }>(parts: readonly Part[]): Part[] {
  return parts.slice(parts.map(({ type }) => type).lastIndexOf('data-attempt') + 1);
}
