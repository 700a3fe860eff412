package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/supportbackend/support/gen/client"
	sdktest "github.com/supportbackend/support/internal/tests/sdk"
)

var (
	ctx      = context.Background()
	ticketID = uuid.MustParse("0199d3c6-1f2a-7c3e-9b61-5e0f3a7c1d22")
)

// serve starts a server that plays the fixture with this name, and sets SUPPORT_BASE_URL to it.
func serve(name string) {
	fixtures, err := sdktest.Load()
	if err != nil {
		log.Fatal(err)
	}
	for _, fixture := range fixtures {
		if fixture.Name == name {
			_ = os.Setenv("SUPPORT_BASE_URL", httptest.NewServer(sdktest.NewPlayer(fixture)).URL)
			_ = os.Setenv("SUPPORT_TOKEN", fixture.Client.Token)
		}
	}
}

// serveBodies starts a server that answers one request after the other with these bodies and prints each request. It
// sets SUPPORT_BASE_URL to the server.
func serveBodies(bodies ...string) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println(strings.TrimSpace(r.Method + " " + r.URL.Path + " " + r.Header.Get("X-On-Behalf-Of")))
		w.Header().Set("Content-Type", "application/json")
		if strings.HasPrefix(bodies[0], "id:") {
			w.Header().Set("Content-Type", "text/event-stream")
		}
		_, _ = w.Write([]byte(bodies[0]))
		bodies = bodies[1:]
	}))
	_ = os.Setenv("SUPPORT_BASE_URL", server.URL)
}

const (
	ticketBody = `{"id":"0199d3c6-1f2a-7c3e-9b61-5e0f3a7c1d22","title":"Invoice 4711 is wrong","status":"open"}`
	streamBody = "id: 0199d3c6-4a10-7d0b-8c55-2f9f60d0a4b7:2\n" +
		"event: done\n" + `data: {"type":"done","message":{"content":"Thank you."}}` + "\n\n"
)

func ExampleNew() {
	serve("log-in")
	support, err := client.New() // reads SUPPORT_BASE_URL and SUPPORT_TOKEN
	if err != nil {
		log.Fatal(err)
	}
	tokens, err := support.LogIn(ctx, client.LogInRequest{Email: "ada@example.com", Password: "correct horse battery"})
	if err != nil {
		log.Fatal(err)
	}
	support, err = client.New(
		client.WithToken(tokens.AccessToken),
		client.WithRefreshToken(tokens.RefreshToken, func(next client.AccessToken) {
			// Store next.RefreshToken. The previous one no longer works.
		}),
	)
	fmt.Println(err)
	// Output: <nil>
}

func ExampleWithRefreshToken() {
	serve("token-expired")
	support, err := client.New(client.WithRefreshToken("srt_1", func(next client.AccessToken) {
		fmt.Println("keep", next.RefreshToken)
	}))
	if err != nil {
		log.Fatal(err)
	}
	ticket, err := support.CreateTicket(ctx, client.CreateTicketRequest{
		Title:       "Invoice 4711 is wrong",
		Description: "I was charged twice for October.",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ticket.ID)
	// Output:
	// keep srt_2
	// 0199d3c6-1f2a-7c3e-9b61-5e0f3a7c1d22
}

func ExampleSupport_CreateTicket() {
	serve("create")
	support, err := client.New()
	if err != nil {
		log.Fatal(err)
	}
	ticket, err := support.CreateTicket(ctx, client.CreateTicketRequest{
		Title:       "Invoice 4711 is wrong",
		Description: "I was charged twice for October.",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ticket.ID, ticket.Status)
	// Output: 0199d3c6-1f2a-7c3e-9b61-5e0f3a7c1d22 open
}

func ExampleSupport_StreamAIResponse() {
	serve("stream-reset")
	support, err := client.New()
	if err != nil {
		log.Fatal(err)
	}
	for event, err := range support.StreamAIResponse(ctx, ticketID) {
		if err != nil {
			log.Fatal(err)
		}
		switch event := event.(type) {
		case client.Delta:
			fmt.Print(event.Content)
		case client.Reset:
			fmt.Println(" … from the beginning:") // clear the text so far
		case client.Done:
			fmt.Println("\nstored as", event.Message.ID)
		case client.Failed:
			fmt.Println("\nno answer:", event.Code, event.Retryable)
		}
	}
	// Output:
	// Thank me … from the beginning:
	// Thank you.
	// stored as 0199d3c6-4f31-7e44-9a10-0c1b2a394857
}

func ExampleSupport_AskAI() {
	serveBodies(`{"ai_response_id":"0199d3c6-4a10-7d0b-8c55-2f9f60d0a4b7"}`, streamBody)
	support, err := client.New()
	if err != nil {
		log.Fatal(err)
	}
	answer, err := support.AskAI(ctx, ticketID, "When do I get my money back?")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.Content)
	// Output:
	// POST /tickets/0199d3c6-1f2a-7c3e-9b61-5e0f3a7c1d22/messages
	// GET /ai-responses/0199d3c6-4a10-7d0b-8c55-2f9f60d0a4b7/stream
	// Thank you.
}

func ExampleAnswerOf() {
	serve("answer")
	support, err := client.New()
	if err != nil {
		log.Fatal(err)
	}
	answer, err := client.AnswerOf(support.StreamAIResponse(ctx, ticketID))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.Content)
	// Output: Thank you.
}

