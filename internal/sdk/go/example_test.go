package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http/httptest"
	"os"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/client"
	sdktest "github.com/supportbackend/support/internal/tests/sdk"
)

var (
	ctx      = context.Background()
	ticketID = uuid.MustParse("0199d3c6-1f2a-7c3e-9b61-5e0f3a7c1d22")
)

// serve lets SUPPORT_BASE_URL be a server that answers as the fixture of that name says.
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

func ExampleNew() {
	serve("log-in")
	support, err := client.New() // SUPPORT_BASE_URL says where, SUPPORT_TOKEN as whom
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
			// Keep next.RefreshToken in place of the one before.
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
			fmt.Println(" … from the beginning:") // clear what you have shown
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
	serve("ask")
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

func ExampleSupport_ListTickets() {
	serve("pages")
	support, err := client.New()
	if err != nil {
		log.Fatal(err)
	}
	limit := client.Limit(2) // items of a page; the iterator goes over all pages
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
		client.WithIfMatch(`"3"`), // an ETag that WithResponseHeader got
	)
	if client.IsProblem(err, client.ProblemCodePreconditionFailed) {
		fmt.Println("somebody was faster")
	}
	// Output: somebody was faster
}
