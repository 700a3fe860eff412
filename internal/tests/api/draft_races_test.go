package api_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/dev/groqsim"
	"github.com/supportbackend/support/internal/testing/storetest"
)

// maxRaces is how often a race is held until both rivals wait for the lock.
const maxRaces = 10

// race starts both while the ticket is locked, so that they get the lock in this order, and returns their statuses. On a
// busy machine, a rival may give up waiting for the lock, with 503, before the other one waits.
func (d *draftDesk) race(t *testing.T, first, second func() int) (statuses [2]int) {
	t.Helper()
	s := storetest.Open(t, d.DatabaseURL)
	ended := make(chan struct{}, 2)
	require.NoError(t, s.InTx(t.Context(), func(ctx context.Context) error {
		_, err := s.LockTicket(ctx, sqlc.LockTicketParams{ID: d.ticket.ID, Staff: true})
		require.NoError(t, err)
		for i, rival := range []func() int{first, second} {
			go func() {
				defer func() { ended <- struct{}{} }()
				statuses[i] = rival()
			}()
			require.Eventually(t, func() bool {
				return storetest.CountWaiting(t, d.DatabaseURL) > i || len(ended) > 0
			}, patience, 5*time.Millisecond)
		}
		return nil
	}))
	<-ended
	<-ended
	return statuses
}

// withDraft returns the desk with another ticket, whose draft waits for review.
func (d *draftDesk) withDraft(t *testing.T, text string) (*draftDesk, uuid.UUID) {
	t.Helper()
	next := &draftDesk{castOf(t, d.Desk)}
	next.owner.Say(t, next.ticket.ID, "When do I get my money back?")
	require.NoError(t, d.Simulator.Enqueue(groqsim.Script{Deltas: []string{text}}))
	id := next.draft(t)
	return next, id
}

func (d *draftDesk) post(t *testing.T, path, body string) int {
	t.Helper()
	return d.agent.Do(t, http.MethodPost, path, body, jsonType).Status
}

func (d *draftDesk) patch(t *testing.T, body string) int {
	t.Helper()
	return d.agent.Do(t, http.MethodPatch, "/tickets/"+d.ticket.ID.String(), body, jsonType).Status
}

func TestOneOfTwoRivalsDecidesADraft(t *testing.T) {
	t.Parallel()
	desk := newDraftDesk(t)
	inTicket := func(path, body string) func(*testing.T, *draftDesk, uuid.UUID) int {
		return func(t *testing.T, d *draftDesk, _ uuid.UUID) int {
			t.Helper()
			return d.post(t, "/tickets/"+d.ticket.ID.String()+path, body)
		}
	}
	toTicket := func(body string) func(*testing.T, *draftDesk, uuid.UUID) int {
		return func(t *testing.T, d *draftDesk, _ uuid.UUID) int { t.Helper(); return d.patch(t, body) }
	}
	for name, rival := range map[string]struct {
		run func(*testing.T, *draftDesk, uuid.UUID) int
		// first and second are its status when it runs before and after the publication.
		first, second int
	}{
		"publish": {func(t *testing.T, d *draftDesk, id uuid.UUID) int {
			t.Helper()
			return d.publish(t, id, "You get it back on Tuesday.").StatusCode()
		}, http.StatusCreated, http.StatusConflict},
		"discard": {func(t *testing.T, d *draftDesk, id uuid.UUID) int {
			t.Helper()
			return d.post(t, "/ai-responses/"+id.String()+"/discard", "")
		}, http.StatusOK, http.StatusConflict},
		"staff reply":  {inTicket("/messages", `{"content":"I am on it."}`), http.StatusCreated, http.StatusCreated},
		"hand-off":     {inTicket("/handoff", `{"reason":"other"}`), http.StatusOK, http.StatusOK},
		"mode changes": {toTicket(`{"ai_mode":"auto"}`), http.StatusOK, http.StatusOK},
		"close":        {toTicket(`{"status":"closed"}`), http.StatusOK, http.StatusOK},
		"customer says more": {func(t *testing.T, d *draftDesk, _ uuid.UUID) int {
			t.Helper()
			return d.owner.Do(t, http.MethodPost, "/tickets/"+d.ticket.ID.String()+"/messages", `{"content":"And more."}`, jsonType).Status
		}, http.StatusCreated, http.StatusCreated},
		"merge": {func(t *testing.T, d *draftDesk, _ uuid.UUID) int {
			t.Helper()
			return merge(t, d.agent, d.ticket.ID, d.owner.NewTicket(t).ID).StatusCode()
		}, http.StatusOK, http.StatusOK},
		"redaction": {func(t *testing.T, d *draftDesk, _ uuid.UUID) int {
			t.Helper()
			turn := storetest.QueryText(t, d.DatabaseURL,
				"SELECT id::text FROM messages WHERE ticket_id = $1 AND author = 'customer'", d.ticket.ID)
			return d.post(t, "/messages/"+turn+"/redact", "")
		}, http.StatusOK, http.StatusOK},
	} {
		for _, publishedFirst := range []bool{true, false} {
			order := map[bool]string{true: "after", false: "before"}[publishedFirst]
			t.Run(name+" "+order, func(t *testing.T) {
				raced := func() bool {
					d, id := desk.withDraft(t, "You get it back on Monday.")
					if name == "close" {
						d.agent.SetStatus(t, d.ticket.ID, client.TicketStatusResolved)
					}
					publish := func() int { return d.publish(t, id, "").StatusCode() }
					compete := func() int { return rival.run(t, d, id) }
					var statuses [2]int
					if publishedFirst {
						statuses = d.race(t, publish, compete)
					} else {
						statuses = d.race(t, compete, publish)
					}
					switch {
					case slices.Contains(statuses[:], http.StatusServiceUnavailable):
						return false
					case publishedFirst:
						require.Equal(t, [2]int{http.StatusCreated, rival.second}, statuses)
					default:
						require.Equal(t, rival.first, statuses[0])
						require.Contains(t, []int{http.StatusConflict, http.StatusNotFound}, statuses[1])
					}
					d.requireOneAnswer(t, id, publishedFirst || name == "publish")
					return true
				}
				for races := 1; !raced(); races++ {
					require.Less(t, races, maxRaces, "a rival gave up each time")
				}
			})
		}
	}
}