func ExampleWithLastEventID() {
	serveBodies(streamBody)
	support, err := client.New()
	if err != nil {
		log.Fatal(err)
	}
	last := "0199d3c6-4a10-7d0b-8c55-2f9f60d0a4b7:1" // the ID of the last event that you have
	for event, err := range support.StreamAIResponse(ctx, ticketID, client.WithLastEventID(last)) {
		if err != nil {
			log.Fatal(err)
		}
		last = event.ID()
	}
	fmt.Println(last)
	// Output:
	// GET /tickets/0199d3c6-1f2a-7c3e-9b61-5e0f3a7c1d22/ai-response
	// 0199d3c6-4a10-7d0b-8c55-2f9f60d0a4b7:2
}

// relayAnswer is a handler of a back end. customerOf reads the customer's id from a cookie.
func relayAnswer(w http.ResponseWriter, r *http.Request) {
	ticketID, err := uuid.Parse(r.PathValue("ticket"))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	customer := support.ForCustomer(customerOf(r))
	last := client.WithLastEventID(r.Header.Get("Last-Event-ID"))
	if err := client.Relay(w, customer.StreamAIResponse(r.Context(), ticketID, last)); err != nil {
		log.Print(err)
		http.Error(w, "There is no answer.", http.StatusBadGateway)
	}
}

// support is the back end's SDK, with its API key.
var support *client.Support

func customerOf(*http.Request) string { return "customer-4711" }

func ExampleRelay() {
	serveBodies(streamBody)
	support, _ = client.New() // One for all requests.
	routes := http.NewServeMux()
	routes.HandleFunc("GET /questions/{ticket}/answer", relayAnswer)

	answer := httptest.NewRecorder()
	path := "/questions/" + ticketID.String() + "/answer"
	routes.ServeHTTP(answer, httptest.NewRequestWithContext(ctx, http.MethodGet, path, http.NoBody))
	fmt.Print(answer.Body.String())
	// Output:
	// GET /tickets/0199d3c6-1f2a-7c3e-9b61-5e0f3a7c1d22/ai-response customer-4711
	// id: 0199d3c6-4a10-7d0b-8c55-2f9f60d0a4b7:2
	// event: done
	// data: {"type":"done","message":{"content":"Thank you."}}
}

func ExampleSupport_ForCustomer() {
	serveBodies(ticketBody, `[`+ticketBody+`]`)
	support, err := client.New() // SUPPORT_TOKEN is an API key with the scope on_behalf
	if err != nil {
		log.Fatal(err)
	}
	customer := support.ForCustomer("customer-4711")
	_, err = customer.CreateTicket(ctx, client.CreateTicketRequest{
		Title:       "Invoice 4711 is wrong",
		Description: "I was charged twice for October.",
	})
	if err != nil {
		log.Fatal(err)
	}
	for ticket, err := range customer.ListTickets(ctx, nil) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(ticket.Title)
	}
	// Output:
	// POST /tickets customer-4711
	// GET /tickets customer-4711
	// Invoice 4711 is wrong
}

