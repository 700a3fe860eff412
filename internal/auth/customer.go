package auth

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/supportbackend/support/gen/sqlc"
	"github.com/supportbackend/support/internal/apperr"
	"github.com/supportbackend/support/internal/store"
	"github.com/supportbackend/support/internal/uuid7"
)

// customerDomain is the domain of the addresses of services' customers, who cannot log in. No real address has it (RFC
// 2606, section 2).
const customerDomain = "@customer.invalid"

// customerName identifies a service's customer by the service's own id.
type customerName struct {
	service    uuid.UUID
	externalID string
}

// ActFor returns the actor as the customer whom its service knows by the id. It creates the customer's account if
// necessary. The caller has validated the id against the contract.
//
// It returns Forbidden for an actor that may not act for customers, and for a customer whose account is disabled.
func (s *Service) ActFor(ctx context.Context, actor Actor, externalID string) (Actor, error) {
	if actor.KeyID == uuid.Nil || !actor.InScope(ScopeOnBehalf) {
		return Actor{}, apperr.New(apperr.Forbidden, "Only an API key with the scope on_behalf may act for a customer.")
	}
	known := customerName{service: actor.ID, externalID: externalID}
	if p, ok := s.customers.get(known); ok {
		return actor.actingAs(p.actor.ID, p.actor.Email, p.actor.DisplayName), nil
	}
	asked := s.customers.now()
	row, err := s.findCustomer(ctx, known)
	if err != nil {
		return Actor{}, err
	}
	if row.Disabled {
		return Actor{}, apperr.New(apperr.Forbidden, "The customer's account is disabled.")
	}
	customer := actor.actingAs(row.ID, row.Email, name(row.DisplayName))
	s.customers.put(known, principal{actor: customer}, asked)
	return customer, nil
}

// findCustomer returns the account of a service's customer. Of concurrent first requests, one creates it.
func (s *Service) findCustomer(ctx context.Context, c customerName) (sqlc.GetServiceCustomerRow, error) {
	params := sqlc.GetServiceCustomerParams{ServiceID: c.service, ExternalID: c.externalID}
	row, err := s.store.GetServiceCustomer(ctx, params)
	if !errors.Is(err, store.ErrNoRows) {
		return row, err
	}
	id := uuid7.New()
	err = s.store.CreateServiceCustomer(ctx, sqlc.CreateServiceCustomerParams{
		ServiceID: c.service, ExternalID: c.externalID, UserID: id, Email: id.String() + customerDomain,
	})
	if err != nil {
		return row, err
	}
	return s.store.GetServiceCustomer(ctx, params)
}

// customerByID returns the actor as one of its service's customers. It returns InvalidToken for another service's
// customer and for a disabled account.
func (s *Service) customerByID(ctx context.Context, actor Actor, id uuid.UUID) (Actor, error) {
	row, err := s.store.GetServiceCustomerByUserID(ctx, sqlc.GetServiceCustomerByUserIDParams{
		ServiceID: actor.ID, UserID: id,
	})
	if errors.Is(err, store.ErrNoRows) || err == nil && row.Disabled {
		return Actor{}, invalidToken(errToken)
	}
	return actor.actingAs(row.ID, row.Email, name(row.DisplayName)), err
}

// actingAs returns the customer for whom the actor's API key acts. The role is always a customer's, whatever the
// account's, and a customer acts for nobody else.
func (a Actor) actingAs(id uuid.UUID, email, displayName string) Actor {
	a.ID, a.Email, a.DisplayName, a.Role = id, email, displayName, RoleUser
	a.scopes &^= onBehalf
	return a
}
