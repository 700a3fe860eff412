package httpapi

import (
	"context"
	"net/url"

	"github.com/supportbackend/support/gen/api"
	"github.com/supportbackend/support/internal/account"
)

const usersPath = "/users"

// CreateUser creates an account with any role.
func (s *Server) CreateUser(ctx context.Context, r api.CreateUserRequestObject) (api.CreateUserResponseObject, error) {
	actor := actorFrom(ctx)
	user, err := s.Accounts.Create(ctx, &actor, fromCreateUserRequest(*r.Body))
	if err != nil {
		return nil, err
	}
	return api.CreateUser201JSONResponse{
		Body:    toAccount(account.View{User: user}),
		Headers: api.CreateUser201ResponseHeaders{Location: usersPath + "/" + user.ID.String()},
	}, nil
}

// ListUsers returns a page of accounts.
func (s *Server) ListUsers(ctx context.Context, r api.ListUsersRequestObject) (api.ListUsersResponseObject, error) {
	actor, list := actorFrom(ctx), usersList(r.Params)
	page, err := s.cursors.Page(actor.ID, list, r.Params.Limit, r.Params.Cursor)
	if err != nil {
		return nil, err
	}
	users, next, err := s.Accounts.List(ctx, actor, fromListUsersParams(r.Params), page)
	if err != nil {
		return nil, err
	}
	return api.ListUsers200JSONResponse{
		Body:    convertAll(users, toAccount),
		Headers: api.ListUsers200ResponseHeaders{Link: s.cursors.Link(actor.ID, list, page, next)},
	}, nil
}

// GetUser returns an account.
func (s *Server) GetUser(ctx context.Context, r api.GetUserRequestObject) (api.GetUserResponseObject, error) {
	user, err := s.Accounts.Find(ctx, actorFrom(ctx), r.UserID)
	if err != nil {
		return nil, err
	}
	return api.GetUser200JSONResponse{Body: toAccount(user)}, nil
}

// UpdateUser changes an account's role or name, or disables or enables it.
func (s *Server) UpdateUser(ctx context.Context, r api.UpdateUserRequestObject) (api.UpdateUserResponseObject, error) {
	user, err := s.Accounts.Update(ctx, actorFrom(ctx), r.UserID, fromUpdateUserRequest(*r.Body))
	if err != nil {
		return nil, err
	}
	return api.UpdateUser200JSONResponse(toAccount(user)), nil
}

// DeleteUserData erases a customer's data.
func (s *Server) DeleteUserData(
	ctx context.Context, r api.DeleteUserDataRequestObject,
) (api.DeleteUserDataResponseObject, error) {
	if err := s.Accounts.Erase(ctx, actorFrom(ctx), r.UserID); err != nil {
		return nil, err
	}
	return api.DeleteUserData204Response{}, nil
}

// PutCustomer sets the name that staff see for a customer of the service.
func (s *Server) PutCustomer(ctx context.Context, r api.PutCustomerRequestObject) (api.PutCustomerResponseObject, error) {
	customer, err := s.Accounts.NameCustomer(ctx, actorFrom(ctx), r.UserID, orNil(r.Body.DisplayName))
	if err != nil {
		return nil, err
	}
	return api.PutCustomer200JSONResponse(*toCustomer(&customer.ServiceID, &customer.ExternalID, customer.DisplayName)), nil
}

// usersList is the list's path with its filter, which binds cursors to the filter.
func usersList(p api.ListUsersParams) string {
	filter := url.Values{}
	if p.Email != "" {
		filter.Set("email", p.Email)
	}
	if p.Role != "" {
		filter.Set("role", string(p.Role))
	}
	if p.IDs != "" {
		filter.Set("ids", p.IDs)
	}
	if len(filter) == 0 {
		return usersPath
	}
	return usersPath + "?" + filter.Encode()
}