func Example_staff() {
	serveBodies(`[`+ticketBody+`]`, ticketBody, `{}`, ticketBody)
	support, err := client.New() // SUPPORT_TOKEN is an agent's access token
	if err != nil {
		log.Fatal(err)
	}
	for ticket, err := range support.ListTickets(ctx, nil) {
		if err != nil {
			log.Fatal(err)
		}
		if ticket.Status != client.TicketStatusOpen {
			continue
		}
		// From now on, only people answer. A staff message also cancels an answer that is being written.
		if _, err := support.UpdateTicket(ctx, ticket.ID, client.UpdateTicketRequest{AIMode: client.AIModeOff}); err != nil {
			log.Fatal(err)
		}
		reply := client.CreateMessageRequest{Content: "You get it back this week."}
		if _, err := support.CreateMessage(ctx, ticket.ID, reply); err != nil {
			log.Fatal(err)
		}
		if _, err := support.UpdateTicket(ctx, ticket.ID, client.UpdateTicketRequest{Status: client.TicketStatusResolved}); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// GET /tickets
	// PATCH /tickets/0199d3c6-1f2a-7c3e-9b61-5e0f3a7c1d22
	// POST /tickets/0199d3c6-1f2a-7c3e-9b61-5e0f3a7c1d22/messages
	// PATCH /tickets/0199d3c6-1f2a-7c3e-9b61-5e0f3a7c1d22
}

func ExampleSupport_ListTickets() {
	serve("pages")
	support, err := client.New()
	if err != nil {
		log.Fatal(err)
	}
	limit := client.Limit(2) // the size of a page; the loop covers all pages
	for ticket, err := range support.ListTickets(ctx, &client.ListTicketsParams{Limit: &limit}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(ticket.ID, ticket.Title)
	}
	// Output:
	// 0199d3c6-1f2a-7c3e-9b61-5e0f3a7c1d01 Invoice 4711 is wrong
	// 0199d3c6-1f2a-7c3e-9b61-5e0f3a7c1d02 Invoice 4711 is wrong
	// 0199d3c6-1f2a-7c3e-9b61-5e0f3a7c1d03 Invoice 4711 is wrong
	// 0199d3c6-1f2a-7c3e-9b61-5e0f3a7c1d04 Invoice 4711 is wrong
	// 0199d3c6-1f2a-7c3e-9b61-5e0f3a7c1d05 Invoice 4711 is wrong
}

func ExampleSupport_ListTicketsPage() {
	serve("pages")
	support, err := client.New()
	if err != nil {
		log.Fatal(err)
	}
	limit := client.Limit(2)
	page, err := support.ListTicketsPage(ctx, &client.ListTicketsParams{Limit: &limit})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(page.Items), page.Next)
	// Output: 2 c2
}

func ExampleProblem() {
	serve("create-rejected")
	support, err := client.New()
	if err != nil {
		log.Fatal(err)
	}
	_, err = support.CreateTicket(ctx, client.CreateTicketRequest{
		Title:       "Invoice 4711 is wrong",
		Description: "I was charged twice for October.",
	})
	var problem *client.Problem
	if errors.As(err, &problem) {
		fmt.Println(problem.Status, problem.Code, problem.RequestID)
		for _, field := range problem.Errors {
			fmt.Println(field.Pointer, field.Code)
		}
	}
	// Output:
	// 422 validation_failed 0199d3c6-5a00-7000-8000-000000000001
	// /title too_long
}

func ExampleWithIfMatch() {
	serve("change-if-unchanged")
	support, err := client.New()
	if err != nil {
		log.Fatal(err)
	}
	_, err = support.UpdateTicket(ctx, ticketID,
		client.UpdateTicketRequest{Status: client.TicketStatusPending},
		client.WithIfMatch(`"3"`), // the ETag of an earlier response, from WithResponseHeader
	)
	if client.IsProblem(err, client.ProblemCodePreconditionFailed) {
		fmt.Println("somebody else changed it first")
	}
	// Output: somebody else changed it first
}

func ExampleVerifyWebhook() {
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" // From CreateWebhook.
	receiver := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			return
		}
		event, err := client.VerifyWebhook(secret, r.Header, body)
		if err != nil {
			http.Error(w, "not genuine", http.StatusBadRequest)
			return
		}
		fmt.Println(event.Type, string(event.Data)) // A delivery may arrive twice: remember event.ID.
		w.WriteHeader(http.StatusNoContent)
	})

	body := `{"type":"ticket.created","timestamp":"2026-11-22T09:30:00.123456Z","data":{"position":4711}}`
	official, _ := standardwebhooks.NewWebhook(secret)
	for _, id := range []string{"0199d3c5-c311-7a44-9d0e-4c8f1e2a3b60", "made up"} {
		now := time.Now()
		signature, _ := official.Sign("0199d3c5-c311-7a44-9d0e-4c8f1e2a3b60", now, []byte(body))
		delivery := httptest.NewRequestWithContext(ctx, http.MethodPost, "/hooks/support", strings.NewReader(body))
		delivery.Header.Set("Webhook-Id", id)
		delivery.Header.Set("Webhook-Timestamp", strconv.FormatInt(now.Unix(), 10))
		delivery.Header.Set("Webhook-Signature", signature)
		answer := httptest.NewRecorder()
		receiver.ServeHTTP(answer, delivery)
		fmt.Println(answer.Code)
	}
	// Output:
	// ticket.created {"position":4711}
	// 204
	// 400
}