// requireOneAnswer checks that the customer sees the draft as the only answer, or nothing of it.
func (d *draftDesk) requireOneAnswer(t *testing.T, id uuid.UUID, published bool) {
	t.Helper()
	answers := 0
	if ticket := storetest.QueryText(t, d.DatabaseURL, "SELECT coalesce(merged_into, id)::text FROM tickets WHERE id = $1", d.ticket.ID); published {
		for _, m := range d.owner.Messages(t, uuid.MustParse(ticket)) {
			if m.IsAI {
				answers++
			}
		}
	}
	kept := d.get(t, id)
	require.Equal(t, published, answers == 1)
	require.Equal(t, published, kept.Review == client.AIReviewPublished)
	require.Equal(t, published, kept.MessageID != nil)
}

func TestNothingOfADraftOutlivesErasure(t *testing.T) {
	t.Parallel()
	desk := newDraftDesk(t)
	admin := desk.Staff(t, sqlc.UserRoleAdmin)
	for range 10 {
		d, id := desk.withDraft(t, "A canary draft.")
		published := make(chan int, 1)
		path := "/ai-responses/" + id.String() + "/publish"
		go func() {
			published <- d.agent.Do(t, http.MethodPost, path, `{"content":"A canary edit."}`, jsonType).Status
		}()
		require.Equal(t, http.StatusNoContent, erase(t, admin, d.owner.ID))
		require.Contains(t, []int{http.StatusCreated, http.StatusConflict, http.StatusNotFound}, <-published)
		requireNowhere(t, d.Desk, "A canary")
	}
}

// A draft is published while the owner of its replacement is lost, before or after a takeover. The replacement never
// appears, even if its owner was only frozen and continues.
func TestPublishedDraftFencesALostOwner(t *testing.T) {
	t.Parallel()
	for _, takenOver := range []bool{false, true} {
		t.Run(fmt.Sprintf("taken over %t", takenOver), func(t *testing.T) {
			t.Parallel()
			desk := newDraftDesk(t)
			d, draft := desk.withDraft(t, "You get it back on Monday.")
			enqueue(t, d.Desk,
				groqsim.Script{Deltas: []string{"Never ", "shown."}, Gates: []groqsim.Gate{{Name: "lost", After: 1}}},
				groqsim.Script{Deltas: []string{"Nor ", "this."}, Gates: []groqsim.Gate{{Name: "next", After: 1}}})
			lost := d.agent.Regenerate(t, d.ticket.ID).ID
			requireHeld(t, d.Desk, "lost")
			abandon(t, d.Desk)
			if takenOver {
				requireHeld(t, d.Desk, "next")
			}
			require.Equal(t, http.StatusCreated, d.publish(t, draft, "").StatusCode())
			d.Simulator.Release("lost")
			d.Simulator.Release("next")
			events := d.agent.ReadAIResponse(t, lost)
			require.Equal(t, client.AIFailureCodeSuperseded, events.Failed.Code)
			require.Eventually(t, func() bool {
				return !slices.ContainsFunc(d.Simulator.Requests(), func(r groqsim.RequestRecord) bool { return r.End == groqsim.EndRunning })
			}, patience, 5*time.Millisecond, "the server hangs up on upstream")
			d.requireOneAnswer(t, draft, true)
			require.Nil(t, d.get(t, lost).MessageID)
			require.Empty(t, d.get(t, lost).Content)
		})
	}
}
