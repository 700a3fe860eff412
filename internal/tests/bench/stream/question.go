package stream

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/client"
	"github.com/supportbackend/support/internal/tests/bench/rig"
)

// question is a customer's ticket without an answer.
type question struct {
	*rig.Customer
	ticketID uuid.UUID
}

func (q question) path() string { return "/tickets/" + q.ticketID.String() + "/ai-response" }

// ask opens n tickets, spread over up to rig.MaxCustomers customers.
func ask(ctx context.Context, server string, n int) ([]question, error) {
	var customers []*rig.Customer
	for i := range min(n, rig.MaxCustomers) {
		c, err := rig.SignUp(ctx, server, i)
		if err != nil {
			return nil, err
		}
		customers = append(customers, c)
	}
	questions := make([]question, 0, n)
	for i := range n {
		c := customers[i%len(customers)]
		created, err := c.API.CreateTicketWithResponse(ctx, nil, client.CreateTicketRequest{
			Title:       fmt.Sprintf("Invoice %d is wrong", i),
			Description: "I was charged twice for October. The second charge is from the 14th. Can I have it back?",
		})
		if err != nil {
			return nil, err
		}
		if created.JSON201 == nil {
			return nil, fmt.Errorf("create a ticket: %s", created.Body)
		}
		questions = append(questions, question{Customer: c, ticketID: created.JSON201.ID})
	}
	return questions, nil
}

// askMany opens n tickets, spread over all customers, in the database rather than through the server.
func askMany(ctx context.Context, d *rig.Database, server string, n int) ([]question, error) {
	customers := min(n, rig.MaxCustomers)
	each := (n + customers - 1) / customers
	questions := make([]question, each*customers)
	for i := range customers {
		who, err := rig.SignUp(ctx, server, i)
		if err != nil {
			return nil, err
		}
		tickets, err := d.AddTickets(ctx, who.ID, each)
		if err != nil {
			return nil, err
		}
		// Each answer is for another customer than the one before, because answers of one customer start one after the
		// other.
		for n, id := range tickets {
			questions[n*customers+i] = question{Customer: who, ticketID: id}
		}
	}
	return questions[:n], nil
}
